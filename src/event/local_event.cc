#include "event/local_event.h"

#include <set>

#include "base/json.h"
#include "text/suggest.h"

namespace weir::event {
namespace {

const std::vector<std::string> kEvents{"push", "pull_request", "workflow_dispatch", "schedule"};
constexpr int kCommitsMax = 20;  // of what a push brought, in its payload

struct Candidate {
  WorkflowFile file;
  bool named = false;
};

Result<std::vector<Candidate>> candidates(const Source& source, const LocalEvent& event, const std::string& commit) {
  std::vector<Candidate> found;
  if (event.files.empty()) {
    for (auto& file : WEIR_TRY(read_workflow_files(source.git, commit))) found.push_back({std::move(file)});
  }
  for (const auto& file : event.files) {
    found.push_back({WEIR_TRY(find_workflow_file(source.git, commit, file.path)), file.named});
  }
  return found;
}

// What happened, but for what each workflow has of its own.
Result<Occurrence> occurrence_of(const Source& source, const LocalEvent& event, const PayloadFacts& facts) {
  if (event.event_name == "pull_request") {
    if (!event.pull) return fail(Code::kInvalidArgument, "a pull request needs two branches");
    const auto action = json_string_or(event.payload, "action", "opened");
    auto occurrence =
        pull_occurrence(*event.pull, "pull_request", action, {{"pull_request", event.pull_payload}}, facts.sender);
    occurrence.payload = complete_payload(occurrence, facts);
    return occurrence;
  }
  Occurrence occurrence{.info = {.event = event.event_name, .ref = event.ref},
                        .commit = event.commit,
                        .ref = event.ref,
                        .actor = facts.sender};
  if (event.event_name == "push") {
    const bool known = !event.before.empty();
    auto commits = WEIR_TRY(source.git.commits_between(event.before, event.commit, known ? kCommitsMax : 1));
    if (commits.empty()) commits.push_back(WEIR_TRY(source.git.commit(event.commit)));
    occurrence.payload =
        push_payload(facts, event.ref, known ? event.before : std::string(kNoObject), event.commit, commits);
  }
  return occurrence;
}

// The paths that filters of `paths` look at; nothing if that is not known, or no file asks for it.
Result<std::optional<std::vector<std::string>>> changed_paths(const Source& source, const LocalEvent& event,
                                                              const std::vector<Candidate>& files) {
  const bool asked = std::ranges::any_of(files, [&](const Candidate& one) {
    const auto* trigger = one.file.workflow ? one.file.workflow->on.find(event.event_name) : nullptr;
    return trigger != nullptr && !trigger->paths.empty();
  });
  if (!asked) return std::nullopt;
  if (event.pull) {
    const auto base = WEIR_TRY(source.git.merge_base(event.pull->base_sha, event.pull->head_sha));
    if (base.empty()) return std::nullopt;
    return WEIR_TRY(source.git.changed_paths(base, event.pull->head_sha));
  }
  if (event.before.empty()) return std::nullopt;
  return WEIR_TRY(source.git.changed_paths(event.before, event.commit));
}

// Whether the event starts a workflow that listens to it.
workflow::TriggerMatch would_start(const Candidate& one, const Occurrence& occurrence, std::string_view message) {
  auto match = workflow::matches(one.file.workflow->on, occurrence.info);
  if (match.matched && occurrence.info.event == "push" && skips_runs(message)) {
    return {false, "the commit's message asks for no runs"};
  }
  return match;
}

Result<RunRequest> local_request(const Source& source, const LocalEvent& event, const PayloadFacts& facts,
                                 const Candidate& one, const Occurrence& occurrence) {
  const auto& file = one.file;
  auto request = request_for(source, file, occurrence.commit, occurrence.ref, facts.sender);
  auto payload = occurrence.payload;
  if (event.event_name == "workflow_dispatch") {
    auto given = event.inputs;
    if (const auto* inputs = event.payload.if_contains("inputs"); inputs != nullptr && inputs->is_object()) {
      for (const auto& input : inputs->get_object()) given.emplace(input.key(), input.value());
    }
    auto inputs = WEIR_TRY(workflow::complete_inputs(*file.workflow->on.dispatch, given));
    payload = dispatch_payload(facts, event.ref, file.path, inputs.text);
    request.inputs = std::move(inputs.typed);
  } else if (event.event_name == "schedule") {
    payload = schedule_payload(facts, file.path, file.workflow->on.schedule.front().cron.text());
  }
  const auto inputs = payload.if_contains("inputs") != nullptr ? payload.at("inputs") : json::value();
  merge_into(payload, event.payload);
  if (!inputs.is_null()) payload["inputs"] = inputs;
  request.event_name = event.event_name;
  request.event_payload = std::move(payload);
  request.head_ref = occurrence.head_ref;
  request.base_ref = occurrence.base_ref;
  request.reason = fmt::format("{} played through by {}", event.event_name, facts.sender);
  request.options = event.options;
  return request;
}

bool has_jobs(const RunRequest& request, const std::vector<std::string>& keys) {
  return std::ranges::all_of(keys, [&](const auto& key) { return request.workflow->find(key) != nullptr; });
}

// Jobs that were asked for are those of the workflows that have them. Where none has, the engine says what there is.
void keep_asked_jobs(std::vector<RunRequest>& requests, const RunOptions& options) {
  const auto lacks = [&](const RunRequest& request) {
    return !has_jobs(request, options.only_jobs) || !has_jobs(request, options.from) || !has_jobs(request, options.to);
  };
  if (std::ranges::all_of(requests, lacks)) return;
  std::erase_if(requests, lacks);
}

// The keys of all matrices of some workflows.
struct MatrixKeys {
  std::set<std::string> names;
  bool open = false;           // there may be others, which only a run tells
  std::set<std::string> read;  // called workflows

