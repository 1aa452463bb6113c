#include "runner/problem_matcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"

namespace weir::runner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

json::object group(std::string_view regexp, json::object parts) {
  parts["regexp"] = regexp;
  return parts;
}

std::string file_of(json::array patterns, json::object more = {}) {
  json::object matcher = std::move(more);
  if (!matcher.contains("owner")) matcher["owner"] = "lint";
  matcher["pattern"] = std::move(patterns);
  return json::serialize(json::object{{"problemMatcher", json::array{std::move(matcher)}}});
}

std::string found(ProblemMatchers& matchers, std::string_view line) {
  std::string broken;
  const auto match = matchers.match(line, broken);
  if (!broken.empty()) return "broken " + broken;
  if (!match) return "";
  return fmt::format("{}|{}|{}|{}|{}|{}", match->severity, match->file, match->line, match->column, match->code,
                     match->message);
}

TEST(ProblemMatcher, FindsAProblemInALine) {
  ProblemMatchers matchers;
  const auto owners = matchers.add(
      file_of({group(R"(^([^:]+):(\d+):(\d+):\s+(error|warning):\s+(.*?)(?:\s+\[(\w+)\])?$)",
                     {{"file", 1}, {"line", 2}, {"column", 3}, {"severity", 4}, {"message", 5}, {"code", 6}})}));
  ASSERT_TRUE(owners) << owners.error().message;
  EXPECT_THAT(*owners, ElementsAre("lint"));
  EXPECT_EQ(found(matchers, "a.c:3:14: warning: unused x [W1]"), "warning|a.c|3|14|W1|unused x");
  EXPECT_EQ(found(matchers, "all fine"), "");
}

TEST(ProblemMatcher, LoopsOverTheLinesOfAFile) {
  ProblemMatchers matchers;
  ASSERT_TRUE(
      matchers.add(file_of({group(R"(^([^\s].*)$)", {{"file", 1}}),
                            group(R"(^\s+(\d+):(\d+)\s+(error|warning)\s+(.*)$)",
                                  {{"line", 1}, {"column", 2}, {"severity", 3}, {"message", 4}, {"loop", true}})})));
  EXPECT_EQ(found(matchers, "test.js"), "");
  EXPECT_EQ(found(matchers, "  1:0  error  Missing"), "error|test.js|1|0||Missing");
  EXPECT_EQ(found(matchers, "  5:23  warning  Unused"), "warning|test.js|5|23||Unused");
  EXPECT_EQ(found(matchers, ""), "");
  EXPECT_EQ(found(matchers, "  6:1  error  No file"), "");
}

TEST(ProblemMatcher, PutsSeveralLinesTogetherAndForgetsAHalfOne) {
  ProblemMatchers matchers;
  ASSERT_TRUE(matchers.add(file_of({group("^file (.*)$", {{"file", 1}}), group("^line (.*)$", {{"line", 1}}),
                                    group("^what (.*)$", {{"message", 1}})},
                                   {{"severity", "notice"}})));
  EXPECT_EQ(found(matchers, "file a"), "");
  EXPECT_EQ(found(matchers, "line 3"), "");
  EXPECT_EQ(found(matchers, "what it is"), "notice|a|3|||it is");
  EXPECT_EQ(found(matchers, "what else"), "");
  found(matchers, "file a");
  found(matchers, "line 3");
  matchers.reset();
  EXPECT_EQ(found(matchers, "what it is"), "");
}

TEST(ProblemMatcher, TheLatestOfAnOwnerCountsAndCanBeRemoved) {
  ProblemMatchers matchers;
  ASSERT_TRUE(matchers.add(file_of({group("^old (.*)$", {{"message", 1}})})));
  ASSERT_TRUE(matchers.add(file_of({group("^new (.*)$", {{"message", 1}})}, {{"owner", "LINT"}})));
  EXPECT_EQ(found(matchers, "old x"), "");
  EXPECT_EQ(found(matchers, "new x"), "|||||x");
  matchers.remove("Lint");
  EXPECT_TRUE(matchers.empty());
}

TEST(ProblemMatcher, RefusesWhatMakesNoSense) {
  const auto problem = [](const std::string& text) {
    ProblemMatchers matchers;
    const auto added = matchers.add(text);
    EXPECT_TRUE(matchers.empty());
    return added ? std::string() : added.error().message;
  };
  EXPECT_THAT(problem("{}"), HasSubstr("problemMatcher"));
  EXPECT_THAT(problem("nonsense"), HasSubstr("matcher file"));
  EXPECT_THAT(problem(file_of({})), HasSubstr("does not contain any patterns"));
  EXPECT_THAT(problem(file_of({group("x", {{"message", 0}})}, {{"owner", ""}})), HasSubstr("Owner must not be empty"));
  EXPECT_THAT(problem(file_of({group("x", {{"message", 0}})}, {{"severity", "bad"}})), HasSubstr("severity 'bad'"));
  EXPECT_THAT(problem(file_of({group("(x", {{"message", 1}})})), HasSubstr("cannot be read"));
  EXPECT_THAT(problem(file_of({group("(x)", {{"message", 2}})})), HasSubstr("out of range"));
  EXPECT_THAT(problem(file_of({group("(x)", {{"file", 1}})})), HasSubstr("must set 'message'"));
  EXPECT_THAT(problem(file_of({group("(x)", {{"message", 1}}), group("(x)", {{"message", 1}})})),
              HasSubstr("set twice"));
  EXPECT_THAT(problem(file_of({group("(x)", {{"message", 1}, {"loop", true}})})), HasSubstr("Only the last pattern"));
}

TEST(ProblemMatcher, AnExpressionWithoutEndIsRemoved) {
  ProblemMatchers matchers;
  ASSERT_TRUE(matchers.add(file_of({group("^(a+a+)+(b+b+)+c(a+)+$", {{"message", 1}})})));
  EXPECT_EQ(found(matchers, std::string(5'000, 'a') + "!"), "broken lint");
  EXPECT_TRUE(matchers.empty());
}

TEST(ProblemMatcher, ColoursAreNotSeen) {
  EXPECT_EQ(without_colors("\x1B[1;31merror\x1B[0m: \x1B[Kx \x1B]8"), "error: x \x1B]8");
}

}  // namespace
}  // namespace weir::runner
