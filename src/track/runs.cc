#include <algorithm>
#include <charconv>

#include "base/hash.h"
#include "track/names.h"
#include "track/rows.h"
#include "track/tracking.h"

namespace weir::track {
namespace {

constexpr std::size_t kRunIdDigits = 32;
constexpr std::string_view kModelHistoryTag = "mlflow.log-model.history";

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Tags as they will be kept: checked, cut to size, the last one of a name.
Result<std::vector<KeyValue>> checked_tags(std::span<const KeyValue> tags) {
  std::vector<KeyValue> kept;
  for (const auto& tag : tags) {
    WEIR_TRY(check_key("tag name", tag.key));
    kept.push_back({tag.key, std::string(first_characters(tag.value, kTagLengthMax))});
  }
  return kept;
}

const std::string* find_tag(std::span<const KeyValue> tags, std::string_view key) {
  const auto found = std::ranges::find(tags, key, &KeyValue::key);
  return found == tags.end() ? nullptr : &found->value;
}

Result<std::string> chosen_name(const Tracking::NewRun& draft) {
  const std::string* tag = find_tag(draft.tags, kRunNameTag);
  if (tag != nullptr && !tag->empty()) {
    if (draft.name.empty() || draft.name == *tag) return *tag;
    return fail(Code::kInvalidArgument, "the run's name is \"{}\", but its tag {} says \"{}\"; give one of them",
                draft.name, kRunNameTag, *tag);
  }
  return draft.name.empty() ? random_name() : draft.name;
}

Result<std::pair<std::int64_t, RunInfo>> load_info(store::Reader& reader, std::string_view id) {
  const std::string resolved = WEIR_TRY(Tracking::resolve_run_id(reader, id));
  auto found = WEIR_TRY((reader.first<std::pair<std::int64_t, RunInfo>>(
      fmt::format("SELECT {} FROM track_runs r WHERE r.id = ?", kRunColumns), {resolved},
      [](const store::Row& row) { return std::pair(row.integer(0), read_run_info(row)); })));
  if (!found) return fail(Code::kNotFound, "run with id {} not found", resolved);
  return *std::move(found);
}

}  // namespace

Result<Run> Tracking::create_run(NewRun draft, const types::Identity& actor) {
  const std::string name = WEIR_TRY(chosen_name(draft));
  auto tags = WEIR_TRY(checked_tags(draft.tags));
  std::erase_if(tags, [](const KeyValue& tag) { return tag.key == kRunNameTag; });
  tags.push_back({std::string(kRunNameTag), name});
  if (actor.run_id) tags.push_back({std::string(kWeirRunTag), std::to_string(*actor.run_id)});
  if (actor.job_id) tags.push_back({std::string(kWeirJobTag), std::to_string(*actor.job_id)});
  const std::string id = random_hex(kRunIdDigits / 2);
  return db_.write_with<Run>([&](store::Transaction& tx) -> Result<Run> {
    const auto experiment = WEIR_TRY(load_active_experiment(tx, draft.experiment_id));
    const auto run = WEIR_TRY(tx.next_id("track.run"));
    const std::string artifact_uri = fmt::format("{}/{}/artifacts", experiment.artifact_location, id);
    WEIR_TRY(
        tx.execute("INSERT INTO track_runs(run, id, experiment, name, user_id, status, start_ms, end_ms, deleted, "
                   "artifact_uri, workflow_run, job, actor) VALUES(?, ?, ?, ?, ?, ?, ?, NULL, 0, ?, ?, ?, ?)",
                   {run, id, experiment.id, name, draft.user_id, static_cast<int>(RunStatus::kRunning),
                    draft.start_ms == 0 ? to_millis(tx.now()) : draft.start_ms, artifact_uri, actor.run_id,
                    actor.job_id, actor.name}));
    for (const auto& tag : tags) WEIR_TRY(set_key(tx, "track_tags", "run", run, tag));
    return Tracking::run(tx, id);
  });
}

Result<Run> Tracking::run(std::string_view id) {
  return db_.load<Run>([&](store::Reader& reader) { return run(reader, id); });
}

Result<Run> Tracking::run(store::Reader& reader, std::string_view id) {
  std::vector<std::pair<std::int64_t, RunInfo>> infos;
  infos.push_back(WEIR_TRY(load_info(reader, id)));
  return std::move(WEIR_TRY(load_runs(reader, std::move(infos))).front());
}

Result<RunInfo> Tracking::run_info(store::Reader& reader, std::string_view id) {
  return WEIR_TRY(load_info(reader, id)).second;
}

Result<RunInfo> Tracking::update_run(std::string_view id, const RunChange& change) {
  return db_.write_with<RunInfo>([&](store::Transaction& tx) -> Result<RunInfo> {
    const auto run = WEIR_TRY(find_active_run(tx, id));
    if (change.status) {
      WEIR_TRY(
          tx.execute("UPDATE track_runs SET status = ? WHERE run = ?", {static_cast<int>(*change.status), run.run}));
    }
    if (change.end_ms) {
      WEIR_TRY(tx.execute("UPDATE track_runs SET end_ms = ? WHERE run = ?", {*change.end_ms, run.run}));
    }
    if (!change.name.empty()) WEIR_TRY(set_run_tag(tx, run.run, {std::string(kRunNameTag), change.name}));
    return run_info(tx, run.id);
  });
}

Result<void> Tracking::set_run_deleted(std::string_view id, bool deleted) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto run = WEIR_TRY(find_run(tx, id));
    WEIR_TRY(tx.execute("UPDATE track_runs SET deleted = ? WHERE run = ?", {deleted, run.run}));
    return {};
  });
}

