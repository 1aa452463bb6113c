#include "runner/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace weir::runner {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> lines_of(const std::vector<std::string>& chunks) {
  std::vector<std::string> lines;
  LineSplitter splitter([&](const LineSplitter::Line& line) { lines.emplace_back(line.text); });
  for (const auto& chunk : chunks) splitter.push(chunk);
  splitter.finish();
  return lines;
}

TEST(LineSplitter, JoinsLinesOverReads) {
  EXPECT_THAT(lines_of({"a\nb", "c\n", "\nlast"}), ElementsAre("a", "bc", "", "last"));
}

TEST(LineSplitter, AProgressBarLeavesItsLastState) {
  EXPECT_THAT(lines_of({"10%\r20%", "\r30", "%\r\n", "done\r\n"}), ElementsAre("30%", "done"));
  EXPECT_THAT(lines_of({"10%\r", "20%\r", "30%"}), ElementsAre("30%"));
  EXPECT_THAT(lines_of({"10%\r", "\nnext\n"}), ElementsAre("10%", "next"));
}

TEST(LineSplitter, AVeryLongLineIsCutAndSaysByHowMuch) {
  std::size_t size = 0;
  std::size_t cut = 0;
  LineSplitter splitter([&](const LineSplitter::Line& line) {
    size = line.text.size();
    cut = line.bytes_cut;
  });
  const std::string chunk(1U << 20, 'x');
  for (int i = 0; i < 6; ++i) splitter.push(chunk);
  splitter.push("\n");
  EXPECT_EQ(size, LineSplitter::kLineBytesMax);
  EXPECT_EQ(cut, (6U << 20) - LineSplitter::kLineBytesMax);
}

TEST(Sanitize, ReplacesWhatIsNoUtf8) {
  std::string out;
  EXPECT_FALSE(sanitize_into("plain \x1b[1m text\t", out));
  EXPECT_FALSE(sanitize_into("模型 ✓ 🤖", out));
  ASSERT_TRUE(sanitize_into("a\xffz\xc3", out));
  EXPECT_EQ(out, "a\xEF\xBF\xBDz\xEF\xBF\xBD");
  ASSERT_TRUE(sanitize_into(std::string_view("nul\0", 4), out));
  EXPECT_EQ(out, "nul\xEF\xBF\xBD");
  // Overlong, surrogate and beyond the last code point.
  for (const char* bad : {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80"}) EXPECT_TRUE(sanitize_into(bad, out)) << bad;
}

TEST(Sanitize, CuttingDoesNotBreakACharacter) {
  EXPECT_EQ(cut_text("abc", 10), "abc");
  EXPECT_EQ(cut_text("ab✓", 3), "ab");
  EXPECT_EQ(cut_text("ab✓", 5), "ab✓");
}

}  // namespace
}  // namespace weir::runner
