#include "runner/lfs_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/hash.h"
#include "io/checkout_cache.h"
#include "io/git.h"
#include "io/process.h"
#include "io/test_folder.h"
#include "runner/reads.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

std::string pointer_of(std::string_view content) {
  return fmt::format("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n", sha256_hex(content),
                     content.size());
}

TEST(LfsPointer, IsReadAsGitLfsWritesIt) {
  const auto pointer = parse_lfs_pointer(pointer_of("weights"));
  ASSERT_TRUE(pointer);
  EXPECT_EQ(pointer->oid, sha256_hex("weights"));
  EXPECT_EQ(pointer->size_bytes, 7);
  const std::string good = pointer_of("x");
  for (const std::string& bad :
       {std::string(), std::string("weights"), good + "more\n", good.substr(0, good.size() - 1), "\n" + good,
        good.substr(0, 43) + "ext-0-foo sha256:00\n" + good.substr(43), pointer_of("x").replace(60, 1, "G"),
        good + std::string(1'024, ' '), good.substr(0, good.find("size ")) + "size -1\n",
        good.substr(0, good.find("size ")) + "size 99999999999999999999\n"}) {
    EXPECT_FALSE(parse_lfs_pointer(bad)) << bad;
  }
}

// A bare repository's folder, and a work tree of its commit.
class LfsFilesTest : public ::testing::Test {
 protected:
  LfsFilesTest() {
    in({"init", "-q", "-b", "main", (folder_ / "repo").string()}, folder_);
    folder_.write("repo/.gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    folder_.write("repo/deep/model.bin", pointer_of(kModel));
    folder_.write("repo/run.bin", pointer_of("tool"));
    fs::permissions(folder_ / "repo/run.bin", fs::perms::owner_exec, fs::perm_options::add);
    folder_.write("repo/real.bin", "not a pointer\n");
    folder_.write("repo/notes.txt", pointer_of(kModel));
    keep(kModel);
    keep("tool");
    commit_ = commit();
  }

  void keep(std::string_view content) const {
    const std::string id = sha256_hex(content);
    folder_.write(fs::path("repo/.git/lfs/objects") / id.substr(0, 2) / id.substr(2, 2) / id, content);
  }

  [[nodiscard]] std::string commit() const {
    in({"add", "-A"}, folder_ / "repo");
    in({"commit", "-qm", "Files"}, folder_ / "repo");
    return in({"rev-parse", "HEAD"}, folder_ / "repo").substr(0, 40);
  }

  // git on a machine that has no git-lfs.
  static std::string in(std::vector<std::string> arguments, const fs::path& folder) {
    io::ProcessOptions process;
    process.argv = {"git", "-c", "user.name=a", "-c", "user.email=a@example.com"};
    process.argv.insert(process.argv.end(), arguments.begin(), arguments.end());
    process.working_dir = folder;
    process.env = std::map<std::string, std::string>{
        {"PATH", std::getenv("PATH")}, {"HOME", "/nonexistent"}, {"GIT_CONFIG_NOSYSTEM", "1"}, {"LC_ALL", "C"}};
    const auto done = io::run_checked(std::move(process));
    EXPECT_TRUE(done) << done.error().message;
    return done.value_or("");
  }

  [[nodiscard]] fs::path check_out(const std::string& name) const {
    const fs::path work = folder_ / name;
    const auto done =
        git_.checkout_to(work, {.sha = commit_, .ref = "", .refs = {}, .config = {}}, io::CheckoutCache());
    EXPECT_TRUE(done) << done.error().message;
    mark_unread(work, commit_);
    return work;
  }

  const std::string kModel = std::string(3'000'000, 'w') + "end";
  io::TestFolder folder_;
  io::Git git_{folder_ / "repo" / ".git"};
  std::string commit_;
};

TEST_F(LfsFilesTest, ObjectsComeInThePlaceOfTheirPointersAndGitSeesNoChange) {
  const auto work = check_out("work");
  EXPECT_EQ(io::read_file(work / "deep/model.bin").value(), pointer_of(kModel));
  const auto done = put_lfs_files(work, folder_ / "repo/.git");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->count, 2U);
  EXPECT_EQ(done->size_bytes, static_cast<std::int64_t>(kModel.size() + 4));
  EXPECT_TRUE(done->missing.empty());
  EXPECT_EQ(in({"status", "--porcelain"}, work), "");
  EXPECT_EQ(io::read_file(work / "deep/model.bin").value(), kModel);
  EXPECT_EQ(io::read_file(work / "run.bin").value(), "tool");
  EXPECT_NE(fs::status(work / "run.bin").permissions() & fs::perms::owner_exec, fs::perms::none);
  // Only what .gitattributes says is LFS's.
  EXPECT_EQ(io::read_file(work / "notes.txt").value(), pointer_of(kModel));
  EXPECT_EQ(io::read_file(work / "real.bin").value(), "not a pointer\n");
  EXPECT_EQ(in({"status", "--porcelain"}, work), "");
  folder_.write("work/run.bin", "changed");
  EXPECT_EQ(in({"status", "--porcelain"}, work), " M run.bin\n");
}

TEST_F(LfsFilesTest, WhatAStepWritesDoesNotReachTheRepository) {
  const auto work = check_out("work");
  ASSERT_TRUE(put_lfs_files(work, folder_ / "repo/.git"));
  std::fstream(work / "deep/model.bin", std::ios::in | std::ios::out) << "overwritten";
  const std::string id = sha256_hex(kModel);
  EXPECT_EQ(folder_.read(fs::path("repo/.git/lfs/objects") / id.substr(0, 2) / id.substr(2, 2) / id), kModel);
}

TEST_F(LfsFilesTest, ReadsAreKnownAfterwards) {
  const auto work = check_out("work");
  ASSERT_TRUE(put_lfs_files(work, folder_ / "repo/.git"));
  const auto before = reads_of(work, commit_);
  if (before.is_null()) GTEST_SKIP() << "the file system keeps no access times";
  EXPECT_TRUE(before.at("files").as_array().empty()) << json::serialize(before);
  ASSERT_TRUE(io::read_file(work / "deep/model.bin"));
  EXPECT_EQ(json::serialize(reads_of(work, commit_).at("files")), R"(["deep/model.bin"])");
}

TEST_F(LfsFilesTest, AMissingObjectIsNamedAndADamagedOneRefused) {
  const std::string id = sha256_hex("tool");
  const fs::path object = folder_ / "repo/.git/lfs/objects" / id.substr(0, 2) / id.substr(2, 2) / id;
  fs::remove(object);
  const auto work = check_out("work");
  const auto done = put_lfs_files(work, folder_ / "repo/.git");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->missing, std::vector{fmt::format("Error downloading object: run.bin ({}): [404] Object does not "
                                                   "exist on the server",
                                                   id.substr(0, 7))});
  EXPECT_EQ(io::read_file(work / "run.bin").value(), pointer_of("tool"));
  EXPECT_EQ(io::read_file(work / "deep/model.bin").value(), kModel);

  std::ofstream(object) << "to";
  const auto damaged = put_lfs_files(check_out("other"), folder_ / "repo/.git");
  ASSERT_FALSE(damaged);
  EXPECT_NE(damaged.error().message.find("2 bytes, not 4"), std::string::npos) << damaged.error().message;
}

}  // namespace
}  // namespace weir::runner
