#include "workflow/letters.h"

#include <gtest/gtest.h>

namespace weir::workflow {
namespace {

TEST(Letters, EveryScriptFoldsOneToOne) {
  EXPECT_EQ(fold_case("aZ é ж ω ա ა 𐐨"), "AZ É Ж Ω Ա Ა 𐐀");
  EXPECT_EQ(fold_case("ß ﬁ ı ſ"), "ß ﬁ ı ſ");
  EXPECT_EQ(fold_case("\xff\xc3 a"), "\xff\xc3 A") << "what is no UTF-8 stays";
  EXPECT_TRUE(equal_ignoring_case("Straße", "STRAßE"));
  EXPECT_FALSE(equal_ignoring_case("Straße", "STRASSE"));
}

TEST(Letters, TheOrderIsThatOfUtf16) {
  EXPECT_TRUE(compare_utf16("a", "b") < 0);
  EXPECT_TRUE(compare_utf16("ab", "a") > 0);
  EXPECT_TRUE(compare_utf16("x", "x") == 0);
  EXPECT_TRUE(compare_utf16("\U0001F600", "\uE000") < 0) << "a surrogate comes before U+E000";
  EXPECT_TRUE(compare_utf16("\U0001F600", "\uD7FF") > 0);
  EXPECT_TRUE(compare_utf16("\U0001F600", "\U0001F601") < 0);
}

TEST(Letters, BlanksOfEveryScriptAreTrimmed) {
  EXPECT_EQ(trim_blanks("\u3000 \ta b\u00a0\ufeff\n"), "a b");
  EXPECT_EQ(trim_blanks("\u00a0"), "");
  EXPECT_EQ(trim_blanks("\xa0x\xa0"), "\xa0x\xa0") << "half a character is none";
}

}  // namespace
}  // namespace weir::workflow
