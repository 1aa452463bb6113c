#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "forge/issues.h"

namespace weir::forge {

// What happened to an issue or pull request, as its page shows it: labeled, unlabeled, assigned, unassigned, closed,
// reopened, merged, renamed, base_ref_changed, convert_to_draft, ready_for_review, review_requested,
// review_request_removed, review_dismissed. https://docs.github.com/en/rest/using-the-rest-api/issue-event-types
struct IssueEvent {
  std::int64_t id = 0;
  std::string repo;
  std::int64_t number = 0;
  std::string actor;
  std::string event;
  json::object detail;  // {"label"}, {"rename": {"from", "to"}}, {"assignee"}, {"requested_reviewer"}, {"commit_id"}, …
  TimePoint created_at;
};

// Those that tell of activities; `issue` is as it is afterwards. Others, like `opened`, are none of them.
std::vector<IssueEvent> events_of(const Issue& issue, const std::vector<Activity>& activities);
Result<void> insert_issue_events(store::Transaction& tx, const Issue& issue, const std::string& actor,
                                 const std::vector<IssueEvent>& events);

// Oldest first, of one issue. They are kept since weir keeps them; what was before, nobody knows.
Result<std::vector<IssueEvent>> load_issue_events(store::Reader& reader, const std::string& repo, std::int64_t number);
// Newest first, of the repository, those before `before` (0: all).
Result<std::vector<IssueEvent>> load_repository_events(store::Reader& reader, const std::string& repo,
                                                       std::int64_t before, std::int64_t limit);
// kNotFound
Result<IssueEvent> load_issue_event(store::Reader& reader, const std::string& repo, std::int64_t id);

}  // namespace weir::forge
