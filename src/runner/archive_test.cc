#include "runner/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "runner/glob.h"
#include "runner/test_folder.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

struct HostileEntry {
  std::string name;
  mode_t type = AE_IFREG;
  std::string link;
  bool hard = false;
};

// An archive that no well-meaning program would write.
void write_archive(const fs::path& path, const std::vector<HostileEntry>& entries) {
  ::archive* out = ::archive_write_new();
  ::archive_write_set_format_gnutar(out);
  ::archive_write_add_filter_zstd(out);
  ASSERT_EQ(::archive_write_open_filename(out, path.c_str()), ARCHIVE_OK);
  for (const auto& item : entries) {
    ::archive_entry* entry = ::archive_entry_new();
    ::archive_entry_copy_pathname(entry, item.name.c_str());
    ::archive_entry_set_filetype(entry, item.type);
    ::archive_entry_set_perm(entry, 0644);
    if (item.hard) {
      ::archive_entry_copy_hardlink(entry, item.link.c_str());
    } else if (item.type == AE_IFLNK) {
      ::archive_entry_copy_symlink(entry, item.link.c_str());
    } else if (item.type == AE_IFREG) {
      ::archive_entry_set_size(entry, 4);
    }
    ASSERT_GE(::archive_write_header(out, entry), ARCHIVE_WARN) << ::archive_error_string(out);
    if (item.type == AE_IFREG && !item.hard) ::archive_write_data(out, "evil", 4);
    ::archive_entry_free(entry);
  }
  ::archive_write_close(out);
  ::archive_write_free(out);
}

bool is_empty_folder(const fs::path& path) {
  return !fs::exists(path) || fs::is_empty(path);
}

