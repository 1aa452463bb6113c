#include "base/hash.h"
#include "track/model_rows.h"
#include "track/names.h"
#include "track/rows.h"
#include "track/tracking.h"

namespace weir::track {
namespace {

struct ModelRow {
  std::int64_t model = 0;
  std::int64_t experiment = 0;
};

// Deleted models still take changes, as with MLflow's own server.
Result<ModelRow> find_model(store::Reader& reader, std::string_view id) {
  const auto found =
      WEIR_TRY(reader.first<ModelRow>("SELECT model, experiment FROM track_models WHERE id = ?", {id},
                                      [](const store::Row& row) { return ModelRow{row.integer(0), row.integer(1)}; }));
  if (!found) return fail(Code::kNotFound, "no logged model with id \"{}\"", id);
  return *found;
}

Result<void> touch(store::Transaction& tx, std::int64_t model) {
  WEIR_TRY(tx.execute("UPDATE track_models SET updated_ms = ? WHERE model = ?", {to_millis(tx.now()), model}));
  return {};
}

Result<void> check_params(std::span<const KeyValue> params) {
  for (const auto& param : params) {
    WEIR_TRY(check_length("key of a model's param", param.key, 255));
    if (param.key.empty()) return fail(Code::kInvalidArgument, "a model's param needs a key");
  }
  return {};
}

Result<void> add_params(store::Transaction& tx, std::int64_t model, std::span<const KeyValue> params) {
  for (const auto& param : params) WEIR_TRY(set_key(tx, "track_model_params", "model", model, param));
  return {};
}

Result<void> add_tags(store::Transaction& tx, std::int64_t model, std::span<const KeyValue> tags) {
  for (const auto& tag : tags) {
    if (tag.key.empty()) return fail(Code::kInvalidArgument, "a model's tag needs a key");
    WEIR_TRY(set_key(tx, "track_model_tags", "model", model, tag));
  }
  return {};
}

}  // namespace

LoggedModel read_model(const store::Row& row) {
  return {.id = row.string(1),
          .experiment_id = row.integer(2),
          .name = row.string(3),
          .type = row.string(4),
          .source_run = row.string(5),
          .status = static_cast<ModelStatus>(row.integer(6)),
          .status_message = row.string(7),
          .artifact_uri = row.string(8),
          .deleted = row.boolean(9),
          .created_ms = row.integer(10),
          .updated_ms = row.integer(11)};
}

Result<void> load_model_data(store::Reader& reader, std::int64_t number, LoggedModel& model) {
  model.params = WEIR_TRY(keys_of(reader, "track_model_params", "model", number));
  model.tags = WEIR_TRY(keys_of(reader, "track_model_tags", "model", number));
  return reader.query(
      "SELECT n.name, m.value, m.is_nan, m.timestamp_ms, m.step, m.dataset_name, m.dataset_digest, m.run "
      "FROM track_model_metrics m JOIN track_metric_names n ON n.metric = m.metric WHERE m.model_id = ? "
      "ORDER BY n.name, m.timestamp_ms, m.step LIMIT 10000",
      {model.id}, [&](const store::Row& row) {
        model.metrics.push_back({.key = row.string(0),
                                 .value = value_of(row, 1, 2),
                                 .timestamp_ms = row.integer(3),
                                 .step = row.integer(4),
                                 .model_id = model.id,
                                 .dataset_name = row.string(5),
                                 .dataset_digest = row.string(6),
                                 .run_id = row.string(7)});
      });
}

Result<LoggedModel> Tracking::create_model(NewModel draft, const types::Identity& actor) {
  WEIR_TRY(check_logged_model_name(draft.name));
  WEIR_TRY(check_params(draft.params));
  if (draft.name.empty()) draft.name = random_name();
  if (actor.run_id) draft.tags.push_back({std::string(kWeirRunTag), std::to_string(*actor.run_id)});
  if (actor.job_id) draft.tags.push_back({std::string(kWeirJobTag), std::to_string(*actor.job_id)});
  const std::string id = "m-" + random_hex(16);
  return db_.write_with<LoggedModel>([&](store::Transaction& tx) -> Result<LoggedModel> {
    const auto experiment = WEIR_TRY(load_active_experiment(tx, draft.experiment_id));
    std::string source_run;
    if (!draft.source_run.empty()) source_run = WEIR_TRY(find_run(tx, draft.source_run)).id;
    const auto model = WEIR_TRY(tx.next_id("track.model"));
    const auto now = to_millis(tx.now());
    WEIR_TRY(tx.execute(
        "INSERT INTO track_models(model, id, experiment, name, type, source_run, status, status_message, "
        "artifact_uri, deleted, created_ms, updated_ms, workflow_run, job) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, '', ?, 0, ?, ?, ?, ?)",
        {model, id, experiment.id, draft.name, draft.type, source_run, static_cast<int>(ModelStatus::kPending),
         fmt::format("{}/models/{}/artifacts", experiment.artifact_location, id), now, now, actor.run_id,
         actor.job_id}));
    WEIR_TRY(add_params(tx, model, draft.params));
    WEIR_TRY(add_tags(tx, model, draft.tags));
    return Tracking::model(tx, id);
  });
}

Result<LoggedModel> Tracking::model(std::string_view id, bool also_deleted) {
  return db_.load<LoggedModel>([&](store::Reader& reader) { return model(reader, id, also_deleted); });
}

Result<LoggedModel> Tracking::model(store::Reader& reader, std::string_view id, bool also_deleted) {
  std::int64_t number = 0;
  auto found = WEIR_TRY(reader.first<LoggedModel>(
      fmt::format("SELECT {} FROM track_models m WHERE m.id = ?", kModelColumns), {id}, [&](const store::Row& row) {
        number = row.integer(0);
        return read_model(row);
      }));
  if (!found || (found->deleted && !also_deleted)) return fail(Code::kNotFound, "no logged model with id \"{}\"", id);
  WEIR_TRY(load_model_data(reader, number, *found));
  return *std::move(found);
}

Result<std::optional<LoggedModel>> Tracking::model_of_run(store::Reader& reader, std::string_view run_id,
                                                          std::string_view name) {
  const auto id = WEIR_TRY(reader.first<std::string>(
      "SELECT id FROM track_models WHERE source_run = ? AND name = ? AND deleted = 0 ORDER BY model DESC LIMIT 1",
      {run_id, name}, [](const store::Row& row) { return row.string(0); }));
  if (!id) return std::nullopt;
  return WEIR_TRY(model(reader, *id));
}

Result<LoggedModel> Tracking::finish_model(std::string_view id, ModelStatus status) {
  return db_.write_with<LoggedModel>([&](store::Transaction& tx) -> Result<LoggedModel> {
    const auto row = WEIR_TRY(find_model(tx, id));
    WEIR_TRY(tx.execute("UPDATE track_models SET status = ? WHERE model = ?", {static_cast<int>(status), row.model}));
    WEIR_TRY(touch(tx, row.model));
    return model(tx, id, true);
  });
}

Result<void> Tracking::delete_model(std::string_view id) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto row = WEIR_TRY(find_model(tx, id));
    WEIR_TRY(tx.execute("UPDATE track_models SET deleted = 1 WHERE model = ?", {row.model}));
    return touch(tx, row.model);
  });
}

Result<void> Tracking::log_model_params(std::string_view id, std::span<const KeyValue> params) {
  WEIR_TRY(check_params(params));
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    return add_params(tx, WEIR_TRY(find_model(tx, id)).model, params);
  });
}

Result<void> Tracking::set_model_tags(std::string_view id, std::span<const KeyValue> tags) {
  return db_.write([&](store::Transaction& tx) { return set_model_tags(tx, id, tags); });
}

Result<void> Tracking::set_model_tags(store::Transaction& tx, std::string_view id, std::span<const KeyValue> tags) {
  return add_tags(tx, WEIR_TRY(find_model(tx, id)).model, tags);
}

Result<void> Tracking::delete_model_tag(std::string_view id, std::string_view key) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto row = WEIR_TRY(find_model(tx, id));
    const auto gone =
        WEIR_TRY(tx.execute("DELETE FROM track_model_tags WHERE model = ? AND key = ?", {row.model, key}));
    if (gone == 0) return fail(Code::kNotFound, "logged model {} has no tag \"{}\"", id, key);
    return {};
  });
}

}  // namespace weir::track
