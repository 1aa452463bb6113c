#include "api/mlflow/routes.h"

#include <array>

#include "api/mlflow/answers.h"
#include "api/mlflow/table.h"

namespace weir::api {
namespace mlflow {
namespace {

constexpr std::array<std::string_view, 4> kPrefixes = {"/api/2.0", "/ajax-api/2.0", "/api/3.0", "/ajax-api/3.0"};
constexpr std::size_t kBodyBytesMax = 32U << 20;

// What the call is about, for the message of a refusal.
std::string object_of(const json::value& message) {
  if (const auto name = json_string(message, "name")) return fmt::format("model/{}", *name);
  if (const auto run = json_string(message, "run_id")) return fmt::format("experiment run {}", *run);
  if (const auto experiment = json_string(message, "experiment_id")) return fmt::format("experiment {}", *experiment);
  return "experiment tracking";
}

Result<io::HttpResponse> answer(const MlflowDeps& deps, const io::HttpRequest& request, access::Permission permission,
                                const std::function<Result<io::HttpResponse>(const Call&)>& handler) {
  const auto message = WEIR_TRY(read_message(request));
  WEIR_TRY(deps.allow(request.identity, permission, object_of(message)));
  return handler(Call{deps, request, Fields(message)});
}

io::HttpResponse finished(Result<io::HttpResponse> response) {
  return response ? *std::move(response) : error_answer(response.error());
}

// Endpoints of MLflow that are known and not kept here. The client goes on without them where it can.
struct Refusal {
  std::string_view path;
  std::string_view what;
};
constexpr std::array<Refusal, 12> kRefusals = {{{"traces", "traces"},
                                                {"unified-traces", "traces"},
                                                {"datasets", "evaluation datasets"},
                                                {"gateway", "the AI gateway"},
                                                {"scorers", "scorers"},
                                                {"webhooks", "webhooks"},
                                                {"issues", "issues"},
                                                {"label-schemas", "label schemas"},
                                                {"review-queues", "review queues"},
                                                {"prompt-optimization", "prompt optimization"},
                                                {"workspaces", "workspaces"},
                                                {"jobs", "server-side jobs"}}};

io::HttpResponse refuse(const io::HttpRequest& request) {
  const auto found = request.params.find("rest");
  const std::string_view rest = found == request.params.end() ? std::string_view{} : std::string_view(found->second);
  const auto first = rest.substr(0, rest.find('/'));
  for (const auto& refusal : kRefusals) {
    if (first == refusal.path) {
      return error_answer(
          501, "NOT_IMPLEMENTED",
          fmt::format("this weir does not keep {} ({} {})", refusal.what, request.method, request.path));
    }
  }
  return error_answer(404, "ENDPOINT_NOT_FOUND",
                      fmt::format("no such call of MLflow's API: {} {}", request.method, request.path));
}

Result<json::value> server_info(const Call&) {
  return json::value{{"store_type", "SqlStore"},
                     {"workspaces_enabled", false},
                     {"trace_archival_enabled", false},
                     {"multipart_uploads_enabled", false},
                     {"multipart_downloads_enabled", false},
                     {"presigned_upload_run_id_supported", false},
                     {"presigned_upload_model_id_supported", false},
                     {"features_enabled", json::object{{"gateway", false}}}};
}

}  // namespace

void RouteTable::handle(std::string_view method, std::string_view path, const io::HttpHandler& handler,
                        io::RouteOptions options) {
  for (const auto prefix : kPrefixes) router_.handle(method, fmt::format("{}{}", prefix, path), handler, options);
}

void RouteTable::add(std::string_view method, std::string_view path, access::Permission permission, Handler handler) {
  const auto deps = deps_;
  handle(method, path,
         [deps, permission, handler](io::HttpRequest& request) {
           return finished(answer(*deps, request, permission, [handler](const Call& call) -> Result<io::HttpResponse> {
             return io::json_response(200, WEIR_TRY(handler(call)));
           }));
         },
         {.body_bytes_max = kBodyBytesMax});
}

void RouteTable::add_raw(std::string_view method, std::string_view path, access::Permission permission,
                         RawHandler handler) {
  const auto deps = deps_;
  handle(method, path,
         [deps, permission, handler](io::HttpRequest& request) {
           return finished(answer(*deps, request, permission, handler));
         },
         {.body_bytes_max = kBodyBytesMax});
}

void RouteTable::add_stream(std::string_view method, std::string_view path, access::Permission permission,
                            StreamHandler handler) {
  const auto deps = deps_;
  const auto run = [deps, permission, handler](io::HttpRequest& request) -> Result<io::HttpResponse> {
    WEIR_TRY(deps->allow(request.identity, permission, request.path));
    return handler(*deps, request);
  };
  handle(method, path, [run](io::HttpRequest& request) { return finished(run(request)); }, {.stream_request = true});
}

void RouteTable::add_page(std::string_view path, RawHandler handler) {
  const auto deps = deps_;
  router_.handle("GET", path, [deps, handler](io::HttpRequest& request) {
    return finished(answer(*deps, request, access::Permission::kRead, handler));
  });
}

}  // namespace mlflow

void add_mlflow_routes(io::Router& router, MlflowDeps deps) {
  mlflow::RouteTable table(router, std::make_shared<const MlflowDeps>(std::move(deps)));
  mlflow::add_experiment_routes(table);
  mlflow::add_run_routes(table);
  mlflow::add_metric_routes(table);
  mlflow::add_model_routes(table);
  mlflow::add_registry_routes(table);
  mlflow::add_artifact_routes(table);
  table.add("GET", "/mlflow/server-info", access::Permission::kRead, mlflow::server_info);
  router.handle("GET", "/version",
                [](io::HttpRequest&) { return io::text_response(200, std::string(kMlflowVersion)); });
  for (const auto prefix : mlflow::kPrefixes) {
    for (const std::string_view method : {std::string_view("GET"), std::string_view("POST"), std::string_view("PUT"),
                                          std::string_view("PATCH"), std::string_view("DELETE")}) {
      router.handle(method, fmt::format("{}/mlflow/{{rest*}}", prefix), mlflow::refuse);
    }
  }
}

}  // namespace weir::api
