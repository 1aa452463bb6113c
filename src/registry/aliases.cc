#include <algorithm>

#include "registry/rows.h"
#include "track/names.h"

namespace weir::registry {
namespace {

bool is_latest(std::string_view alias) {
  constexpr std::string_view kLatest = "latest";
  return std::ranges::equal(alias, kLatest, {},
                            [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
}

// "v12" would look like a version.
bool looks_like_version(std::string_view alias) {
  return alias.size() > 1 && (alias[0] == 'v' || alias[0] == 'V') &&
         std::ranges::all_of(alias.substr(1), [](char c) { return c >= '0' && c <= '9'; });
}

Result<void> put_in_stage(store::Transaction& tx, const Version& version, Stage stage, const types::Identity& actor) {
  const auto row = WEIR_TRY(find_version(tx, version.model, version.version));
  WEIR_TRY(
      tx.execute("UPDATE registry_versions SET stage = ? WHERE row_id = ?", {static_cast<int>(stage), row.row_id}));
  WEIR_TRY(touch_version(tx, row));
  if (version.stage == stage) return {};
  return append_event(tx, types::event_type::kStageSet, version_subject(version), version, actor,
                      {{"stage", stage_name(stage)}, {"previous", stage_name(version.stage)}});
}

}  // namespace

Result<void> drop_alias(store::Transaction& tx, std::int64_t number, std::string_view alias, const Version& version,
                        const types::Identity& actor) {
  WEIR_TRY(tx.execute("DELETE FROM registry_aliases WHERE model = ? AND alias = ?", {number, alias}));
  return append_event(tx, types::event_type::kAliasDeleted, model_subject(version.model), version, actor,
                      {{"alias", alias}});
}

Result<Version> Registry::set_stage(std::string_view model, std::int64_t version, Stage stage, bool archive_others,
                                    const types::Identity& actor) {
  return db_.write_with<Version>(
      [&](store::Transaction& tx) { return set_stage(tx, model, version, stage, archive_others, actor); });
}

Result<Version> Registry::set_stage(store::Transaction& tx, std::string_view model, std::int64_t version, Stage stage,
                                    bool archive_others, const types::Identity& actor) {
  if (archive_others && stage != Stage::kStaging && stage != Stage::kProduction) {
    return fail(Code::kInvalidArgument,
                "archive_existing_versions goes with the stages Staging and Production, not with {}",
                stage_name(stage));
  }
  const auto before = WEIR_TRY(Registry::version(tx, model, version));
  if (archive_others) {
    const store::Value values[] = {WEIR_TRY(find_model(tx, model)), static_cast<int>(stage), version};
    const auto others =
        WEIR_TRY(load_versions(tx, "WHERE v.model = ? AND v.stage = ? AND v.version <> ? AND v.deleted = 0", values));
    for (const auto& other : others) WEIR_TRY(put_in_stage(tx, other, Stage::kArchived, actor));
  }
  WEIR_TRY(put_in_stage(tx, before, stage, actor));
  return Registry::version(tx, model, version);
}

Result<std::vector<Version>> Registry::latest_versions(std::string_view model, std::span<const Stage> stages) {
  auto latest = WEIR_TRY(Registry::model(model)).latest;
  if (!stages.empty()) {
    std::erase_if(latest,
                  [&](const Version& version) { return std::ranges::find(stages, version.stage) == stages.end(); });
  }
  return latest;
}

Result<void> Registry::set_alias(std::string_view model, std::string_view alias, std::int64_t version,
                                 const types::Identity& actor) {
  return db_.write([&](store::Transaction& tx) { return set_alias(tx, model, alias, version, actor, 0); });
}

Result<void> Registry::set_alias(store::Transaction& tx, std::string_view model, std::string_view alias,
                                 std::int64_t version, const types::Identity& actor, std::int64_t cause) {
  WEIR_TRY(check_alias(alias));
  if (is_latest(alias) || looks_like_version(alias)) {
    return fail(Code::kInvalidArgument, "alias \"{}\" is reserved: \"latest\" and \"v<number>\" name versions already",
                alias);
  }
  const auto target = WEIR_TRY(Registry::version(tx, model, version));
  const auto number = WEIR_TRY(find_model(tx, model));
  const auto previous =
      WEIR_TRY(tx.integer("SELECT version FROM registry_aliases WHERE model = ? AND alias = ?", {number, alias}));
  if (previous == version) return {};  // a repeated request is no news
  WEIR_TRY(
      tx.execute("INSERT INTO registry_aliases(model, alias, version) VALUES(?, ?, ?) "
                 "ON CONFLICT(model, alias) DO UPDATE SET version = excluded.version",
                 {number, alias, version}));
  WEIR_TRY(touch_model(tx, number));
  return append_event(tx, types::event_type::kAliasSet, model_subject(model), target, actor,
                      {{"alias", alias}, {"previous", previous ? json::value(*previous) : json::value(nullptr)}},
                      cause);
}

Result<void> Registry::delete_alias(std::string_view model, std::string_view alias, const types::Identity& actor) {
  WEIR_TRY(check_alias(alias));
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto number = WEIR_TRY(find_model(tx, model));
    const auto version =
        WEIR_TRY(tx.integer("SELECT version FROM registry_aliases WHERE model = ? AND alias = ?", {number, alias}));
    if (!version) return {};
    WEIR_TRY(touch_model(tx, number));
    return drop_alias(tx, number, alias, WEIR_TRY(Registry::version(tx, model, *version)), actor);
  });
}

Result<Version> Registry::version_by_alias(std::string_view model, std::string_view alias) {
  return db_.load<Version>([&](store::Reader& reader) { return version_by_alias(reader, model, alias); });
}

Result<Version> Registry::version_by_alias(store::Reader& reader, std::string_view model, std::string_view alias) {
  WEIR_TRY(check_alias(alias));
  const auto number = WEIR_TRY(find_model(reader, model));
  if (is_latest(alias)) {
    const auto highest = WEIR_TRY(
        reader.integer("SELECT MAX(version) FROM registry_versions WHERE model = ? AND deleted = 0", {number}));
    if (!highest) return fail(Code::kNotFound, "registered model \"{}\" has no version yet", model);
    return Registry::version(reader, model, *highest);
  }
  const auto version =
      WEIR_TRY(reader.integer("SELECT version FROM registry_aliases WHERE model = ? AND alias = ?", {number, alias}));
  if (!version) return fail(Code::kNotFound, "registered model \"{}\" has no alias \"{}\"", model, alias);
  return Registry::version(reader, model, *version);
}

}  // namespace weir::registry
