#include "api/mlflow/answers.h"
#include "api/mlflow/table.h"

namespace weir::api::mlflow {
namespace {

using access::Permission;

Result<track::DatasetInput> read_dataset_input(const Fields& fields) {
  const auto dataset = WEIR_TRY(fields.message("dataset"));
  if (!dataset) return fail(Code::kInvalidArgument, "each of 'datasets' needs a 'dataset'");
  track::DatasetInput input{.dataset = {.name = WEIR_TRY(dataset->required("name")),
                                        .digest = WEIR_TRY(dataset->required("digest")),
                                        .source_type = WEIR_TRY(dataset->text("source_type")),
                                        .source = WEIR_TRY(dataset->text("source"))},
                            .tags = WEIR_TRY(fields.pairs("tags"))};
  if (dataset->has("schema")) input.dataset.schema = WEIR_TRY(dataset->text("schema"));
  if (dataset->has("profile")) input.dataset.profile = WEIR_TRY(dataset->text("profile"));
  return input;
}

Result<json::value> create(const Call& call) {
  // Without one the run goes to the default experiment.
  const bool given = !WEIR_TRY(call.fields.text("experiment_id")).empty();
  track::Tracking::NewRun draft{.experiment_id = given ? WEIR_TRY(call.fields.experiment_id()) : 0,
                                .name = WEIR_TRY(call.fields.text("run_name")),
                                .user_id = WEIR_TRY(call.fields.text("user_id")),
                                .start_ms = WEIR_TRY(call.fields.integer_or("start_time", 0)),
                                .tags = WEIR_TRY(call.fields.pairs("tags"))};
  const auto run = WEIR_TRY(call.deps.tracking.create_run(std::move(draft), call.request.identity));
  return json::value{{"run", to_json(run)}};
}

Result<json::value> get(const Call& call) {
  return json::value{{"run", to_json(WEIR_TRY(call.deps.tracking.run(WEIR_TRY(call.fields.run_id()))))}};
}

Result<json::value> update(const Call& call) {
  const track::Tracking::RunChange change{.status = WEIR_TRY(parse_run_status(call.fields)),
                                          .end_ms = WEIR_TRY(call.fields.integer("end_time")),
                                          .name = WEIR_TRY(call.fields.text("run_name"))};
  const auto info = WEIR_TRY(call.deps.tracking.update_run(WEIR_TRY(call.fields.run_id()), change));
  return json::value{{"run_info", to_json(info)}};
}

Result<json::value> remove(const Call& call) {
  WEIR_TRY(call.deps.tracking.set_run_deleted(WEIR_TRY(call.fields.run_id()), true));
  return empty_answer();
}

Result<json::value> restore(const Call& call) {
  WEIR_TRY(call.deps.tracking.set_run_deleted(WEIR_TRY(call.fields.run_id()), false));
  return empty_answer();
}

Result<json::value> search(const Call& call) {
  const track::Tracking::RunSearch search{.experiments = WEIR_TRY(call.fields.experiment_ids()),
                                          .filter = WEIR_TRY(call.fields.text("filter")),
                                          .order_by = WEIR_TRY(call.fields.texts("order_by")),
                                          .view = WEIR_TRY(parse_view(call.fields, "run_view_type")),
                                          .results_max = WEIR_TRY(call.fields.integer_or("max_results", 1000)),
                                          .page_token = WEIR_TRY(call.fields.text("page_token"))};
  return to_json(WEIR_TRY(call.deps.tracking.search_runs(search)), "runs");
}

Result<json::value> log_param(const Call& call) {
  track::Tracking::Batch batch;
  batch.params.push_back({WEIR_TRY(call.fields.required("key")), WEIR_TRY(call.fields.text("value"))});
  WEIR_TRY(call.deps.tracking.log_batch(WEIR_TRY(call.fields.run_id()), batch));
  return empty_answer();
}

Result<json::value> set_tag(const Call& call) {
  track::Tracking::Batch batch;
  batch.tags.push_back({WEIR_TRY(call.fields.required("key")), WEIR_TRY(call.fields.text("value"))});
  WEIR_TRY(call.deps.tracking.log_batch(WEIR_TRY(call.fields.run_id()), batch));
  return empty_answer();
}

Result<json::value> delete_tag(const Call& call) {
  WEIR_TRY(call.deps.tracking.delete_tag(WEIR_TRY(call.fields.run_id()), WEIR_TRY(call.fields.required("key"))));
  return empty_answer();
}

Result<json::value> log_model(const Call& call) {
  const auto run_id = WEIR_TRY(call.fields.run_id());
  const auto model = WEIR_TRY(parse_json(WEIR_TRY(call.fields.required("model_json")), "model_json"));
  for (const std::string_view member : {std::string_view("artifact_path"), std::string_view("flavors"),
                                        std::string_view("utc_time_created"), std::string_view("run_id")}) {
    if (json_find(model, member) == nullptr) {
      return fail(Code::kInvalidArgument, "model_json lacks its mandatory member \"{}\"", member);
    }
  }
  WEIR_TRY(call.deps.tracking.record_model(run_id, model.get_object()));
  return empty_answer();
}

Result<json::value> log_inputs(const Call& call) {
  std::vector<track::DatasetInput> datasets;
  for (const auto& fields : WEIR_TRY(call.fields.messages("datasets"))) {
    datasets.push_back(WEIR_TRY(read_dataset_input(fields)));
  }
  std::vector<std::string> models;
  for (const auto& fields : WEIR_TRY(call.fields.messages("models"))) {
    models.push_back(WEIR_TRY(fields.required("model_id")));
  }
  WEIR_TRY(call.deps.tracking.log_inputs(WEIR_TRY(call.fields.run_id()), datasets, models, call.request.identity));
  return empty_answer();
}

Result<json::value> log_outputs(const Call& call) {
  std::vector<track::ModelOutput> models;
  for (const auto& fields : WEIR_TRY(call.fields.messages("models"))) {
    models.push_back({WEIR_TRY(fields.required("model_id")), WEIR_TRY(fields.integer_or("step", 0))});
  }
  WEIR_TRY(call.deps.tracking.log_outputs(WEIR_TRY(call.fields.run_id()), models));
  return empty_answer();
}

}  // namespace

void add_run_routes(RouteTable& table) {
  table.add("POST", "/mlflow/runs/create", Permission::kLogExperiments, create);
  table.add("GET", "/mlflow/runs/get", Permission::kRead, get);
  table.add("POST", "/mlflow/runs/update", Permission::kLogExperiments, update);
  table.add("POST", "/mlflow/runs/delete", Permission::kDeleteExperiments, remove);
  table.add("POST", "/mlflow/runs/restore", Permission::kDeleteExperiments, restore);
  table.add("POST", "/mlflow/runs/search", Permission::kRead, search);
  table.add("POST", "/mlflow/runs/log-parameter", Permission::kLogExperiments, log_param);
  table.add("POST", "/mlflow/runs/set-tag", Permission::kLogExperiments, set_tag);
  table.add("POST", "/mlflow/runs/delete-tag", Permission::kLogExperiments, delete_tag);
  table.add("POST", "/mlflow/runs/log-model", Permission::kLogExperiments, log_model);
  table.add("POST", "/mlflow/runs/log-inputs", Permission::kLogExperiments, log_inputs);
  table.add("POST", "/mlflow/runs/outputs", Permission::kLogExperiments, log_outputs);
}

}  // namespace weir::api::mlflow