Result<std::string> Tracking::resolve_run_id(store::Reader& reader, std::string_view id) {
  // 32 digits are a run's own id even where none of them is a letter.
  if (!all_digits(id) || id.size() > 18) return std::string(id);
  std::int64_t workflow_run = 0;
  std::from_chars(id.data(), id.data() + id.size(), workflow_run);
  return run_of_workflow_run(reader, workflow_run);
}

Result<std::string> Tracking::run_of_workflow_run(store::Reader& reader, std::int64_t workflow_run) {
  auto found = WEIR_TRY(reader.first<std::string>(
      "SELECT r.id FROM track_runs r WHERE r.workflow_run = ? AND r.deleted = 0 ORDER BY "
      "CASE WHEN EXISTS (SELECT 1 FROM track_models m WHERE m.source_run = r.id AND m.deleted = 0) "
      "OR EXISTS (SELECT 1 FROM track_tags t WHERE t.run = r.run AND t.key = ?) THEN 0 ELSE 1 END, "
      "CASE WHEN EXISTS (SELECT 1 FROM track_tags t WHERE t.run = r.run AND t.key = ?) THEN 1 ELSE 0 END, "
      "r.run DESC LIMIT 1",
      {workflow_run, kModelHistoryTag, kParentRunTag}, [](const store::Row& row) { return row.string(0); }));
  if (found) return *std::move(found);
  return fail(
      Code::kNotFound,
      "workflow run {} made no experiment run; a numeric run id names the workflow run whose jobs logged one with "
      "their own MLFLOW_TRACKING_TOKEN",
      workflow_run);
}

Result<std::string> Tracking::run_of_workflow_run(std::int64_t workflow_run) {
  return db_.load<std::string>([&](store::Reader& reader) { return run_of_workflow_run(reader, workflow_run); });
}

Result<std::vector<RunInfo>> Tracking::runs_of_workflow_run(std::int64_t workflow_run) {
  return db_.load<std::vector<RunInfo>>([&](store::Reader& reader) {
    return reader.all<RunInfo>(
        fmt::format("SELECT {} FROM track_runs r WHERE r.workflow_run = ? AND r.deleted = 0 ORDER BY r.run DESC",
                    kRunColumns),
        {workflow_run}, read_run_info);
  });
}

Result<void> Tracking::delete_tag(std::string_view run_id, std::string_view key) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto run = WEIR_TRY(find_active_run(tx, run_id));
    const auto gone = WEIR_TRY(tx.execute("DELETE FROM track_tags WHERE run = ? AND key = ?", {run.run, key}));
    if (gone == 0) return fail(Code::kNotFound, "run {} has no tag \"{}\"", run.id, key);
    return {};
  });
}

Result<void> Tracking::record_model(std::string_view run_id, const json::object& model) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto run = WEIR_TRY(find_active_run(tx, run_id));
    const auto before = WEIR_TRY(tx.first<std::string>("SELECT value FROM track_tags WHERE run = ? AND key = ?",
                                                       {run.run, kModelHistoryTag},
                                                       [](const store::Row& row) { return row.string(0); }));
    json::array history;
    if (auto parsed = parse_json(before.value_or("[]"), kModelHistoryTag); parsed && parsed->is_array()) {
      history = std::move(parsed->get_array());
    }
    history.push_back(model);
    return set_key(tx, "track_tags", "run", run.run, {std::string(kModelHistoryTag), json::serialize(history)});
  });
}

}  // namespace weir::track
