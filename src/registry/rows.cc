#include "registry/rows.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "track/names.h"

namespace weir::registry {
namespace {

using track::KeyValue;

constexpr std::size_t kTagLengthMax = 100'000;

bool same_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

Version read_version(const store::Row& row) {
  return {.model = row.string(1),
          .version = row.integer(2),
          .description = row.string(3),
          .user_id = row.string(4),
          .stage = static_cast<Stage>(row.integer(5)),
          .source = row.string(6),
          .storage_uri = row.string(7),
          .run_id = row.string(8),
          .model_id = row.string(9),
          .run_link = row.string(10),
          .created_ms = row.integer(11),
          .updated_ms = row.integer(12),
          .workflow_run = row.integer_or_null(13),
          .job = row.integer_or_null(14)};
}

Result<std::vector<KeyValue>> tags_of(store::Reader& reader, std::string_view sql, std::int64_t owner) {
  return reader.all<KeyValue>(sql, {owner},
                              [](const store::Row& row) { return KeyValue{row.string(0), row.string(1)}; });
}

template <class T>
json::value number_or_null(const std::optional<T>& number) {
  return number ? json::value(*number) : json::value(nullptr);
}

}  // namespace

std::string_view stage_name(Stage stage) {
  switch (stage) {
    case Stage::kNone: return "None";
    case Stage::kStaging: return "Staging";
    case Stage::kProduction: return "Production";
    case Stage::kArchived: return "Archived";
  }
  return "";
}

Result<Stage> parse_stage(std::string_view name) {
  for (const Stage stage : {Stage::kNone, Stage::kStaging, Stage::kProduction, Stage::kArchived}) {
    if (same_ignoring_case(name, stage_name(stage))) return stage;
  }
  return fail(Code::kInvalidArgument, "invalid stage \"{}\"; there are None, Staging, Production and Archived",
              track::first_characters(name, 80));
}

Result<std::int64_t> parse_version(std::string_view text) {
  std::int64_t version = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, version);
  if (read.ec == std::errc() && read.ptr == end && version > 0) return version;
  return fail(Code::kInvalidArgument, "version \"{}\" must be a positive whole number",
              track::first_characters(text, 80));
}

Result<void> check_model_name(std::string_view name) {
  if (name.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return fail(Code::kInvalidArgument, "a registered model needs a name");
  }
  if (name.find_first_of("/:") != std::string_view::npos || name.starts_with("..") || name == ".") {
    return fail(Code::kInvalidArgument, "invalid model name \"{}\": it must not hold '/' or ':' or begin with \"..\"",
                track::first_characters(name, 80));
  }
  return track::check_length("model name", name, 256);
}

Result<void> check_alias(std::string_view alias) {
  const bool fine = !alias.empty() && std::ranges::all_of(alias, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           static_cast<unsigned char>(c) >= 0x80U;
  });
  if (!fine) {
    return fail(Code::kInvalidArgument, "invalid alias \"{}\": letters, digits, underscores and dashes make one",
                track::first_characters(alias, 80));
  }
  return track::check_length("alias", alias, 255);
}

Result<void> check_tag(const KeyValue& tag) {
  WEIR_TRY(track::check_key("tag name", tag.key));
  return track::check_length("tag value", tag.value, kTagLengthMax);
}

std::string model_subject(std::string_view model) {
  return fmt::format("model/{}", model);
}
std::string version_subject(const Version& version) {
  return fmt::format("model/{}/{}", version.model, version.version);
}

Result<std::int64_t> find_model(store::Reader& reader, std::string_view name) {
  WEIR_TRY(check_model_name(name));
  const auto found = WEIR_TRY(reader.integer("SELECT model FROM registry_models WHERE name = ?", {name}));
  if (!found) return fail(Code::kNotFound, "no registered model \"{}\"", name);
  return *found;
}

Result<VersionRow> find_version(store::Reader& reader, std::string_view model, std::int64_t version) {
  const auto number = WEIR_TRY(find_model(reader, model));
  const auto row_id = WEIR_TRY(reader.integer(
      "SELECT row_id FROM registry_versions WHERE model = ? AND version = ? AND deleted = 0", {number, version}));
  if (!row_id) return fail(Code::kNotFound, "registered model \"{}\" has no version {}", model, version);
  return VersionRow{*row_id, number};
}

