#pragma once

#include <functional>
#include <string_view>

#include "access/permission.h"
#include "base/error.h"
#include "io/http.h"
#include "registry/registry.h"
#include "track/tracking.h"
#include "types/identity.h"

namespace weir::api {

// The version of MLflow's REST protocol that is spoken; clients ask for it.
inline constexpr std::string_view kMlflowVersion = "3.17.2";

struct MlflowDeps {
  track::Tracking& tracking;
  registry::Registry& registry;
  // May that identity do that to the named object? Usually access::Access::allow.
  std::function<Result<void>(const types::Identity&, access::Permission, std::string_view object)> allow;
};

// The REST API of an MLflow server: tracking, registry and artifact proxy below /api/2.0/mlflow, /api/3.0/mlflow,
// /api/2.0/mlflow-artifacts (each also as /ajax-api/…), /version, /get-artifact and /model-versions/get-artifact.
// Requests and answers are the JSON form of mlflow/protos/*.proto; errors are {"error_code", "message"}. What is known
// but not kept (traces, prompts' evaluation, webhooks, the gateway) is refused as NOT_IMPLEMENTED by name.
// `deps` must stay valid while the router serves.
void add_mlflow_routes(io::Router& router, MlflowDeps deps);

}  // namespace weir::api
