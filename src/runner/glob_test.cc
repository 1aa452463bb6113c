#include "runner/glob.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/test_folder.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class GlobTest : public ::testing::Test {
 protected:
  // Matches, relative to the folder.
  [[nodiscard]] std::vector<std::string> search(std::string_view patterns, GlobOptions options = {}) const {
    const auto glob = Glob::parse(patterns, folder_.path(), folder_ / "home");
    EXPECT_TRUE(glob.has_value());
    auto found = glob->search(options).value();
    for (auto& path : found) path = fs::path(path).lexically_relative(folder_.path()).string();
    return found;
  }

  io::TestFolder folder_;
};

TEST_F(GlobTest, AFolderBringsAllThatIsInItFoldersFirst) {
  folder_.write("models/b/x.bin", "");
  folder_.write("models/a.pkl", "");
  EXPECT_THAT(search("models"), ElementsAre("models", "models/a.pkl", "models/b", "models/b/x.bin"));
  EXPECT_THAT(search("models", {.implicit_descendants = false}), ElementsAre("models"));
}

TEST_F(GlobTest, StarsStayInTheirSegmentAndDoubleStarsDoNot) {
  folder_.write("a.py", "");
  folder_.write("src/b.py", "");
  folder_.write("src/deep/c.py", "");
  folder_.write("src/deep/c.txt", "");
  EXPECT_THAT(search("*.py"), ElementsAre("a.py"));
  EXPECT_THAT(search("**/*.py"), ElementsAre("a.py", "src/b.py", "src/deep/c.py"));
  EXPECT_THAT(search("src/**/c.*"), ElementsAre("src/deep/c.py", "src/deep/c.txt"));
  EXPECT_THAT(search("src/?.py"), ElementsAre("src/b.py"));
  EXPECT_THAT(search("[a-c].py"), ElementsAre("a.py"));
  EXPECT_THAT(search("[!a].py"), IsEmpty());
}

TEST_F(GlobTest, LaterLinesWin) {
  folder_.write("out/keep.txt", "");
  folder_.write("out/tmp/drop.txt", "");
  folder_.write("out/tmp/back.txt", "");
  EXPECT_THAT(search("out/**/*.txt\n!out/tmp/**\nout/tmp/back.txt\n# a comment\n"),
              ElementsAre("out/keep.txt", "out/tmp/back.txt"));
}

TEST_F(GlobTest, HiddenFilesAreFoundUnlessExcluded) {
  folder_.write("d/.env", "");
  folder_.write("d/.git/x", "");
  folder_.write("d/y", "");
  EXPECT_THAT(search("d/**", {.match_directories = false}), ElementsAre("d/.env", "d/.git/x", "d/y"));
  EXPECT_THAT(search("d/**", {.match_directories = false, .exclude_hidden_files = true}), ElementsAre("d/y"));
}

TEST_F(GlobTest, ATrailingSlashWantsAFolder) {
  folder_.write("name", "");
  folder_.write("dir/x", "");
  EXPECT_THAT(search("name/"), IsEmpty());
  EXPECT_THAT(search("dir/"), ElementsAre("dir", "dir/x"));
}

TEST_F(GlobTest, LinksThatLeadBackEndTheSearch) {
  folder_.write("d/x", "");
  fs::create_directory_symlink("..", folder_ / "d/up");
  EXPECT_THAT(search("d/**", {.match_directories = false}), ElementsAre("d/x"));
}

TEST_F(GlobTest, SearchPathsLeaveOutWhatLiesBelowAnother) {
  const auto glob = Glob::parse("a/b/*\na/*\nc/d.txt\n!e", "/w", "/h");
  EXPECT_THAT(glob->search_paths(), ElementsAre("/w/a", "/w/c/d.txt"));
}

TEST_F(GlobTest, ClimbingIsRefused) {
  const auto glob = Glob::parse("../secrets", "/w", "/h");
  ASSERT_FALSE(glob.has_value());
  EXPECT_THAT(glob.error().message, HasSubstr("Relative pathing"));
}

TEST_F(GlobTest, TildeIsHome) {
  folder_.write("home/.cache/x", "");
  EXPECT_THAT(search("~/.cache"), ElementsAre("home/.cache", "home/.cache/x"));
}

TEST(NameMatches, BracesAndStars) {
  EXPECT_TRUE(name_matches("model-*", "model-a"));
  EXPECT_TRUE(name_matches("{model,data}-?", "data-1"));
  EXPECT_FALSE(name_matches("{model,data}-?", "eval-1"));
  EXPECT_TRUE(name_matches("+(model|data)-*", "data-1"));
  EXPECT_TRUE(name_matches("@(model|data)-*", "model-x"));
  EXPECT_FALSE(name_matches("+(model|data)-*", "eval-1"));
  EXPECT_TRUE(name_matches("model(1)", "model(1)"));
  EXPECT_FALSE(name_matches("*", ".hidden"));
}

TEST(HashFiles, IsTheHashOfTheHashesInSearchOrder) {
  const io::TestFolder folder;
  folder.write("b.txt", "two");
  folder.write("a/z.txt", "one");
  const auto binary = [](std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2)
      bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return bytes;
  };
  const std::string expected = sha256_hex(binary(sha256_hex("one")) + binary(sha256_hex("two")));
  EXPECT_EQ(hash_files({"**/*.txt"}, folder.path()).value(), expected);
  EXPECT_EQ(hash_files({"a/*.txt", "b.txt"}, folder.path()).value(), expected);
  EXPECT_EQ(hash_files({"none*"}, folder.path()).value(), "");
  EXPECT_EQ(hash_files({"/etc/hostname"}, folder.path()).value(), "");
  EXPECT_FALSE(hash_files({"--what", "x"}, folder.path()).has_value());
}

}  // namespace
}  // namespace weir::runner
