#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <future>
#include <thread>

#include "base/hash.h"
#include "io/file.h"
#include "io/test_folder.h"
#include "store/blob_store.h"
#include "store/sqlite/sqlite_database.h"

namespace weir::store {
namespace {

namespace fs = std::filesystem;

constexpr Migration kMigrations[] = {
    {"test/001", "CREATE TABLE things(id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE)"}};

class StoreTest : public testing::Test {
 protected:
  void SetUp() override { open(); }
  void TearDown() override { database_.reset(); }
  void open() {
    database_.reset();
    auto opened = open_sqlite(folder_ / "weir.db", kMigrations, clock_, log_);
    ASSERT_TRUE(opened) << opened.error().message;
    database_ = *std::move(opened);
  }
  std::int64_t count() {
    return database_
        ->load<std::int64_t>([](Reader& reader) -> Result<std::int64_t> {
          return WEIR_TRY(reader.integer("SELECT count(*) FROM things", {})).value_or(-1);
        })
        .value_or(-1);
  }
  Result<void> add(int id, const std::string& name) {
    return database_->write([&](Transaction& tx) -> Result<void> {
      WEIR_TRY(tx.execute("INSERT INTO things(id, name) VALUES(?, ?)", {id, name}));
      WEIR_TRY(
          tx.append({.type = "thing.added", .actor = "test", .subject = "thing/" + name, .payload = {{"id", id}}}));
      return {};
    });
  }

  SystemClock clock_;
  Log log_{clock_, STDERR_FILENO, LogLevel::kError};
  io::TestFolder folder_;
  std::unique_ptr<Database> database_;
};

TEST_F(StoreTest, WhatWasWrittenIsThereAfterReopening) {
  ASSERT_TRUE(add(1, "one"));
  open();
  EXPECT_EQ(count(), 1);
}

// SQLite gives a whole transaction up when there is no room, with the requests of the same batch that went well.
TEST_F(StoreTest, WhatSharesABatchWithARequestThatFoundNoRoomIsStoredOrRefused) {
  ASSERT_TRUE(add(1, "one"));
  std::promise<void> queued;
  database_->write_async(
      [done = queued.get_future().share()](Transaction&) -> Result<void> {
        done.wait();
        return {};
      },
      [](Result<void>) {});
  const auto limit_pages = [](Transaction& tx, std::string_view pages) {
    return tx.query(fmt::format("PRAGMA max_page_count = {}", pages), {}, [](const Row&) {});
  };
  std::vector<std::future<Result<void>>> answers;
  const auto later = [&](Database::Work work) {
    auto answered = std::make_shared<std::promise<Result<void>>>();
    answers.push_back(answered->get_future());
    database_->write_async(std::move(work),
                           [answered](Result<void> result) { answered->set_value(std::move(result)); });
  };
  const auto insert = [](Transaction& tx, int id, std::size_t size) -> Result<void> {
    WEIR_TRY(tx.append({.type = "thing.added", .actor = "test", .subject = fmt::format("thing/{}", id)}));
    WEIR_TRY(
        tx.execute("INSERT INTO things(id, name) VALUES(?, ?)", {id, std::to_string(id) + std::string(size, 'x')}));
    return {};
  };
  later([&](Transaction& tx) { return insert(tx, 2, 10); });
  later([&](Transaction& tx) -> Result<void> {
    WEIR_TRY(limit_pages(tx, "1"));  // as many as there are
    return insert(tx, 3, 1'000'000);
  });
  later([&](Transaction& tx) { return insert(tx, 4, 10); });
  queued.set_value();
  std::int64_t stored = 1;
  for (auto& answer : answers) stored += answer.get() ? 1 : 0;
  EXPECT_EQ(count(), stored);
  EXPECT_LT(stored, 4);

  ASSERT_TRUE(database_->write([&](Transaction& tx) { return limit_pages(tx, "1000000"); }));
  const auto after = add(5, "five");
  EXPECT_TRUE(after) << after.error().message;
  EXPECT_EQ(count(), stored + 1);
}

TEST_F(StoreTest, AnErrorRollsBackItsRequestAndItsEventsOnly) {
  ASSERT_TRUE(add(1, "one"));
  const auto twice = add(2, "one");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, Code::kAlreadyExists);
  ASSERT_TRUE(add(3, "three"));
  EXPECT_EQ(count(), 2);
  const auto events = database_->load<std::vector<types::Event>>([](Reader& r) { return read_events(r, 0, 100); });
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 2U);
  EXPECT_EQ((*events)[1].sequence, 2);
  EXPECT_EQ((*events)[1].subject, "thing/three");
}

TEST_F(StoreTest, TheChainHoldsAcrossReopening) {
  ASSERT_TRUE(add(1, "one"));
  open();
  ASSERT_TRUE(add(2, "two"));
  const auto events = database_->load<std::vector<types::Event>>([](Reader& r) { return read_events(r, 0, 100); });
  ASSERT_TRUE(events);
  std::string previous;
  for (const auto& event : *events) {
    EXPECT_EQ(event.payload_hash, sha256_hex(json::serialize(event.payload)));
    EXPECT_EQ(event.chain_hash, chain_hash(event, previous));
    previous = event.chain_hash;
  }
}

TEST_F(StoreTest, NumbersOfASeriesAreNeverGivenTwice) {
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 3; ++i) {
    const auto id = database_->write_with<std::int64_t>([](Transaction& tx) { return tx.next_id("run"); });
    ASSERT_TRUE(id);
    ids.push_back(*id);
    if (i == 1) open();
  }
  EXPECT_EQ(ids, (std::vector<std::int64_t>{1, 2, 3}));
}

