#pragma once

#include <string_view>
#include <vector>

#include "runner/loaded_action.h"

namespace weir::runner {

// Actions that weir brings along as files, because they run programs: they work where their repositories cannot be
// reached, and start faster. Their files go once into <tool folder>/weir-actions/<name>-<hash>, with the npm packages
// that they need.
struct ProvidedFile {
  std::string_view name;
  std::string_view text;
};
struct ProvidedAction {
  std::string_view name;  // "actions/github-script"
  std::vector<ProvidedFile> files;
  std::vector<std::string_view> npm_packages;  // "@actions/core@1"
};

// By its name in lower case; null if there is none.
const ProvidedAction* find_provided(std::string_view name);
std::vector<std::string_view> provided_names();

// Lays the action out unless it is there. An error says what is missing.
Result<ActionPtr> load_provided(JobState& job, StepState& step, const ProvidedAction& action,
                                const UsesReference& uses);

}  // namespace weir::runner
