#include "track/names.h"
#include "track/rows.h"
#include "track/search_sql.h"
#include "track/tracking.h"

namespace weir::track {
namespace {

Result<std::int64_t> dataset_number(store::Transaction& tx, std::int64_t experiment, const Dataset& dataset) {
  const auto found =
      WEIR_TRY(tx.integer("SELECT dataset FROM track_datasets WHERE experiment = ? AND name = ? AND digest = ?",
                          {experiment, dataset.name, dataset.digest}));
  if (found) return *found;
  const auto number = WEIR_TRY(tx.next_id("track.dataset"));
  WEIR_TRY(
      tx.execute("INSERT INTO track_datasets(dataset, experiment, name, digest, source_type, source, schema_json, "
                 "profile_json) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                 {number, experiment, dataset.name, dataset.digest, dataset.source_type, dataset.source, dataset.schema,
                  dataset.profile}));
  return number;
}

Result<void> add_input(store::Transaction& tx, const RunRow& run, const DatasetInput& input,
                       const types::Identity& actor) {
  const auto dataset = WEIR_TRY(dataset_number(tx, run.experiment, input.dataset));
  const auto there =
      WEIR_TRY(tx.integer("SELECT input FROM track_inputs WHERE run = ? AND dataset = ?", {run.run, dataset}));
  if (there) return {};
  const auto number = WEIR_TRY(tx.next_id("track.input"));
  WEIR_TRY(tx.execute("INSERT INTO track_inputs(input, run, dataset, workflow_run, job) VALUES(?, ?, ?, ?, ?)",
                      {number, run.run, dataset, actor.run_id, actor.job_id}));
  for (const auto& tag : input.tags) WEIR_TRY(set_key(tx, "track_input_tags", "input", number, tag));
  return {};
}

Result<void> link_model(store::Transaction& tx, const RunRow& run, bool is_output, std::string_view model_id,
                        std::int64_t step) {
  WEIR_TRY(
      tx.execute("INSERT INTO track_run_models(run, is_output, model_id, step) VALUES(?, ?, ?, ?) "
                 "ON CONFLICT(run, is_output, model_id) DO UPDATE SET step = excluded.step",
                 {run.run, is_output, model_id, step}));
  return {};
}

}  // namespace

Result<void> Tracking::log_inputs(std::string_view run_id, std::span<const DatasetInput> datasets,
                                  std::span<const std::string> model_ids, const types::Identity& actor) {
  if (datasets.size() > kBatchEntitiesMax) {
    return fail(Code::kInvalidArgument, "a call can log at most {} datasets, this one has {}", kBatchEntitiesMax,
                datasets.size());
  }
  for (const auto& input : datasets) WEIR_TRY(check_dataset_input(input));
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto run = WEIR_TRY(find_active_run(tx, run_id));
    for (const auto& input : datasets) WEIR_TRY(add_input(tx, run, input, actor));
    for (const auto& model : model_ids) WEIR_TRY(link_model(tx, run, false, model, 0));
    return {};
  });
}

Result<void> Tracking::log_outputs(std::string_view run_id, std::span<const ModelOutput> models) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto run = WEIR_TRY(find_active_run(tx, run_id));
    for (const auto& model : models) WEIR_TRY(link_model(tx, run, true, model.model_id, model.step));
    return {};
  });
}

Result<std::vector<Tracking::DatasetSummary>> Tracking::datasets(std::span<const std::int64_t> experiments) {
  if (experiments.empty()) return std::vector<DatasetSummary>{};
  Sql sql;
  sql.add(
      "SELECT DISTINCT d.experiment, d.name, d.digest, t.value FROM track_datasets d "
      "JOIN track_inputs i ON i.dataset = d.dataset "
      "LEFT JOIN track_input_tags t ON t.input = i.input AND t.key = ? WHERE d.experiment IN ",
      kContextTag);
  add_list(sql, std::vector<std::int64_t>(experiments.begin(), experiments.end()));
  sql.add(" ORDER BY d.experiment, d.name, d.digest LIMIT 1000");
  return db_.load<std::vector<DatasetSummary>>([&](store::Reader& reader) -> Result<std::vector<DatasetSummary>> {
    std::vector<DatasetSummary> summaries;
    WEIR_TRY(reader.query(sql.text, sql.values, [&](const store::Row& row) {
      summaries.push_back({row.integer(0), row.string(1), row.string(2), row.string(3)});
    }));
    return summaries;
  });
}

}  // namespace weir::track
