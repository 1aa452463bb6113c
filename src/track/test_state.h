#pragma once

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "io/http.h"
#include "store/blob_store.h"
#include "store/sqlite/sqlite_database.h"
#include "track/schema.h"
#include "track/tracking.h"

// A real database and blob store in a folder of their own, for tests.
namespace weir::track {

class TestState {
 public:
  explicit TestState(std::span<const store::Migration> more = {}) : log_(clock_, 2, LogLevel::kError) {
    std::filesystem::create_directories(folder_);
    std::vector<store::Migration> all(migrations().begin(), migrations().end());
    all.insert(all.end(), more.begin(), more.end());
    db = store::open_sqlite(folder_ / "weir.db", all, clock_, log_).value();
    blobs = store::open_local_blobs(folder_ / "blobs").value();
    tracking = Tracking::open(*db, *blobs).value();
  }
  ~TestState() {
    tracking.reset();
    db->stop();
    db.reset();
    std::filesystem::remove_all(folder_);
  }
  TestState(const TestState&) = delete;
  TestState& operator=(const TestState&) = delete;

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

  std::int64_t count(std::string_view table) {
    return db
        ->load<std::int64_t>([&](store::Reader& reader) -> Result<std::int64_t> {
          return WEIR_TRY(reader.integer(fmt::format("SELECT COUNT(*) FROM {}", table), {})).value_or(-1);
        })
        .value();
  }

  std::vector<types::Event> events() {
    return db
        ->load<std::vector<types::Event>>([](store::Reader& reader) { return store::read_events(reader, 0, 1000); })
        .value();
  }

 private:
  SystemClock clock_;
  Log log_;
  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("weir-track-" + random_hex(6));

 public:
  std::unique_ptr<store::Database> db;
  std::unique_ptr<store::BlobStore> blobs;
  std::unique_ptr<Tracking> tracking;
};

inline types::Identity job_identity(std::int64_t job, std::int64_t run) {
  return {.name = fmt::format("job:{}", job), .role = types::Role::kDeveloper, .job_id = job, .run_id = run};
}

// Gives `bytes` in small pieces, and an error instead of the end if told so.
class PiecewiseSource final : public io::ByteSource {
 public:
  explicit PiecewiseSource(std::string bytes, bool breaks_off = false)
      : bytes_(std::move(bytes)), breaks_off_(breaks_off) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    if (at_ == bytes_.size() && breaks_off_) return fail(Code::kUnavailable, "the client broke off");
    const auto part = std::min({size, std::size_t{7}, bytes_.size() - at_});
    bytes_.copy(buffer, part, at_);
    at_ += part;
    return part;
  }

 private:
  std::string bytes_;
  bool breaks_off_;
  std::size_t at_ = 0;
};

}  // namespace weir::track