  void add_matrix(const json::value& strategy) {
    open = open || strategy.is_string();
    const auto* matrix = json_find(strategy, "matrix");
    if (matrix == nullptr) return;
    open = open || !matrix->is_object();
    if (!matrix->is_object()) return;
    for (const auto& [key, values] : matrix->get_object()) {
      if (key != "include" && key != "exclude") names.emplace(key);
      if (key == "include") add_included(values);
    }
  }

  void add_included(const json::value& list) {
    open = open || !list.is_array();
    if (!list.is_array()) return;
    for (const auto& one : list.get_array()) {
      open = open || !one.is_object();
      if (!one.is_object()) continue;
      for (const auto& member : one.get_object()) names.emplace(member.key());
    }
  }

  void add(const io::Git& git, std::string_view commit, const workflow::Workflow& workflow) {
    for (const auto& job : workflow.jobs) {
      add_matrix(job.strategy);
      if (!job.calls_workflow() || !read.insert(job.uses).second) continue;
      const auto called = job.uses.starts_with("./") ? find_workflow_file(git, commit, job.uses.substr(2))
                                                     : Result<WorkflowFile>(WorkflowFile{});
      open = open || !called || !called->workflow;
      if (called && called->workflow) add(git, commit, *called->workflow);
    }
  }
};

}  // namespace

Result<void> check_matrix(const io::Git& git, const LocalPlan& plan) {
  if (plan.requests.empty() || plan.requests.front().options.matrix.empty()) return {};
  MatrixKeys keys;
  for (const auto& request : plan.requests) keys.add(git, request.commit, *request.workflow);
  if (keys.open) return {};
  const std::vector<std::string> known(keys.names.begin(), keys.names.end());
  for (const auto& [key, value] : plan.requests.front().options.matrix) {
    if (keys.names.contains(key)) continue;
    return fail(Code::kInvalidArgument, "--matrix {}:{}: no job's matrix has the key \"{}\"; {}", key, value, key,
                known.empty() ? "no job has a matrix" : fmt::format("there are {}", fmt::join(known, ", ")));
  }
  return {};
}

Result<std::string> find_ref(const Source& source, std::string_view name) {
  if (name.empty()) return source.default_ref;
  const auto refs = WEIR_TRY(source.git.refs());
  std::vector<std::string> known;
  // Of what a pull request brings (refs/pull/…) nobody starts anything by hand.
  const bool full = name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
  if (full && refs.contains(std::string(name))) return std::string(name);
  for (const std::string prefix : {"refs/heads/", "refs/tags/"}) {
    if (refs.contains(prefix + std::string(name))) return prefix + std::string(name);
  }
  for (const auto& [ref, object_id] : refs) {
    if (ref.starts_with("refs/heads/") || ref.starts_with("refs/tags/")) known.push_back(short_ref(ref));
  }
  const auto hint = text::did_you_mean(name, known);
  return fail(Code::kNotFound, "repository {} has no branch or tag \"{}\"{}{}", source.repo, name,
              hint.empty() ? "" : "; ", hint);
}

Result<LocalPlan> plan_local(const TriggerDeps& deps, Source source, const LocalEvent& event,
                             const std::string& actor) {
  if (std::ranges::find(kEvents, event.event_name) == kEvents.end()) {
    const auto hint = text::did_you_mean(event.event_name, kEvents);
    return fail(Code::kUnimplemented,
                "event \"{}\" is not supported; use push, pull_request, workflow_dispatch or "
                "schedule{}{}",
                event.event_name, hint.empty() ? "" : "; ", hint);
  }
  if (!event.default_ref.empty()) source.default_ref = event.default_ref;
  const auto facts = facts_of(deps, source, actor);
  auto occurrence = WEIR_TRY(occurrence_of(source, event, facts));
  const auto files = WEIR_TRY(candidates(source, event, occurrence.commit));
  occurrence.info.changed_paths = WEIR_TRY(changed_paths(source, event, files));
  const auto commit = WEIR_TRY(source.git.commit(event.commit));

  LocalPlan plan{.compares_paths = occurrence.info.changed_paths.has_value()};
  for (const auto& one : files) {
    const auto& path = one.file.path;
    if (!one.file.workflow) {
      plan.broken.push_back({path, one.file.problem});
      continue;
    }
    const auto& on = one.file.workflow->on;
    if (!on.listens(event.event_name)) {
      plan.others.push_back({path, fmt::format("{}", fmt::join(on.names(), ", "))});
      if (one.named) return fail(Code::kNotFound, "{}", nothing_to_run(event, {.others = {plan.others.back()}}));
      continue;
    }
    if (const auto match = would_start(one, occurrence, commit.message); !match.matched) {
      (one.named ? plan.in_spite : plan.left_out).push_back({path, match.reason});
      if (!one.named) continue;
    }
    plan.requests.push_back(WEIR_TRY(local_request(source, event, facts, one, occurrence)));
    plan.requests.back().title = title_of(commit);
  }
  keep_asked_jobs(plan.requests, event.options);
  return plan;
}

std::string nothing_to_run(const LocalEvent& event, const LocalPlan& plan) {
  if (!plan.left_out.empty()) {
    return fmt::format("nothing to run: {} starts no workflow here",
                       event.pull                   ? "this pull request"
                       : event.event_name == "push" ? fmt::format("a push of {}", short_ref(event.ref))
                                                    : event.event_name);
  }
  if (!plan.broken.empty()) {
    return fmt::format("nothing to run: no workflow that can be read listens to the event \"{}\"", event.event_name);
  }
  std::string others;
  for (const auto& file : plan.others) others += fmt::format("\n  {} listens to {}", file.path, file.text);
  return fmt::format(
      "no workflow listens to the event \"{}\"{}", event.event_name,
      others.empty() ? fmt::format("; there are no workflow files in {}", kWorkflowFolder) : ":" + others);
}

}  // namespace weir::event
