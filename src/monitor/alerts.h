#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "monitor/message.h"
#include "monitor/row_store.h"
#include "monitor/signals.h"

namespace weir::monitor {

// An alert, firing or resolved.
struct Alert {
  std::int64_t id = 0;
  Place place;
  std::string rule;  // "drift > 0.3"
  config::Severity severity = config::Severity::kWarning;
  std::string version;  // live when it fired
  double value = 0.0;
  double limit = 0.0;
  std::string message;
  std::optional<TimePoint> event_time;  // of the rows that it is about
  TimePoint fired_at;
  std::int64_t fired_event = 0;
  std::optional<TimePoint> resolved_at;
};
json::object to_json(const Alert& alert);

// When and about what signals are looked at.
struct Moment {
  TimePoint now;                        // the clock's
  std::optional<TimePoint> event_time;  // the rows'
  std::string version;                  // live
};

// Fires an alert once when its rule has held for as long as the rule says, and resolves it once when it no longer does
// or when another version is live that its drift or accuracy says nothing about. Both are an event (alert.fired,
// alert.resolved; drift.detected before the former) and a queued message, in one transaction with the alert's state.
// What is not known (no traffic, too few labels to be sure) neither fires nor resolves. One thread at a time.
class AlertBook {
 public:
  explicit AlertBook(store::Database& db) : db_(db) {}

  struct Fired {
    WatchedRule rule;
    Alert alert;
  };
  // Gives the alerts that have just fired.
  Result<std::vector<Fired>> update(const Place& place, const std::vector<WatchedRule>& rules, const Readings& readings,
                                    const Moment& moment, const config::Config& config);

  // Resolves alerts on drift and accuracy of versions other than the live one, and alerts without a rule.
  Result<void> resolve_stale(const Place& place, const std::vector<WatchedRule>& rules, const Moment& moment,
                             const config::Config& config);

  // Newest first, firing ones before resolved ones.
  static Result<std::vector<Alert>> load(store::Reader& reader, std::int64_t limit);
  static Result<std::vector<Alert>> firing(store::Reader& reader, const Place& place);

 private:
  Result<Alert> fire(store::Transaction& tx, const Place& place, const WatchedRule& rule, const Reading& reading,
                     const Moment& moment, const config::Config& config);
  Result<void> resolve(store::Transaction& tx, const Alert& alert, const std::string& why,
                       const config::Config& config);

  store::Database& db_;
  std::map<std::pair<Place, std::string>, TimePoint> since_;  // rules that hold, not yet for long enough
};

}  // namespace weir::monitor
