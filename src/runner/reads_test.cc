#include "runner/reads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "io/checkout_cache.h"
#include "io/git.h"
#include "io/process.h"
#include "io/test_folder.h"

namespace weir::runner {
namespace {

using testing::UnorderedElementsAre;

std::vector<std::string> texts(const json::value& reads, std::string_view key) {
  std::vector<std::string> all;
  if (!reads.is_object()) return {"unknown"};
  for (const auto& one : reads.at(key).as_array()) all.emplace_back(one.as_string());
  return all;
}

void read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string text;
  std::getline(file, text);
}

class ReadsTest : public testing::Test {
 protected:
  ReadsTest() {
    run("git init -q -b main origin && cd origin && mkdir -p data src && echo 1 > data/a.csv && echo 2 > data/b.csv && "
        "echo 3 > src/train.py && echo 4 > README.md && git add -A && "
        "git -c user.name=a -c user.email=a@b commit -qm one");
    commit_ = run("git -C origin rev-parse HEAD");
  }
  std::string run(const std::string& command) {
    auto out = io::run_checked({.argv = {"/bin/sh", "-ec", command}, .working_dir = folder_.path()}).value();
    while (out.ends_with('\n')) out.pop_back();
    return out;
  }
  std::filesystem::path check_out(const std::string& name) {
    const auto target = folder_.path() / name;
    EXPECT_TRUE(io::make_dirs(target).has_value());
    const io::Git git(folder_.path() / "origin/.git");
    EXPECT_TRUE(git.checkout_to(target, {.sha = commit_}, io::CheckoutCache(folder_.path() / "cache")).has_value());
    mark_unread(target, commit_);
    return target;
  }

  io::TestFolder folder_;
  std::string commit_;
};

TEST_F(ReadsTest, TellsWhatWasReadAndListedHoweverTheCheckoutWasMade) {
  // The first is git's own, the second comes from what was kept of it.
  for (const std::string name : {"first", "second"}) {
    const auto tree = check_out(name);
    read(tree / "src/train.py");
    run("ls " + name + "/data");
    const auto reads = reads_of(tree, commit_);
    EXPECT_THAT(texts(reads, "files"), UnorderedElementsAre("src/train.py")) << name;
    EXPECT_THAT(texts(reads, "folders"), UnorderedElementsAre("data")) << name;
  }
}

TEST_F(ReadsTest, SaysThatItIsUnknownForAnotherCommitOrWithoutACheckout) {
  const auto tree = check_out("work");
  EXPECT_TRUE(reads_of(tree, std::string(40, 'b')).is_null());
  EXPECT_TRUE(reads_of(folder_.path(), commit_).is_null());
}

TEST_F(ReadsTest, TheHistoryDoesNotCount) {
  const auto tree = check_out("work");
  EXPECT_EQ(run("git -C work log --oneline | wc -l"), "1");
  EXPECT_THAT(texts(reads_of(tree, commit_), "files"), UnorderedElementsAre());
}

}  // namespace
}  // namespace weir::runner
