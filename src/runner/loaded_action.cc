#include "runner/loaded_action.h"

#include <algorithm>

#include "io/file.h"
#include "text/diagnostic.h"

namespace weir::runner {
namespace {

constexpr std::uint64_t kFileBytesMax = 1U << 20;
constexpr std::string_view kGithubKeys[] = {"action_path", "action_ref", "action_repository", "action_status"};

json::object& github_of(JobState& job) {
  auto& github = job.contexts.values["github"];
  return github.is_object() ? github.get_object() : github.emplace_object();
}

json::object take_github(JobState& job) {
  json::object kept;
  auto& github = github_of(job);
  for (const auto key : kGithubKeys) {
    if (const auto* value = github.if_contains(key)) kept[key] = *value;
  }
  return kept;
}

void put_github(JobState& job, const json::object& kept) {
  auto& github = github_of(job);
  for (const auto key : kGithubKeys) {
    if (const auto* value = kept.if_contains(key)) {
      github[key] = *value;
    } else {
      github.erase(key);
    }
  }
}

}  // namespace

Result<ActionPtr> load_action(const UsesReference& uses, const std::filesystem::path& folder, std::string_view shown) {
  for (const char* name : {"action.yml", "action.yaml"}) {
    const auto text = io::read_file(folder / name, kFileBytesMax);
    if (!text && text.error().code == Code::kNotFound) continue;
    if (!text) return std::unexpected(text.error());
    auto parsed = workflow::parse_action(*text, fmt::format("{}/{}", shown, name));
    if (!parsed.action) {
      return fail(Code::kInvalidArgument, "`uses: {}` cannot be read:\n{}", uses.text,
                  text::render_all(parsed.diagnostics, *text));
    }
    Action action{.uses = uses.text, .folder = folder, .repository = {}, .ref = {}, .file = *std::move(parsed.action)};
    if (uses.kind == UsesKind::kRepository) {
      action.repository = uses.repository;
      action.ref = uses.ref;
    }
    return std::make_shared<const Action>(std::move(action));
  }
  std::error_code error;
  for (const char* name : {"Dockerfile", "dockerfile"}) {
    if (!std::filesystem::exists(folder / name, error)) continue;
    Action action{.uses = uses.text, .folder = folder, .repository = uses.repository, .ref = uses.ref, .file = {}};
    action.file.kind = workflow::ActionKind::kDocker;
    action.file.image = name;
    return std::make_shared<const Action>(std::move(action));
  }
  return fail(Code::kNotFound,
              "Can't find 'action.yml', 'action.yaml' or 'Dockerfile' under '{}'. Did you forget to run "
              "actions/checkout before running your local action?",
              shown);
}

Result<Inputs> evaluate_inputs(JobState& job, StepState& step, const workflow::ActionFile* file, bool quiet) {
  Inputs inputs;
  for (const auto& [name, value] : step.step.with) {
    inputs[std::string(name)] = value.is_string()
                                    ? WEIR_TRY(workflow::interpolate(std::string(value.get_string()), job.contexts))
                                    : workflow::to_text(value);
  }
  if (file == nullptr) return inputs;
  std::string unknown;
  for (const auto& [name, value] : inputs) {
    const auto* input = file->find_input(name);
    const bool of_container = file->kind == workflow::ActionKind::kDocker &&
                              (equal_ignoring_case(name, "entrypoint") || equal_ignoring_case(name, "args"));
    if (input == nullptr && !of_container) unknown += fmt::format("{}'{}'", unknown.empty() ? "" : ", ", name);
    if (input != nullptr && !input->deprecation.empty() && !quiet) {
      job.warning(step, fmt::format("Input '{}' has been deprecated with message: {}", name, input->deprecation));
    }
  }
  if (!unknown.empty() && !quiet) {
    std::string valid;
    for (const auto& input : file->inputs) valid += fmt::format("{}'{}'", valid.empty() ? "" : ", ", input.name);
    job.warning(step, fmt::format("Unexpected input(s) {}, valid inputs are [{}]", unknown, valid));
  }
  for (const auto& input : file->inputs) {
    if (!inputs.contains(input.name)) {
      inputs[input.name] = WEIR_TRY(workflow::interpolate(input.fallback, job.contexts));
    }
  }
  return inputs;
}

ActionScope::ActionScope(JobState& job, const StepState& step, const Action& action, const Inputs& inputs)
    : job_(job),
      inputs_(std::move(job.contexts.values["inputs"])),
      steps_(std::move(job.contexts.values["steps"])),
      github_(take_github(job)),
      outer_env_(job.outer_env),
      action_failed_(job.action_failed) {
  auto& own = job.contexts.values["inputs"].emplace_object();
  for (const auto& [name, value] : inputs) own[name] = value;
  job.contexts.values["steps"].emplace_object();
  auto& github = github_of(job);
  github["action_path"] = action.folder.string();
  github["action_ref"] = action.ref;
  github["action_repository"] = action.repository;
  for (const auto& [name, value] : step.own_env) job.outer_env[name] = value;
  job.action_failed = false;
  ++job.depth;
}

ActionScope::~ActionScope() {
  job_.contexts.values["inputs"] = std::move(inputs_);
  job_.contexts.values["steps"] = std::move(steps_);
  put_github(job_, github_);
  job_.outer_env = std::move(outer_env_);
  job_.action_failed = action_failed_;
  --job_.depth;
}

ActionNames::ActionNames(JobState& job, const std::string& repository, const std::string& ref)
    : job_(job), github_(take_github(job)) {
  if (repository.empty()) return;
  auto& github = github_of(job);
  github["action_ref"] = ref;
  github["action_repository"] = repository;
}

ActionNames::~ActionNames() {
  put_github(job_, github_);
}

ScopeMemory::ScopeMemory(const JobState& job) : outer_env_(job.outer_env), depth_(job.depth) {
  if (const auto* inputs = job.contexts.values.if_contains("inputs")) inputs_ = *inputs;
  if (const auto* steps = job.contexts.values.if_contains("steps")) steps_ = *steps;
  if (const auto* github = job.contexts.values.if_contains("github"); github != nullptr && github->is_object()) {
    for (const auto key : kGithubKeys) {
      if (const auto* value = github->get_object().if_contains(key)) github_[key] = *value;
    }
  }
}

ScopeMemory ScopeMemory::exchange(JobState& job) {
  ScopeMemory before(job);
  job.contexts.values["inputs"] = inputs_;
  job.contexts.values["steps"] = steps_;
  put_github(job, github_);
  job.outer_env = outer_env_;
  job.depth = depth_;
  return before;
}

std::string inner_path(const StepState& step, int number) {
  return step.path.empty() ? fmt::format("{}.{}", step.index, number) : fmt::format("{}.{}", step.path, number);
}

void add_action_variables(const JobState& job, std::map<std::string, std::string>& variables) {
  if (job.depth == 0) return;
  const auto* github = job.contexts.values.if_contains("github");
  if (github == nullptr || !github->is_object()) return;
  const auto add = [&](const char* name, const char* key) {
    const auto* value = github->get_object().if_contains(key);
    if (value != nullptr) variables[name] = workflow::to_text(*value);
  };
  add("GITHUB_ACTION_PATH", "action_path");
  add("GITHUB_ACTION_REF", "action_ref");
  add("GITHUB_ACTION_REPOSITORY", "action_repository");
}

std::string input_variable(std::string_view name) {
  std::string out = "INPUT_";
  for (const char c : name) {
    out += c == ' ' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out;
}

void expect_post(JobState& job, const StepState& step, const std::shared_ptr<ActionRun>& run, std::string title,
                 std::function<Result<void>(JobState&, StepState&)> body) {
  if (job.depth > 0) run->scope = std::make_shared<ScopeMemory>(job);
  if (std::exchange(run->post_is_due, true)) return;
  if (title.starts_with("Pre ")) title.erase(0, 4);
  PostStep post{.title = "Post " + title, .name = step.name, .step = step.step, .run = {}};
  post.step.condition = run->action->file.post_if;
  post.run = [run, body = std::move(body)](JobState& later, StepState& post_step) -> Result<void> {
    std::optional<ScopeMemory> before;
    if (run->scope) before = run->scope->exchange(later);
    auto done = [&] {
      const ActionNames names(later, run->action->repository, run->action->ref);
      return body(later, post_step);
    }();
    if (before) [[maybe_unused]]
      const auto own = before->exchange(later);
    return done;
  };
  job.posts.push_back(std::move(post));
}

void show_action_header(JobState& job, const StepState& step, const Inputs& inputs) {
  std::string text = fmt::format("##[group]Run {}\n", step.step.uses);
  bool first = true;
  for (const auto& [name, value] : inputs) {
    if (value.empty()) continue;
    if (std::exchange(first, false)) text += "with:\n";
    text += fmt::format("  {}: {}\n", name, value);
  }
  if (!step.env.empty()) text += "env:\n";
  for (const auto& [name, value] : step.env) {
    text += fmt::format("  {}: {}\n", std::string_view(name), workflow::to_text(value));
  }
  text += "##[endgroup]";
  job.line(step.index, 'c', text);
}

}  // namespace weir::runner
