#include "runner/action.h"

#include <algorithm>
#include <charconv>

namespace weir::runner {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<BuiltinAction> all_actions() {
  return {checkout_action(),          setup_python_action(), upload_artifact_action(),
          download_artifact_action(), cache_action(),        cache_restore_action(),
          cache_save_action(),        notify_action(),       gate_action()};
}

// What people can do today instead of an action that is not built in.
std::string_view instead_of(std::string_view name) {
  if (name == "actions/github-script") {
    return "write the script to a file and start it with `run: node script.js`; weir's own REST API is at "
           "$WEIR_URL/api/v1 "
           "(token in $WEIR_TOKEN)";
  }
  if (name == "iterative/setup-cml") return "install it in a `run` step: `npm install -g @dvcorg/cml`";
  if (name == "iterative/setup-dvc") return "install it in a `run` step: `pip install dvc`";
  if (name == "aws-actions/configure-aws-credentials") {
    return "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION as `env` of the job, from secrets";
  }
  if (name == "actions/setup-node") return "use the machine's node, or install one in a `run` step";
  if (name.starts_with("docker://") || name.starts_with("docker/")) {
    return "jobs run on the machine itself: call the program in a `run` step";
  }
  if (name.starts_with("./") || name.starts_with("../")) {
    return "actions of a repository are not built yet: put the commands into a `run` step or a script that it calls";
  }
  return "put the commands that it would run into a `run` step";
}

}  // namespace

std::string ActionRequest::input(std::string_view key) const {
  const auto found = inputs.find(key);
  return found == inputs.end() ? std::string() : std::string(trim(found->second));
}

std::string ActionRequest::input_or(std::string_view key, std::string_view fallback) const {
  std::string value = input(key);
  return value.empty() ? std::string(fallback) : value;
}

Result<bool> ActionRequest::input_bool(std::string_view key, bool fallback) const {
  const std::string value = input(key);
  if (value.empty()) return fallback;
  if (value == "true" || value == "True" || value == "TRUE") return true;
  if (value == "false" || value == "False" || value == "FALSE") return false;
  return fail(Code::kInvalidArgument, "Input \"{}\" is \"{}\"; it must be true or false", key, value);
}

Result<std::string> ActionRequest::required(std::string_view key) const {
  std::string value = input(key);
  if (value.empty()) return fail(Code::kInvalidArgument, "Input required and not supplied: {}", key);
  return value;
}

std::vector<std::string> ActionRequest::input_lines(std::string_view key) const {
  const std::string text = input(key);
  std::vector<std::string> lines;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const std::string_view line = trim(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

std::filesystem::path ActionRequest::home() const {
  const auto found = env.find("HOME");
  return found == env.end() ? "/" : found->second;
}

std::filesystem::path ActionRequest::resolve(std::string_view path) const {
  if (path == "~" || path.starts_with("~/")) return (home() / path.substr(std::min<std::size_t>(2, path.size())));
  const std::filesystem::path resolved = (workspace / path).lexically_normal();
  return resolved.has_filename() ? resolved : resolved.parent_path();
}

UsesReference parse_uses(std::string_view uses) {
  if (uses.starts_with("./") || uses.starts_with("../") || uses.starts_with("docker://"))
    return {std::string(uses), ""};
  const auto at = uses.rfind('@');
  if (at == std::string_view::npos) return {lower(uses), ""};
  return {lower(uses.substr(0, at)), std::string(uses.substr(at + 1))};
}

Result<BuiltinAction> find_action(std::string_view uses) {
  const UsesReference reference = parse_uses(uses);
  auto actions = all_actions();
  const auto found = std::ranges::find(actions, std::string_view(reference.name), &BuiltinAction::name);
  if (found != actions.end()) return *found;
  std::string names;
  for (const auto& action : actions) names += fmt::format("{}{}", names.empty() ? "" : ", ", action.name);
  return fail(Code::kUnimplemented, "`uses: {}` is not built into weir (built in are {}): {}", uses, names,
              instead_of(reference.name));
}

}  // namespace weir::runner
