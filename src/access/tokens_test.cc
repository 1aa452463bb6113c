#include <sys/stat.h>

#include "access/test_world.h"
#include "io/file.h"

namespace weir::access {
namespace {

using types::Role;

const types::Identity kRoot = person("root", Role::kAdmin);

std::string admin_token(TestWorld& world) {
  auto text = io::read_file(world.keys_dir() / "admin.token").value();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status{};
  EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777;
}

TEST(Tokens, TheFirstStartMakesKeysThatOnlyTheOwnerReads) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  EXPECT_EQ(mode_of(world.keys_dir()), 0700U);
  for (const char* file : {"pepper", "master.key", "admin.token"}) {
    EXPECT_EQ(mode_of(world.keys_dir() / file), 0600U) << file;
  }
  const auto admin = world.access().authenticate(admin_token(world));
  ASSERT_TRUE(admin) << admin.error().message;
  EXPECT_EQ(admin->name, "admin");
  EXPECT_EQ(admin->role, Role::kAdmin);
}

TEST(Tokens, NoTokenIsAnonymousAndAWrongOneIsRefused) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  const auto anonymous = world.access().authenticate("");
  ASSERT_TRUE(anonymous);
  EXPECT_FALSE(anonymous->role);
  EXPECT_EQ(anonymous->name, "anonymous");
  for (const auto& wrong : {std::string("weir_nope"), std::string(100'000, 'x'), std::string("\0", 1)}) {
    const auto refused = world.access().authenticate(wrong);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kUnauthenticated);
    EXPECT_EQ(refused.error().message.find("nope"), std::string::npos);
  }
}

TEST(Tokens, WhereTokensAreRequiredNobodyIsAnonymous) {
  TestWorld world;
  auto strict =
      Access::open(world.db(), world.loop, world.log(), {.keys_dir = world.keys_dir(), .tokens_required = true});
  ASSERT_TRUE(strict) << strict.error().message;
  const auto refused = (*strict)->authenticate("");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnauthenticated);
}

TEST(Tokens, ATokenIsGoodUntilItIsRevokedAlsoAfterARestart) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  const auto alice = world.access().create_token("alice", Role::kApprover, std::nullopt, kRoot);
  ASSERT_TRUE(alice) << alice.error().message;
  EXPECT_TRUE(alice->secret.starts_with("weir_"));
  EXPECT_GE(alice->secret.size(), 48U);
  EXPECT_EQ(world.access().authenticate(alice->secret)->name, "alice");
  ASSERT_TRUE(world.reopen());
  EXPECT_EQ(world.access().authenticate(alice->secret)->role, Role::kApprover);
  ASSERT_TRUE(world.access().revoke_token(alice->token.id, kRoot));
  EXPECT_FALSE(world.access().authenticate(alice->secret));
  ASSERT_TRUE(world.reopen());
  EXPECT_FALSE(world.access().authenticate(alice->secret));
  EXPECT_EQ(world.access().revoke_token(alice->token.id, kRoot).error().code, Code::kNotFound);
}

TEST(Tokens, ATokenExpires) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  const auto soon = world.loop.now() + std::chrono::hours{1};
  const auto token = world.access().create_token("ci", Role::kDeveloper, soon, kRoot);
  ASSERT_TRUE(token);
  EXPECT_TRUE(world.access().authenticate(token->secret));
  world.loop.advance(std::chrono::hours{1});
  const auto expired = world.access().authenticate(token->secret);
  ASSERT_FALSE(expired);
  EXPECT_NE(expired.error().message.find("the token of ci expired at 2026-01-01T01:00:00Z"), std::string::npos);
  EXPECT_FALSE(world.access().create_token("late", Role::kViewer, soon, kRoot));
}

TEST(Tokens, NothingThatOpensADoorIsInDatabaseOrEvents) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  const auto token = world.access().create_token("alice", Role::kViewer, std::nullopt, kRoot);
  ASSERT_TRUE(token);
  ASSERT_TRUE(world.access().set_secret("API_KEY", "hunter2hunter2", {}, kRoot));
  const std::string admin = admin_token(world);
  world.db().stop();
  std::string bytes;
  for (const auto& entry : std::filesystem::directory_iterator(world.dir())) {
    if (entry.is_regular_file()) bytes += io::read_file(entry.path()).value();
  }
  EXPECT_NE(bytes.find("alice"), std::string::npos);
  const std::size_t prefix = std::string_view("weir_").size();
  for (const auto& secret : {token->secret.substr(prefix), admin.substr(prefix), std::string("hunter2hunter2")}) {
    EXPECT_EQ(bytes.find(secret), std::string::npos);
  }
}

TEST(Tokens, CreationAndRevocationAreEvents) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  const auto token = world.access().create_token("alice", Role::kApprover, std::nullopt, kRoot);
  ASSERT_TRUE(world.access().revoke_token(token->token.id, kRoot));
  const auto events = world.events();
  ASSERT_EQ(events.size(), 3U);  // the admin's own comes first
  EXPECT_EQ(events[1].type, "token.created");
  EXPECT_EQ(events[1].actor, "root");
  EXPECT_EQ(events[1].subject, fmt::format("token/{}", token->token.id));
  EXPECT_EQ(json::serialize(events[1].payload), R"({"name":"alice","role":"approver"})");
  EXPECT_EQ(events[2].type, "token.revoked");
}

