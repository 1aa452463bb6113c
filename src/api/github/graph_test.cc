#include "api/github/graph.h"

#include <gtest/gtest.h>

namespace weir::api::github {
namespace {

using Letters = std::vector<std::string>;

// The page of "a" to "e" that arguments choose.
struct Page {
  std::string letters;
  std::string first_cursor;
  std::string last_cursor;
  bool next = false;
  bool previous = false;
};
Page page_of(const json::object& arguments, const Letters& all = {"a", "b", "c", "d", "e"}) {
  const auto made = connect<std::string>(
      "C", "E", arguments, "letters", all, [](const std::string& letter) { return letter; },
      [](const std::string& letter) -> Result<Outcome> { return Outcome(letter); });
  if (!made) return {.letters = made.error().message};
  const auto& page = *std::any_cast<Connection>(&std::get<graphql::Object>(made->value).value);
  if (page.refused) return {.letters = page.refused->message};
  Page read{.next = page.has_next, .previous = page.has_previous};
  for (const auto& node : page.nodes) read.letters += std::get<json::value>(node.value).as_string();
  if (!page.cursors.empty()) read.first_cursor = page.cursors.front();
  if (!page.cursors.empty()) read.last_cursor = page.cursors.back();
  return read;
}

TEST(Graph, SchemaHasNoFlaws) {
  EXPECT_EQ(graph_schema().flaws(), Letters{});
}

TEST(Graph, PagesForwards) {
  const auto first = page_of({{"first", 2}});
  EXPECT_EQ(first.letters, "ab");
  EXPECT_TRUE(first.next && !first.previous);
  const auto second = page_of({{"first", 2}, {"after", first.last_cursor}});
  EXPECT_EQ(second.letters, "cd");
  EXPECT_TRUE(second.next && second.previous);
  const auto third = page_of({{"first", 2}, {"after", second.last_cursor}});
  EXPECT_EQ(third.letters, "e");
  EXPECT_TRUE(!third.next && third.previous);
  EXPECT_EQ(page_of({{"first", 2}, {"after", third.last_cursor}}).letters, "");
  EXPECT_EQ(page_of({{"first", 100}, {"after", nullptr}}).letters, "abcde");
  EXPECT_EQ(page_of({{"first", 0}}).letters, "");
}

TEST(Graph, PagesBackwards) {
  const auto last = page_of({{"last", 2}});
  EXPECT_EQ(last.letters, "de");
  EXPECT_TRUE(!last.next && last.previous);
  const auto before = page_of({{"last", 2}, {"before", last.first_cursor}});
  EXPECT_EQ(before.letters, "bc");
  EXPECT_TRUE(before.next && before.previous);
  const auto first = page_of({{"last", 2}, {"before", before.first_cursor}});
  EXPECT_EQ(first.letters, "a");
  EXPECT_TRUE(first.next && !first.previous);
  EXPECT_EQ(page_of({{"first", 4}, {"last", 2}}).letters, "cd");
}

TEST(Graph, FindsItsPlaceAgainWhereOthersCameOrWent) {
  const auto two = page_of({{"first", 2}});
  EXPECT_EQ(page_of({{"first", 2}, {"after", two.last_cursor}}, {"x", "y", "a", "b", "c", "d"}).letters, "cd");
  // "b" is gone, and so is the place after it: what followed has moved there.
  EXPECT_EQ(page_of({{"first", 2}, {"after", two.last_cursor}}, {"a", "c", "d"}).letters, "cd");
  EXPECT_EQ(page_of({{"first", 2}, {"after", two.last_cursor}}, {}).letters, "");
  EXPECT_EQ(page_of({{"last", 2}, {"before", two.last_cursor}}, {"a", "c", "d"}).letters, "a");
}

TEST(Graph, RefusesPagesThatAreNone) {
  EXPECT_EQ(page_of({}).letters,
            "You must provide a `first` or `last` value to properly paginate the `letters` connection.");
  EXPECT_EQ(page_of({{"first", 101}}).letters,
            "Requesting 101 records on the `letters` connection exceeds the `first` limit of 100 records.");
  EXPECT_EQ(page_of({{"last", -1}}).letters, "`last` on the `letters` connection cannot be less than zero.");
  for (const auto* cursor : {"x", "!", "Og==", "YTph", "MTIzNDU2Nzg5MDEyOmE="}) {
    EXPECT_TRUE(page_of({{"first", 1}, {"after", cursor}}).letters.ends_with("does not appear to be a valid cursor."))
        << cursor;
  }
}

TEST(Graph, ReadsNodeIds) {
  const auto id = read_node_id("ref/flights/refs/heads/a-b/c");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->kind, "ref");
  EXPECT_EQ(id->home.repo, "flights");
  EXPECT_EQ(id->key, "refs/heads/a-b/c");
  EXPECT_EQ(read_node_id("comment/flights/12")->number(), 12);
  EXPECT_EQ(read_node_id("comment/flights/12x")->number(), 0);
  EXPECT_EQ(read_node_id("repository/flights")->key, "");
  for (const auto* broken : {"", "/", "comment", "IC_kwDOABC", "/flights/1", "comment//1"}) {
    EXPECT_FALSE(read_node_id(broken)) << broken;
  }
}

}  // namespace
}  // namespace weir::api::github
