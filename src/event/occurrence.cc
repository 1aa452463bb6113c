#include "event/occurrence.h"

namespace weir::event {
Result<bool> is_pushed(const io::Git& git, const std::string& commit) {
  for (const auto& [ref, object_id] : WEIR_TRY(git.refs())) {
    if (!ref.starts_with("refs/heads/") && !ref.starts_with("refs/tags/")) continue;
    const auto end = git.resolve(object_id);  // a tag may be of a file
    if (end && (*end == commit || WEIR_TRY(git.is_ancestor(commit, *end)))) return true;
  }
  return false;
}

json::object complete_payload(const Occurrence& occurrence, const PayloadFacts& facts) {
  auto payload = occurrence.payload;
  if (!payload.contains("repository")) payload["repository"] = repository_payload(facts);
  if (!payload.contains("sender")) payload["sender"] = user_payload(occurrence.actor);
  if (!payload.contains("action") && !occurrence.info.action.empty()) payload["action"] = occurrence.info.action;
  if (auto* pull = payload.if_contains("pull_request"); pull != nullptr && pull->is_object()) {
    add_pull_repositories(pull->get_object(), facts);
  }
  add_addresses(payload, facts);
  return payload;
}

Result<std::vector<RunRequest>> requests_of(const TriggerDeps& deps, const Source& source, const Occurrence& occurrence,
                                            bool with_broken) {
  const auto head = WEIR_TRY(source.git.resolve(source.default_ref));
  const auto commit = occurrence.commit.empty() ? head : occurrence.commit;
  const auto& ref = occurrence.ref.empty() ? source.default_ref : occurrence.ref;
  const auto facts = facts_of(deps, source, occurrence.actor);
  const auto payload = complete_payload(occurrence, facts);
  std::string title = occurrence.title;
  std::vector<RunRequest> requests;
  const auto& files_commit = occurrence.files_commit.empty() ? head : occurrence.files_commit;
  // Of pull requests it is known whose they are. Anything else that names a commit (a deployment) says nothing of that.
  const bool names_commit = !occurrence.files_commit.empty() && occurrence.head_ref.empty();
  const bool trusted = !names_commit || WEIR_TRY(is_pushed(source.git, files_commit));
  for (const auto& file : WEIR_TRY(read_workflow_files(source.git, files_commit))) {
    workflow::TriggerMatch match{.matched = with_broken, .reason = "the workflow file cannot be read"};
    if (file.workflow) match = workflow::matches(file.workflow->on, occurrence.info);
    if (!match.matched) continue;
    if (title.empty()) title = title_of(WEIR_TRY(source.git.commit(commit)));
    auto request = request_for(source, file, commit, ref, occurrence.actor);
    request.event_name = occurrence.info.event;
    request.event_payload = payload;
    request.head_ref = occurrence.head_ref;
    request.base_ref = occurrence.base_ref;
    request.title = title;
    request.reason =
        occurrence.reason.empty() ? fmt::format("{} by {}", match.reason, occurrence.actor) : occurrence.reason;
    request.cause = occurrence.cause;
    request.options = occurrence.options;
    request.options.foreign = request.options.foreign || !trusted;
    requests.push_back(std::move(request));
  }
  return requests;
}

}  // namespace weir::event
