#include "event/local_event.h"

#include <set>

#include "base/json.h"
#include "text/suggest.h"

namespace weir::event {
namespace {

Result<std::vector<WorkflowFile>> candidates(const Source& source, const LocalEvent& event) {
  std::vector<WorkflowFile> files;
  if (event.workflow_path.empty()) {
    files = WEIR_TRY(read_workflow_files(source.git, event.commit));
  } else {
    files.push_back(WEIR_TRY(find_workflow_file(source.git, event.commit, event.workflow_path)));
  }
  std::string problems;
  for (const auto& file : files) problems += file.problem;
  if (!problems.empty()) return std::unexpected(Error{Code::kInvalidArgument, problems});
  return files;
}

Result<void> complete(RunRequest& request, const TriggerDeps& deps, const Source& source, const WorkflowFile& file,
                      const LocalEvent& event) {
  const auto facts = facts_of(deps, source, request.actor);
  const auto commit = WEIR_TRY(source.git.commit(event.commit));
  json::object payload;
  if (event.event_name == "push") {
    const auto before = commit.parents.empty() ? std::string(kNoObject) : commit.parents.front();
    payload = push_payload(facts, event.ref, before, event.commit, {commit});
  } else if (event.event_name == "pull_request") {
    payload = pull_request_payload(facts, short_ref(event.ref), event.commit, facts.default_branch);
    request.head_ref = short_ref(event.ref);
    request.base_ref = facts.default_branch;
    request.ref = "refs/pull/1/merge";
  } else if (event.event_name == "workflow_dispatch") {
    auto given = event.inputs;
    if (const auto* inputs = event.payload.if_contains("inputs"); inputs != nullptr && inputs->is_object()) {
      for (const auto& input : inputs->get_object()) given.emplace(input.key(), input.value());
    }
    auto inputs = WEIR_TRY(workflow::complete_inputs(*file.workflow->on.dispatch, given));
    payload = dispatch_payload(facts, event.ref, file.path, inputs.text);
    request.inputs = std::move(inputs.typed);
  } else {
    payload = schedule_payload(facts, file.path, file.workflow->on.schedule.front().cron.text());
  }
  const auto inputs = payload.if_contains("inputs") != nullptr ? payload.at("inputs") : json::value();
  merge_into(payload, event.payload);
  if (!inputs.is_null()) payload["inputs"] = inputs;
  request.event_name = event.event_name;
  request.event_payload = std::move(payload);
  request.title = title_of(commit);
  request.reason = fmt::format("{} played through by {}", event.event_name, request.actor);
  request.options = event.options;
  return {};
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

Result<void> check_matrix(const io::Git& git, const LocalEvent& event, const std::vector<std::string>& paths) {
  if (event.options.matrix.empty()) return {};
  MatrixKeys keys;
  for (const auto& path : paths) {
    auto files = path.empty() ? WEIR_TRY(read_workflow_files(git, event.commit))
                              : std::vector{WEIR_TRY(find_workflow_file(git, event.commit, path))};
    for (const auto& file : files) {
      if (!file.workflow) return {};  // what is wrong with it is told later
      if (file.workflow->on.listens(event.event_name)) keys.add(git, event.commit, *file.workflow);
    }
  }
  if (keys.open) return {};
  const std::vector<std::string> known(keys.names.begin(), keys.names.end());
  for (const auto& [key, value] : event.options.matrix) {
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

Result<std::vector<RunRequest>> local_requests(const TriggerDeps& deps, const Source& source, const LocalEvent& event,
                                               const std::string& actor) {
  static const std::vector<std::string> kEvents{"push", "pull_request", "workflow_dispatch", "schedule"};
  if (std::ranges::find(kEvents, event.event_name) == kEvents.end()) {
    const auto hint = text::did_you_mean(event.event_name, kEvents);
    return fail(Code::kUnimplemented,
                "event \"{}\" is not supported; use push, pull_request, workflow_dispatch or "
                "schedule{}{}",
                event.event_name, hint.empty() ? "" : "; ", hint);
  }
  std::vector<RunRequest> requests;
  std::string others;
  for (const auto& file : WEIR_TRY(candidates(source, event))) {
    if (!file.workflow->on.listens(event.event_name)) {
      others += fmt::format("\n  {} listens to {}", file.path, fmt::join(file.workflow->on.names(), ", "));
      continue;
    }
    auto request = request_for(source, file, event.commit, event.ref, actor);
    WEIR_TRY(complete(request, deps, source, file, event));
    requests.push_back(std::move(request));
  }
  if (requests.empty()) {
    return fail(Code::kNotFound, "no workflow listens to the event \"{}\"{}", event.event_name,
                others.empty() ? fmt::format("; there are no workflow files in {}", kWorkflowFolder) : ":" + others);
  }
  return requests;
}

}  // namespace weir::event
