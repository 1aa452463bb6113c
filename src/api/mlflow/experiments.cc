#include "api/mlflow/answers.h"
#include "api/mlflow/table.h"

namespace weir::api::mlflow {
namespace {

using access::Permission;

Result<json::value> create(const Call& call) {
  const auto id = WEIR_TRY(call.deps.tracking.create_experiment(WEIR_TRY(call.fields.required("name")),
                                                                WEIR_TRY(call.fields.text("artifact_location")),
                                                                WEIR_TRY(call.fields.pairs("tags"))));
  return json::value{{"experiment_id", std::to_string(id)}};
}

Result<json::value> get(const Call& call) {
  const auto experiment = WEIR_TRY(call.deps.tracking.experiment(WEIR_TRY(call.fields.experiment_id())));
  return json::value{{"experiment", to_json(experiment)}};
}

Result<json::value> get_by_name(const Call& call) {
  const auto experiment =
      WEIR_TRY(call.deps.tracking.experiment_by_name(WEIR_TRY(call.fields.required("experiment_name"))));
  return json::value{{"experiment", to_json(experiment)}};
}

Result<json::value> search(const Call& call) {
  const track::Tracking::ExperimentSearch search{.filter = WEIR_TRY(call.fields.text("filter")),
                                                 .order_by = WEIR_TRY(call.fields.texts("order_by")),
                                                 .view = WEIR_TRY(parse_view(call.fields, "view_type")),
                                                 .results_max = WEIR_TRY(call.fields.integer_or("max_results", 1000)),
                                                 .page_token = WEIR_TRY(call.fields.text("page_token"))};
  return to_json(WEIR_TRY(call.deps.tracking.search_experiments(search)), "experiments");
}

Result<json::value> update(const Call& call) {
  const auto id = WEIR_TRY(call.fields.experiment_id());
  WEIR_TRY(call.deps.tracking.rename_experiment(id, WEIR_TRY(call.fields.required("new_name"))));
  return empty_answer();
}

Result<json::value> remove(const Call& call) {
  WEIR_TRY(call.deps.tracking.set_experiment_deleted(WEIR_TRY(call.fields.experiment_id()), true));
  return empty_answer();
}

Result<json::value> restore(const Call& call) {
  WEIR_TRY(call.deps.tracking.set_experiment_deleted(WEIR_TRY(call.fields.experiment_id()), false));
  return empty_answer();
}

Result<json::value> set_tag(const Call& call) {
  const track::KeyValue tag{WEIR_TRY(call.fields.required("key")), WEIR_TRY(call.fields.text("value"))};
  WEIR_TRY(call.deps.tracking.set_experiment_tag(WEIR_TRY(call.fields.experiment_id()), tag));
  return empty_answer();
}

Result<json::value> delete_tag(const Call& call) {
  const auto id = WEIR_TRY(call.fields.experiment_id());
  WEIR_TRY(call.deps.tracking.delete_experiment_tag(id, WEIR_TRY(call.fields.required("key"))));
  return empty_answer();
}

Result<json::value> search_datasets(const Call& call) {
  const auto experiments = WEIR_TRY(call.fields.experiment_ids());
  if (experiments.empty() || experiments.size() > 20) {
    return fail(Code::kInvalidArgument, "give from 1 to 20 experiment_ids; these are {}", experiments.size());
  }
  json::array summaries;
  for (const auto& dataset : WEIR_TRY(call.deps.tracking.datasets(experiments))) {
    json::object summary{
        {"experiment_id", std::to_string(dataset.experiment_id)}, {"name", dataset.name}, {"digest", dataset.digest}};
    if (!dataset.context.empty()) summary["context"] = dataset.context;
    summaries.push_back(std::move(summary));
  }
  return json::value{{"dataset_summaries", std::move(summaries)}};
}

}  // namespace

void add_experiment_routes(RouteTable& table) {
  table.add("POST", "/mlflow/experiments/create", Permission::kLogExperiments, create);
  table.add("GET", "/mlflow/experiments/get", Permission::kRead, get);
  table.add("GET", "/mlflow/experiments/get-by-name", Permission::kRead, get_by_name);
  table.add("POST", "/mlflow/experiments/search", Permission::kRead, search);
  table.add("GET", "/mlflow/experiments/search", Permission::kRead, search);
  table.add("POST", "/mlflow/experiments/update", Permission::kLogExperiments, update);
  table.add("POST", "/mlflow/experiments/delete", Permission::kDeleteExperiments, remove);
  table.add("POST", "/mlflow/experiments/restore", Permission::kDeleteExperiments, restore);
  table.add("POST", "/mlflow/experiments/set-experiment-tag", Permission::kLogExperiments, set_tag);
  table.add("POST", "/mlflow/experiments/delete-experiment-tag", Permission::kLogExperiments, delete_tag);
  table.add("POST", "/mlflow/experiments/search-datasets", Permission::kRead, search_datasets);
}

}  // namespace weir::api::mlflow
