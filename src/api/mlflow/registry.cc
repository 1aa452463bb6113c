#include "registry/registry.h"

#include "api/mlflow/answers.h"
#include "api/mlflow/table.h"

namespace weir::api::mlflow {
namespace {

using access::Permission;

json::value model_answer(const registry::Model& model) {
  return json::value{{"registered_model", to_json(model)}};
}
json::value version_answer(const registry::Version& version) {
  return json::value{{"model_version", to_json(version)}};
}

Result<track::KeyValue> read_tag(const Fields& fields) {
  return track::KeyValue{WEIR_TRY(fields.required("key")), WEIR_TRY(fields.text("value"))};
}

Result<std::int64_t> read_version(const Fields& fields) {
  if (const auto number = fields.integer("version"); number && *number) return **number;
  return registry::parse_version(WEIR_TRY(fields.required("version")));
}

Result<registry::Registry::Search> read_search(const Fields& fields, std::int64_t results_max) {
  return registry::Registry::Search{.filter = WEIR_TRY(fields.text("filter")),
                                    .order_by = WEIR_TRY(fields.texts("order_by")),
                                    .results_max = WEIR_TRY(fields.integer_or("max_results", results_max)),
                                    .page_token = WEIR_TRY(fields.text("page_token"))};
}

// --- registered models

Result<json::value> create_model(const Call& call) {
  return model_answer(WEIR_TRY(call.deps.registry.create_model(WEIR_TRY(call.fields.required("name")),
                                                               WEIR_TRY(call.fields.text("description")),
                                                               WEIR_TRY(call.fields.pairs("tags")))));
}

Result<json::value> get_model(const Call& call) {
  return model_answer(WEIR_TRY(call.deps.registry.model(WEIR_TRY(call.fields.required("name")))));
}

Result<json::value> update_model(const Call& call) {
  return model_answer(WEIR_TRY(call.deps.registry.describe_model(WEIR_TRY(call.fields.required("name")),
                                                                 WEIR_TRY(call.fields.text("description")))));
}

Result<json::value> rename_model(const Call& call) {
  return model_answer(WEIR_TRY(call.deps.registry.rename_model(
      WEIR_TRY(call.fields.required("name")), WEIR_TRY(call.fields.required("new_name")), call.request.identity)));
}

Result<json::value> delete_model(const Call& call) {
  WEIR_TRY(call.deps.registry.delete_model(WEIR_TRY(call.fields.required("name")), call.request.identity));
  return empty_answer();
}

Result<json::value> search_models(const Call& call) {
  return to_json(WEIR_TRY(call.deps.registry.search_models(WEIR_TRY(read_search(call.fields, 100)))),
                 "registered_models");
}

Result<json::value> latest_versions(const Call& call) {
  std::vector<registry::Stage> stages;
  for (const auto& name : WEIR_TRY(call.fields.texts("stages")))
    stages.push_back(WEIR_TRY(registry::parse_stage(name)));
  const auto latest = WEIR_TRY(call.deps.registry.latest_versions(WEIR_TRY(call.fields.required("name")), stages));
  return json::value{{"model_versions", to_json_array(latest)}};
}

Result<json::value> set_model_tag(const Call& call) {
  WEIR_TRY(call.deps.registry.set_model_tag(WEIR_TRY(call.fields.required("name")), WEIR_TRY(read_tag(call.fields))));
  return empty_answer();
}

Result<json::value> delete_model_tag(const Call& call) {
  WEIR_TRY(call.deps.registry.delete_model_tag(WEIR_TRY(call.fields.required("name")),
                                               WEIR_TRY(call.fields.required("key"))));
  return empty_answer();
}

// --- versions

Result<json::value> create_version(const Call& call) {
  const registry::Registry::NewVersion draft{.model = WEIR_TRY(call.fields.required("name")),
                                             .source = WEIR_TRY(call.fields.required("source")),
                                             .run_id = WEIR_TRY(call.fields.text("run_id")),
                                             .model_id = WEIR_TRY(call.fields.text("model_id")),
                                             .run_link = WEIR_TRY(call.fields.text("run_link")),
                                             .description = WEIR_TRY(call.fields.text("description")),
                                             .tags = WEIR_TRY(call.fields.pairs("tags"))};
  return version_answer(WEIR_TRY(call.deps.registry.create_version(draft, call.request.identity)));
}

Result<json::value> get_version(const Call& call) {
  return version_answer(WEIR_TRY(
      call.deps.registry.version(WEIR_TRY(call.fields.required("name")), WEIR_TRY(read_version(call.fields)))));
}

Result<json::value> update_version(const Call& call) {
  return version_answer(WEIR_TRY(call.deps.registry.describe_version(WEIR_TRY(call.fields.required("name")),
                                                                     WEIR_TRY(read_version(call.fields)),
                                                                     WEIR_TRY(call.fields.text("description")))));
}

Result<json::value> delete_version(const Call& call) {
  WEIR_TRY(call.deps.registry.delete_version(WEIR_TRY(call.fields.required("name")),
                                             WEIR_TRY(read_version(call.fields)), call.request.identity));
  return empty_answer();
}

Result<json::value> search_versions(const Call& call) {
  return to_json(WEIR_TRY(call.deps.registry.search_versions(WEIR_TRY(read_search(call.fields, 10'000)))),
                 "model_versions");
}

Result<json::value> download_uri(const Call& call) {
  const auto version =
      WEIR_TRY(call.deps.registry.version(WEIR_TRY(call.fields.required("name")), WEIR_TRY(read_version(call.fields))));
  return json::value{{"artifact_uri", version.storage_uri}};
}

Result<json::value> set_stage(const Call& call) {
  return version_answer(WEIR_TRY(
      call.deps.registry.set_stage(WEIR_TRY(call.fields.required("name")), WEIR_TRY(read_version(call.fields)),
                                   WEIR_TRY(registry::parse_stage(WEIR_TRY(call.fields.required("stage")))),
                                   WEIR_TRY(call.fields.flag("archive_existing_versions")), call.request.identity)));
}

Result<json::value> set_version_tag(const Call& call) {
  WEIR_TRY(call.deps.registry.set_version_tag(WEIR_TRY(call.fields.required("name")),
                                              WEIR_TRY(read_version(call.fields)), WEIR_TRY(read_tag(call.fields))));
  return empty_answer();
}

Result<json::value> delete_version_tag(const Call& call) {
  WEIR_TRY(call.deps.registry.delete_version_tag(WEIR_TRY(call.fields.required("name")),
                                                 WEIR_TRY(read_version(call.fields)),
                                                 WEIR_TRY(call.fields.required("key"))));
  return empty_answer();
}

// --- aliases

Result<json::value> set_alias(const Call& call) {
  WEIR_TRY(call.deps.registry.set_alias(WEIR_TRY(call.fields.required("name")), WEIR_TRY(call.fields.required("alias")),
                                        WEIR_TRY(read_version(call.fields)), call.request.identity));
  return empty_answer();
}

Result<json::value> delete_alias(const Call& call) {
  WEIR_TRY(call.deps.registry.delete_alias(WEIR_TRY(call.fields.required("name")),
                                           WEIR_TRY(call.fields.required("alias")), call.request.identity));
  return empty_answer();
}

Result<json::value> get_by_alias(const Call& call) {
  const auto name = WEIR_TRY(call.fields.required("name"));
  const auto alias = WEIR_TRY(call.fields.required("alias"));
  auto version = call.deps.registry.version_by_alias(name, alias);
  if (version) return version_answer(*version);
  // MLflow answers INVALID_PARAMETER_VALUE for an alias that a model does not have, and scripts look for that.
  if (version.error().code == Code::kNotFound && call.deps.registry.model(name)) {
    version.error().code = Code::kInvalidArgument;
  }
  return std::unexpected(version.error());
}

}  // namespace

void add_registry_routes(RouteTable& table) {
  table.add("POST", "/mlflow/registered-models/create", Permission::kCreateVersion, create_model);
  table.add("GET", "/mlflow/registered-models/get", Permission::kRead, get_model);
  table.add("PATCH", "/mlflow/registered-models/update", Permission::kCreateVersion, update_model);
  table.add("POST", "/mlflow/registered-models/rename", Permission::kDeleteVersion, rename_model);
  table.add("DELETE", "/mlflow/registered-models/delete", Permission::kDeleteVersion, delete_model);
  table.add("GET", "/mlflow/registered-models/search", Permission::kRead, search_models);
  table.add("POST", "/mlflow/registered-models/get-latest-versions", Permission::kRead, latest_versions);
  table.add("GET", "/mlflow/registered-models/get-latest-versions", Permission::kRead, latest_versions);
  table.add("POST", "/mlflow/registered-models/set-tag", Permission::kCreateVersion, set_model_tag);
  table.add("DELETE", "/mlflow/registered-models/delete-tag", Permission::kCreateVersion, delete_model_tag);
  table.add("POST", "/mlflow/registered-models/alias", Permission::kMoveAlias, set_alias);
  table.add("DELETE", "/mlflow/registered-models/alias", Permission::kMoveAlias, delete_alias);
  table.add("GET", "/mlflow/registered-models/alias", Permission::kRead, get_by_alias);

  table.add("POST", "/mlflow/model-versions/create", Permission::kCreateVersion, create_version);
  table.add("GET", "/mlflow/model-versions/get", Permission::kRead, get_version);
  table.add("PATCH", "/mlflow/model-versions/update", Permission::kCreateVersion, update_version);
  table.add("DELETE", "/mlflow/model-versions/delete", Permission::kDeleteVersion, delete_version);
  table.add("GET", "/mlflow/model-versions/search", Permission::kRead, search_versions);
  table.add("GET", "/mlflow/model-versions/get-download-uri", Permission::kRead, download_uri);
  table.add("POST", "/mlflow/model-versions/transition-stage", Permission::kMoveAlias, set_stage);
  table.add("POST", "/mlflow/model-versions/set-tag", Permission::kCreateVersion, set_version_tag);
  table.add("DELETE", "/mlflow/model-versions/delete-tag", Permission::kCreateVersion, delete_version_tag);
}

}  // namespace weir::api::mlflow
