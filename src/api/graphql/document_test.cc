#include "api/graphql/document.h"

#include <gtest/gtest.h>

namespace weir::api::graphql {
namespace {

std::string refusal(std::string_view text) {
  const auto document = parse_document(text);
  return document ? std::string("taken") : document.error().message;
}

TEST(Document, ReadsOperationsFragmentsAndVariables) {
  const auto document = parse_document(
      "query($repo: String! $owner: String = \"me\", $of: [ID!]!) @skip(if: false) {\n"
      "  first: repository(name: $repo, owner: $owner) { ...Parts ... on Repository { id } ... @include(if: true) { "
      "url } }\n"
      "}\n"
      "mutation Say { say(input: {id: 7, list: [1.5e3, null, RED, true], text: \"\"\"\n    two\n      lines\n  "
      "\"\"\"}) { id } }\n"
      "fragment Parts on Repository { name }  # the end");
  ASSERT_TRUE(document) << document.error().message;
  ASSERT_EQ(document->operations.size(), 2U);
  const auto& query = document->operations[0];
  ASSERT_EQ(query.variables.size(), 3U);
  EXPECT_EQ(query.variables[0].type.text(), "String!");
  EXPECT_EQ(query.variables[1].fallback->text, "me");
  EXPECT_EQ(query.variables[2].type.text(), "[ID!]!");
  const auto& repository = query.selections.front();
  EXPECT_EQ(repository.alias, "first");
  EXPECT_EQ(repository.name, "repository");
  EXPECT_EQ(repository.at, (Position{2, 3}));
  ASSERT_EQ(repository.selections.size(), 3U);
  EXPECT_EQ(repository.selections[0].kind, Selection::Kind::kSpread);
  EXPECT_EQ(repository.selections[1].on, "Repository");
  EXPECT_EQ(repository.selections[2].directives.front().name, "include");
  const auto& input = document->operations[1].selections.front().arguments.front().value;
  ASSERT_EQ(input.members.size(), 3U);
  EXPECT_EQ(input.members[1].value.items[2].kind, Value::Kind::kEnum);
  EXPECT_EQ(input.members[2].value.text, "two\n  lines");
  ASSERT_NE(document->fragment("Parts"), nullptr);
  EXPECT_EQ(document->fragment("Others"), nullptr);
}

TEST(Document, ReadsWhatStringsSay) {
  const auto text = [](std::string_view literal) {
    const auto document = parse_document(fmt::format("{{ a(b: {}) }}", literal));
    return document ? document->operations[0].selections[0].arguments[0].value.text : document.error().message;
  };
  EXPECT_EQ(text(R"("a\n\t\"\\\/\u0041")"), "a\n\t\"\\/A");
  EXPECT_EQ(text(R"("\uD83D\uDE00 \u{1F600}")"), "\xF0\x9F\x98\x80 \xF0\x9F\x98\x80");
  EXPECT_EQ(text(R"("""a \""" b""")"), "a \"\"\" b");
  EXPECT_EQ(text("\"\"\"\r\n  a\r\n\r\n   b\r\n\"\"\""), "a\n\n b");
  EXPECT_EQ(text("\"\""), "");
  EXPECT_EQ(text("\"\"\"\"\"\""), "");
  for (const auto* broken :
       {R"("\uD83D")", R"("\uDE00")", R"("\x")", R"("\u{110000}")", R"("\u{}")", "\"a\nb\"", "\"a", "\"\"\"a"}) {
    EXPECT_TRUE(text(broken).starts_with("Parse error")) << broken << ": " << text(broken);
  }
}

TEST(Document, SaysWhereItBreaks) {
  EXPECT_EQ(refusal("{ a(b: ) }"), "Parse error: expected a value, actual: \")\" at [1, 8]");
  EXPECT_EQ(refusal("{\n  a {\n"), "Parse error: expected a name, actual: the end of the document at [3, 1]");
  EXPECT_EQ(refusal("type A { b: C }"),
            "Parse error: expected query, mutation or fragment, actual: \"type\" at [1, 1]");
  EXPECT_EQ(refusal(""),
            "Parse error: expected query, mutation or fragment, actual: the end of the document at [1, 1]");
  EXPECT_EQ(refusal("{ a(b: 01) }"), "Parse error: not a number at [1, 10]");
  EXPECT_EQ(refusal("query($a: Int = $b) { a }"),
            "Parse error: expected a value without variables, actual: \"$\" at [1, 17]");
  EXPECT_EQ(refusal("fragment on on A { b }"), "Parse error: expected the fragment's name, actual: \"on\" at [1, 10]");
  EXPECT_NE(refusal("{}"), "taken");
  EXPECT_NE(refusal("{ a() }"), "taken");
  EXPECT_NE(refusal("{ \xC3\xA9 }"), "taken");
}

TEST(Document, BoundsDepthAndSize) {
  const auto nested = [](std::size_t levels) {
    std::string text;
    for (std::size_t i = 0; i < levels; ++i) text += "{a";
    return text + std::string(levels, '}');
  };
  EXPECT_EQ(refusal(nested(kNestingMax)), "taken");
  EXPECT_EQ(refusal(nested(kNestingMax + 1)), "The document is nested more than 40 levels deep");
  EXPECT_EQ(refusal(nested(100'000 / 3)), "The document is nested more than 40 levels deep");
  EXPECT_EQ(refusal("{a(b:" + std::string(50'000, '[')), "The document is nested more than 40 levels deep");
  EXPECT_EQ(refusal("query($a:" + std::string(50'000, '[')), "The document is nested more than 40 levels deep");
  std::string many = "{";
  for (std::size_t i = 0; i < kTokensMax; ++i) many += " a";
  EXPECT_EQ(refusal(many + "}"), "The document has more than 20000 tokens");
  EXPECT_EQ(refusal(std::string(kDocumentBytesMax + 1, ' ')), "The document has more than 262144 bytes");
}

}  // namespace
}  // namespace weir::api::graphql
