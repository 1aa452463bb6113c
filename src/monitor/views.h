#pragma once

#include <cstdint>
#include <vector>

#include "base/json.h"
#include "monitor/exposition.h"
#include "monitor/watcher.h"
#include "store/database.h"

// What the monitor shows: JSON for the API and metrics for Prometheus.
namespace weir::monitor {

struct MonitorCounters {
  std::int64_t captures = 0;
  std::int64_t captures_waiting = 0;
  std::int64_t captures_dropped = 0;  // the queue was full
  std::int64_t unreadable = 0;        // requests whose rows could not be read
  std::int64_t rows = 0;              // stored
  std::int64_t rows_lost = 0;         // that could not be stored
  std::int64_t untimed_rows = 0;      // without a usable event time: in no window
  std::int64_t labels = 0;            // joined
  std::int64_t labels_waiting = 0;    // that came without their row
};

Result<json::object> drift_view(store::Reader& reader, const Place& place, std::int64_t limit);
Result<json::object> alerts_view(store::Reader& reader, std::int64_t limit, bool open_only);
Result<json::object> retrainings_view(store::Reader& reader, std::int64_t limit);
json::object status_view(const WatchStatus& status);

void write_watch(Exposition& exposition, const std::vector<WatchStatus>& statuses, const MonitorCounters& counters);
Result<void> write_alerts(store::Reader& reader, Exposition& exposition);

}  // namespace weir::monitor
