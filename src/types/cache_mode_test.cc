#include "types/cache_mode.h"

#include <gtest/gtest.h>

namespace weir::types {
namespace {

TEST(CacheMode, EachWordSaysWhatIsAllowed) {
  for (const auto& [name, restore, save] :
       {std::tuple{"none", false, false}, {"read", true, false}, {"write-only", false, true}, {"write", true, true}}) {
    const auto mode = parse_cache_mode(name);
    ASSERT_TRUE(mode) << name;
    EXPECT_EQ(cache_mode_name(*mode), name);
    EXPECT_EQ(may_restore(*mode), restore) << name;
    EXPECT_EQ(may_save(*mode), save) << name;
  }
  for (const auto* name : {"", "Read", "readonly", "write_only", "read-write"}) EXPECT_FALSE(parse_cache_mode(name));
}

TEST(CacheMode, TwoOfThemAllowWhatBothDo) {
  EXPECT_EQ(common(CacheMode::kWrite, CacheMode::kRead), CacheMode::kRead);
  EXPECT_EQ(common(CacheMode::kWriteOnly, CacheMode::kRead), CacheMode::kNone);
  EXPECT_EQ(common(CacheMode::kWrite, CacheMode::kWriteOnly), CacheMode::kWriteOnly);
}

}  // namespace
}  // namespace weir::types
