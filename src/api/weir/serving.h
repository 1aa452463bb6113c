#pragma once

#include "api/weir/routes.h"
#include "monitor/monitor.h"
#include "registry/registry.h"
#include "rollout/rollouts.h"
#include "serve/gateway.h"
#include "track/tracking.h"

namespace weir::api {

// What the routes of models and endpoints work on. Pointers outlive the router.
struct ServingServices {
  rollout::Rollouts* rollouts = nullptr;
  const serve::Gateway* gateway = nullptr;
  monitor::Monitor* monitor = nullptr;
  registry::Registry* registry = nullptr;
  track::Tracking* tracking = nullptr;
};

void add_model_routes(RouteTable& table, const Services& services, const ServingServices& serving);
void add_endpoint_routes(RouteTable& table, const ServingServices& serving);

}  // namespace weir::api
