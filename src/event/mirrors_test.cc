#include "event/mirrors.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "event/schema.h"
#include "io/file.h"
#include "io/process.h"
#include "io/test_folder.h"
#include "store/sqlite/sqlite_database.h"

namespace weir::event {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class FakeStarter final : public RunStarter {
 public:
  Result<PreparedRun> prepare(RunRequest request) override { return PreparedRun{.request = std::move(request)}; }
  Result<std::int64_t> insert(store::Transaction& tx, const PreparedRun& run) override {
    const std::scoped_lock lock(mutex);
    commits.push_back(run.request.commit);
    return tx.next_id("run");
  }
  std::mutex mutex;
  std::vector<std::string> commits;
};

class MirrorsTest : public testing::Test {
 protected:
  MirrorsTest() : log_(clock_, null_file_, LogLevel::kError) {
    shell(
        "git init -q -b main theirs && cd theirs && git config user.name a && git config user.email a@b && mkdir -p "
        ".github/workflows && printf 'on: push\\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: x}]}}\\n' > "
        ".github/workflows/ci.yml && git add -A && git commit -qm one");
    db_ = store::open_sqlite(root_ / "weir.db", migrations(), clock_, log_).value();
    const auto git = [this](const std::string& repo) { return io::Git::init_bare(root_ / (repo + ".git")); };
    triggers_ = std::make_unique<Triggers>(
        TriggerDeps{.db = db_.get(), .clock = &clock_, .log = &log_, .starter = &starter_, .git = git});
    mirrors_ = std::make_unique<Mirrors>(MirrorDeps{.db = db_.get(),
                                                    .clock = &clock_,
                                                    .log = &log_,
                                                    .triggers = triggers_.get(),
                                                    .git = git,
                                                    .secret = [](const std::string& name) -> Result<std::string> {
                                                      return fail(Code::kNotFound, "no secret {}", name);
                                                    }});
    mirrors_->start();
  }
  ~MirrorsTest() override {
    mirrors_.reset();
    triggers_.reset();
    db_->stop();
    ::close(null_file_);
  }
  std::string shell(const std::string& command) {
    auto out = io::run_checked({.argv = {"/bin/sh", "-ec", command}, .working_dir = root_}).value();
    while (out.ends_with('\n')) out.pop_back();
    return out;
  }
  void follow() {
    ASSERT_TRUE(mirrors_->set({.repo = "ours", .url = "file://" + (root_ / "theirs").string()}, admin_).has_value());
  }
  // Waits until the mirror was looked at once more.
  Mirror fetched() {
    for (int i = 0; i < 3'000; ++i) {
      const auto mirror = mirrors_->list().value().at(0);
      if (mirror.fetched_at && mirror.fetched_at != last_) {
        last_ = mirror.fetched_at;
        return mirror;
      }
      ::usleep(10'000);
    }
    ADD_FAILURE() << "it was never fetched";
    return {};
  }

  SystemClock clock_;
  int null_file_ = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  Log log_;
  io::TestFolder root_;
  std::unique_ptr<store::Database> db_;
  FakeStarter starter_;
  std::unique_ptr<Triggers> triggers_;
  std::unique_ptr<Mirrors> mirrors_;
  std::optional<TimePoint> last_;
  types::Identity admin_{.name = "root", .role = types::Role::kAdmin};
};

TEST_F(MirrorsTest, ARepositoryFollowsAnotherAndStartsWhatItsPushesStart) {
  follow();
  EXPECT_EQ(fetched().problem, "");
  const auto first = shell("git -C theirs rev-parse HEAD");
  EXPECT_EQ(shell("git --git-dir=ours.git rev-parse main"), first);
  shell("cd theirs && git commit -q --allow-empty -m two && git branch side && git tag v1");
  ASSERT_TRUE(mirrors_->fetch_soon("ours").has_value());
  fetched();
  EXPECT_EQ(shell("git --git-dir=ours.git rev-parse main"), shell("git -C theirs rev-parse HEAD"));
  EXPECT_EQ(shell("git --git-dir=ours.git rev-parse v1 side | sort -u | wc -l"), "1");
  EXPECT_EQ(starter_.commits.size(), 4U) << "main twice, side and the tag";
  shell("cd theirs && git branch -D side");
  ASSERT_TRUE(mirrors_->fetch_soon("ours").has_value());
  fetched();
  EXPECT_EQ(shell("git --git-dir=ours.git branch --list side"), "");
}

TEST_F(MirrorsTest, AnAddressThatHoldsAPasswordIsNeverWrittenDown) {
  for (const char* url : {"https://u:secretpw@host.example/x.git", "http://:secretpw@host.example/x.git",
                          "ssh://git:secretpw@host.example/x.git", "https://u:sec@retpw@host.example/x.git",
                          "https://secretpw-that-is-a-token@host.example/x.git"}) {
    const auto set = mirrors_->set({.repo = "ours", .url = url}, admin_);
    ASSERT_FALSE(set.has_value()) << url;
    EXPECT_NE(set.error().message.find("--token-secret"), std::string::npos) << set.error().message;
    EXPECT_EQ(set.error().message.find("retpw"), std::string::npos) << set.error().message;
    EXPECT_EQ(without_secret(url).find("retpw"), std::string::npos) << without_secret(url);
  }
  EXPECT_TRUE(mirrors_->list().value().empty());
  EXPECT_EQ(without_secret("https://u:p@host/x.git"), "https://***@host/x.git");
  for (const char* url :
       {"ssh://git@127.0.0.1:1/x.git", "http://me@127.0.0.1:1/x.git", "http://127.0.0.1:1/a:b@c.git"}) {
    EXPECT_TRUE(mirrors_->set({.repo = "ours", .url = url, .every = std::chrono::hours{1}}, admin_).has_value()) << url;
    EXPECT_EQ(without_secret(url), url);
  }
}

TEST_F(MirrorsTest, ABranchWithCommitsOfItsOwnStays) {
  follow();
  fetched();
  shell(
      "git clone -q ours.git work && cd work && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m own && "
      "git push -q origin HEAD:main");
  const auto own = shell("git --git-dir=ours.git rev-parse main");
  shell("cd theirs && git commit -q --allow-empty -m theirs");
  ASSERT_TRUE(mirrors_->fetch_soon("ours").has_value());
  EXPECT_THAT(fetched().problem, HasSubstr("main moved upstream, but has commits of its own here and stays"));
  EXPECT_EQ(shell("git --git-dir=ours.git rev-parse main"), own);
}

TEST_F(MirrorsTest, WhatCannotBeFetchedIsTold) {
  for (const std::string url : {"--upload-pack=x", "ext::sh -c x", "/etc", "https://a b"}) {
    EXPECT_FALSE(mirrors_->set({.repo = "ours", .url = url}, admin_).has_value()) << url;
  }
  EXPECT_FALSE(mirrors_->fetch_soon("ours").has_value());
  ASSERT_TRUE(mirrors_->set({.repo = "ours", .url = "file:///nowhere/at/all"}, admin_).has_value());
  EXPECT_THAT(fetched().problem, HasSubstr("git cannot fetch"));
  EXPECT_TRUE(mirrors_->remove("ours", admin_).has_value());
  EXPECT_FALSE(mirrors_->remove("ours", admin_).has_value());
}

}  // namespace
}  // namespace weir::event
