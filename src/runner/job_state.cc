#include "runner/job_state.h"

#include <algorithm>

#include "runner/sandbox.h"

namespace weir::runner {
namespace {

constexpr int kAnnotationsMax = 10;
constexpr std::size_t kMessageBytesMax = 4096;

}  // namespace

void JobState::debug(int step, std::string_view text) const {
  if (debug_on) log->line(step, 'c', fmt::format("##[debug]{}", text));
}

void JobState::annotate(StepState& step, std::string_view level, std::string_view message, const json::object& place,
                        std::string_view shown_line) {
  log->line(step.index, level == "error" ? 'e' : 'c',
            fmt::format("##[{}]{}", level, shown_line.empty() ? message : shown_line));
  StepState* counted = &step;
  while (counted->outer != nullptr) counted = counted->outer;
  auto& count = counted->annotations[std::string(level)];
  if (++count > kAnnotationsMax) return;
  const std::string readable = readable_lines(log->mask(message));
  json::object fields{{"step", step.index}, {"level", level}, {"message", cut_text(readable, kMessageBytesMax)}};
  for (const auto& [key, value] : place) fields[key] = value;
  record("annotation", fields);
}

void JobState::record(std::string_view type, const json::object& fields) {
  if (!journal) return;
  if (auto written = journal->append(type, fields); !written) {
    log->line(-1, 'e', fmt::format("##[error]{}", written.error().message));
  }
}

void JobState::update_status() {
  const bool is_cancelled = cancelled();
  // Inside an action its own steps count.
  const bool has_failed = action_failed.value_or(failed);
  contexts.status.cancelled = is_cancelled;
  contexts.status.failure = has_failed && !is_cancelled;
  contexts.status.success = !has_failed && !is_cancelled;
  auto& job = contexts.values["job"];
  if (!job.is_object()) job.emplace_object();
  if (auto& github = contexts.values["github"]; action_failed && github.is_object()) {
    github.get_object()["action_status"] = is_cancelled ? "cancelled" : has_failed ? "failure" : "success";
  }
  job.get_object()["status"] = is_cancelled ? "cancelled" : failed ? "failure" : "success";
}

ConfinementPtr JobState::confinement() const {
  return sandbox ? sandbox->confinement() : nullptr;
}

std::map<std::string, std::string> JobState::process_env(const json::object& env) const {
  std::map<std::string, std::string> all = sandbox ? sandbox->environment(*this) : inherited;
  for (const auto& [name, value] : hidden_env) all[name] = value;
  for (const auto& [name, value] : env) all[std::string(name)] = workflow::to_text(value);
  // A job that logs to another server must not hand it our token.
  const auto* tracking = env.if_contains("MLFLOW_TRACKING_URI");
  if (tracking != nullptr && workflow::to_text(*tracking) != spec->server_url &&
      !env.contains("MLFLOW_TRACKING_TOKEN")) {
    all.erase("MLFLOW_TRACKING_TOKEN");
  }
  for (const auto& [name, value] : fixed_env) all[name] = value;
  std::string path;
  for (auto added = added_paths.rbegin(); added != added_paths.rend(); ++added) path += *added + ":";
  if (python) {
    path += python->bin().string() + ":";
    all["VIRTUAL_ENV"] = python->spec().folder.string();
  }
  auto& inherited_path = all["PATH"];
  inherited_path = path + (inherited_path.empty() ? "/usr/local/bin:/usr/bin:/bin" : inherited_path);
  return all;
}

void JobState::set_env(std::string_view name, std::string_view value) {
  job_env[name] = value;
  changes.env[name] = value;
}

void JobState::set_hidden_env(std::string_view name, std::string_view value) {
  hidden_env[std::string(name)] = value;
  changes.hidden_env[std::string(name)] = value;
}

void JobState::add_path(std::string_view path) {
  std::erase(added_paths, path);
  added_paths.emplace_back(path);
  changes.paths.emplace_back(path);
}

void JobState::take_over(const StepChanges& made) {
  for (const auto& [name, value] : made.env) job_env[name] = value;
  for (const auto& [name, value] : made.hidden_env) hidden_env[name] = value;
  for (const auto& path : made.paths) {
    std::erase(added_paths, path);
    added_paths.push_back(path);
  }
}

}  // namespace weir::runner