TEST(Archive, ComesBackAsItWent) {
  const TestFolder folder;
  folder.write("in/model.pkl", std::string(300'000, 'm'));
  folder.write("in/数据/报告 1.txt", "深度");
  folder.write("in/run.sh", "#!/bin/sh\n");
  fs::permissions(folder / "in/run.sh", fs::perms::owner_all);
  fs::create_symlink("run.sh", folder / "in/link");
  const auto packed = pack({{folder / "in/model.pkl", "model.pkl"},
                            {folder / "in/数据/报告 1.txt", "数据/报告 1.txt"},
                            {folder / "in/run.sh", "run.sh"},
                            {folder / "in/link", "link"}},
                           folder / "a.tar.zst", {.follow_symbolic_links = false});
  ASSERT_TRUE(packed.has_value()) << packed.error().message;
  EXPECT_EQ(packed->sha256, hash_file(folder / "a.tar.zst").value());
  EXPECT_EQ(packed->size_bytes, fs::file_size(folder / "a.tar.zst"));

  const auto files = unpack(folder / "a.tar.zst", folder / "out/deep");

  ASSERT_TRUE(files.has_value()) << files.error().message;
  EXPECT_EQ(*files, 4U);
  EXPECT_EQ(folder.read("out/deep/model.pkl"), std::string(300'000, 'm'));
  EXPECT_EQ(folder.read("out/deep/数据/报告 1.txt"), "深度");
  EXPECT_EQ(fs::status(folder / "out/deep/run.sh").permissions() & fs::perms::owner_exec, fs::perms::owner_exec);
  EXPECT_EQ(fs::read_symlink(folder / "out/deep/link"), "run.sh");
}

TEST(Archive, FilesThatAreThereAreReplaced) {
  const TestFolder folder;
  folder.write("in/x", "new");
  folder.write("out/x", "much older text");
  folder.write("elsewhere", "keep");
  fs::remove(folder / "out/x");
  fs::create_symlink(folder / "elsewhere", folder / "out/x");
  ASSERT_TRUE(pack({{folder / "in/x", "x"}}, folder / "a", {}).has_value());
  ASSERT_TRUE(unpack(folder / "a", folder / "out").has_value());
  EXPECT_EQ(folder.read("out/x"), "new");
  EXPECT_EQ(folder.read("elsewhere"), "keep") << "a link must not be written through";
}

TEST(Archive, HostileNamesAreRefusedAndNothingIsWritten) {
  const std::vector<std::vector<HostileEntry>> archives = {
      {{"fine"}, {"../climb"}},
      {{"fine"}, {"a/../../climb"}},
      {{"fine"}, {"/tmp/weir-absolute"}},
      {{"fine"}, {"link", AE_IFLNK, "/etc"}},
      {{"fine"}, {"link", AE_IFLNK, "../.."}},
      {{"fine"}, {"d/link", AE_IFLNK, "../../x"}},
      {{"fine"}, {"inside", AE_IFDIR}, {"link", AE_IFLNK, "inside"}, {"link/x"}},
      {{"fine"}, {"hard", AE_IFREG, "../../etc/passwd", true}},
      {{"fine"}, {"hard", AE_IFREG, "/etc/passwd", true}},
      {{"fine"}, {"pipe", AE_IFIFO}},
  };
  for (const auto& entries : archives) {
    const TestFolder folder;
    write_archive(folder / "a", entries);
    const auto files = unpack(folder / "a", folder / "out");
    ASSERT_FALSE(files.has_value()) << entries.back().name;
    EXPECT_EQ(files.error().code, Code::kCorrupt);
    EXPECT_THAT(files.error().message, HasSubstr("nothing was unpacked"));
    EXPECT_TRUE(is_empty_folder(folder / "out")) << entries.back().name;
    EXPECT_FALSE(fs::exists(folder / "climb"));
  }
}

TEST(Archive, LinksOnDiskAreNotFollowed) {
  const TestFolder folder;
  fs::create_directories(folder / "out");
  fs::create_directories(folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", folder / "out/d");
  write_archive(folder / "a", {{"d/x"}});
  EXPECT_FALSE(unpack(folder / "a", folder / "out").has_value());
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere"));
}

TEST(Archive, ATornArchiveIsCorrupt) {
  const TestFolder folder;
  std::string noise;
  for (int i = 0; i < 200'000; ++i) noise += static_cast<char>(i * 2654435761U >> 13);
  folder.write("in", noise);
  ASSERT_TRUE(pack({{folder / "in", "in"}}, folder / "a", {}).has_value());
  fs::resize_file(folder / "a", fs::file_size(folder / "a") / 2);
  const auto files = unpack(folder / "a", folder / "out");
  ASSERT_FALSE(files.has_value());
  EXPECT_TRUE(is_empty_folder(folder / "out"));
  folder.write("b", "no archive at all");
  EXPECT_FALSE(unpack(folder / "b", folder / "out").has_value());
}

TEST(Archive, NamesBelowRootsGoToTheirFolders) {
  const TestFolder folder;
  folder.write("in", "x");
  ASSERT_TRUE(pack({{folder / "in", "home/.cache/x"}, {folder / "in", "env/lib/y"}}, folder / "a", {}).has_value());
  ASSERT_TRUE(unpack_rooted(folder / "a", {{"home", folder / "h"}, {"env", folder / "e"}}).has_value());
  EXPECT_EQ(folder.read("h/.cache/x"), "x");
  EXPECT_EQ(folder.read("e/lib/y"), "x");
  EXPECT_FALSE(unpack_rooted(folder / "a", {{"home", folder / "h2"}}).has_value());
  EXPECT_TRUE(is_empty_folder(folder / "h2"));
}

TEST(Archive, StoppingLeavesNoFile) {
  const TestFolder folder;
  folder.write("in", "x");
  const std::atomic<bool> stop = true;
  const auto packed = pack({{folder / "in", "x"}}, folder / "a", {.stop = &stop});
  ASSERT_FALSE(packed.has_value());
  EXPECT_EQ(packed.error().code, Code::kCancelled);
  EXPECT_FALSE(fs::exists(folder / "a"));
}

}  // namespace
}  // namespace weir::runner
