#include "types/token_scopes.h"

#include <gtest/gtest.h>

namespace weir::types {
namespace {

using Level = TokenScopes::Level;

TEST(TokenScopes, WhatIsNotNamedIsNotGivenAndTheShortFormsGiveAll) {
  const auto some = TokenScopes::from_workflow({{"contents", "read"}, {"actions", "write"}});
  EXPECT_EQ(some.of("contents"), Level::kRead);
  EXPECT_EQ(some.of("actions"), Level::kWrite);
  EXPECT_EQ(some.of("packages"), Level::kNone);
  EXPECT_EQ(TokenScopes::from_workflow({{"*", "read-all"}}).of("packages"), Level::kRead);
  EXPECT_EQ(TokenScopes::from_workflow({{"*", "write-all"}}).of("packages"), Level::kWrite);
  EXPECT_EQ(TokenScopes::from_workflow({}).of("contents"), Level::kNone);
}

TEST(TokenScopes, ACalledWorkflowHasNoMoreThanItsCaller) {
  const auto caller = TokenScopes::from_workflow({{"contents", "read"}, {"actions", "write"}});
  const auto all = TokenScopes::from_workflow({{"*", "write-all"}});
  const auto common = TokenScopes::common(all, caller);
  EXPECT_EQ(common.of("contents"), Level::kRead);
  EXPECT_EQ(common.of("actions"), Level::kWrite);
  EXPECT_EQ(common.of("packages"), Level::kNone);
  EXPECT_EQ(all.beyond(caller), "*");
  EXPECT_EQ(caller.beyond(all), "");
  EXPECT_EQ(TokenScopes::from_workflow({{"contents", "write"}}).beyond(caller), "contents");
}

TEST(TokenScopes, AreTheSameAfterJson) {
  const auto scopes = TokenScopes::from_workflow({{"contents", "read"}, {"*", "write-all"}});
  EXPECT_EQ(token_scopes_from_json(to_json(scopes)).value(), scopes);
  EXPECT_FALSE(token_scopes_from_json(json::value(3)).has_value());
}

}  // namespace
}  // namespace weir::types
