#include "event/occurrence.h"

namespace weir::event {

Result<std::vector<RunRequest>> requests_of(const TriggerDeps& deps, const Source& source, const Occurrence& occurrence,
                                            bool with_broken) {
  const auto head = WEIR_TRY(source.git.resolve(source.default_ref));
  const auto commit = occurrence.commit.empty() ? head : occurrence.commit;
  const auto& ref = occurrence.ref.empty() ? source.default_ref : occurrence.ref;
  const auto facts = facts_of(deps, source, occurrence.actor);
  auto payload = occurrence.payload;
  if (!payload.contains("repository")) payload["repository"] = repository_payload(facts);
  if (!payload.contains("sender")) payload["sender"] = user_payload(occurrence.actor);
  if (!payload.contains("action") && !occurrence.info.action.empty()) payload["action"] = occurrence.info.action;
  if (auto* pull = payload.if_contains("pull_request"); pull != nullptr && pull->is_object()) {
    add_pull_repositories(pull->get_object(), facts);
  }
  add_addresses(payload, facts);
  std::string title = occurrence.title;
  std::vector<RunRequest> requests;
  const auto& files_commit = occurrence.files_commit.empty() ? head : occurrence.files_commit;
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
    requests.push_back(std::move(request));
  }
  return requests;
}

}  // namespace weir::event