TEST(Tokens, OddNamesAreRefused) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  for (const auto& name : {std::string(), std::string("job:1"), std::string("a b"), std::string("weir"),
                           std::string("anonymous"), std::string(65, 'a'), std::string("a\n")}) {
    const auto refused = world.access().create_token(name, Role::kViewer, std::nullopt, kRoot);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  }
}

TEST(Tokens, ARemovedAdminFileIsMadeAnewAndTheOldTokenIsDead) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  const auto before = admin_token(world);
  ASSERT_TRUE(world.reopen());
  EXPECT_EQ(admin_token(world), before);
  std::filesystem::remove(world.keys_dir() / "admin.token");
  ASSERT_TRUE(world.reopen());
  EXPECT_NE(admin_token(world), before);
  EXPECT_TRUE(world.access().authenticate(admin_token(world)));
  EXPECT_FALSE(world.access().authenticate(before));
}

TEST(Tokens, AnAdminTokenThatWasRevokedStaysRevoked) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  const auto token = admin_token(world);
  ASSERT_TRUE(world.access().revoke_token(world.access().tokens()->front().id, kRoot));
  ASSERT_TRUE(world.reopen());
  EXPECT_EQ(admin_token(world), token);
  EXPECT_FALSE(world.access().authenticate(token));
}

TEST(Tokens, AForeignJobsTokenStaysOneOverARestart) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  const auto token = world.db().write_with<std::string>([&](store::Transaction& tx) {
    return world.access().issue_job_token(tx, {.job_id = 42, .run_id = 7, .foreign = true});
  });
  ASSERT_TRUE(token) << token.error().message;
  for (const bool restarted : {false, true}) {
    if (restarted) ASSERT_TRUE(world.reopen());
    const auto identity = world.access().authenticate(*token);
    ASSERT_TRUE(identity) << identity.error().message;
    EXPECT_TRUE(identity->foreign);
    EXPECT_EQ(identity->role, types::Role::kViewer);
    EXPECT_TRUE(world.access().allow(*identity, Permission::kRead, "runs"));
    EXPECT_FALSE(world.access().allow(*identity, Permission::kLogExperiments, "experiments"));
  }
}

TEST(Tokens, AJobsTokenNamesTheJobAndItsEnvironments) {
  TestWorld world;
  ASSERT_TRUE(world.open());
  const std::vector<std::string> environments = {"production"};
  const auto scopes = types::TokenScopes::from_workflow({{"contents", "read"}});
  const auto token = world.db().write_with<std::string>([&](store::Transaction& tx) {
    return world.access().issue_job_token(tx,
                                          {.job_id = 42, .run_id = 7, .environments = environments, .scopes = scopes});
  });
  ASSERT_TRUE(token) << token.error().message;
  ASSERT_TRUE(world.reopen());
  const auto identity = world.access().authenticate(*token);
  ASSERT_TRUE(identity) << identity.error().message;
  EXPECT_EQ(identity->name, "job:42");
  EXPECT_EQ(identity->job_id, 42);
  EXPECT_EQ(identity->run_id, 7);
  EXPECT_EQ(identity->environments, environments);
  EXPECT_EQ(identity->scopes, scopes);
  EXPECT_FALSE(world.access().allow(*identity, Permission::kApprove, "approval/1"));
  EXPECT_EQ(world.access().tokens()->size(), 1U);  // lists people's tokens only

  ASSERT_TRUE(world.db().write([&](store::Transaction& tx) { return world.access().revoke_job_token(tx, 42); }));
  EXPECT_FALSE(world.access().authenticate(*token));
  ASSERT_TRUE(world.reopen());
  EXPECT_FALSE(world.access().authenticate(*token));
}

TEST(Keys, AKeyThatIsGoneDamagedOrAnothersStopsTheStart) {
  for (const char* file : {"pepper", "master.key"}) {
    TestWorld world;
    ASSERT_TRUE(world.open());
    const auto path = world.keys_dir() / file;
    const auto good = io::read_file(path).value();

    ASSERT_TRUE(io::write_file_atomic(path, good.substr(0, 10), 0600));
    EXPECT_EQ(world.reopen().error().code, Code::kCorrupt);
    ASSERT_TRUE(io::write_file_atomic(path, std::string(64, 'a'), 0600));
    EXPECT_NE(world.reopen().error().message.find("is not the key"), std::string::npos);
    std::filesystem::remove(path);
    EXPECT_NE(world.reopen().error().message.find("is missing"), std::string::npos);
    ASSERT_TRUE(io::write_file_atomic(path, good, 0600));
    EXPECT_TRUE(world.reopen());
  }
}

}  // namespace
}  // namespace weir::access
