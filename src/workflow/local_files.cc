#include "workflow/local_files.h"

#include <fmt/format.h>

namespace weir::workflow {

const ParseResult* LocalFiles::workflow(const std::string& path) {
  auto found = workflows_.find(path);
  if (found == workflows_.end()) {
    std::optional<ParseResult> parsed;
    if (known()) {
      if (const auto text = options_.read_local(path)) {
        parsed = parse_workflow(*text, path, {.refuse_unbuilt = options_.refuse_unbuilt});
      }
    }
    found = workflows_.emplace(path, std::move(parsed)).first;
  }
  return found->second ? &*found->second : nullptr;
}

const Workflow* LocalFiles::callee(std::string_view uses) {
  const auto path = path_of(uses);
  const auto* parsed = path ? workflow(*path) : nullptr;
  return parsed != nullptr && parsed->workflow ? &*parsed->workflow : nullptr;
}

const LocalFiles::Action* LocalFiles::action(const std::string& folder) {
  auto found = actions_.find(folder);
  if (found == actions_.end()) {
    std::optional<Action> action;
    const std::string prefix = folder.empty() ? "" : folder + "/";
    for (const auto* name : {"action.yml", "action.yaml", "Dockerfile"}) {
      if (!known() || action) break;
      const auto text = options_.read_local(prefix + name);
      if (!text) continue;
      action = Action{.path = prefix + name};
      if (std::string_view(name) != "Dockerfile") action->parsed = parse_action(*text, action->path);
    }
    found = actions_.emplace(folder, std::move(action)).first;
  }
  return found->second ? &*found->second : nullptr;
}

std::optional<std::string> LocalFiles::path_of(std::string_view uses) {
  if (!uses.starts_with("./") && !uses.starts_with("$/")) return std::nullopt;
  uses.remove_prefix(2);
  std::string path;
  while (!uses.empty()) {
    const auto end = uses.find('/');
    const auto part = uses.substr(0, end);
    uses.remove_prefix(end == std::string_view::npos ? uses.size() : end + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") return std::nullopt;
    path += fmt::format("{}{}", path.empty() ? "" : "/", part);
  }
  return path;
}

}  // namespace weir::workflow
