#include "base/size.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Size, IsReadAsPeopleWriteIt) {
  EXPECT_EQ(parse_size("8G"), std::int64_t{8} << 30);
  EXPECT_EQ(parse_size("512MiB"), 512 << 20);
  EXPECT_EQ(parse_size("512MB"), 512 << 20);
  EXPECT_EQ(parse_size("1t"), std::int64_t{1} << 40);
  EXPECT_EQ(parse_size("100"), 100);
  EXPECT_EQ(parse_size("100B"), 100);
  EXPECT_EQ(parse_size("0"), 0);
  for (const auto* bad : {"", "G", "-1G", "1X", "1.5G", "1Gi", "1GBx", "9999999999T", "99999999999999999999"}) {
    EXPECT_EQ(parse_size(bad), std::nullopt) << bad;
  }
}

TEST(Size, IsWrittenAsItCanBeReadAgain) {
  for (const std::int64_t bytes :
       {std::int64_t{0}, std::int64_t{1000}, std::int64_t{1536} << 20, std::int64_t{8} << 30}) {
    EXPECT_EQ(parse_size(size_text(bytes)), bytes);
  }
  EXPECT_EQ(size_text(std::int64_t{8} << 30), "8G");
}

}  // namespace
}  // namespace weir
