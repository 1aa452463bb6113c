#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "store/blob_store.h"
#include "store/database.h"
#include "track/artifacts.h"
#include "track/entities.h"
#include "types/identity.h"

namespace weir::track {

// Experiments, runs and everything that they log, with the meaning that MLflow's clients expect.
//
// Run ids: wherever a function takes one, a purely numeric id of up to 18 digits names the workflow run whose job
// logged the experiment run (see run_of_workflow_run), so that `--run-id ${{ github.run_id }}` works.
// Errors: kNotFound for unknown ids, kInvalidArgument for bad names and for writes to deleted runs and experiments,
// kAlreadyExists for names that are taken. Any thread; nothing here may be called from inside a write, except functions
// that take a Transaction. Every write is on disk when it returns.
class Tracking {
 public:
  // `db` holds migrations(); both outlive this. Makes the experiment 0, "Default", if it is not there.
  static Result<std::unique_ptr<Tracking>> open(store::Database& db, store::BlobStore& blobs);

  [[nodiscard]] Artifacts& artifacts() { return artifacts_; }

  // --- experiments
  // "" as artifact location stands for mlflow-artifacts:/<id>. A name stays taken while its experiment is deleted.
  Result<std::int64_t> create_experiment(std::string_view name, std::string_view artifact_location,
                                         std::span<const KeyValue> tags);
  Result<Experiment> experiment(std::int64_t id);
  Result<Experiment> experiment_by_name(std::string_view name);  // also a deleted one
  struct ExperimentSearch {
    std::string filter;                 // name, experiment_id, creation_time, last_update_time, tags
    std::vector<std::string> order_by;  // default: newest first
    View view = View::kActiveOnly;
    std::int64_t results_max = 1000;  // 1 to 50000
    std::string page_token;
  };
  Result<Page<Experiment>> search_experiments(const ExperimentSearch& search);
  Result<void> rename_experiment(std::int64_t id, std::string_view name);
  // Deletes or restores it with its runs; nothing is erased.
  Result<void> set_experiment_deleted(std::int64_t id, bool deleted);
  Result<void> set_experiment_tag(std::int64_t id, const KeyValue& tag);
  Result<void> delete_experiment_tag(std::int64_t id, std::string_view key);

  // --- runs
  struct NewRun {
    std::int64_t experiment_id = 0;
    std::string name;  // "" = tag mlflow.runName, or a random one
    std::string user_id;
    std::int64_t start_ms = 0;
    std::vector<KeyValue> tags;
  };
  // Of an actor with a job's token the run gets the tags weir.run_id and weir.job_id.
  Result<Run> create_run(NewRun draft, const types::Identity& actor);
  Result<Run> run(std::string_view id);
  struct RunChange {
    std::optional<RunStatus> status;
    std::optional<std::int64_t> end_ms;
    std::string name;  // "" = as it is
  };
  Result<RunInfo> update_run(std::string_view id, const RunChange& change);
  Result<void> set_run_deleted(std::string_view id, bool deleted);
  struct RunSearch {
    std::vector<std::int64_t> experiments;
    std::string filter;
    std::vector<std::string> order_by;  // default: newest start first
    View view = View::kActiveOnly;
    std::int64_t results_max = 1000;  // 1 to 50000
    std::string page_token;
  };
  Result<Page<Run>> search_runs(const RunSearch& search);

  // The experiment run that a workflow run made: one with a logged model wins over one without, a top-level run over a
  // nested one, the newest over older ones. kNotFound if it made none.
  Result<std::string> run_of_workflow_run(std::int64_t workflow_run);
  static Result<std::string> run_of_workflow_run(store::Reader& reader, std::int64_t workflow_run);
  // All experiment runs of a workflow run, newest first, deleted ones left out.
  Result<std::vector<RunInfo>> runs_of_workflow_run(std::int64_t workflow_run);
  // The 32 digits for an id as it came (see above). kNotFound if there is no such run.
  static Result<std::string> resolve_run_id(store::Reader& reader, std::string_view id);
  static Result<RunInfo> run_info(store::Reader& reader, std::string_view id);
  static Result<Run> run(store::Reader& reader, std::string_view id);

