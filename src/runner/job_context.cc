#include "runner/job_context.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "io/descriptor.h"
#include "io/file.h"
#include "runner/glob.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

// Members of the `github` context that become GITHUB_… variables (the runner's documented default variables).
constexpr std::string_view kGithubVariables[] = {"actor",
                                                 "actor_id",
                                                 "api_url",
                                                 "base_ref",
                                                 "event_name",
                                                 "graphql_url",
                                                 "head_ref",
                                                 "job",
                                                 "ref",
                                                 "ref_name",
                                                 "ref_protected",
                                                 "ref_type",
                                                 "repository",
                                                 "repository_id",
                                                 "repository_owner",
                                                 "repository_owner_id",
                                                 "retention_days",
                                                 "run_attempt",
                                                 "run_id",
                                                 "run_number",
                                                 "server_url",
                                                 "sha",
                                                 "triggering_actor",
                                                 "workflow",
                                                 "workflow_ref",
                                                 "workflow_sha"};

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

json::object& member_object(json::object& parent, std::string_view name) {
  auto& value = parent[name];
  if (!value.is_object()) value.emplace_object();
  return value.get_object();
}

void set_default(json::object& object, std::string_view name, std::string_view value) {
  if (!object.contains({name.data(), name.size()})) object[name] = value;
}

// This process's environment without what another runner, or another Python, would have left in it.
std::map<std::string, std::string> inherited_environment() {
  constexpr std::string_view kForeign[] = {"GITHUB_", "RUNNER_", "ACTIONS_", "INPUT_", "STATE_"};
  constexpr std::string_view kForeignNames[] = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"};
  std::map<std::string, std::string> all;
  for (char** item = environ; *item != nullptr; ++item) {
    const std::string_view text = *item;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = text.substr(0, equals);
    if (std::ranges::any_of(kForeign, [&](auto prefix) { return name.starts_with(prefix); })) continue;
    if (std::ranges::find(kForeignNames, name) != std::end(kForeignNames)) continue;
    all.emplace(name, text.substr(equals + 1));
  }
  return all;
}

void fill_github(JobState& job) {
  const auto& spec = *job.spec;
  json::object& github = member_object(job.contexts.values, "github");
  const auto slash = spec.repository.find('/');
  const std::string ref_name = spec.ref.starts_with("refs/heads/")  ? spec.ref.substr(11)
                               : spec.ref.starts_with("refs/tags/") ? spec.ref.substr(10)
                               : spec.ref.starts_with("refs/pull/") ? spec.ref.substr(10)
                                                                    : spec.ref;
  set_default(github, "repository", spec.repository);
  set_default(github, "repository_owner", spec.repository.substr(0, slash));
  set_default(github, "sha", spec.commit);
  set_default(github, "ref", spec.ref);
  set_default(github, "ref_name", ref_name);
  set_default(github, "ref_type", spec.ref.starts_with("refs/tags/") ? "tag" : "branch");
  set_default(github, "run_id", fmt::format("{}", spec.run_id));
  set_default(github, "run_number", fmt::format("{}", spec.run_number));
  set_default(github, "run_attempt", fmt::format("{}", spec.run_attempt));
  set_default(github, "workflow", spec.workflow_name);
  set_default(github, "job", spec.job_key);
  set_default(github, "event_name", "workflow_dispatch");
  set_default(github, "actor", "weir");
  set_default(github, "server_url", spec.server_url);
  set_default(github, "api_url", spec.server_url + "/api/v1");
  set_default(github, "graphql_url", spec.server_url + "/api/graphql");
  github["workspace"] = job.workspace.string();
  github["event_path"] = (job.own_dir / "event.json").string();
  github["token"] = job.token;
}

void fill_runner(JobState& job) {
  json::object& runner = member_object(job.contexts.values, "runner");
  utsname machine{};
  ::uname(&machine);
  const std::string_view arch = machine.machine;
  set_default(runner, "os", "Linux");
  set_default(runner, "arch", arch == "x86_64" ? "X64" : arch == "aarch64" ? "ARM64" : std::string(arch));
  set_default(runner, "name", std::string(machine.nodename));
  set_default(runner, "environment", "self-hosted");
  runner["temp"] = job.temp_dir.string();
  runner["tool_cache"] = job.spec->tool_dir;
  runner["workspace"] = job.workspace.parent_path().string();
  if (job.debug_on) runner["debug"] = "1";
}

