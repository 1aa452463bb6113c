#include "registry/rows.h"
#include "track/names.h"

namespace weir::registry {

using track::KeyValue;

namespace {

constexpr std::string_view kCommitTag = "mlflow.source.git.commit";
constexpr std::string_view kModelVersionsTag = "mlflow.modelVersions";

Result<std::int64_t> next_number(store::Transaction& tx, std::string_view model) {
  const auto number = WEIR_TRY(
      tx.integer("INSERT INTO registry_numbers(name, last_version) VALUES(?, 1) ON CONFLICT(name) DO UPDATE SET "
                 "last_version = registry_numbers.last_version + 1 RETURNING last_version",
                 {model}));
  return number.value_or(1);
}

// The logged model says which versions came from it, as clients expect.
Result<void> note_on_logged_model(store::Transaction& tx, const Version& version) {
  const auto model = WEIR_TRY(track::Tracking::model(tx, version.model_id, true));
  json::array versions;
  for (const auto& tag : model.tags) {
    if (tag.key != kModelVersionsTag) continue;
    if (auto parsed = parse_json(tag.value, kModelVersionsTag); parsed && parsed->is_array()) {
      versions = std::move(parsed->get_array());
    }
  }
  versions.push_back(json::object{{"name", version.model}, {"version", version.version}});
  const KeyValue tag{std::string(kModelVersionsTag), json::serialize(versions)};
  return track::Tracking::set_model_tags(tx, version.model_id, std::span(&tag, 1));
}

Result<json::object> created_payload(store::Reader& reader, const Version& version) {
  json::object extra{{"source", version.source}, {"model_id", version.model_id}};
  if (version.run_id.empty()) return extra;
  const auto run = track::Tracking::run(reader, version.run_id);
  if (!run && run.error().code != Code::kNotFound) return std::unexpected(run.error());
  if (!run) return extra;
  for (const auto& tag : run->tags) {
    if (tag.key == kCommitTag) extra["commit"] = tag.value;
  }
  // Who registered it may differ from who trained it; both are part of the lineage.
  if (run->info.workflow_run) extra["trained_by_workflow_run"] = *run->info.workflow_run;
  return extra;
}

Result<Version> insert_version(store::Transaction& tx, const Registry::NewVersion& draft, const Origin& origin,
                               const types::Identity& actor) {
  const auto model = WEIR_TRY(find_model(tx, draft.model));
  const auto number = WEIR_TRY(next_number(tx, draft.model));
  const auto row_id = WEIR_TRY(tx.next_id("registry.version"));
  std::string storage_uri = origin.source;
  if (origin.artifact_path) {
    const std::string kept = fmt::format("{}/{}", track::Artifacts::kVersionsRoot, row_id);
    const auto files = WEIR_TRY(track::Artifacts::copy(tx, *origin.artifact_path, kept));
    storage_uri = track::artifact_uri_of(files > 0 ? kept : *origin.artifact_path);
  }
  const auto now = to_millis(tx.now());
  WEIR_TRY(
      tx.execute("INSERT INTO registry_versions(row_id, model, version, description, user_id, stage, source, "
                 "storage_uri, run_id, model_id, run_link, deleted, created_ms, updated_ms, workflow_run, job) "
                 "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
                 {row_id, model, number, draft.description, actor.name, static_cast<int>(Stage::kNone), origin.source,
                  storage_uri, origin.run_id, origin.model_id, draft.run_link, now, now, actor.run_id, actor.job_id}));
  WEIR_TRY(touch_model(tx, model));
  for (const auto& tag : draft.tags) WEIR_TRY(Registry::set_version_tag(tx, draft.model, number, tag));
  return Registry::version(tx, draft.model, number);
}

}  // namespace

Result<Version> Registry::create_version(const NewVersion& draft, const types::Identity& actor) {
  WEIR_TRY(check_model_name(draft.model));
  for (const auto& tag : draft.tags) WEIR_TRY(check_tag(tag));
  return db_.write_with<Version>([&](store::Transaction& tx) -> Result<Version> {
    const auto origin = WEIR_TRY(find_origin(tx, draft));
    auto version = WEIR_TRY(insert_version(tx, draft, origin, actor));
    if (!version.model_id.empty()) WEIR_TRY(note_on_logged_model(tx, version));
    WEIR_TRY(append_event(tx, types::event_type::kVersionCreated, version_subject(version), version, actor,
                          WEIR_TRY(created_payload(tx, version))));
    return version;
  });
}

Result<Version> Registry::version(std::string_view model, std::int64_t version) {
  return db_.load<Version>([&](store::Reader& reader) { return Registry::version(reader, model, version); });
}

Result<Version> Registry::version(store::Reader& reader, std::string_view model, std::int64_t version) {
  const auto row = WEIR_TRY(find_version(reader, model, version));
  const store::Value values[] = {row.row_id};
  auto versions = WEIR_TRY(load_versions(reader, "WHERE v.row_id = ?", values));
  return std::move(versions.front());
}

Result<std::vector<Version>> Registry::versions(std::string_view model) {
  return db_.load<std::vector<Version>>([&](store::Reader& reader) -> Result<std::vector<Version>> {
    const store::Value values[] = {WEIR_TRY(find_model(reader, model))};
    return load_versions(reader, "WHERE v.model = ? AND v.deleted = 0 ORDER BY v.version DESC", values);
  });
}

Result<std::vector<Version>> Registry::versions_of_run(std::string_view run_id) {
  return db_.load<std::vector<Version>>([&](store::Reader& reader) {
    const store::Value values[] = {run_id};
    return load_versions(reader, "WHERE v.run_id = ? AND v.deleted = 0 ORDER BY v.row_id", values);
  });
}

Result<Version> Registry::describe_version(std::string_view model, std::int64_t version, std::string_view description) {
  WEIR_TRY(track::check_length("description", description, 100'000));
  return db_.write_with<Version>([&](store::Transaction& tx) -> Result<Version> {
    const auto row = WEIR_TRY(find_version(tx, model, version));
    WEIR_TRY(tx.execute("UPDATE registry_versions SET description = ? WHERE row_id = ?", {description, row.row_id}));
    WEIR_TRY(touch_version(tx, row));
    return Registry::version(tx, model, version);
  });
}

Result<void> Registry::delete_version(std::string_view model, std::int64_t version, const types::Identity& actor) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto row = WEIR_TRY(find_version(tx, model, version));
    const auto before = WEIR_TRY(Registry::version(tx, model, version));
    for (const auto& alias : before.aliases) WEIR_TRY(drop_alias(tx, row.model, alias, before, actor));
    const auto path = WEIR_TRY(track::artifact_path_of(before.storage_uri));
    if (path && path->starts_with(track::Artifacts::kVersionsRoot)) {
      WEIR_TRY(track::Artifacts::remove_below(tx, *path));
    }
    WEIR_TRY(tx.execute("DELETE FROM registry_version_tags WHERE version_row = ?", {row.row_id}));
    WEIR_TRY(
        tx.execute("UPDATE registry_versions SET deleted = 1, description = '', source = '', storage_uri = '', "
                   "run_link = '' WHERE row_id = ?",
                   {row.row_id}));
    WEIR_TRY(touch_version(tx, row));
    return append_event(tx, types::event_type::kVersionDeleted, version_subject(before), before, actor, {});
  });
}

Result<void> Registry::set_version_tag(std::string_view model, std::int64_t version, const KeyValue& tag) {
  return db_.write([&](store::Transaction& tx) { return set_version_tag(tx, model, version, tag); });
}

Result<void> Registry::set_version_tag(store::Transaction& tx, std::string_view model, std::int64_t version,
                                       const KeyValue& tag) {
  WEIR_TRY(check_tag(tag));
  const auto row = WEIR_TRY(find_version(tx, model, version));
  WEIR_TRY(
      tx.execute("INSERT INTO registry_version_tags(version_row, key, value) VALUES(?, ?, ?) "
                 "ON CONFLICT(version_row, key) DO UPDATE SET value = excluded.value",
                 {row.row_id, tag.key, tag.value}));
  return {};
}

Result<void> Registry::delete_version_tag(std::string_view model, std::int64_t version, std::string_view key) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto row = WEIR_TRY(find_version(tx, model, version));
    WEIR_TRY(tx.execute("DELETE FROM registry_version_tags WHERE version_row = ? AND key = ?", {row.row_id, key}));
    return {};
  });
}

}  // namespace weir::registry
