#include "track/rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "track/search_sql.h"
#include "track/tracking.h"

namespace weir::track {
namespace {

using RunIndex = std::unordered_map<std::int64_t, std::size_t>;

// "… WHERE x IN (<some runs>)", once for each part of `runs`. Lists come in four lengths, filled up with the last run,
// so that few different statements are prepared.
Result<void> query_runs(store::Reader& reader, std::string_view select, std::string_view order,
                        const std::vector<std::int64_t>& runs, const std::function<void(const store::Row&)>& each) {
  constexpr std::array<std::size_t, 4> kSizes = {1, 8, 64, 512};
  for (std::size_t at = 0; at < runs.size();) {
    const std::size_t left = runs.size() - at;
    const auto fitting = std::ranges::find_if(kSizes, [&](std::size_t size) { return size >= left; });
    const std::size_t size = fitting == kSizes.end() ? kSizes.back() : *fitting;
    const std::size_t taken = std::min(size, left);
    std::vector<std::int64_t> part(runs.begin() + static_cast<std::ptrdiff_t>(at),
                                   runs.begin() + static_cast<std::ptrdiff_t>(at + taken));
    part.resize(size, part.back());
    Sql sql;
    sql.add(select);
    add_list(sql, part);
    sql.add(order);
    WEIR_TRY(reader.query(sql.text, sql.values, each));
    at += taken;
  }
  return {};
}

Result<void> load_inputs(store::Reader& reader, const std::vector<std::int64_t>& runs, const RunIndex& index,
                         std::vector<Run>& loaded) {
  std::unordered_map<std::int64_t, std::pair<std::size_t, std::size_t>> inputs;  // input -> run, place
  WEIR_TRY(query_runs(reader,
                      "SELECT i.run, i.input, d.name, d.digest, d.source_type, d.source, d.schema_json, d.profile_json "
                      "FROM track_inputs i JOIN track_datasets d ON d.dataset = i.dataset WHERE i.run IN ",
                      " ORDER BY i.input", runs, [&](const store::Row& row) {
                        auto& run = loaded[index.at(row.integer(0))];
                        inputs.emplace(row.integer(1), std::pair(index.at(row.integer(0)), run.inputs.size()));
                        run.inputs.push_back({.dataset = {.name = row.string(2),
                                                          .digest = row.string(3),
                                                          .source_type = row.string(4),
                                                          .source = row.string(5),
                                                          .schema = row.string_or_null(6),
                                                          .profile = row.string_or_null(7)}});
                      }));
  if (inputs.empty()) return {};
  WEIR_TRY(query_runs(reader,
                      "SELECT t.input, t.key, t.value FROM track_inputs i JOIN track_input_tags t ON t.input = i.input "
                      "WHERE i.run IN ",
                      " ORDER BY t.input, t.key", runs, [&](const store::Row& row) {
                        const auto [run, place] = inputs.at(row.integer(0));
                        loaded[run].inputs[place].tags.push_back({row.string(1), row.string(2)});
                      }));
  return {};
}

}  // namespace

double value_of(const store::Row& row, int value_column, int is_nan_column) {
  return row.boolean(is_nan_column) ? std::numeric_limits<double>::quiet_NaN() : row.real(value_column);
}

Experiment read_experiment(const store::Row& row) {
  return {.id = row.integer(0),
          .name = row.string(1),
          .artifact_location = row.string(2),
          .deleted = row.boolean(3),
          .created_ms = row.integer(4),
          .updated_ms = row.integer(5)};
}

RunInfo read_run_info(const store::Row& row) {
  return {.id = row.string(1),
          .experiment_id = row.integer(2),
          .name = row.string(3),
          .user_id = row.string(4),
          .status = static_cast<RunStatus>(row.integer(5)),
          .start_ms = row.integer(6),
          .end_ms = row.integer_or_null(7),
          .artifact_uri = row.string(9),
          .deleted = row.boolean(8),
          .workflow_run = row.integer_or_null(10),
          .job = row.integer_or_null(11),
          .actor = row.string(12)};
}

Result<Experiment> load_experiment(store::Reader& reader, std::int64_t id) {
  auto found = WEIR_TRY(reader.first<Experiment>(
      fmt::format("SELECT {} FROM track_experiments e WHERE e.experiment = ?", kExperimentColumns), {id},
      read_experiment));
  if (!found) return fail(Code::kNotFound, "no experiment with id {}", id);
  found->tags = WEIR_TRY(keys_of(reader, "track_experiment_tags", "experiment", id));
  return *std::move(found);
}

Result<Experiment> load_active_experiment(store::Reader& reader, std::int64_t id) {
  auto experiment = WEIR_TRY(load_experiment(reader, id));
  if (!experiment.deleted) return experiment;
  return fail(Code::kInvalidArgument, "experiment {} (\"{}\") must be active, but it is deleted; restore it first", id,
              experiment.name);
}

Result<RunRow> find_run(store::Reader& reader, std::string_view id) {
  const std::string resolved = WEIR_TRY(Tracking::resolve_run_id(reader, id));
  auto found = WEIR_TRY(reader.first<RunRow>(
      "SELECT run, id, experiment, deleted FROM track_runs WHERE id = ?", {resolved},
      [](const store::Row& row) { return RunRow{row.integer(0), row.string(1), row.integer(2), row.boolean(3)}; }));
  if (!found) return fail(Code::kNotFound, "run with id {} not found", resolved);
  return *std::move(found);
}

Result<RunRow> find_active_run(store::Reader& reader, std::string_view id) {
  auto run = WEIR_TRY(find_run(reader, id));
  if (!run.deleted) return run;
  return fail(Code::kInvalidArgument, "run {} must be active, but it is deleted; restore it first", run.id);
}

Result<std::vector<Run>> load_runs(store::Reader& reader, std::vector<std::pair<std::int64_t, RunInfo>> infos) {
  std::vector<Run> loaded(infos.size());
  std::vector<std::int64_t> runs;
  RunIndex index;
  for (std::size_t i = 0; i < infos.size(); ++i) {
    loaded[i].info = std::move(infos[i].second);
    runs.push_back(infos[i].first);
    index.emplace(infos[i].first, i);
  }
  const auto run_of = [&](const store::Row& row) -> Run& { return loaded[index.at(row.integer(0))]; };
  WEIR_TRY(query_runs(reader,
                      "SELECT l.run, n.name, l.value, l.is_nan, l.timestamp_ms, l.step, l.dataset_name, "
                      "l.dataset_digest, l.model_id FROM track_latest_metrics l "
                      "JOIN track_metric_names n ON n.metric = l.metric WHERE l.run IN ",
                      " ORDER BY l.run, n.name", runs, [&](const store::Row& row) {
                        run_of(row).metrics.push_back({.key = row.string(1),
                                                       .value = value_of(row, 2, 3),
                                                       .timestamp_ms = row.integer(4),
                                                       .step = row.integer(5),
                                                       .model_id = row.string(8),
                                                       .dataset_name = row.string(6),
                                                       .dataset_digest = row.string(7)});
                      }));
  WEIR_TRY(query_runs(reader, "SELECT run, key, value FROM track_params WHERE run IN ", " ORDER BY run, key", runs,
                      [&](const store::Row& row) { run_of(row).params.push_back({row.string(1), row.string(2)}); }));
  WEIR_TRY(query_runs(reader, "SELECT run, key, value FROM track_tags WHERE run IN ", " ORDER BY run, key", runs,
                      [&](const store::Row& row) { run_of(row).tags.push_back({row.string(1), row.string(2)}); }));
  WEIR_TRY(load_inputs(reader, runs, index, loaded));
  WEIR_TRY(query_runs(reader, "SELECT run, is_output, model_id, step FROM track_run_models WHERE run IN ",
                      " ORDER BY run, step, model_id", runs, [&](const store::Row& row) {
                        if (row.boolean(1)) {
                          run_of(row).model_outputs.push_back({row.string(2), row.integer(3)});
                        } else {
                          run_of(row).model_inputs.push_back(row.string(2));
                        }
                      }));
  return loaded;
}

Result<std::int64_t> metric_number(store::Transaction& tx, std::string_view name) {
  const auto found = WEIR_TRY(tx.integer("SELECT metric FROM track_metric_names WHERE name = ?", {name}));
  if (found) return *found;
  const auto number = WEIR_TRY(tx.next_id("track.metric"));
  WEIR_TRY(tx.execute("INSERT INTO track_metric_names(metric, name) VALUES(?, ?)", {number, name}));
  return number;
}

Result<void> set_key(store::Transaction& tx, std::string_view table, std::string_view owner_column, std::int64_t owner,
                     const KeyValue& entry) {
  WEIR_TRY(tx.execute(fmt::format("INSERT INTO {}({}, key, value) VALUES(?, ?, ?) ON CONFLICT({}, key) DO UPDATE SET "
                                  "value = excluded.value",
                                  table, owner_column, owner_column),
                      {owner, entry.key, entry.value}));
  return {};
}

Result<std::vector<KeyValue>> keys_of(store::Reader& reader, std::string_view table, std::string_view owner_column,
                                      std::int64_t owner) {
  return reader.all<KeyValue>(fmt::format("SELECT key, value FROM {} WHERE {} = ? ORDER BY key", table, owner_column),
                              {owner}, [](const store::Row& row) { return KeyValue{row.string(0), row.string(1)}; });
}

Result<void> set_run_tag(store::Transaction& tx, std::int64_t run, const KeyValue& tag) {
  if (tag.key == kRunNameTag) WEIR_TRY(tx.execute("UPDATE track_runs SET name = ? WHERE run = ?", {tag.value, run}));
  return set_key(tx, "track_tags", "run", run, tag);
}

}  // namespace weir::track
