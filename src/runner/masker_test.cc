#include "runner/masker.h"

#include <gtest/gtest.h>

#include "base/hash.h"

namespace weir::runner {
namespace {

TEST(Masker, EverySecretInALineIsReplaced) {
  Masker masker;
  masker.add("hunter2");
  masker.add("swordfish");
  EXPECT_EQ(masker.mask("a hunter2 b swordfish c hunter2"), "a *** b *** c ***");
  EXPECT_EQ(masker.mask("nothing here"), "nothing here");
}

TEST(Masker, OverlappingFindsBecomeOne) {
  Masker masker;
  masker.add("abcdef");
  masker.add("defghi");
  EXPECT_EQ(masker.mask("x abcdefghi y"), "x *** y");
  EXPECT_EQ(masker.mask("abcdefabcdef!"), "***!");
}

TEST(Masker, Base64IsFoundAtAllThreeAlignments) {
  const std::string secret = "correct-horse-battery";
  Masker masker;
  masker.add(secret);
  for (const std::string prefix : {"", "u", "us", "user:"}) {
    const std::string encoded = base64_encode(prefix + secret + "@host");
    const std::string masked = masker.mask(encoded);
    EXPECT_NE(masked.find("***"), std::string::npos) << prefix;
    // What is left around it stands for fewer than three bytes at each side.
    EXPECT_LT(masked.size(), encoded.size() - (secret.size() - 4) / 3 * 4 + 4) << masked;
  }
  EXPECT_EQ(masker.mask(base64_encode(secret + "\n")), "***");
}

TEST(Masker, LinesOfALongSecretAreMaskedOneByOne) {
  Masker masker;
  masker.add("-----BEGIN KEY-----\nMIIEowIBAAKCAQEA\n}\n-----END KEY-----\n");
  EXPECT_EQ(masker.mask("MIIEowIBAAKCAQEA"), "***");
  EXPECT_EQ(masker.mask("-----BEGIN KEY-----"), "***");
  EXPECT_EQ(masker.mask("int main() { }"), "int main() { }");
}

TEST(Masker, JsonAndPercentEncodedFormsAreMasked) {
  Masker masker;
  masker.add("a\"b\\c/d+e");
  EXPECT_EQ(masker.mask(R"({"key":"a\"b\\c/d+e"})"), R"({"key":"***"})");
  EXPECT_EQ(masker.mask("https://x/?k=a%22b%5Cc%2Fd%2Be"), "https://x/?k=***");
}

TEST(Masker, WrappedBase64OfALongSecretIsMaskedLineByLine) {
  std::string secret;
  for (int i = 0; i < 200; ++i) secret += static_cast<char>('a' + i * 7 % 26);
  const std::string encoded = base64_encode(secret);
  Masker masker;
  masker.add(secret);
  for (std::size_t i = 0; i + 76 <= encoded.size(); i += 76) EXPECT_EQ(masker.mask(encoded.substr(i, 76)), "***");
}

TEST(Masker, BlankSecretsAreIgnored) {
  Masker masker;
  masker.add("");
  masker.add("  \n");
  EXPECT_TRUE(masker.empty());
  EXPECT_EQ(masker.mask("a b"), "a b");
}

}  // namespace
}  // namespace weir::runner
