#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <random>

#include "base/hash.h"
#include "io/file.h"
#include "io/process.h"
#include "io/test_folder.h"
#include "io/zip_format.h"
#include "io/zip_reader.h"
#include "io/zip_writer.h"

namespace weir::io {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Zip : public ::testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& text, mode_t mode = 0644) {
    const fs::path path = root_ / "in" / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  // All files of "in" into one archive.
  ZipWriter::Done pack(int level) {
    auto writer = ZipWriter::create(archive_, {.level = level});
    for (const auto& entry : fs::recursive_directory_iterator(root_ / "in")) {
      const auto added = writer->add(entry.path().lexically_relative(root_ / "in").string(), entry.path());
      EXPECT_TRUE(added.has_value()) << added.error().message;
    }
    return writer->finish().value();
  }
  static std::string contents(const ZipReader& reader, const std::string& name) {
    for (const auto& entry : reader.entries()) {
      if (entry.name != name) continue;
      std::string text;
      const auto read = reader.read(entry, [&](std::string_view bytes) -> Result<void> {
        text += bytes;
        return {};
      });
      return read ? text : "error: " + read.error().message;
    }
    return "absent";
  }
  std::string first_problem() const {
    auto reader = ZipReader::open(archive_);
    if (!reader) return reader.error().message;
    for (const auto& entry : reader->entries()) {
      const auto read = reader->read(entry, [](std::string_view) -> Result<void> { return {}; });
      if (!read) return read.error().message;
    }
    return "none";
  }
  static std::string noise(std::size_t size) {
    std::mt19937_64 random(7);
    std::string text(size, '\0');
    for (auto& c : text) c = static_cast<char>(random());
    return text;
  }
  static std::string prose(std::size_t size) {
    std::mt19937_64 random(8);
    std::string text;
    while (text.size() < size) text += fmt::format("row {} is {}\n", random() % 1000, random() % 100000);
    text.resize(size);
    return text;
  }

  TestFolder root_;
  fs::path archive_ = fs::temp_directory_path() / fmt::format("weir-zip-{}.zip", random_hex(6));
};

