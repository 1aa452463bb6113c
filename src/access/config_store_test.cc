#include "access/config_store.h"

#include <gmock/gmock.h>

#include "access/test_world.h"

namespace weir::access {
namespace {

using testing::HasSubstr;

class ConfigStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(world.open());
    open();
  }
  void open() { store = ConfigStore::open(world.db()).value(); }
  ConfigStore::Applied apply(const std::string& text, const std::string& repository = "flights") {
    auto applied = store->apply(repository, "c0ffee", text, "alice", 5);
    EXPECT_TRUE(applied) << applied.error().message;
    return applied.value_or(ConfigStore::Applied{});
  }

  TestWorld world;
  std::unique_ptr<ConfigStore> store;
};

TEST_F(ConfigStoreTest, WhatWasAppliedHoldsAtOnceAndAfterARestart) {
  const auto before = store->current();
  EXPECT_TRUE(apply("environments: {production: {reviewers: [alice]}}").changed);
  EXPECT_TRUE(before->environments.empty());  // who holds a snapshot keeps it
  EXPECT_EQ(store->current()->environment("production")->reviewers.size(), 1U);
  const auto event = world.events().back();
  EXPECT_EQ(event.type, "config.applied");
  EXPECT_EQ(event.actor, "alice");
  EXPECT_EQ(event.cause, 5);
  ASSERT_TRUE(world.reopen());
  open();
  EXPECT_NE(store->current()->environment("production"), nullptr);
}

TEST_F(ConfigStoreTest, TheSameAgainIsNoNews) {
  apply("strict: true");
  const auto events = world.events().size();
  EXPECT_FALSE(apply("strict: true  # again").changed);
  EXPECT_EQ(world.events().size(), events);
}

TEST_F(ConfigStoreTest, ABrokenFileIsRefusedAndTheOldOneStays) {
  apply("gates: {m: [auc > 0.5]}");
  const auto refused = apply("gates: {m: [auc]}");
  EXPECT_FALSE(refused.changed);
  EXPECT_EQ(refused.problems.size(), 1U);
  EXPECT_NE(store->current()->gate("m"), nullptr);
  EXPECT_EQ(world.events().back().type, "config.refused");
  EXPECT_THAT(json_string_or(world.events().back().payload, "problems", ""), HasSubstr("weir.yaml:1:"));
}

TEST_F(ConfigStoreTest, AStoredFileThatNoLongerParsesKeepsTheServerFromStarting) {
  apply("environments: {production: {reviewers: [alice]}}");
  apply("environments: {canary: {reviewers: [bob]}}", "rockets");
  ASSERT_TRUE(world.db().write([](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute("UPDATE access_configs SET text = replace(text, 'reviewers', 'watchers')", {}));
    return {};
  }));
  const auto opened = ConfigStore::open(world.db());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kFailedPrecondition);
  for (const char* part : {"flights", "rockets", "watchers", "weir.yaml:1:", "weir lint", "weir fsck"}) {
    EXPECT_THAT(opened.error().message, HasSubstr(part));
  }
}

TEST_F(ConfigStoreTest, TwoRepositoriesCannotConfigureTheSameThing) {
  apply("gates: {m: [auc > 0.5]}", "a");
  EXPECT_TRUE(apply("gates: {n: [auc > 0.5]}", "b").changed);
  const auto refused = apply("gates: {n: [f1 > 0.5], m: [auc > 0.1]}", "b");
  ASSERT_EQ(refused.problems.size(), 1U);
  EXPECT_THAT(refused.problems[0].message, HasSubstr("of a and that of b both configure the gate of \"m\""));
  EXPECT_EQ(store->current()->gate("n")->rules[0].metric, "auc");
  EXPECT_EQ(store->repository_of_model("n"), "b");
}

TEST_F(ConfigStoreTest, EnvironmentsAreEachRepositorysOwn) {
  EXPECT_TRUE(apply("environments: {production: {reviewers: [alice]}, canary: {wait: 1h}}", "a").changed);
  EXPECT_TRUE(apply("environments: {production: {reviewers: [bob]}}", "b").changed);
  EXPECT_TRUE(apply("strict: true", "c").changed);
  const auto current = store->current();
  const auto reviewers = [&](const std::string& repository) {
    const auto* found = current->environment_of(repository, "production");
    return found == nullptr ? std::vector<std::string>{"none"} : found->reviewers;
  };
  EXPECT_EQ(reviewers("a"), std::vector<std::string>{"alice"});
  EXPECT_EQ(reviewers("b"), std::vector<std::string>{"bob"});
  EXPECT_EQ(reviewers("c"), std::vector<std::string>{"none"});
  EXPECT_EQ(reviewers("unknown"), std::vector<std::string>{"none"});
  EXPECT_EQ(current->environment_of("b", "canary"), nullptr);
  // What all share for an environment is not for those who enter it without being asked, where others are.
  EXPECT_TRUE(store->is_guarded_elsewhere("c", "production"));
  EXPECT_FALSE(store->is_guarded_elsewhere("a", "production"));
  EXPECT_FALSE(store->is_guarded_elsewhere("c", "canary"));
}

TEST_F(ConfigStoreTest, ARefusalIsKnownUntilAFileIsInForce) {
  EXPECT_EQ(store->refusal("flights"), "");
  apply("environments: {production: {reviewers: [alice]}}\nkeepp: 1");
  EXPECT_THAT(store->refusal("flights"), HasSubstr("keepp"));
  ASSERT_TRUE(world.reopen());
  open();
  EXPECT_THAT(store->refusal("flights"), HasSubstr("keepp"));
  EXPECT_EQ(store->refusal("other"), "");
  EXPECT_TRUE(apply("keep: {runs: 3}").changed);
  EXPECT_EQ(store->refusal("flights"), "");
  apply("keepp: 1");
  EXPECT_THAT(store->refusal("flights"), HasSubstr("keepp"));
  // Back to what has been in force all the time.
  apply("keep: {runs: 3}");
  EXPECT_EQ(store->refusal("flights"), "");
  ASSERT_TRUE(world.reopen());
  open();
  EXPECT_EQ(store->refusal("flights"), "");
}

TEST_F(ConfigStoreTest, VariablesArePutInWhenAFileIsAppliedAndStayWithIt) {
  const std::string text = "gates: {m: [\"auc >= ${{ vars.MIN }}\"]}";
  EXPECT_THAT(apply(text).problems[0].message, HasSubstr("variable MIN is not set"));
  const auto root = person("root", types::Role::kAdmin);
  ASSERT_TRUE(world.access().set_variable("MIN", "0.8", {}, root));
  EXPECT_TRUE(apply(text).changed);
  EXPECT_DOUBLE_EQ(store->current()->gate("m")->rules[0].limit, 0.8);
  ASSERT_TRUE(world.access().delete_variable("MIN", {}, root));
  ASSERT_TRUE(world.reopen());
  open();
  ASSERT_NE(store->current()->gate("m"), nullptr);
  EXPECT_DOUBLE_EQ(store->current()->gate("m")->rules[0].limit, 0.8);
}

TEST_F(ConfigStoreTest, AFileThatIsGoneConfiguresNothing) {
  apply("gates: {m: [auc > 0.5]}");
  EXPECT_TRUE(apply("").changed);
  EXPECT_EQ(store->current()->gate("m"), nullptr);
}

}  // namespace
}  // namespace weir::access
