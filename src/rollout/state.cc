#include "rollout/state.h"

namespace weir::rollout {

std::string ModelVersion::text() const {
  return fmt::format("{} version {}", model, version);
}

std::string_view wish_state_name(WishState state) {
  switch (state) {
    case WishState::kNone: return "none";
    case WishState::kWaiting: return "waiting";
    case WishState::kPreparing: return "preparing";
    case WishState::kLive: return "live";
    case WishState::kRefused: return "refused";
  }
  return "none";
}

std::vector<Target> targets_of(const config::Config& config) {
  std::vector<Target> targets;
  for (const auto& endpoint : config.endpoints) {
    std::vector<std::string> extra_columns;
    for (const auto& column : {endpoint.key, endpoint.time}) {
      if (!column.empty()) extra_columns.push_back(column);
    }
    for (const auto& environment : endpoint.environments) {
      targets.push_back({.settings = {.endpoint = endpoint.name,
                                      .environment = environment.name,
                                      .capture_sample = environment.capture.sample,
                                      .key_column = endpoint.key,
                                      .allowed_columns = extra_columns},
                         .reference = environment.model,
                         .workers = environment.workers});
    }
  }
  return targets;
}

std::string target_name(std::string_view endpoint, std::string_view environment) {
  return fmt::format("{}@{}", endpoint, environment);
}

std::string target_subject(std::string_view endpoint, std::string_view environment) {
  return fmt::format("endpoint/{}@{}", endpoint, environment);
}

}  // namespace weir::rollout
