#include "api/mlflow/answers.h"

#include <cmath>

namespace weir::api::mlflow {
namespace {

json::array pairs(const std::vector<track::KeyValue>& entries) {
  json::array array;
  for (const auto& [key, value] : entries) array.push_back(json::object{{"key", key}, {"value", value}});
  return array;
}

std::string_view lifecycle(bool deleted) {
  return deleted ? "deleted" : "active";
}

std::string_view status_name(track::RunStatus status) {
  switch (status) {
    case track::RunStatus::kRunning: return "RUNNING";
    case track::RunStatus::kScheduled: return "SCHEDULED";
    case track::RunStatus::kFinished: return "FINISHED";
    case track::RunStatus::kFailed: return "FAILED";
    case track::RunStatus::kKilled: return "KILLED";
  }
  return "RUNNING";
}

std::string_view status_name(track::ModelStatus status) {
  switch (status) {
    case track::ModelStatus::kUnspecified: return "LOGGED_MODEL_STATUS_UNSPECIFIED";
    case track::ModelStatus::kPending: return "LOGGED_MODEL_PENDING";
    case track::ModelStatus::kReady: return "LOGGED_MODEL_READY";
    case track::ModelStatus::kFailed: return "LOGGED_MODEL_UPLOAD_FAILED";
  }
  return "LOGGED_MODEL_STATUS_UNSPECIFIED";
}

json::object to_json(const track::DatasetInput& input) {
  json::object dataset{{"name", input.dataset.name},
                       {"digest", input.dataset.digest},
                       {"source_type", input.dataset.source_type},
                       {"source", input.dataset.source}};
  if (input.dataset.schema) dataset["schema"] = *input.dataset.schema;
  if (input.dataset.profile) dataset["profile"] = *input.dataset.profile;
  return {{"tags", pairs(input.tags)}, {"dataset", std::move(dataset)}};
}

struct Shape {
  std::string_view error_code;
  int status;
};

Shape shape_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return {"INVALID_PARAMETER_VALUE", 400};
    case Code::kNotFound: return {"RESOURCE_DOES_NOT_EXIST", 404};
    case Code::kAlreadyExists: return {"RESOURCE_ALREADY_EXISTS", 400};
    case Code::kPermissionDenied: return {"PERMISSION_DENIED", 403};
    case Code::kUnauthenticated: return {"UNAUTHENTICATED", 401};
    // MLflow's own server says 500 here, on which its client repeats a hopeless request for minutes.
    case Code::kFailedPrecondition: return {"INVALID_STATE", 400};
    case Code::kResourceExhausted: return {"RESOURCE_EXHAUSTED", 507};
    case Code::kUnavailable: return {"TEMPORARILY_UNAVAILABLE", 503};
    case Code::kInternal: return {"INTERNAL_ERROR", 500};
    case Code::kCancelled: return {"CANCELLED", 499};
    case Code::kDeadlineExceeded: return {"DEADLINE_EXCEEDED", 504};
    case Code::kCorrupt: return {"DATA_LOSS", 500};
    case Code::kUnimplemented: return {"NOT_IMPLEMENTED", 501};
  }
  return {"INTERNAL_ERROR", 500};
}

}  // namespace

json::value to_json_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

json::object to_json(const track::Experiment& experiment) {
  return {{"experiment_id", std::to_string(experiment.id)},
          {"name", experiment.name},
          {"artifact_location", experiment.artifact_location},
          {"lifecycle_stage", lifecycle(experiment.deleted)},
          {"creation_time", experiment.created_ms},
          {"last_update_time", experiment.updated_ms},
          {"tags", pairs(experiment.tags)}};
}

json::object to_json(const track::RunInfo& info) {
  json::object object{{"run_id", info.id},
                      {"run_uuid", info.id},
                      {"run_name", info.name},
                      {"experiment_id", std::to_string(info.experiment_id)},
                      {"user_id", info.user_id},
                      {"status", status_name(info.status)},
                      {"start_time", info.start_ms},
                      {"artifact_uri", info.artifact_uri},
                      {"lifecycle_stage", lifecycle(info.deleted)}};
  if (info.end_ms) object["end_time"] = *info.end_ms;
  return object;
}

