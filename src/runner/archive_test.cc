#include "runner/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "io/process.h"
#include "io/test_folder.h"
#include "runner/glob.h"

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
  const io::TestFolder folder;
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
  const io::TestFolder folder;
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
    const io::TestFolder folder;
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
  const io::TestFolder folder;
  fs::create_directories(folder / "out");
  fs::create_directories(folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", folder / "out/d");
  write_archive(folder / "a", {{"d/x"}});
  EXPECT_FALSE(unpack(folder / "a", folder / "out").has_value());
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere"));
}

TEST(Archive, ATornArchiveIsCorrupt) {
  const io::TestFolder folder;
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

TEST(Archive, AZipComesBackAsItWent) {
  const io::TestFolder folder;
  folder.write("in/model.pkl", std::string(300'000, 'm'));
  folder.write("in/数据/报告 1.txt", "深度");
  folder.write("in/run.sh", "#!/bin/sh\n");
  fs::permissions(folder / "in/run.sh", fs::perms::owner_all);
  fs::create_symlink("run.sh", folder / "in/link");
  for (const int level : {0, 6}) {
    const auto packed = pack_zip({{folder / "in/model.pkl", "model.pkl"},
                                  {folder / "in/数据/报告 1.txt", "数据/报告 1.txt"},
                                  {folder / "in/run.sh", "run.sh"},
                                  {folder / "in/link", "link"}},
                                 folder / "a.zip", {.compression_level = level});
    ASSERT_TRUE(packed.has_value()) << packed.error().message;
    EXPECT_EQ(packed->sha256, hash_file(folder / "a.zip").value());
    EXPECT_EQ(packed->size_bytes, fs::file_size(folder / "a.zip"));
    EXPECT_EQ(packed->size_bytes > 300'000, level == 0);
    folder.write("out/run.sh", "older");
    const auto files = unpack(folder / "a.zip", folder / "out");
    ASSERT_TRUE(files.has_value()) << files.error().message;
    EXPECT_EQ(*files, 4U);
    EXPECT_EQ(folder.read("out/model.pkl"), std::string(300'000, 'm'));
    EXPECT_EQ(folder.read("out/数据/报告 1.txt"), "深度");
    EXPECT_EQ(folder.read("out/link"), "#!/bin/sh\n") << "what the link points to";
    EXPECT_EQ(fs::status(folder / "out/run.sh").permissions(), fs::perms::owner_all);
    struct stat in{};
    struct stat out{};
    ASSERT_EQ(::stat((folder / "in/model.pkl").c_str(), &in), 0);
    ASSERT_EQ(::stat((folder / "out/model.pkl").c_str(), &out), 0);
    EXPECT_EQ(out.st_mtim.tv_sec, in.st_mtim.tv_sec);
  }
}

// A zip that no well-meaning program would write: links and pipes are told by their modes.
void write_zip(const fs::path& path, const std::string& script) {
  const auto made = io::run_process({.argv = {"python3", "-c",
                                              "import sys, zipfile\n"
                                              "z = zipfile.ZipFile(sys.argv[1], 'w')\n"
                                              "def put(name, text='evil', mode=0o100644):\n"
                                              "    i = zipfile.ZipInfo(name); i.external_attr = mode << 16\n"
                                              "    z.writestr(i, text)\n"
                                              "put('fine')\n" +
                                                  script + "\nz.close()\n",
                                              path.string()}});
  ASSERT_TRUE(made.has_value());
  ASSERT_EQ(made->status.code, 0) << made->err;
}

TEST(Archive, AHostileZipIsRefusedAndNothingIsWritten) {
  for (const std::string script :
       {"put('../climb')", "put('a/../../climb')", "put('/tmp/weir-absolute')", "put('link', '/etc', 0o120777)",
        "put('link', '../..', 0o120777)", "put('d/link', '../../x', 0o120777)", "put('link', '', 0o120777)",
        "put('link', 'x' * 5000, 0o120777)", "put('link', 'a\\0b', 0o120777)",
        "put('inside/'); put('link', 'inside', 0o120777); put('link/x')", "put('pipe', '', 0o010644)",
        "put('device', '', 0o060644)", "put('large', b'\\0' * 100001)"}) {
    const io::TestFolder folder;
    write_zip(folder / "a", script);
    const auto files = unpack(folder / "a", folder / "out", {.bytes_max = 100'000});
    ASSERT_FALSE(files.has_value()) << script;
    EXPECT_EQ(files.error().code, Code::kCorrupt) << script;
    EXPECT_THAT(files.error().message, HasSubstr("nothing was unpacked"));
    EXPECT_TRUE(is_empty_folder(folder / "out")) << script;
    EXPECT_FALSE(fs::exists(folder / "climb"));
  }
}

TEST(Archive, AZipFollowsNoLinksOnDiskAndKeepsThoseThatStayInside) {
  const io::TestFolder folder;
  fs::create_directories(folder / "out");
  fs::create_directories(folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", folder / "out/d");
  write_zip(folder / "a", "put('d/x')");
  EXPECT_FALSE(unpack(folder / "a", folder / "out").has_value());
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere"));
  write_zip(folder / "b", "put('d', 'new'); put('sub/back', '../fine', 0o120777)");
  const auto files = unpack(folder / "b", folder / "out");
  ASSERT_TRUE(files.has_value()) << files.error().message;
  EXPECT_EQ(folder.read("out/d"), "new") << "the link itself was replaced";
  EXPECT_EQ(fs::read_symlink(folder / "out/sub/back"), "../fine");
}

TEST(Archive, ADamagedFileOfAZipDoesNotStay) {
  const io::TestFolder folder;
  write_zip(folder / "a", "put('second', 'precious bytes')");
  std::string bytes = folder.read("a");
  bytes[bytes.find("precious")] = 'X';
  folder.write("a", bytes);
  const auto files = unpack(folder / "a", folder / "out");
  ASSERT_FALSE(files.has_value());
  EXPECT_THAT(files.error().message, HasSubstr("checksum"));
  EXPECT_FALSE(fs::exists(folder / "out/second"));
}

TEST(Archive, NamesBelowRootsGoToTheirFolders) {
  const io::TestFolder folder;
  folder.write("in", "x");
  ASSERT_TRUE(pack({{folder / "in", "home/.cache/x"}, {folder / "in", "env/lib/y"}}, folder / "a", {}).has_value());
  ASSERT_TRUE(unpack_rooted(folder / "a", {{"home", folder / "h"}, {"env", folder / "e"}}).has_value());
  EXPECT_EQ(folder.read("h/.cache/x"), "x");
  EXPECT_EQ(folder.read("e/lib/y"), "x");
  EXPECT_FALSE(unpack_rooted(folder / "a", {{"home", folder / "h2"}}).has_value());
  EXPECT_TRUE(is_empty_folder(folder / "h2"));
}

TEST(Archive, StoppingLeavesNoFile) {
  const io::TestFolder folder;
  folder.write("in", "x");
  const std::atomic<bool> stop = true;
  const auto packed = pack({{folder / "in", "x"}}, folder / "a", {.stop = &stop});
  ASSERT_FALSE(packed.has_value());
  EXPECT_EQ(packed.error().code, Code::kCancelled);
  EXPECT_FALSE(fs::exists(folder / "a"));
}

}  // namespace
}  // namespace weir::runner