void fill_fixed_env(JobState& job) {
  const json::object& github = job.contexts.values["github"].get_object();
  for (const auto name : kGithubVariables) {
    const auto* value = github.if_contains({name.data(), name.size()});
    if (value == nullptr || value->is_null() || value->is_object() || value->is_array()) continue;
    job.fixed_env["GITHUB_" + upper(name)] = workflow::to_text(*value);
  }
  for (const auto& [name, value] : job.contexts.values["runner"].get_object()) {
    if (!value.is_object() && !value.is_array()) job.fixed_env["RUNNER_" + upper(name)] = workflow::to_text(value);
  }
  // By this the server finds what a job left behind; GitHub's runner has a variable of this name for the same.
  if (const char* id = std::getenv("RUNNER_TRACKING_ID"); id != nullptr) job.fixed_env["RUNNER_TRACKING_ID"] = id;
  job.fixed_env["CI"] = "true";
  job.fixed_env["GITHUB_ACTIONS"] = "true";
  job.fixed_env["GITHUB_WORKSPACE"] = job.workspace.string();
  job.fixed_env["GITHUB_EVENT_PATH"] = workflow::to_text(github.at("event_path"));
}

Result<void> write_event(const JobState& job) {
  const auto* event = job.contexts.values.at("github").get_object().if_contains("event");
  WEIR_TRY(io::make_dirs(job.own_dir));
  const std::string text = event == nullptr || event->is_null() ? "{}" : json::serialize(*event);
  const fs::path path = job.own_dir / "event.json";
  const io::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, fmt::format("cannot make {}", path.string()));
  return io::write_all(file.get(), text, path.string());
}

// cml uploads the pictures of its reports to a server of its own, unless these variables name another one. It knows no
// tokens for that, so that the address holds the job's. Whoever set them otherwise for the server's jobs, is heeded.
void offer_to_cml(JobState& job) {
  const auto& spec = *job.spec;
  const auto scheme_end = spec.server_url.find("://");
  if (scheme_end == std::string::npos || spec.repository.empty()) return;
  const auto host = scheme_end + 3;
  const auto publish = fmt::format("{}job:{}@{}/api/v1/repos/{}/publish", spec.server_url.substr(0, host), job.token,
                                   spec.server_url.substr(host), spec.repository.substr(spec.repository.find('/') + 1));
  for (const char* name : {"CML_COMMENT_PUBLISH_URL", "CML_ASSET_URL"}) job.inherited.emplace(name, publish);
}

bool wants_debug(const JobState& job, std::string_view name) {
  const auto on = [&](const json::object* values) {
    const auto* value = values == nullptr ? nullptr : values->if_contains({name.data(), name.size()});
    return value != nullptr && workflow::to_text(*value) == "true";
  };
  const auto* vars = job.contexts.values.if_contains("vars");
  return on(&job.secrets) || on(vars == nullptr ? nullptr : vars->if_object());
}

}  // namespace

Result<void> prepare_contexts(JobState& job) {
  const auto& spec = *job.spec;
  job.contexts.values = spec.contexts;
  job.debug_on = wants_debug(job, "ACTIONS_STEP_DEBUG");
  job.job_env = spec.env;
  fill_github(job);
  fill_runner(job);
  fill_fixed_env(job);
  WEIR_TRY(write_event(job));

  json::object secrets = job.secrets;
  set_default(secrets, "GITHUB_TOKEN", job.token);
  job.contexts.values["secrets"] = std::move(secrets);
  member_object(job.contexts.values, "steps");
  job.contexts.hash_files = [&job](std::span<const std::string> patterns) {
    return run_confined(job.confinement(),
                        [&] { return hash_files({patterns.begin(), patterns.end()}, job.workspace); });
  };

  job.inherited = inherited_environment();
  job.inherited["GIT_PYTHON_REFRESH"] = "quiet";
  job.inherited["WEIR_URL"] = spec.server_url;
  job.inherited["MLFLOW_TRACKING_URI"] = spec.server_url;
  job.inherited.erase("MLFLOW_TRACKING_TOKEN");
  job.inherited.erase("WEIR_TOKEN");
  if (!job.token.empty()) {
    job.inherited["MLFLOW_TRACKING_TOKEN"] = job.token;
    job.inherited["WEIR_TOKEN"] = job.token;
    offer_to_cml(job);
  }
  job.update_status();
  return {};
}

PythonPlaces python_places(const JobState& job) {
  const auto value = [&](const char* name) {
    const auto found = job.inherited.find(name);
    return found == job.inherited.end() ? std::string() : found->second;
  };
  return {.path = value("PATH"),
          .home = value("HOME"),
          .tool_dir = job.spec->tool_dir,
          .pyenv_root = value("PYENV_ROOT"),
          .uv_dir = value("UV_PYTHON_INSTALL_DIR"),
          .memory_file = fs::path(job.spec->envs_dir) / "interpreters.json"};
}

}  // namespace weir::runner