Result<std::vector<Version>> load_versions(store::Reader& reader, std::string_view where_and_order,
                                           store::Values values) {
  struct Numbers {
    std::int64_t row_id, model;
  };
  std::vector<Version> versions;
  std::vector<Numbers> numbers;
  WEIR_TRY(reader.query(fmt::format("SELECT {} FROM {} {}", kVersionColumns, kVersionTables, where_and_order), values,
                        [&](const store::Row& row) {
                          versions.push_back(read_version(row));
                          numbers.push_back({row.integer(0), row.integer(15)});
                        }));
  for (std::size_t i = 0; i < versions.size(); ++i) {
    versions[i].tags = WEIR_TRY(tags_of(
        reader, "SELECT key, value FROM registry_version_tags WHERE version_row = ? ORDER BY key", numbers[i].row_id));
    versions[i].aliases = WEIR_TRY(reader.all<std::string>(
        "SELECT alias FROM registry_aliases WHERE model = ? AND version = ? ORDER BY alias",
        {numbers[i].model, versions[i].version}, [](const store::Row& row) { return row.string(0); }));
  }
  return versions;
}

Result<Model> load_model(store::Reader& reader, std::int64_t number) {
  auto found = WEIR_TRY(
      reader.first<Model>("SELECT name, description, created_ms, updated_ms FROM registry_models WHERE model = ?",
                          {number}, [](const store::Row& row) {
                            return Model{.name = row.string(0),
                                         .description = row.string(1),
                                         .created_ms = row.integer(2),
                                         .updated_ms = row.integer(3)};
                          }));
  if (!found) return fail(Code::kNotFound, "the registered model has just been deleted");
  found->tags =
      WEIR_TRY(tags_of(reader, "SELECT key, value FROM registry_model_tags WHERE model = ? ORDER BY key", number));
  WEIR_TRY(reader.query("SELECT alias, version FROM registry_aliases WHERE model = ?", {number},
                        [&](const store::Row& row) { found->aliases[row.string(0)] = row.integer(1); }));
  const store::Value values[] = {number};
  found->latest = WEIR_TRY(load_versions(
      reader,
      "WHERE v.model = ? AND v.deleted = 0 AND v.version = (SELECT MAX(o.version) FROM registry_versions o WHERE "
      "o.model = v.model AND o.stage = v.stage AND o.deleted = 0) ORDER BY v.stage",
      values));
  return *std::move(found);
}

Result<void> touch_model(store::Transaction& tx, std::int64_t number) {
  WEIR_TRY(tx.execute("UPDATE registry_models SET updated_ms = ? WHERE model = ?", {to_millis(tx.now()), number}));
  return {};
}

Result<void> touch_version(store::Transaction& tx, const VersionRow& row) {
  WEIR_TRY(
      tx.execute("UPDATE registry_versions SET updated_ms = ? WHERE row_id = ?", {to_millis(tx.now()), row.row_id}));
  return touch_model(tx, row.model);
}

Result<void> append_event(store::Transaction& tx, std::string_view type, std::string subject, const Version& version,
                          const types::Identity& actor, json::object extra, std::int64_t cause) {
  if (cause == 0 && actor.job_id) {
    const auto events = WEIR_TRY(store::events_about(tx, fmt::format("job/{}", *actor.job_id), 1));
    if (!events.empty()) cause = events.front().sequence;
  }
  json::object payload{{"model", version.model},
                       {"version", version.version},
                       {"run_id", version.run_id},
                       {"workflow_run", number_or_null(actor.run_id ? actor.run_id : version.workflow_run)},
                       {"job", number_or_null(actor.job_id ? actor.job_id : version.job)}};
  for (auto& [key, value] : extra) payload[key] = std::move(value);
  WEIR_TRY(tx.append({.type = std::string(type),
                      .actor = actor.name,
                      .subject = std::move(subject),
                      .cause = cause,
                      .payload = std::move(payload)}));
  return {};
}

}  // namespace weir::registry
