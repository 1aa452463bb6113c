#include <algorithm>

#include "registry/rows.h"
#include "track/names.h"

namespace weir::registry {

using track::KeyValue;

namespace {

constexpr std::size_t kDescriptionLengthMax = 100'000;

std::unexpected<Error> name_taken(std::string_view name) {
  return fail(Code::kAlreadyExists, "registered model \"{}\" already exists", name);
}

}  // namespace

Result<Model> Registry::create_model(std::string_view name, std::string_view description,
                                     std::span<const KeyValue> tags) {
  WEIR_TRY(check_model_name(name));
  WEIR_TRY(track::check_length("description", description, kDescriptionLengthMax));
  for (const auto& tag : tags) WEIR_TRY(check_tag(tag));
  return db_.write_with<Model>([&](store::Transaction& tx) -> Result<Model> {
    if (WEIR_TRY(tx.integer("SELECT 1 FROM registry_models WHERE name = ?", {name}))) return name_taken(name);
    const auto number = WEIR_TRY(tx.next_id("registry.model"));
    const auto now = to_millis(tx.now());
    WEIR_TRY(
        tx.execute("INSERT INTO registry_models(model, name, description, created_ms, updated_ms) "
                   "VALUES(?, ?, ?, ?, ?)",
                   {number, name, description, now, now}));
    for (const auto& tag : tags) {
      WEIR_TRY(
          tx.execute("INSERT INTO registry_model_tags(model, key, value) VALUES(?, ?, ?) "
                     "ON CONFLICT(model, key) DO UPDATE SET value = excluded.value",
                     {number, tag.key, tag.value}));
    }
    return load_model(tx, number);
  });
}

Result<Model> Registry::model(std::string_view name) {
  return db_.load<Model>(
      [&](store::Reader& reader) -> Result<Model> { return load_model(reader, WEIR_TRY(find_model(reader, name))); });
}

Result<std::vector<Model>> Registry::models() {
  return db_.load<std::vector<Model>>([](store::Reader& reader) -> Result<std::vector<Model>> {
    const auto numbers = WEIR_TRY(reader.all<std::int64_t>(
        "SELECT m.model FROM registry_models m WHERE NOT EXISTS (SELECT 1 FROM registry_model_tags t "
        "WHERE t.model = m.model AND t.key = ? AND t.value = 'true') ORDER BY m.name",
        {kPromptTag}, [](const store::Row& row) { return row.integer(0); }));
    std::vector<Model> models;
    for (const auto number : numbers) models.push_back(WEIR_TRY(load_model(reader, number)));
    return models;
  });
}

Result<Model> Registry::describe_model(std::string_view name, std::string_view description) {
  WEIR_TRY(track::check_length("description", description, kDescriptionLengthMax));
  return db_.write_with<Model>([&](store::Transaction& tx) -> Result<Model> {
    const auto number = WEIR_TRY(find_model(tx, name));
    WEIR_TRY(tx.execute("UPDATE registry_models SET description = ? WHERE model = ?", {description, number}));
    WEIR_TRY(touch_model(tx, number));
    return load_model(tx, number);
  });
}

Result<Model> Registry::rename_model(std::string_view name, std::string_view new_name, const types::Identity& actor) {
  WEIR_TRY(check_model_name(new_name));
  return db_.write_with<Model>([&](store::Transaction& tx) -> Result<Model> {
    const auto number = WEIR_TRY(find_model(tx, name));
    if (name == new_name) return load_model(tx, number);
    if (WEIR_TRY(tx.integer("SELECT 1 FROM registry_models WHERE name = ?", {new_name}))) return name_taken(new_name);
    // Whoever holds on to the old name by an alias must hear that it is gone.
    auto model = WEIR_TRY(load_model(tx, number));
    for (const auto& [alias, version] : model.aliases) {
      WEIR_TRY(append_event(tx, types::event_type::kAliasDeleted, model_subject(name),
                            WEIR_TRY(Registry::version(tx, name, version)), actor, {{"alias", alias}}));
    }
    WEIR_TRY(tx.execute("UPDATE registry_models SET name = ? WHERE model = ?", {new_name, number}));
    WEIR_TRY(tx.execute("UPDATE registry_versions SET updated_ms = ? WHERE model = ?", {to_millis(tx.now()), number}));
    WEIR_TRY(tx.execute(
        "INSERT INTO registry_numbers(name, last_version) SELECT ?, last_version FROM registry_numbers WHERE name = ? "
        "ON CONFLICT(name) DO UPDATE SET last_version = CASE WHEN excluded.last_version > "
        "registry_numbers.last_version "
        "THEN excluded.last_version ELSE registry_numbers.last_version END",
        {new_name, name}));
    for (const auto& [alias, version] : model.aliases) {
      WEIR_TRY(append_event(tx, types::event_type::kAliasSet, model_subject(new_name),
                            WEIR_TRY(Registry::version(tx, new_name, version)), actor,
                            {{"alias", alias}, {"renamed_from", name}}));
    }
    WEIR_TRY(touch_model(tx, number));
    return load_model(tx, number);
  });
}

Result<void> Registry::delete_model(std::string_view name, const types::Identity& actor) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto number = WEIR_TRY(find_model(tx, name));
    const store::Value values[] = {number};
    const auto versions = WEIR_TRY(load_versions(tx, "WHERE v.model = ? AND v.deleted = 0 ORDER BY v.version", values));
    for (const auto& version : versions) {
      for (const auto& alias : version.aliases) WEIR_TRY(drop_alias(tx, number, alias, version, actor));
      const auto path = WEIR_TRY(track::artifact_path_of(version.storage_uri));
      if (path && path->starts_with(track::Artifacts::kVersionsRoot)) {
        WEIR_TRY(track::Artifacts::remove_below(tx, *path));
      }
      WEIR_TRY(append_event(tx, types::event_type::kVersionDeleted, version_subject(version), version, actor, {}));
    }
    WEIR_TRY(
        tx.execute("DELETE FROM registry_version_tags WHERE version_row IN "
                   "(SELECT row_id FROM registry_versions WHERE model = ?)",
                   {number}));
    for (const std::string_view table : {std::string_view("registry_versions"), std::string_view("registry_model_tags"),
                                         std::string_view("registry_aliases"), std::string_view("registry_models")}) {
      WEIR_TRY(tx.execute(fmt::format("DELETE FROM {} WHERE model = ?", table), {number}));
    }
    return {};
  });
}

Result<void> Registry::set_model_tag(std::string_view name, const KeyValue& tag) {
  WEIR_TRY(check_tag(tag));
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto number = WEIR_TRY(find_model(tx, name));
    WEIR_TRY(
        tx.execute("INSERT INTO registry_model_tags(model, key, value) VALUES(?, ?, ?) "
                   "ON CONFLICT(model, key) DO UPDATE SET value = excluded.value",
                   {number, tag.key, tag.value}));
    return {};
  });
}

Result<void> Registry::delete_model_tag(std::string_view name, std::string_view key) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto number = WEIR_TRY(find_model(tx, name));
    WEIR_TRY(tx.execute("DELETE FROM registry_model_tags WHERE model = ? AND key = ?", {number, key}));
    return {};
  });
}

}  // namespace weir::registry
