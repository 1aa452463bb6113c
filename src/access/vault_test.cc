#include <gmock/gmock.h>

#include "access/keys.h"
#include "access/test_world.h"

namespace weir::access {
namespace {

using testing::ElementsAre;
using testing::Pair;

const types::Identity kRoot = person("root", types::Role::kAdmin);

std::map<std::string, std::string> secrets_of(TestWorld& world, std::string_view environment) {
  const auto values = world.db().load<std::map<std::string, std::string>>(
      [&](store::Reader& reader) { return world.access().secrets(reader, {"", std::string(environment)}); });
  EXPECT_TRUE(values) << values.error().message;
  return values.value_or(std::map<std::string, std::string>{});
}

TEST(Secrets, AnEnvironmentsOwnValueWins) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  ASSERT_TRUE(world.access().set_secret("api_key", "general", {}, kRoot));
  ASSERT_TRUE(world.access().set_secret("API_KEY", "special", {"", "production"}, kRoot));
  ASSERT_TRUE(world.access().set_secret("OTHER", "o\nth\0er", {"", "staging"}, kRoot));
  EXPECT_THAT(secrets_of(world, ""), ElementsAre(Pair("API_KEY", "general")));
  EXPECT_THAT(secrets_of(world, "production"), ElementsAre(Pair("API_KEY", "special")));
  ASSERT_TRUE(world.reopen());
  EXPECT_THAT(secrets_of(world, "staging"), ElementsAre(Pair("API_KEY", "general"), Pair("OTHER", "o\nth\0er")));
}

TEST(Secrets, ARepositorysOwnValueWinsAndIsNobodyElses) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  ASSERT_TRUE(world.access().set_secret("A", "of all", {}, kRoot));
  ASSERT_TRUE(world.access().set_secret("A", "of flights", {"flights", ""}, kRoot));
  ASSERT_TRUE(world.access().set_secret("A", "of all in production", {"", "production"}, kRoot));
  ASSERT_TRUE(world.access().set_secret("B", "of flights in production", {"flights", "production"}, kRoot));
  ASSERT_TRUE(world.reopen());
  const auto at = [&](const Place& place) {
    return world.db()
        .load<std::map<std::string, std::string>>(
            [&](store::Reader& reader) { return world.access().secrets(reader, place); })
        .value();
  };
  EXPECT_THAT(at({"flights", ""}), ElementsAre(Pair("A", "of flights")));
  EXPECT_THAT(at({"other", ""}), ElementsAre(Pair("A", "of all")));
  EXPECT_THAT(at({"other", "production"}), ElementsAre(Pair("A", "of all in production")));
  EXPECT_THAT(at({"other", "production", false}), ElementsAre(Pair("A", "of all")));
  EXPECT_THAT(at({"flights", "production"}),
              ElementsAre(Pair("A", "of all in production"), Pair("B", "of flights in production")));
  EXPECT_THAT(at({"flights", "production", false}),
              ElementsAre(Pair("A", "of flights"), Pair("B", "of flights in production")));
  ASSERT_TRUE(world.access().delete_secret("A", {"flights", ""}, kRoot));
  EXPECT_THAT(at({"flights", ""}), ElementsAre(Pair("A", "of all")));
}

TEST(Secrets, AreReplacedListedByNameAndDeleted) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  ASSERT_TRUE(world.access().set_secret("A", "1", {}, kRoot));
  ASSERT_TRUE(world.access().set_secret("A", "", {}, kRoot));
  EXPECT_THAT(secrets_of(world, ""), ElementsAre(Pair("A", "")));
  const auto names = world.access().secret_names();
  ASSERT_EQ(names->size(), 1U);
  EXPECT_EQ(names->front().name, "A");
  EXPECT_EQ(names->front().updated_by, "root");
  ASSERT_TRUE(world.access().delete_secret("a", {}, kRoot));
  EXPECT_TRUE(secrets_of(world, "").empty());
  EXPECT_EQ(world.access().delete_secret("A", {}, kRoot).error().code, Code::kNotFound);
}

TEST(Secrets, NamesAreAsOnGitHub) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  for (const auto& name : {std::string(), std::string("1A"), std::string("A-B"), std::string("github_token"),
                           std::string("A B"), std::string(256, 'A')}) {
    const auto refused = world.access().set_secret(name, "x", {}, kRoot);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  }
  EXPECT_FALSE(world.access().set_secret("BIG", std::string(48 * 1024 + 1, 'x'), {}, kRoot));
}

TEST(Secrets, AValueMovedToAnotherNameDoesNotOpen) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  ASSERT_TRUE(world.access().set_secret("A", "for staging", {"", "staging"}, kRoot));
  ASSERT_TRUE(world.db().write([](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute("UPDATE access_secrets SET environment = 'production'", {}));
    return {};
  }));
  const auto opened = world.db().load<std::map<std::string, std::string>>(
      [&](store::Reader& reader) { return world.access().secrets(reader, {"", "production"}); });
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kCorrupt);
  EXPECT_NE(opened.error().message.find("secret A"), std::string::npos);
}

TEST(Secrets, EventsNameThemWithoutTheirValue) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  ASSERT_TRUE(world.access().set_secret("A", "topsecretvalue", {"", "production"}, kRoot));
  const auto events = world.events();
  EXPECT_EQ(events.back().type, "secret.set");
  EXPECT_EQ(events.back().subject, "secret/A");
  EXPECT_EQ(json::serialize(events.back().payload), R"({"environment":"production"})");
}

TEST(Variables, ArePlainWithTheSameRules) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  ASSERT_TRUE(world.access().set_variable("region", "eu", {}, kRoot));
  ASSERT_TRUE(world.access().set_variable("REGION", "us", {"", "production"}, kRoot));
  const auto at = [&](std::string_view environment) {
    return world.db()
        .load<std::map<std::string, std::string>>(
            [&](store::Reader& reader) { return world.access().variables(reader, {"", std::string(environment)}); })
        .value();
  };
  EXPECT_THAT(at(""), ElementsAre(Pair("REGION", "eu")));
  EXPECT_THAT(at("production"), ElementsAre(Pair("REGION", "us")));
  EXPECT_FALSE(world.access().set_variable("GITHUB_X", "1", {}, kRoot));
  ASSERT_TRUE(world.access().delete_variable("region", {"", "production"}, kRoot));
  EXPECT_THAT(at("production"), ElementsAre(Pair("REGION", "eu")));
}

TEST(Keys, SealingTwiceGivesTwoTextsThatBothOpen) {
  TestWorld world;
  const auto keys = Keys::open(world.db(), world.keys_dir(), world.log());
  ASSERT_TRUE(keys) << keys.error().message;
  const auto first = keys->seal("text", "a");
  const auto second = keys->seal("text", "a");
  EXPECT_NE(first, second);
  EXPECT_EQ(keys->open_sealed(first, "a"), "text");
  EXPECT_FALSE(keys->open_sealed(first, "b"));
  std::string changed = second;
  changed.back() = changed.back() == '0' ? '1' : '0';
  EXPECT_FALSE(keys->open_sealed(changed, "a"));
  EXPECT_FALSE(keys->open_sealed("zz", "a"));
  EXPECT_FALSE(keys->open_sealed("", "a"));
}

}  // namespace
}  // namespace weir::access
