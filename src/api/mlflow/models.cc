#include "api/mlflow/answers.h"
#include "api/mlflow/table.h"

namespace weir::api::mlflow {
namespace {

using access::Permission;
using track::Tracking;

json::value model_answer(const track::LoggedModel& model) {
  return json::value{{"model", to_json(model)}};
}

Result<Tracking::MetricDataset> read_dataset(const Fields& fields) {
  return Tracking::MetricDataset{WEIR_TRY(fields.text("dataset_name")), WEIR_TRY(fields.text("dataset_digest"))};
}

Result<json::value> create(const Call& call) {
  Tracking::NewModel draft{.experiment_id = WEIR_TRY(call.fields.experiment_id()),
                           .name = WEIR_TRY(call.fields.text("name")),
                           .type = WEIR_TRY(call.fields.text("model_type")),
                           .source_run = WEIR_TRY(call.fields.text("source_run_id")),
                           .params = WEIR_TRY(call.fields.pairs("params")),
                           .tags = WEIR_TRY(call.fields.pairs("tags"))};
  return model_answer(WEIR_TRY(call.deps.tracking.create_model(std::move(draft), call.request.identity)));
}

Result<json::value> get(const Call& call) {
  return model_answer(
      WEIR_TRY(call.deps.tracking.model(call.param("model_id"), WEIR_TRY(call.fields.flag("allow_deleted")))));
}

Result<json::value> finish(const Call& call) {
  return model_answer(
      WEIR_TRY(call.deps.tracking.finish_model(call.param("model_id"), WEIR_TRY(parse_model_status(call.fields)))));
}

Result<json::value> remove(const Call& call) {
  WEIR_TRY(call.deps.tracking.delete_model(call.param("model_id")));
  return empty_answer();
}

Result<json::value> log_params(const Call& call) {
  WEIR_TRY(call.deps.tracking.log_model_params(call.param("model_id"), WEIR_TRY(call.fields.pairs("params"))));
  return empty_answer();
}

Result<json::value> set_tags(const Call& call) {
  WEIR_TRY(call.deps.tracking.set_model_tags(call.param("model_id"), WEIR_TRY(call.fields.pairs("tags"))));
  return model_answer(WEIR_TRY(call.deps.tracking.model(call.param("model_id"), true)));
}

Result<json::value> delete_tag(const Call& call) {
  WEIR_TRY(call.deps.tracking.delete_model_tag(call.param("model_id"), call.param("tag_key")));
  return empty_answer();
}

Result<json::value> search(const Call& call) {
  Tracking::ModelSearch search{.experiments = WEIR_TRY(call.fields.experiment_ids()),
                               .filter = WEIR_TRY(call.fields.text("filter")),
                               .results_max = WEIR_TRY(call.fields.integer_or("max_results", 0)),
                               .page_token = WEIR_TRY(call.fields.text("page_token"))};
  if (search.results_max == 0) search.results_max = 50;
  for (const auto& fields : WEIR_TRY(call.fields.messages("datasets"))) {
    search.datasets.push_back(WEIR_TRY(read_dataset(fields)));
  }
  for (const auto& fields : WEIR_TRY(call.fields.messages("order_by"))) {
    search.order_by.push_back({.field = WEIR_TRY(fields.required("field_name")),
                               .ascending = WEIR_TRY(fields.flag("ascending", true)),
                               .dataset = WEIR_TRY(read_dataset(fields))});
  }
  return to_json(WEIR_TRY(call.deps.tracking.search_models(search)), "models");
}

Result<json::value> list_artifacts(const Call& call) {
  const auto model = WEIR_TRY(call.deps.tracking.model(call.param("model_id")));
  const auto folder = WEIR_TRY(call.fields.text("artifact_directory_path"));
  json::array files;
  if (const auto root = WEIR_TRY(track::artifact_path_of(model.artifact_uri))) {
    const auto path = folder.empty() ? *root : fmt::format("{}/{}", *root, folder);
    for (const auto& artifact : WEIR_TRY(call.deps.tracking.artifacts().list(path))) {
      files.push_back(to_json(artifact, folder));
    }
  }
  return json::value{{"root_uri", model.artifact_uri}, {"files", std::move(files)}};
}

}  // namespace

void add_model_routes(RouteTable& table) {
  table.add("POST", "/mlflow/logged-models", Permission::kLogExperiments, create);
  table.add("POST", "/mlflow/logged-models/search", Permission::kRead, search);
  table.add("GET", "/mlflow/logged-models/{model_id}", Permission::kRead, get);
  table.add("PATCH", "/mlflow/logged-models/{model_id}", Permission::kLogExperiments, finish);
  table.add("DELETE", "/mlflow/logged-models/{model_id}", Permission::kDeleteExperiments, remove);
  table.add("PATCH", "/mlflow/logged-models/{model_id}/tags", Permission::kLogExperiments, set_tags);
  table.add("DELETE", "/mlflow/logged-models/{model_id}/tags/{tag_key*}", Permission::kLogExperiments, delete_tag);
  table.add("POST", "/mlflow/logged-models/{model_id}/params", Permission::kLogExperiments, log_params);
  table.add("GET", "/mlflow/logged-models/{model_id}/artifacts/directories", Permission::kRead, list_artifacts);
}

}  // namespace weir::api::mlflow
