#include "runner/cache_trees.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "io/test_folder.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDigest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

class CacheTreesTest : public ::testing::Test {
 protected:
  CacheTreesTest() : trees_(folder_ / "trees") {
    fs::create_directories(folder_ / "trees");
    fs::create_directories(folder_ / "one");
    fs::create_directories(folder_ / "two");
  }
  // What a first job unpacked and left as it was.
  void keep_one() { ASSERT_TRUE(trees_.give(place(), folder_ / "one")); }
  PlacedTree place() {
    const auto staging = trees_.make_staging().value();
    fs::create_directories(staging / "data/deep");
    std::ofstream(staging / "data/a") << "first";
    std::ofstream(staging / "data/deep/b") << "second";
    fs::create_symlink("a", staging / "data/link");
    std::ofstream(staging / "single") << "third";
    return trees_.place(kDigest, staging, folder_ / "one").value();
  }
  ino_t inode(const std::string& name) const {
    struct stat info{};
    EXPECT_EQ(::lstat((folder_ / name).c_str(), &info), 0) << name;
    return info.st_ino;
  }
  std::size_t kept() const {
    std::error_code ignored;
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_ / "trees" / kDigest, ignored), fs::directory_iterator()));
  }

  io::TestFolder folder_;
  CacheTrees trees_;
};

TEST_F(CacheTreesTest, ATreeGoesFromJobToJobAndNeverToTwo) {
  const auto tree = place();
  EXPECT_EQ(tree.tops, (std::vector<std::string>{"data", "single"}));
  EXPECT_EQ(folder_.read("one/data/deep/b"), "second");
  const auto before = inode("one/data/a");
  ASSERT_TRUE(trees_.give(tree, folder_ / "one"));
  EXPECT_FALSE(fs::exists(folder_ / "one/data")) << "it is the next job's";
  const auto taken = trees_.take(kDigest, folder_ / "two").value();
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(folder_.read("two/data/a"), "first");
  EXPECT_EQ(folder_.read("two/single"), "third");
  EXPECT_EQ(fs::read_symlink(folder_ / "two/data/link"), "a");
  EXPECT_EQ(inode("two/data/a"), before) << "not a byte was copied";
  EXPECT_FALSE(trees_.take(kDigest, folder_ / "one").value().has_value()) << "a tree has one owner";
  ASSERT_TRUE(trees_.give(*taken, folder_ / "two"));
  EXPECT_TRUE(trees_.take(kDigest, folder_ / "one").value().has_value());
}

TEST_F(CacheTreesTest, WhatAJobChangedIsNotKept) {
  const auto change = [&](const std::function<void(const fs::path&)>& how) {
    fs::remove_all(folder_ / "one");
    fs::create_directories(folder_ / "one");
    const auto tree = place();
    how(folder_ / "one");
    return trees_.give(tree, folder_ / "one");
  };
  EXPECT_FALSE(change([](const fs::path& work) { std::ofstream(work / "data/a") << "FIRST"; })) << "in place";
  EXPECT_FALSE(change([](const fs::path& work) {
    const auto time = fs::last_write_time(work / "data/a");
    std::ofstream(work / "data/a", std::ios::in | std::ios::out) << "FIRST";
    fs::last_write_time(work / "data/a", time);
  })) << "the same length, and the time set back";
  EXPECT_FALSE(change([](const fs::path& work) { std::ofstream(work / "data/new") << "x"; }));
  EXPECT_FALSE(change([](const fs::path& work) { fs::remove(work / "data/deep/b"); }));
  EXPECT_FALSE(change([](const fs::path& work) { fs::permissions(work / "single", fs::perms::owner_all); }));
  EXPECT_FALSE(change([](const fs::path& work) { fs::create_hard_link(work / "data/a", work / "elsewhere"); }));
  EXPECT_FALSE(change([](const fs::path& work) { fs::remove_all(work / "data"); }));
  EXPECT_TRUE(change([](const fs::path& work) { std::ofstream(work / "beside") << "x"; }));
}

