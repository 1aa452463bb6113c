#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "monitor/captured_rows.h"
#include "serve/capture.h"
#include "serve/feedback.h"
#include "store/database.h"

namespace weir::monitor {

// An environment of an endpoint.
struct Place {
  std::string endpoint;
  std::string environment;

  [[nodiscard]] std::string text() const { return endpoint + "@" + environment; }
  auto operator<=>(const Place&) const = default;
};

// The rows of one request, ready to be stored.
struct RowBatch {
  Place place;
  std::string model;
  std::string version;
  std::string request_id;
  TimePoint arrival;
  std::vector<CapturedRow> rows;
};

// A stored row, as a window looks at it.
struct StoredRow {
  std::string version;
  json::object features;
  json::value prediction;
  std::optional<double> score;
};

struct LabelCounts {
  std::int64_t rows = 0;    // whose label is due
  std::int64_t labels = 0;  // of them
  std::int64_t judged = 0;  // labelled rows whose prediction can be right or wrong
  std::int64_t correct = 0;
};

// Keeps captured rows and joins labels to them. What functions returned success for is on disk. One thread at a time.
class RowStore {
 public:
  explicit RowStore(store::Database& db) : db_(db) {}

  // Stores the rows in one transaction, with labels that came before them.
  Result<void> add(std::span<const RowBatch> batches);

  // Joins labels to rows; those whose row is not there (yet, or for ever) wait as early labels. kInvalidArgument if a
  // request had several rows and the label does not say which; then nothing is stored.
  struct Labelled {
    std::int64_t joined = 0;
    std::int64_t waiting = 0;
  };
  Result<Labelled> label(std::span<const serve::Feedback> feedback, TimePoint now);

  // The newest event time that is not after `latest`; nothing without rows.
  Result<std::optional<TimePoint>> newest(const Place& place, TimePoint latest);
  // The oldest event time at or after `from`.
  Result<std::optional<TimePoint>> oldest(const Place& place, TimePoint from);
  // Rows with begin <= event time < end, at most `limit`, evenly spread if there are more.
  Result<std::vector<StoredRow>> rows(const Place& place, TimePoint begin, TimePoint end, std::int64_t limit);
  // Labels of one version's rows with begin <= event time < end.
  Result<LabelCounts> labels(const Place& place, std::string_view version, TimePoint begin, TimePoint end);

  // Deletes rows that arrived before `before`, some thousand at a time; true if there is more to delete.
  Result<bool> expire(const Place& place, TimePoint before);
  Result<bool> expire_early_labels(TimePoint before);

 private:
  Result<std::int64_t> next_row_id(store::Reader& reader);

  store::Database& db_;
  std::int64_t last_id_ = -1;  // of monitor_rows; -1: not read yet
  bool early_labels_ = true;   // there may be some
};

}  // namespace weir::monitor
