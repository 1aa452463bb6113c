#include "event/job_push.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/process.h"
#include "io/test_folder.h"

namespace weir::event {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kMain = "refs/heads/main";

class JobPushTest : public ::testing::Test {
 protected:
  JobPushTest() {
    shell("git init -q -b main . && git config user.name a && git config user.email a@example.com");
    write(".github/workflows/ci.yml", "old");
    write("weir.yaml", "keep: {runs: 3}");
    first_ = commit();
    write(".github/workflows/ci.yml", "new");
    second_ = commit();
    write("model.txt", "1");
    main_ = commit();
  }

  void shell(const std::string& command) {
    const auto done = io::run_process({.argv = {"/bin/sh", "-ec", command}, .working_dir = root_}).value();
    ASSERT_EQ(done.status.code, 0) << done.err;
  }
  void write(const std::string& path, const std::string& text) {
    shell("mkdir -p \"$(dirname " + path + ")\"; echo '" + text + "' > " + path);
  }
  // A commit of the work tree as it stands.
  std::string commit() {
    shell("git add -A && git commit -q --allow-empty -m x");
    return io::Git(root_ / ".git").resolve("HEAD").value();
  }
  // What a commit on top of main would be, with what `change` does; main stays.
  std::string changed(const std::string& change) {
    shell("git checkout -q -f --detach " + main_);
    shell(change);
    return commit();
  }

  Result<void> push(std::string_view ref, const std::string& before, const std::string& after) {
    const io::Git git(root_ / ".git");
    const RefUpdate update{std::string(ref), before.empty() ? std::string(40, '0') : before,
                           after.empty() ? std::string(40, '0') : after};
    return check_job_push({.git = git, .default_ref = std::string(kMain), .default_commit = main_, .job_commit = main_},
                          {&update, 1});
  }
  void refused(std::string_view ref, const std::string& before, const std::string& after, std::string_view names) {
    const auto done = push(ref, before, after);
    ASSERT_FALSE(done) << ref;
    EXPECT_EQ(done.error().code, Code::kPermissionDenied);
    EXPECT_THAT(done.error().message, HasSubstr(names));
  }

  io::TestFolder root_;
  std::string first_, second_, main_;
};

TEST_F(JobPushTest, FilesOfTheDefaultBranchMayChangeButNotWhatDecidesAboutRuns) {
  EXPECT_TRUE(push(kMain, main_, changed("echo 2 > model.txt; echo x > .github/dependabot.yml")));
  refused(kMain, main_, changed("echo other > .github/workflows/ci.yml"), ".github/workflows on main");
  refused(kMain, main_, changed("echo more > .github/workflows/second.yml"), ".github/workflows on main");
  refused(kMain, main_, changed("git rm -q -r .github"), ".github/workflows on main");
  refused(kMain, main_, changed("echo 'keep: {runs: 1}' > weir.yaml"), "weir.yaml on main");
  refused(kMain, main_, changed("rm weir.yaml"), "weir.yaml on main");
}

TEST_F(JobPushTest, NoCommitOfTheDefaultBranchGoes) {
  refused(kMain, main_, second_, "main has commits that the push would leave out");
  refused(kMain, main_, first_, "main has commits that the push would leave out");
  shell("git checkout -q -f --detach " + second_);
  refused(kMain, main_, commit(), "main has commits that the push would leave out");
}

TEST_F(JobPushTest, OtherBranchesMayHoldWorkflowsThatArePeoplesOwn) {
  const auto branch = changed("echo 2 > model.txt; echo 'keep: {runs: 1}' > weir.yaml");
  EXPECT_TRUE(push("refs/heads/better", "", branch)) << "weir.yaml counts from the default branch only";
  EXPECT_TRUE(push("refs/heads/gh-pages", "", changed("git rm -q -r .; echo page > index.html")));
  EXPECT_TRUE(push("refs/tags/v1", "", first_)) << "an earlier commit of the default branch";
  EXPECT_TRUE(push("refs/heads/better", branch, ""));
  const auto other = changed("echo other > .github/workflows/ci.yml");
  refused("refs/heads/better", branch, other, "better would hold others");
  refused("refs/tags/v2", "", other, "v2 would hold others");
  refused("refs/for/main", "", other, "main would hold others");
  EXPECT_TRUE(push("refs/heads/better", other, changed("echo other > .github/workflows/ci.yml; echo 3 > model.txt")))
      << "what a person has put there stays";
}

TEST_F(JobPushTest, OneRefThatMayNotRefusesThePush) {
  const io::Git git(root_ / ".git");
  const std::vector<RefUpdate> updates{
      {"refs/heads/a", std::string(40, '0'), main_},
      {"refs/heads/b", std::string(40, '0'), changed("echo z > .github/workflows/z.yml")}};
  EXPECT_FALSE(check_job_push(
      {.git = git, .default_ref = std::string(kMain), .default_commit = main_, .job_commit = main_}, updates));
}

}  // namespace
}  // namespace weir::event
