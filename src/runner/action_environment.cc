#include "runner/action_environment.h"

#include "workflow/expression.h"

namespace weir::runner {

std::map<std::string, std::string> action_environment(const JobState& job) {
  std::map<std::string, std::string> all;
  for (const auto& [name, value] : job.action_env) all[name] = workflow::to_text(value);
  return all;
}

std::map<std::string, std::string> id_token_environment(const JobState& job) {
  auto all = action_environment(job);
  std::erase_if(all, [](const auto& variable) { return !variable.first.starts_with("ACTIONS_ID_TOKEN_REQUEST_"); });
  return all;
}

}  // namespace weir::runner
