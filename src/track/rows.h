#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "store/database.h"
#include "track/entities.h"

// How tracking's rows are read and written; for the sources of this folder.
namespace weir::track {

// A run as the writer needs it.
struct RunRow {
  std::int64_t run = 0;
  std::string id;
  std::int64_t experiment = 0;
  bool deleted = false;
};
Result<RunRow> find_run(store::Reader& reader, std::string_view id);
// kInvalidArgument if it is deleted.
Result<RunRow> find_active_run(store::Reader& reader, std::string_view id);

Result<Experiment> load_experiment(store::Reader& reader, std::int64_t id);
Result<Experiment> load_active_experiment(store::Reader& reader, std::int64_t id);
Experiment read_experiment(const store::Row& row);
inline constexpr std::string_view kExperimentColumns =
    "e.experiment, e.name, e.artifact_location, e.deleted, e.created_ms, e.updated_ms";

RunInfo read_run_info(const store::Row& row);
inline constexpr std::string_view kRunColumns =
    "r.run, r.id, r.experiment, r.name, r.user_id, r.status, r.start_ms, r.end_ms, r.deleted, r.artifact_uri, "
    "r.workflow_run, r.job, r.actor";

// The data of runs in one go, in the order given.
Result<std::vector<Run>> load_runs(store::Reader& reader, std::vector<std::pair<std::int64_t, RunInfo>> infos);

// The number of a metric's name; made if there is none.
Result<std::int64_t> metric_number(store::Transaction& tx, std::string_view name);
// The value, which is NaN if the flag beside it says so.
double value_of(const store::Row& row, int value_column, int is_nan_column);

// Sets one key of a (owner, key, value) table, e.g. ("track_tags", "run").
Result<void> set_key(store::Transaction& tx, std::string_view table, std::string_view owner_column, std::int64_t owner,
                     const KeyValue& entry);
Result<std::vector<KeyValue>> keys_of(store::Reader& reader, std::string_view table, std::string_view owner_column,
                                      std::int64_t owner);

// A tag of a run, with the run's name following mlflow.runName.
Result<void> set_run_tag(store::Transaction& tx, std::int64_t run, const KeyValue& tag);

inline constexpr std::string_view kRunNameTag = "mlflow.runName";
inline constexpr std::string_view kParentRunTag = "mlflow.parentRunId";
inline constexpr std::string_view kContextTag = "mlflow.data.context";
inline constexpr std::string_view kWeirRunTag = "weir.run_id";
inline constexpr std::string_view kWeirJobTag = "weir.job_id";

}  // namespace weir::track
