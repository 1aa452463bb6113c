#pragma once

#include "api/weir/routes.h"

namespace weir::api {

// POST /api/v1/report: what a change did to a model.
void add_report_route(RouteTable& table, const Services& services);

}  // namespace weir::api