TEST_F(Zip, WhatIsPackedComesBackAtEveryLevel) {
  write("empty", "");
  write("notes.txt", "hello\n", 0755);
  write("data/table.csv", prose(6U << 20));
  write("data/model.bin", noise(5U << 20));
  write("data/small.bin", noise(70'000));
  for (const int level : {0, 1, 6}) {
    const auto done = pack(level);
    EXPECT_EQ(done.size_bytes, fs::file_size(archive_));
    EXPECT_EQ(done.sha256, sha256_hex(read_file(archive_).value()));
    const auto reader = ZipReader::open(archive_);
    ASSERT_TRUE(reader.has_value()) << reader.error().message;
    EXPECT_EQ(contents(*reader, "empty"), "");
    EXPECT_EQ(contents(*reader, "notes.txt"), "hello\n");
    EXPECT_EQ(contents(*reader, "data/table.csv"), prose(6U << 20));
    EXPECT_EQ(contents(*reader, "data/model.bin"), noise(5U << 20));
    EXPECT_EQ(contents(*reader, "data/small.bin"), noise(70'000));
    for (const auto& entry : reader->entries()) {
      if (entry.name == "notes.txt") {
        EXPECT_EQ(entry.mode, 0100755U);
        EXPECT_NEAR(static_cast<double>(entry.modified_s), static_cast<double>(::time(nullptr)), 600);
      }
      if (entry.name == "data/") EXPECT_TRUE(entry.is_folder());
      if (entry.name == "data/table.csv") EXPECT_EQ(entry.method, level == 0 ? zip::kStored : zip::kDeflated);
      if (entry.name == "data/model.bin") EXPECT_EQ(entry.method, zip::kStored) << "noise does not get smaller";
    }
  }
  fs::remove(archive_);
}

TEST_F(Zip, PythonReadsWhatWeWriteAndWeReadWhatPythonWrites) {
  write("a/table.csv", prose(6U << 20));
  write("a/run.sh", "#!/bin/sh\n", 0755);
  pack(6);
  const auto python = [&](const std::string& script) {
    return run_process({.argv = {"python3", "-c", script, archive_.string()}}).value();
  };
  const auto seen = python(
      "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n"
      "print(z.testzip(), sorted(z.namelist()), oct(z.getinfo('a/run.sh').external_attr >> 16))");
  EXPECT_EQ(seen.out, "None ['a/', 'a/run.sh', 'a/table.csv'] 0o100755\n");
  python(
      "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED)\n"
      "z.writestr('x/y.txt', 'why' * 100000)\nz.writestr('stored', 's', zipfile.ZIP_STORED)\nz.comment = b'PK' * 99\n"
      "f = z.open('large', 'w', force_zip64=True)\nf.write(b'L' * 9000000)\nf.close()\nz.close()");
  const auto reader = ZipReader::open(archive_);
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  EXPECT_EQ(contents(*reader, "x/y.txt").size(), 300'000U);
  EXPECT_EQ(contents(*reader, "stored"), "s");
  EXPECT_EQ(contents(*reader, "large"), std::string(9'000'000, 'L'));
  fs::remove(archive_);
}

TEST_F(Zip, MoreMembersThanTheOldFormatCounts) {
  auto writer = ZipWriter::create(archive_, {});
  const auto file = write("one", "1");
  for (int i = 0; i < 70'000; ++i) ASSERT_TRUE(writer->add(fmt::format("f{}", i), file).has_value());
  ASSERT_TRUE(writer->finish().has_value());
  const auto reader = ZipReader::open(archive_);
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  EXPECT_EQ(reader->entries().size(), 70'000U);
  EXPECT_EQ(contents(*reader, "f69999"), "1");
  fs::remove(archive_);
}

TEST_F(Zip, LargeFilesAreWrittenInTheFormForSizesAboveFourGibibytes) {
  const auto table = write("table", prose(6U << 20));
  const auto model = write("model", noise(5U << 20));
  auto writer = ZipWriter::create(archive_, {.large_bytes = 5U << 20});
  ASSERT_TRUE(writer->add("table", table).has_value());
  ASSERT_TRUE(writer->add("model", model).has_value());
  ASSERT_TRUE(writer->add("after", write("after", "later")).has_value());
  ASSERT_TRUE(writer->finish().has_value());
  const auto reader = ZipReader::open(archive_);
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  EXPECT_EQ(contents(*reader, "table"), prose(6U << 20));
  EXPECT_EQ(contents(*reader, "model"), noise(5U << 20));
  EXPECT_EQ(contents(*reader, "after"), "later");
  const auto python = run_process({.argv = {"python3", "-m", "zipfile", "-t", archive_.string()}}).value();
  EXPECT_EQ(python.status.code, 0) << python.out << python.err;
  fs::remove(archive_);
}

TEST_F(Zip, DamagedArchivesAreRefused) {
  write("text", prose(5U << 20));
  write("small", "hello hello hello hello hello");
  pack(6);
  const std::string good = read_file(archive_).value();
  const auto changed = [&](const std::function<void(std::string&)>& change) {
    std::string bytes = good;
    change(bytes);
    std::ofstream(archive_, std::ios::binary | std::ios::trunc) << bytes;
    return first_problem();
  };
  EXPECT_EQ(changed([](std::string&) {}), "none");
  EXPECT_THAT(changed([](std::string& bytes) { bytes.resize(bytes.size() - 1); }), HasSubstr("no zip archive"));
  EXPECT_THAT(changed([](std::string& bytes) { bytes.clear(); }), HasSubstr("no zip archive"));
  EXPECT_THAT(changed([](std::string& bytes) { bytes[200] = static_cast<char>(bytes[200] ^ 1); }),
              HasSubstr("zip archive"));
  const std::size_t end = good.size() - zip::kEndBytes;
  const auto directory = zip::number_at<std::uint32_t>(good, end + 16);
  const auto put32 = [](std::string& bytes, std::size_t at, std::uint32_t value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
  };
  // A size that the packed bytes cannot hold, one that they do not hold, an end or an offset beyond the file.
  EXPECT_THAT(changed([&](std::string& bytes) { put32(bytes, directory + 24, 0xfffffff0); }), HasSubstr("cannot hold"));
  const auto text = good.find("text", directory) - zip::kCentralHeaderBytes;
  EXPECT_THAT(changed([&](std::string& bytes) { put32(bytes, text + 24, 31); }), HasSubstr("cannot be unpacked"));
  EXPECT_THAT(changed([&](std::string& bytes) { put32(bytes, text + 24, 6U << 20); }), HasSubstr("cannot be unpacked"));
  EXPECT_THAT(changed([&](std::string& bytes) { put32(bytes, end + 16, 0x7fffffff); }), HasSubstr("outside of it"));
  EXPECT_THAT(changed([&](std::string& bytes) { put32(bytes, directory + 42, 0x00ffffff); }), HasSubstr("zip archive"));
  EXPECT_THAT(changed([&](std::string& bytes) { bytes[directory + 8] |= 1; }), HasSubstr("encrypted"));
  EXPECT_THAT(changed([&](std::string& bytes) { bytes[directory + 10] = 12; }), HasSubstr("method 12"));
  EXPECT_THAT(changed([&](std::string& bytes) { put32(bytes, directory + 16, 1); }), HasSubstr("checksum"));
  fs::remove(archive_);
}

TEST_F(Zip, WhateverBytesChangeAMemberGivesItsOwnOrAnError) {
  write("text", prose(3000));
  write("deep/noise", noise(500));
  write("empty", "");
  pack(6);
  const std::string good = read_file(archive_).value();
  std::mt19937_64 random(9);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = good;
    for (std::uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
      // Mostly at the end, where the directory is.
      const auto at = random() % 3 == 0 ? random() % bytes.size() : bytes.size() - 1 - random() % (bytes.size() / 3);
      bytes[at] = static_cast<char>(random() % 4 == 0 ? 0xff : random());
    }
    if (random() % 10 == 0) bytes.resize(random() % bytes.size());
    std::ofstream(archive_, std::ios::binary | std::ios::trunc) << bytes;
    const auto reader = ZipReader::open(archive_);
    if (!reader) continue;
    for (const auto& entry : reader->entries()) {
      std::uint64_t got = 0;
      const auto read = reader->read(entry, [&](std::string_view piece) -> Result<void> {
        got += piece.size();
        return {};
      });
      if (read) EXPECT_EQ(got, entry.size_bytes);
      EXPECT_LE(got, entry.size_bytes);
    }
  }
  fs::remove(archive_);
}

TEST_F(Zip, MembersThatShareTheirBytesAreRefused) {
  auto writer = ZipWriter::create(archive_, {});
  const auto file = write("one", std::string(100'000, 'x'));
  ASSERT_TRUE(writer->add("a", file).has_value());
  ASSERT_TRUE(writer->add("b", file).has_value());
  ASSERT_TRUE(writer->finish().has_value());
  std::string bytes = read_file(archive_).value();
  const auto directory = zip::number_at<std::uint32_t>(bytes, bytes.size() - zip::kEndBytes + 16);
  const auto second = bytes.find("PK\x01\x02", directory + 4);
  std::memcpy(bytes.data() + second + 42, bytes.data() + directory + 42, 4);
  std::ofstream(archive_, std::ios::binary | std::ios::trunc) << bytes;
  EXPECT_THAT(first_problem(), HasSubstr("lies over another member"));
  fs::remove(archive_);
}

}  // namespace
}  // namespace weir::io
