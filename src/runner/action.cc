#include "runner/action.h"

#include <unistd.h>

#include <algorithm>

#include "base/hash.h"
#include "runner/provided_action.h"

namespace weir::runner {
namespace {

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

const std::vector<BuiltinAction>& all_actions() {
  static const std::vector<BuiltinAction> all{checkout_action(),
                                              setup_python_action(),
                                              setup_node_action(),
                                              upload_artifact_action(),
                                              cache_action(),
                                              cache_restore_action(),
                                              download_artifact_action(),
                                              cache_save_action(),
                                              aws_credentials_action(),
                                              notify_action(),
                                              gate_action(),
                                              report_action(),
                                              comment_action()};
  return all;
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

const BuiltinAction* find_builtin(std::string_view name) {
  const auto& actions = all_actions();
  const auto found = std::ranges::find(actions, name, &BuiltinAction::name);
  return found == actions.end() ? nullptr : &*found;
}

std::string instead_of(std::string_view name) {
  std::string names;
  for (const auto& action : all_actions()) names += fmt::format("{}{}", names.empty() ? "" : ", ", action.name);
  for (const auto other : provided_names()) names += fmt::format(", {}", other);
  const std::string_view advice = name.starts_with("docker/") ? "call the program in a `run` step"
                                                              : "put the commands that it would run into a `run` step";
  return fmt::format("{} (built into weir are {})", advice, names);
}

TransferFile::TransferFile(const ActionRequest& request) {
  const std::filesystem::path exchange = request.spec->exchange_dir;
  const bool handed_over = !exchange.empty() && ::access(exchange.c_str(), W_OK | X_OK) == 0;
  path_ = handed_over ? exchange / random_hex(16) : request.temp_dir / ("transfer-" + random_hex(8));
}

TransferFile::~TransferFile() {
  ::unlink(path_.c_str());
}

}  // namespace weir::runner