TEST_F(StoreTest, ManyWritersShareSyncsAndSubscribersHearEveryEventInOrder) {
  std::vector<std::int64_t> heard;
  const auto subscription = database_->subscribe([&](const types::Event& event) { heard.push_back(event.sequence); });
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) failures += add(t * 100 + i, std::to_string(t * 100 + i)) ? 0 : 1;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(count(), 400);
  database_->stop();
  ASSERT_EQ(heard.size(), 400U);
  EXPECT_TRUE(std::is_sorted(heard.begin(), heard.end()));
}

TEST_F(StoreTest, AStateOfANewerWeirIsRefused) {
  database_.reset();
  const auto opened = open_sqlite(folder_ / "weir.db", {}, clock_, log_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kFailedPrecondition);
  EXPECT_NE(opened.error().message.find("newer weir"), std::string::npos);
}

class PiecewiseSource final : public io::ByteSource {
 public:
  explicit PiecewiseSource(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    const std::size_t taken = bytes_.copy(buffer, std::min<std::size_t>(size, 7), at_);
    at_ += taken;
    return taken;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

TEST_F(StoreTest, BlobsAreNamedByTheirBytesAndWrongAnnouncementsKeepNothing) {
  auto blobs = open_local_blobs(folder_ / "blobs");
  ASSERT_TRUE(blobs);
  const auto info = (*blobs)->put("hello weir");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->sha256, sha256_hex("hello weir"));
  EXPECT_EQ((*blobs)->get(info->sha256).value_or(""), "hello weir");

  PiecewiseSource wrong_hash("other bytes");
  EXPECT_FALSE((*blobs)->put_stream(wrong_hash, info->sha256));
  PiecewiseSource wrong_size("other bytes");
  EXPECT_FALSE((*blobs)->put_stream(wrong_size, {}, 3));
  int kept = 0;
  ASSERT_TRUE((*blobs)->for_each([&](const BlobInfo&) { ++kept; }));
  EXPECT_EQ(kept, 1);
  EXPECT_TRUE(fs::is_empty(folder_ / "blobs" / "incoming"));
  EXPECT_FALSE((*blobs)->get("../../etc/passwd"));
}

TEST_F(StoreTest, ABlobThatNobodyPutSinceIsRemoved) {
  const auto store = open_local_blobs(folder_ / "blobs").value();
  const auto name = store->put("some bytes").value().sha256;
  const auto path = store->local_path(name).value();
  const auto now = SystemClock().now();
  const auto hour = std::chrono::hours{1};
  EXPECT_EQ(store->remove_unless_put(name, now - hour).value(), std::nullopt);
  fs::last_write_time(path, fs::file_time_type::clock::now() - 2 * hour);
  // The same bytes come again: whoever put them is about to name them.
  EXPECT_EQ(store->put("some bytes").value().sha256, name);
  EXPECT_EQ(store->remove_unless_put(name, now - hour).value(), std::nullopt);
  fs::last_write_time(path, fs::file_time_type::clock::now() - 2 * hour);
  std::ofstream(folder_ / "file") << "some bytes";
  EXPECT_TRUE(store->put_file(folder_ / "file", true).has_value());
  EXPECT_EQ(store->remove_unless_put(name, now - hour).value(), std::nullopt);
  fs::last_write_time(path, fs::file_time_type::clock::now() - 2 * hour);
  EXPECT_EQ(store->remove_unless_put(name, now - hour).value(), 10);
  EXPECT_FALSE(store->contains(name));
  EXPECT_EQ(store->remove_unless_put(name, now - hour).value(), 0);
  EXPECT_EQ(store->remove_unless_put("../x", now).error().code, Code::kInvalidArgument);
}

TEST_F(StoreTest, AFileIsTakenOverWithoutACopy) {
  auto blobs = *open_local_blobs(folder_ / "blobs");
  const auto write = [&](const std::string& text) {
    std::ofstream(folder_ / "handed", std::ios::binary) << text;
    return folder_ / "handed";
  };
  const auto file = write("bytes");
  struct stat before{};
  ASSERT_EQ(::stat(file.c_str(), &before), 0);
  const auto taken = blobs->adopt(file);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->sha256, sha256_hex("bytes"));
  EXPECT_EQ(taken->size_bytes, 5);
  EXPECT_FALSE(fs::exists(file));
  struct stat after{};
  ASSERT_EQ(::stat(blobs->local_path(taken->sha256)->c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(after.st_mode & 0777, 0444U);
  EXPECT_TRUE(blobs->verify(taken->sha256));
  // The same bytes again, a digest that is known, and what is not as it was announced.
  ASSERT_TRUE(blobs->adopt(write("bytes"), sha256_hex("bytes"), 5));
  EXPECT_FALSE(fs::exists(file));
  EXPECT_FALSE(blobs->adopt(write("bytes"), sha256_hex("bytes"), 6));
  EXPECT_FALSE(blobs->adopt(write("bytes"), "no digest", 5));
  EXPECT_FALSE(blobs->adopt(folder_ / "absent"));
}

TEST_F(StoreTest, VerifyFindsABlobWhoseBytesChanged) {
  auto blobs = open_local_blobs(folder_ / "blobs");
  const auto info = (*blobs)->put("hello weir");
  const auto path = (*blobs)->local_path(info->sha256);
  fs::permissions(*path, fs::perms::owner_all);
  std::ofstream(*path) << "hello w3ir";
  const auto verdict = (*blobs)->verify(info->sha256);
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace weir::store
