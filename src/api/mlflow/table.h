#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "access/permission.h"
#include "api/mlflow/fields.h"
#include "api/mlflow/routes.h"
#include "io/http.h"

// How calls are registered; for the sources of this folder.
namespace weir::api::mlflow {

// One call under way.
struct Call {
  const MlflowDeps& deps;
  const io::HttpRequest& request;
  Fields fields;

  // What {name} of the path matched.
  [[nodiscard]] std::string param(std::string_view name) const {
    const auto found = request.params.find(name);
    return found == request.params.end() ? std::string{} : found->second;
  }
};

using Handler = Result<json::value> (*)(const Call&);
using RawHandler = Result<io::HttpResponse> (*)(const Call&);
using StreamHandler = Result<io::HttpResponse> (*)(const MlflowDeps&, io::HttpRequest&);

// Registers calls below /api and /ajax-api, with permission, reading of the message and errors done in one place.
class RouteTable {
 public:
  RouteTable(io::Router& router, std::shared_ptr<const MlflowDeps> deps) : router_(router), deps_(std::move(deps)) {}

  // `path` follows the version: "/mlflow/runs/create". Bodies may have 32 MiB: profiles of datasets are large.
  void add(std::string_view method, std::string_view path, access::Permission permission, Handler handler);
  void add_raw(std::string_view method, std::string_view path, access::Permission permission, RawHandler handler);
  // The body is left to the handler.
  void add_stream(std::string_view method, std::string_view path, access::Permission permission, StreamHandler handler);
  // At exactly `path`, without a prefix.
  void add_page(std::string_view path, RawHandler handler);

 private:
  void handle(std::string_view method, std::string_view path, const io::HttpHandler& handler, io::RouteOptions options);

  io::Router& router_;
  std::shared_ptr<const MlflowDeps> deps_;
};

void add_experiment_routes(RouteTable& table);
void add_run_routes(RouteTable& table);
void add_metric_routes(RouteTable& table);
void add_model_routes(RouteTable& table);
void add_registry_routes(RouteTable& table);
void add_artifact_routes(RouteTable& table);

inline json::value empty_answer() {
  return json::object{};
}

}  // namespace weir::api::mlflow
