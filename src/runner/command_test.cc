#include "runner/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::runner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using Pairs = std::vector<std::pair<std::string, std::string>>;

std::optional<Command> parse(std::string_view line) {
  return parse_command(line, [](std::string_view name) { return name == "error" || name == "set-output"; });
}

TEST(Command, TakesPropertiesAndDataApartAndUnescapesThem) {
  const auto command = parse("::error file=src/a%2Cb.py,line=7,title=Oh%3A no::first%0Asecond 100%25");
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->name, "error");
  EXPECT_EQ(command->property("file"), "src/a,b.py");
  EXPECT_EQ(command->property("LINE"), "7");
  EXPECT_EQ(command->property("title"), "Oh: no");
  EXPECT_EQ(command->property("col"), "");
  EXPECT_EQ(command->data, "first\nsecond 100%");
}

TEST(Command, AnEscapeIsUndoneOnceOnly) {
  EXPECT_EQ(parse("::error::%250A")->data, "%0A");
}

TEST(Command, DataMayHoldColons) {
  EXPECT_EQ(parse("::set-output name=url::http://x::y")->data, "http://x::y");
}

TEST(Command, LeadingBlanksAreAllowedOtherTextIsNot) {
  EXPECT_TRUE(parse("   ::error::x").has_value());
  EXPECT_FALSE(parse("see ::error::x").has_value());
}

TEST(Command, UnknownOrBrokenCommandsAreOrdinaryOutput) {
  EXPECT_FALSE(parse("::shout::x").has_value());
  EXPECT_FALSE(parse("::error").has_value());
  EXPECT_FALSE(parse("std::error").has_value());
  EXPECT_FALSE(parse("").has_value());
}

TEST(Command, TheOlderFormInBracketsMayStandAnywhere) {
  const auto command = parse("build: ##[error file=a%3Bb;line=3]broken%5D");
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->property("file"), "a;b");
  EXPECT_EQ(command->property("line"), "3");
  EXPECT_EQ(command->data, "broken]");
}

TEST(KeyValues, BothFormsAreRead) {
  Pairs pairs;
  const auto status = parse_key_values("a=1\n\nb=x=y\nnotes<<EOF\nfirst\n\nlast=3\nEOF\nempty<<E\nE\nc=\n", pairs);
  ASSERT_TRUE(status.has_value()) << status.error().message;
  EXPECT_THAT(pairs, ElementsAre(Pair("a", "1"), Pair("b", "x=y"), Pair("notes", "first\n\nlast=3"), Pair("empty", ""),
                                 Pair("c", "")));
}

TEST(KeyValues, TheLastLineNeedsNoNewline) {
  Pairs pairs;
  ASSERT_TRUE(parse_key_values("n<<E\nv\nE", pairs).has_value());
  EXPECT_THAT(pairs, ElementsAre(Pair("n", "v")));
}

TEST(KeyValues, AValueMayHoldTheHeredocSigns) {
  Pairs pairs;
  ASSERT_TRUE(parse_key_values("cmd=cat <<EOF\n", pairs).has_value());
  EXPECT_THAT(pairs, ElementsAre(Pair("cmd", "cat <<EOF")));
}

TEST(KeyValues, ALineWithoutEitherIsAnErrorAndWhatCameBeforeCounts) {
  Pairs pairs;
  const auto status = parse_key_values("a=1\njust text\nb=2\n", pairs);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().message, "Invalid format 'just text'");
  EXPECT_THAT(pairs, ElementsAre(Pair("a", "1")));
}

TEST(KeyValues, AMissingDelimiterIsNamed) {
  Pairs pairs;
  const auto status = parse_key_values("a<<END\nx\n", pairs);
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().message, HasSubstr("Matching delimiter not found 'END'"));
}

TEST(KeyValues, NamesAndDelimitersMustNotBeEmpty) {
  Pairs pairs;
  EXPECT_FALSE(parse_key_values("=x\n", pairs).has_value());
  EXPECT_FALSE(parse_key_values("<<EOF\nEOF\n", pairs).has_value());
  EXPECT_FALSE(parse_key_values("a<<\n\n", pairs).has_value());
}

TEST(PathLines, EmptyLinesAreLeftOut) {
  EXPECT_THAT(parse_path_lines("/a\n\n/b c\r\n"), ElementsAre("/a", "/b c"));
}

}  // namespace
}  // namespace weir::runner
