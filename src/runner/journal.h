#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "runner/masker.h"

namespace weir::runner {

// Appends to <job dir>/journal.jsonl, one write() a record, and holds the lock that says "this job is running". The
// lock goes with the process, however it ends. Nothing is synced: a journal survives a killed process, not a power cut.
class Journal {
 public:
  // kFailedPrecondition if another runner has the lock, or if the journal shows that the job was run already.
  static Result<Journal> open(const std::filesystem::path& path, const Clock& clock);

  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&&) = delete;
  ~Journal();

  // Adds "seq", "t" and "type" in front of `fields`. Any thread: an action annotates while the job is cancelled.
  Result<void> append(std::string_view type, const json::object& fields);

 private:
  Journal(int fd, const Clock& clock) : fd_(fd), clock_(&clock) {}
  int fd_;
  const Clock* clock_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();  // records stand in the order of their numbers
  std::int64_t sequence_ = 0;
};

// Appends masked, readable lines to <job dir>/log.txt (types::LogLine's format). Lines gather until flush(); one
// write() each time. Any thread.
class JobLog {
 public:
  static constexpr std::size_t kLineBytesMax = 64U << 10;

  // `clock` must outlive the log.
  static Result<std::unique_ptr<JobLog>> open(const std::filesystem::path& path, const Clock& clock);
  ~JobLog();
  JobLog(const JobLog&) = delete;
  JobLog& operator=(const JobLog&) = delete;

  void add_mask(std::string_view secret);
  [[nodiscard]] std::string mask(std::string_view text) const;

  // `text` may hold newlines: each part becomes a line. `bytes_cut`: lost before the text came here.
  // Lines that find no room on the disk are lost; the first one that does find some is preceded by their number.
  void line(int step, char stream, std::string_view text, std::size_t bytes_cut = 0);
  void flush();

 private:
  JobLog(int fd, const Clock& clock) : fd_(fd), clock_(clock) {}
  void add_line(int step, char stream, std::string_view text, std::size_t bytes_cut);
  void flush_locked();

  int fd_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  Masker masker_;
  std::string buffer_;
  std::int64_t lost_lines_ = 0;  // found no room, and the log does not say so yet
  std::string stamp_;            // "<step> <micros> <stream> " of the last line
  int stamp_step_ = 0;
  char stamp_stream_ = 0;
  int stamp_uses_ = 0;
  std::string masked_;  // kept to spare allocations
  std::string sanitized_;
};

}  // namespace weir::runner