  // --- what runs log
  struct Batch {
    std::vector<MetricPoint> metrics;  // at most 1000; all three together as well
    std::vector<KeyValue> params;      // at most 100
    std::vector<KeyValue> tags;        // at most 100
  };
  // All or nothing. A point that is there already (same run, key, step, timestamp and value) is not stored again, so a
  // repeated batch changes nothing. A parameter never changes its value: kInvalidArgument.
  Result<void> log_batch(std::string_view run_id, const Batch& batch);
  Result<void> delete_tag(std::string_view run_id, std::string_view key);
  // Appends to the run's tag mlflow.log-model.history, as clients before MLflow 3 expect.
  Result<void> record_model(std::string_view run_id, const json::object& model);

  struct History {
    std::string run_id;
    std::string key;
    std::optional<std::int64_t> results_max;  // all if empty
    std::string page_token;
  };
  // Calls `each` with the points by timestamp, step and value; gives the token of the next page, "" at the end.
  Result<std::string> metric_history(const History& history, const std::function<void(const MetricPoint&)>& each);
  // Points of several runs: at most `results_max` all together, ordered by run and time.
  Result<std::vector<MetricPoint>> metric_history_bulk(std::span<const std::string> run_ids, std::string_view key,
                                                       std::int64_t results_max);
  struct Interval {
    std::optional<std::int64_t> start_step, end_step;
    std::int64_t results_max = 1000;
  };
  // For plots: at most `results_max` points of each run, evenly spread, with the first and the last.
  Result<std::vector<MetricPoint>> metric_history_sampled(std::span<const std::string> run_ids, std::string_view key,
                                                          const Interval& interval);

  // --- datasets and models of a run
  Result<void> log_inputs(std::string_view run_id, std::span<const DatasetInput> datasets,
                          std::span<const std::string> model_ids, const types::Identity& actor);
  Result<void> log_outputs(std::string_view run_id, std::span<const ModelOutput> models);
  struct DatasetSummary {
    std::int64_t experiment_id = 0;
    std::string name, digest, context;
  };
  Result<std::vector<DatasetSummary>> datasets(std::span<const std::int64_t> experiments);

  // --- logged models
  struct NewModel {
    std::int64_t experiment_id = 0;
    std::string name;  // "" = a random one
    std::string type;
    std::string source_run;
    std::vector<KeyValue> params;
    std::vector<KeyValue> tags;
  };
  Result<LoggedModel> create_model(NewModel draft, const types::Identity& actor);
  Result<LoggedModel> model(std::string_view id, bool also_deleted = false);
  static Result<LoggedModel> model(store::Reader& reader, std::string_view id, bool also_deleted = false);
  // The newest logged model of that name that a run made; nothing if there is none.
  static Result<std::optional<LoggedModel>> model_of_run(store::Reader& reader, std::string_view run_id,
                                                         std::string_view name);
  Result<LoggedModel> finish_model(std::string_view id, ModelStatus status);
  Result<void> delete_model(std::string_view id);
  Result<void> log_model_params(std::string_view id, std::span<const KeyValue> params);
  Result<void> set_model_tags(std::string_view id, std::span<const KeyValue> tags);
  static Result<void> set_model_tags(store::Transaction& tx, std::string_view id, std::span<const KeyValue> tags);
  Result<void> delete_model_tag(std::string_view id, std::string_view key);
  struct MetricDataset {
    std::string name;
    std::string digest;  // "" = any
  };
  struct ModelOrder {
    std::string field;  // "metrics.auc", "creation_timestamp"
    bool ascending = true;
    MetricDataset dataset;
  };
  struct ModelSearch {
    std::vector<std::int64_t> experiments;
    std::string filter;
    std::vector<MetricDataset> datasets;  // metrics count only if logged on one of these
    std::vector<ModelOrder> order_by;
    std::int64_t results_max = 50;
    std::string page_token;
  };
  Result<Page<LoggedModel>> search_models(const ModelSearch& search);

 private:
  Tracking(store::Database& db, store::BlobStore& blobs) : db_(db), artifacts_(db, blobs) {}

  store::Database& db_;
  Artifacts artifacts_;
};

}  // namespace weir::track
