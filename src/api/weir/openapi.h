#pragma once

#include <span>
#include <string_view>

#include "api/weir/route_table.h"
#include "base/json.h"

namespace weir::api {

// The OpenAPI 3.1 document of these routes, for weir of this version.
json::object openapi_document(std::span<const RouteDescription> routes, std::string_view version);

// Those of runs, their jobs and logs, as JSON.
std::string_view run_schemas();

// The schemas that descriptions name, by name. Members of an object are always there unless its "required" says which.
json::object schemas();

}  // namespace weir::api
