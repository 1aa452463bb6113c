#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "monitor/row_store.h"
#include "monitor/signals.h"

namespace weir::monitor {

// A workflow to be started because a model needs training.
struct RetrainRequest {
  std::string model;
  std::string endpoint;
  std::string workflow;    // ".github/workflows/ml-pipeline.yml"
  std::string reasons;     // "drift 0.42 > 0.3 (dep_temp, dewp); accuracy_7d 0.68 < 0.7"
  std::string data_until;  // "2013-06-30": labels are complete up to this day (UTC), itself included
  std::int64_t cause = 0;  // the event retrain.triggered
};

// What became of it.
struct Retraining {
  std::int64_t id = 0;
  std::string model;
  std::string endpoint;
  std::string version;  // live when it was triggered
  std::string reasons;
  std::string data_until;
  TimePoint event_time;  // of the rows; cool-down counts from here
  TimePoint triggered_at;
  std::int64_t event = 0;
  std::optional<std::int64_t> run_id;
  std::string state;  // "requested", "running", "completed", "failed"
  std::string note;   // why it failed
};
json::object to_json(const Retraining& retraining);

// The retraining policy: rules over signals, at most one training of a model under way, none within the cool-down,
// which counts by event time. All state is in the database: after a kill -9 between the decision and the start of the
// workflow, the start is made up for, and not made twice (the run that the decision's event caused is looked for
// first). One thread.
class RetrainPolicy {
 public:
  // Starts the workflow (with inputs reasons and data_until) and gives its run.
  using Start = std::function<Result<std::int64_t>(const RetrainRequest&)>;

  RetrainPolicy(store::Database& db, Log& log, Start start) : db_(db), log_(log), start_(std::move(start)) {}

  // Starts what was decided before a crash.
  Result<void> resume(const std::function<std::string(const std::string& model)>& workflow_of);

  struct Facts {
    Place place;
    std::string version;  // live
    TimePoint watermark;  // of the event times
    Duration label_delay{0};
  };
  // True if a training was triggered.
  Result<bool> decide(const config::Retrain& rules, const Readings& readings, const Facts& facts,
                      const config::Config& config);

  static Result<std::vector<Retraining>> load(store::Reader& reader, std::int64_t limit);
  static Result<std::optional<Retraining>> latest(store::Reader& reader, std::string_view model);

 private:
  Result<void> start(const RetrainRequest& request, std::int64_t id);

  store::Database& db_;
  Log& log_;
  Start start_;
};

// The rules of `rules` that hold, as text.
std::vector<std::string> retrain_reasons(const config::Retrain& rules, const Readings& readings);

// The last whole day (UTC) before `complete`, from where on labels may still come: "2013-06-30".
std::string last_whole_day(TimePoint complete);

}  // namespace weir::monitor