json::object to_json(const track::MetricPoint& point) {
  json::object object{{"key", point.key},
                      {"value", to_json_number(point.value)},
                      {"timestamp", point.timestamp_ms},
                      {"step", point.step}};
  if (!point.dataset_name.empty()) object["dataset_name"] = point.dataset_name;
  if (!point.dataset_digest.empty()) object["dataset_digest"] = point.dataset_digest;
  if (!point.model_id.empty()) object["model_id"] = point.model_id;
  if (!point.run_id.empty()) object["run_id"] = point.run_id;
  return object;
}

json::object to_json(const track::Run& run) {
  json::array model_inputs;
  for (const auto& id : run.model_inputs) model_inputs.push_back(json::object{{"model_id", id}});
  json::array model_outputs;
  for (const auto& output : run.model_outputs) {
    model_outputs.push_back(json::object{{"model_id", output.model_id}, {"step", output.step}});
  }
  json::array dataset_inputs;
  for (const auto& input : run.inputs) dataset_inputs.push_back(to_json(input));
  return {
      {"info", to_json(run.info)},
      {"data",
       json::object{{"metrics", to_json_array(run.metrics)}, {"params", pairs(run.params)}, {"tags", pairs(run.tags)}}},
      {"inputs",
       json::object{{"dataset_inputs", std::move(dataset_inputs)}, {"model_inputs", std::move(model_inputs)}}},
      {"outputs", json::object{{"model_outputs", std::move(model_outputs)}}}};
}

json::object to_json(const track::LoggedModel& model) {
  json::object info{{"model_id", model.id},
                    {"experiment_id", std::to_string(model.experiment_id)},
                    {"name", model.name},
                    {"creation_timestamp_ms", model.created_ms},
                    {"last_updated_timestamp_ms", model.updated_ms},
                    {"artifact_uri", model.artifact_uri},
                    {"status", status_name(model.status)},
                    {"model_type", model.type},
                    {"source_run_id", model.source_run},
                    {"tags", pairs(model.tags)}};
  if (!model.status_message.empty()) info["status_message"] = model.status_message;
  return {{"info", std::move(info)},
          {"data", json::object{{"params", pairs(model.params)}, {"metrics", to_json_array(model.metrics)}}}};
}

json::object to_json(const track::ArtifactInfo& artifact, std::string_view folder) {
  json::object object{{"path", folder.empty() ? artifact.path : fmt::format("{}/{}", folder, artifact.path)},
                      {"is_dir", artifact.is_folder}};
  if (!artifact.is_folder) object["file_size"] = artifact.size_bytes;
  return object;
}

json::object to_json(const registry::Version& version) {
  json::array aliases;
  for (const auto& alias : version.aliases) aliases.emplace_back(alias);
  json::object object{{"name", version.model},
                      {"version", std::to_string(version.version)},
                      {"creation_timestamp", version.created_ms},
                      {"last_updated_timestamp", version.updated_ms},
                      {"user_id", version.user_id},
                      {"current_stage", registry::stage_name(version.stage)},
                      {"description", version.description},
                      {"source", version.source},
                      {"run_id", version.run_id},
                      {"status", "READY"},
                      {"tags", pairs(version.tags)},
                      {"run_link", version.run_link},
                      {"aliases", std::move(aliases)}};
  if (!version.model_id.empty()) object["model_id"] = version.model_id;
  return object;
}

json::object to_json(const registry::Model& model) {
  json::array aliases;
  for (const auto& [alias, version] : model.aliases) {
    aliases.push_back(json::object{{"alias", alias}, {"version", std::to_string(version)}});
  }
  return {{"name", model.name},
          {"creation_timestamp", model.created_ms},
          {"last_updated_timestamp", model.updated_ms},
          {"description", model.description},
          {"latest_versions", to_json_array(model.latest)},
          {"tags", pairs(model.tags)},
          {"aliases", std::move(aliases)}};
}

io::HttpResponse error_answer(int status, std::string_view error_code, std::string message) {
  return io::json_response(status, json::object{{"error_code", error_code}, {"message", std::move(message)}});
}

io::HttpResponse error_answer(const Error& error) {
  const auto shape = shape_of(error.code);
  return error_answer(shape.status, shape.error_code, error.message);
}

}  // namespace weir::api::mlflow