TEST_F(CacheTreesTest, ATreeThatWasChangedWhereItLiesIsThrownAway) {
  keep_one();
  const fs::path lying = fs::directory_iterator(folder_ / "trees" / kDigest)->path();
  std::ofstream(lying / "tree/data/a", std::ios::in | std::ios::out) << "F";
  EXPECT_FALSE(trees_.take(kDigest, folder_ / "two").value().has_value());
  EXPECT_EQ(kept(), 0U);
  EXPECT_TRUE(fs::is_empty(folder_ / "two"));
}

TEST_F(CacheTreesTest, AnIndexOfAnotherStartOfTheMachineIsVoid) {
  keep_one();
  const fs::path index = fs::directory_iterator(folder_ / "trees" / kDigest)->path() / "index.json";
  std::string text = (std::ostringstream() << std::ifstream(index).rdbuf()).str();
  text.replace(text.find("\"boot\":\"") + 8, 4, "beef");
  std::ofstream(index, std::ios::trunc) << text;
  EXPECT_FALSE(trees_.take(kDigest, folder_ / "two").value().has_value());
  keep_one();
  std::ofstream(fs::directory_iterator(folder_ / "trees" / kDigest)->path() / "index.json", std::ios::trunc)
      << "{\"boot";
  EXPECT_FALSE(trees_.take(kDigest, folder_ / "two").value().has_value());
}

TEST_F(CacheTreesTest, FoldersThatAreThereTakeInWhatIsNew) {
  keep_one();
  folder_.write("two/data/own", "mine");
  folder_.write("two/data/a", "older");
  const auto taken = trees_.take(kDigest, folder_ / "two").value();
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(folder_.read("two/data/a"), "first");
  EXPECT_EQ(folder_.read("two/data/own"), "mine");
  EXPECT_EQ(taken->tops, (std::vector<std::string>{"data/a", "data/deep", "data/link", "single"}));
  ASSERT_TRUE(trees_.give(*taken, folder_ / "two"));
  EXPECT_EQ(folder_.read("two/data/own"), "mine");
  fs::remove_all(folder_ / "one");
  fs::create_directories(folder_ / "one");
  const auto again = trees_.take(kDigest, folder_ / "one").value();
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(folder_.read("one/data/deep/b"), "second");
  EXPECT_FALSE(fs::exists(folder_ / "one/data/own"));
}

TEST_F(CacheTreesTest, LinksOfTheWorkspaceAreNotFollowed) {
  keep_one();
  fs::create_directories(folder_ / "elsewhere");
  fs::create_directory_symlink(folder_ / "elsewhere", folder_ / "two/data");
  EXPECT_FALSE(trees_.take(kDigest, folder_ / "two").has_value());
  EXPECT_TRUE(fs::is_empty(folder_ / "elsewhere"));
}

TEST_F(CacheTreesTest, WhatWasPackedCanBeKeptToo) {
  folder_.write("one/data/a", "first");
  auto seen = CacheTrees::look_at({"data"}, folder_ / "one");
  ASSERT_TRUE(seen.has_value());
  seen->sha256 = kDigest;
  EXPECT_TRUE(trees_.give(*seen, folder_ / "one"));
  EXPECT_TRUE(trees_.take(kDigest, folder_ / "two").value().has_value());
  folder_.write("one/data/a", "first");
  seen = CacheTrees::look_at({"data"}, folder_ / "one");
  seen->sha256 = kDigest;
  folder_.write("one/data/a", "FIRST");
  EXPECT_FALSE(trees_.give(*seen, folder_ / "one")) << "written after it was packed";
}

TEST_F(CacheTreesTest, WithoutAFolderNothingIsKept) {
  const CacheTrees off("");
  EXPECT_FALSE(off.enabled());
  EXPECT_FALSE(off.take(kDigest, folder_ / "two").value().has_value());
  EXPECT_FALSE(CacheTrees(folder_ / "absent").enabled());
}

}  // namespace
}  // namespace weir::runner
