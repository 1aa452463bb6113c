#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "registry/registry.h"
#include "store/database.h"
#include "types/event.h"

// How the registry's rows are read and its events made; for the sources of this folder.
namespace weir::registry {

inline constexpr std::string_view kPromptTag = "mlflow.prompt.is_prompt";

Result<void> check_model_name(std::string_view name);
Result<void> check_alias(std::string_view alias);
Result<void> check_tag(const track::KeyValue& tag);

// The number of a registered model. kNotFound names it.
Result<std::int64_t> find_model(store::Reader& reader, std::string_view name);
struct VersionRow {
  std::int64_t row_id = 0;
  std::int64_t model = 0;
};
Result<VersionRow> find_version(store::Reader& reader, std::string_view model, std::int64_t version);

inline constexpr std::string_view kVersionColumns =
    "v.row_id, n.name, v.version, v.description, v.user_id, v.stage, v.source, v.storage_uri, v.run_id, v.model_id, "
    "v.run_link, v.created_ms, v.updated_ms, v.workflow_run, v.job, v.model";
inline constexpr std::string_view kVersionTables = "registry_versions v JOIN registry_models n ON n.model = v.model";
// Versions as `where_and_order` picks them ("WHERE v.model = ? ORDER BY …"), with tags and aliases.
Result<std::vector<Version>> load_versions(store::Reader& reader, std::string_view where_and_order,
                                           store::Values values);

Result<Model> load_model(store::Reader& reader, std::int64_t number);
Result<void> touch_model(store::Transaction& tx, std::int64_t number);
Result<void> touch_version(store::Transaction& tx, const VersionRow& row);

// Appends an event about a version: subject model/<name>/<version>, or model/<name> for aliases. `cause` 0 = the newest
// event of the actor's job.
Result<void> append_event(store::Transaction& tx, std::string_view type, std::string subject, const Version& version,
                          const types::Identity& actor, json::object extra, std::int64_t cause = 0);
std::string model_subject(std::string_view model);
std::string version_subject(const Version& version);

Result<void> drop_alias(store::Transaction& tx, std::int64_t number, std::string_view alias, const Version& version,
                        const types::Identity& actor);

// Where a version comes from, after checks.
struct Origin {
  std::string source;
  std::string run_id;
  std::string model_id;
  std::optional<std::string> artifact_path;  // folder of files that this server has
};
Result<Origin> find_origin(store::Reader& reader, const Registry::NewVersion& draft);

}  // namespace weir::registry
