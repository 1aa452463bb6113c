#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "monitor/alerts.h"
#include "monitor/retraining.h"
#include "monitor/row_store.h"
#include "monitor/window.h"
#include "serve/gateway.h"

namespace weir::monitor {

// The version that answers an environment's requests.
struct LiveVersion {
  std::string model;
  std::string version;
  TimePoint since;  // of its registration
};

// What of a live version's rows is known for people and /metrics.
struct WatchStatus {
  Place place;
  std::string model;
  std::string version;
  std::optional<TimePoint> watermark;
  std::optional<double> drift;  // of the newest window
  std::optional<double> prediction_drift;
  std::vector<WindowColumn> columns;  // of the newest window
  std::optional<double> accuracy;     // over seven days
  std::int64_t labels = 0;            // behind it
  std::size_t reference_rows = 0;
  std::optional<TimePoint> data_end;  // of the training data
  std::string problem;                // why there is no reference, for people
};

// Follows one environment's rows through event time: the watermark is the newest event time seen; a window closes when
// the watermark passes its end, a day's accuracy is due when it passes the day's end and the label delay; both are then
// judged. Rows that come later count in no window. Everything that is decided is stored, so that a restart goes on
// where it was.
//
// Retraining is decided once a window, when the labels of its rows are complete: drift and accuracy then speak of the
// same rows, and the training can use them.
//
// One thread at a time.
class Watcher {
 public:
  struct Deps {
    store::Database* db = nullptr;
    RowStore* rows = nullptr;
    AlertBook* alerts = nullptr;
    RetrainPolicy* retraining = nullptr;
    Log* log = nullptr;
    std::function<std::optional<LiveVersion>(const Place&)> live;
    // Text of an artifact of the run that trained the version.
    std::function<Result<std::string>(const std::string& model, const std::string& version, const std::string& path)>
        artifact;
    std::function<Result<void>(const Place&, const std::string& reason)> roll_back;
  };

  Watcher(Place place, const Deps& deps) : place_(std::move(place)), deps_(deps) {}

  // Rows of these event times were stored. `now` is the clock's.
  void saw(TimePoint event_time);
  // Closes what is due and acts on it.
  Result<void> advance(const config::Config& config, TimePoint now);
  // Labels were joined: the newest day's accuracy is looked at again.
  Result<void> relabelled(const config::Config& config, TimePoint now);
  // Signals that follow the clock: latency and errors of the last minutes.
  Result<void> tick(const config::Config& config, const serve::DeploymentSnapshot& traffic, TimePoint now);

  [[nodiscard]] const WatchStatus& status() const { return status_; }

 private:
  // What one look works with.
  struct Look {
    const config::Config& config;
    const config::Monitor& monitor;
    const config::Endpoint& endpoint;
    LiveVersion live;
    TimePoint now;
    Duration label_delay;
  };

  Result<std::optional<Look>> begin(const config::Config& config, TimePoint now);
  Result<void> prime(TimePoint now);
  Result<bool> close_next_window(const Look& look);
  Result<void> judge(const Look& look, Window& window);
  Result<void> judge_days(const Look& look);
  Result<void> judge_day(const Look& look, TimePoint day, bool newest);
  Result<void> decide_retraining(const Look& look);
  std::shared_ptr<const data::Reference> reference(const Look& look);
  Result<void> raise(const Look& look, const Readings& readings, std::optional<TimePoint> event_time);
  Result<std::optional<Reading>> accuracy(const Look& look, TimePoint end);

  Place place_;
  Deps deps_;
  WatchStatus status_;
  bool primed_ = false;
  std::optional<TimePoint> windows_end_;  // of the newest closed window
  std::optional<TimePoint> day_done_;     // the newest day (its end) whose accuracy was judged
  std::optional<TimePoint> decided_;      // end of the newest window that retraining was decided on
  std::string reference_key_;             // of what reference_ was made
  std::shared_ptr<const data::Reference> reference_;
};

}  // namespace weir::monitor
