#include "track/artifacts.h"

#include <charconv>

#include "api/mlflow/answers.h"
#include "api/mlflow/table.h"

namespace weir::api::mlflow {
namespace {

using access::Permission;

// Artifacts are whatever a job wrote: a browser must never run them with the dashboard's rights.
Result<io::HttpResponse> send_file(track::Artifacts& artifacts, std::string_view path) {
  const auto info = WEIR_TRY(artifacts.file(path));
  const auto name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  io::HttpResponse response;
  response.file_path = WEIR_TRY(artifacts.local_file(path)).string();
  response.headers.set("Content-Type", std::string(io::content_type_of(name)));
  response.headers.set("Content-Disposition", fmt::format("attachment; filename*=UTF-8''{}", io::percent_encode(name)));
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.headers.set("Content-Security-Policy", "sandbox; default-src 'none'");
  response.headers.set("ETag", fmt::format("\"{}\"", info.sha256));
  return response;
}

json::array list_of(const std::vector<track::ArtifactInfo>& artifacts, std::string_view folder) {
  json::array files;
  for (const auto& artifact : artifacts) files.push_back(to_json(artifact, folder));
  return files;
}

std::string joined(std::string_view root, std::string_view path) {
  return path.empty() ? std::string(root) : fmt::format("{}/{}", root, path);
}

Result<json::value> list_of_run(const Call& call) {
  const auto run = WEIR_TRY(call.deps.tracking.run(WEIR_TRY(call.fields.run_id())));
  const auto folder = WEIR_TRY(call.fields.text("path"));
  json::array files;
  if (const auto root = WEIR_TRY(track::artifact_path_of(run.info.artifact_uri))) {
    files = list_of(WEIR_TRY(call.deps.tracking.artifacts().list(joined(*root, folder))), folder);
  }
  return json::value{{"root_uri", run.info.artifact_uri}, {"files", std::move(files)}};
}

Result<json::value> list(const Call& call) {
  auto path = WEIR_TRY(call.fields.text("path"));
  while (path.ends_with('/')) path.pop_back();
  return json::value{{"files", list_of(WEIR_TRY(call.deps.tracking.artifacts().list(path)), "")}};
}

Result<io::HttpResponse> download(const Call& call) {
  return send_file(call.deps.tracking.artifacts(), call.param("path"));
}

Result<io::HttpResponse> upload(const MlflowDeps& deps, io::HttpRequest& request) {
  const auto path = request.params.find("path");
  if (request.body_source == nullptr || path == request.params.end()) {
    return fail(Code::kInvalidArgument, "an upload needs a path and a body");
  }
  std::int64_t size_bytes = -1;
  const auto length = request.headers.get("Content-Length");
  std::from_chars(length.data(), length.data() + length.size(), size_bytes);
  WEIR_TRY(deps.tracking.artifacts().put(path->second, *request.body_source, size_bytes));
  return io::json_response(200, json::object{});
}

Result<json::value> remove(const Call& call) {
  WEIR_TRY(call.deps.tracking.artifacts().remove(call.param("path")));
  return empty_answer();
}

// Clients fall back to a plain upload or download when they read exactly these beginnings.
Result<json::value> refuse_multipart_upload(const Call&) {
  return fail(Code::kUnimplemented, "Multipart upload is not supported for the current artifact repository");
}
Result<json::value> refuse_multipart_download(const Call&) {
  return fail(Code::kUnimplemented, "Multipart download is not supported for the current artifact repository");
}
Result<json::value> refuse_presigned(const Call&) {
  return fail(Code::kUnimplemented, "Presigned addresses are not supported for the current artifact repository");
}

Result<io::HttpResponse> page_of_run(const Call& call) {
  const auto run = WEIR_TRY(call.deps.tracking.run(WEIR_TRY(call.fields.run_id())));
  const auto root = WEIR_TRY(track::artifact_path_of(run.info.artifact_uri));
  if (!root) return fail(Code::kFailedPrecondition, "the artifacts of run {} are not kept here", run.info.id);
  return send_file(call.deps.tracking.artifacts(), joined(*root, WEIR_TRY(call.fields.required("path"))));
}

Result<io::HttpResponse> page_of_version(const Call& call) {
  const auto name = WEIR_TRY(call.fields.required("name"));
  const auto number = WEIR_TRY(registry::parse_version(WEIR_TRY(call.fields.required("version"))));
  const auto version = WEIR_TRY(call.deps.registry.version(name, number));
  const auto root = WEIR_TRY(track::artifact_path_of(version.storage_uri));
  if (!root) return fail(Code::kFailedPrecondition, "the files of {} version {} are not kept here", name, number);
  return send_file(call.deps.tracking.artifacts(), joined(*root, WEIR_TRY(call.fields.required("path"))));
}

}  // namespace

void add_artifact_routes(RouteTable& table) {
  table.add("GET", "/mlflow/artifacts/list", Permission::kRead, list_of_run);
  table.add("GET", "/mlflow-artifacts/artifacts", Permission::kRead, list);
  table.add_raw("GET", "/mlflow-artifacts/artifacts/{path*}", Permission::kRead, download);
  table.add_stream("PUT", "/mlflow-artifacts/artifacts/{path*}", Permission::kLogExperiments, upload);
  table.add("DELETE", "/mlflow-artifacts/artifacts/{path*}", Permission::kDeleteExperiments, remove);
  table.add("POST", "/mlflow-artifacts/mpu/{path*}", Permission::kRead, refuse_multipart_upload);
  table.add("GET", "/mlflow-artifacts/presigned/{path*}", Permission::kRead, refuse_multipart_download);
  table.add("POST", "/mlflow/artifacts/presigned-upload-url", Permission::kRead, refuse_presigned);
  table.add("POST", "/mlflow/artifacts/presigned-download-url", Permission::kRead, refuse_presigned);
  table.add_page("/get-artifact", page_of_run);
  table.add_page("/model-versions/get-artifact", page_of_version);
}

}  // namespace weir::api::mlflow
