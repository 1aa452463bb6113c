#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "store/database.h"
#include "track/entities.h"
#include "track/tracking.h"
#include "types/identity.h"

namespace weir::registry {

// Persisted.
enum class Stage : std::uint8_t { kNone = 1, kStaging = 2, kProduction = 3, kArchived = 4 };
std::string_view stage_name(Stage stage);  // "None", "Staging", "Production", "Archived"
// Without regard to case. kInvalidArgument names the four.
Result<Stage> parse_stage(std::string_view name);

// One version of a registered model. Times are milliseconds since 1970.
struct Version {
  std::string model;
  std::int64_t version = 0;
  std::string description;
  std::string user_id;  // who registered it: "alice", "job:42"
  Stage stage = Stage::kNone;
  std::string source;       // as given: "models:/m-…", "runs:/…", "mlflow-artifacts:/…", "s3://…"
  std::string storage_uri;  // where its files are: "mlflow-artifacts:/versions/7", never changed once registered
  std::string run_id;       // experiment run, 32 hex digits; "" if unknown
  std::string model_id;     // logged model; "" if none
  std::string run_link;
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  std::optional<std::int64_t> workflow_run;  // of the job that registered it
  std::optional<std::int64_t> job;
  std::vector<track::KeyValue> tags;
  std::vector<std::string> aliases;
};

struct Model {
  std::string name;
  std::string description;
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  std::vector<track::KeyValue> tags;
  std::map<std::string, std::int64_t> aliases;
  std::vector<Version> latest;  // the highest version of each stage
};

// What a name of a model stands for.
struct Resolved {
  std::string model;  // "" for a logged model or a run's artifact that is not registered
  std::int64_t version = 0;
  std::string run_id;
  std::string model_id;
  std::string artifact_path;  // folder below track::Artifacts
};

// Registered models, versions, stages and aliases, with the meaning that MLflow's clients expect, and their lineage.
//
// Each change that people or rollouts care about appends its event (version.created, version.deleted, alias.set,
// alias.deleted, stage.set) in the same transaction, with the actor and, for a job's token, the job's newest event as
// cause. Their payloads hold {"model", "version", "run_id", "workflow_run", "job"} and what changed. A version's files
// are kept apart when it is created, so that nothing logged later changes them. Numbers of versions are never reused.
//
// Errors: kNotFound names model, version or alias; kInvalidArgument for bad names; kAlreadyExists for a taken name.
// Permissions are the caller's business. Any thread; not from inside a write, except functions with a Transaction.
class Registry {
 public:
  // Both outlive this; `db` holds migrations() of this folder and of track.
  Registry(store::Database& db, track::Tracking& tracking) : db_(db), tracking_(tracking) {}

  // --- registered models
  Result<Model> create_model(std::string_view name, std::string_view description,
                             std::span<const track::KeyValue> tags);
  Result<Model> model(std::string_view name);
  // All of them, by name, with aliases and latest versions: for dashboards.
  Result<std::vector<Model>> models();
  Result<Model> describe_model(std::string_view name, std::string_view description);
  Result<Model> rename_model(std::string_view name, std::string_view new_name, const types::Identity& actor);
  Result<void> delete_model(std::string_view name, const types::Identity& actor);
  Result<void> set_model_tag(std::string_view name, const track::KeyValue& tag);
  Result<void> delete_model_tag(std::string_view name, std::string_view key);

  // --- versions
  struct NewVersion {
    std::string model;
    std::string source;
    std::string run_id;    // also the number of a workflow run
    std::string model_id;  // logged model
    std::string run_link;
    std::string description;
    std::vector<track::KeyValue> tags;
  };
  // `source` is one of models:/m-<id>, models:/<name>/<version>, models:/<name>@<alias>, runs:/<run>/<path>, an
  // artifact address of this server, or an address elsewhere (s3://…). kInvalidArgument for local paths and for sources
  // that do not belong to the run or model named beside them.
  Result<Version> create_version(const NewVersion& draft, const types::Identity& actor);
  Result<Version> version(std::string_view model, std::int64_t version);
  static Result<Version> version(store::Reader& reader, std::string_view model, std::int64_t version);
  // Newest first; kNotFound if there is no such model.
  Result<std::vector<Version>> versions(std::string_view model);
  Result<std::vector<Version>> versions_of_run(std::string_view run_id);
  Result<Version> describe_version(std::string_view model, std::int64_t version, std::string_view description);
  Result<void> delete_version(std::string_view model, std::int64_t version, const types::Identity& actor);
  Result<void> set_version_tag(std::string_view model, std::int64_t version, const track::KeyValue& tag);
  // For other parts to note something in their own transaction (a gate's verdict as weir.gate = "passed").
  static Result<void> set_version_tag(store::Transaction& tx, std::string_view model, std::int64_t version,
                                      const track::KeyValue& tag);
  Result<void> delete_version_tag(std::string_view model, std::int64_t version, std::string_view key);

  // --- stages and aliases
  // With `archive_others` the versions that are in that stage become archived; only for Staging and Production.
  Result<Version> set_stage(std::string_view model, std::int64_t version, Stage stage, bool archive_others,
                            const types::Identity& actor);
  static Result<Version> set_stage(store::Transaction& tx, std::string_view model, std::int64_t version, Stage stage,
                                   bool archive_others, const types::Identity& actor);
  // The highest version of each of `stages`; of all stages if empty.
  Result<std::vector<Version>> latest_versions(std::string_view model, std::span<const Stage> stages);
  Result<void> set_alias(std::string_view model, std::string_view alias, std::int64_t version,
                         const types::Identity& actor);
  static Result<void> set_alias(store::Transaction& tx, std::string_view model, std::string_view alias,
                                std::int64_t version, const types::Identity& actor, std::int64_t cause);
  // Fine if there is no such alias.
  Result<void> delete_alias(std::string_view model, std::string_view alias, const types::Identity& actor);
  // "latest" is the highest version.
  Result<Version> version_by_alias(std::string_view model, std::string_view alias);
  static Result<Version> version_by_alias(store::Reader& reader, std::string_view model, std::string_view alias);

  // --- searches, in the filter language of track/filter.h
  struct Search {
    std::string filter;
    std::vector<std::string> order_by;
    std::int64_t results_max = 100;
    std::string page_token;
  };
  Result<track::Page<Model>> search_models(const Search& search);      // at most 1000 a page
  Result<track::Page<Version>> search_versions(const Search& search);  // at most 200000 a page

  // --- files
  // Reads "models:/name/3", "models:/name/Production", "models:/name/latest", "models:/name@alias" (all four also
  // without "models:/"), "models:/m-<id>" and "runs:/<run>/path".
  Result<Resolved> resolve(std::string_view uri);
  static Result<Resolved> resolve(store::Reader& reader, std::string_view uri);
  // Writes a version's files into `folder` (see track::Artifacts::materialise).
  Result<void> materialise(std::string_view model, std::int64_t version, const std::filesystem::path& folder);

 private:
  store::Database& db_;
  track::Tracking& tracking_;
};

// kInvalidArgument unless `text` is a positive whole number.
Result<std::int64_t> parse_version(std::string_view text);

}  // namespace weir::registry
