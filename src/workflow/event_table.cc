#include "workflow/event_table.h"

#include <algorithm>
#include <array>

namespace weir::workflow {
namespace {

constexpr std::string_view kPullRequestTypes =
    "assigned unassigned labeled unlabeled opened edited closed reopened synchronize "
    "converted_to_draft locked unlocked enqueued dequeued milestoned demilestoned ready_for_review review_requested "
    "review_request_removed auto_merge_enabled auto_merge_disabled "
    "stacked";

constexpr std::string_view kRaisedOfPulls =
    "assigned unassigned opened edited closed reopened synchronize labeled unlabeled converted_to_draft "
    "ready_for_review review_requested "
    "review_request_removed";

constexpr auto kEvents = std::to_array<EventInfo>({
    {.name = "branch_protection_rule", .types = "created edited deleted"},
    {.name = "check_run",
     .types = "completed created rerequested requested_action",
     .raised = "created completed rerequested"},
    {.name = "check_suite", .types = "completed", .raised = "*"},
    {.name = "create", .raised = "*"},
    {.name = "delete", .raised = "*", .saves_caches = true},
    {.name = "deployment", .raised = "*"},
    {.name = "deployment_status", .raised = "*"},
    {.name = "discussion",
     .types = "created edited deleted transferred pinned unpinned labeled unlabeled locked unlocked category_changed "
              "answered unanswered"},
    {.name = "discussion_comment", .types = "created edited deleted"},
    {.name = "fork"},
    {.name = "gollum"},
    {.name = "image_version", .types = "created ready deleted", .filters = "names versions"},
    {.name = "issue_comment", .types = "created edited deleted", .raised = "*"},
    {.name = "issues",
     .types = "opened edited deleted transferred pinned unpinned closed reopened assigned unassigned labeled unlabeled "
              "locked unlocked milestoned demilestoned field_added field_removed typed untyped",
     .raised = "opened edited closed reopened assigned unassigned labeled unlabeled"},
    {.name = "label", .types = "created edited deleted", .raised = "*"},
    {.name = "merge_group", .types = "checks_requested", .filters = "branches", .by_webhook = false},
    {.name = "milestone", .types = "created closed opened edited deleted"},
    {.name = "page_build", .saves_caches = true},
    {.name = "project", .types = "created closed reopened edited deleted"},
    {.name = "project_card", .types = "created moved converted edited deleted"},
    {.name = "project_column", .types = "created updated moved deleted"},
    {.name = "public"},
    {.name = "pull_request",
     .types = kPullRequestTypes,
     .default_types = "opened synchronize reopened",
     .filters = "branches paths",
     .raised = kRaisedOfPulls,
     .by_webhook = false},
    {.name = "pull_request_comment", .types = "created edited deleted", .by_webhook = false},
    {.name = "pull_request_review", .types = "submitted edited dismissed", .raised = "*", .by_webhook = false},
    {.name = "pull_request_review_comment", .types = "created edited deleted", .raised = "*", .by_webhook = false},
    {.name = "pull_request_target",
     .types = kPullRequestTypes,
     .default_types = "opened synchronize reopened",
     .filters = "branches paths",
     .raised = kRaisedOfPulls,
     .by_webhook = false},
    {.name = "push", .filters = "branches tags paths", .raised = "*", .saves_caches = true},
    {.name = "registry_package", .types = "published updated", .raised = "published", .saves_caches = true},
    {.name = "release",
     .types = "published unpublished created edited deleted prereleased released",
     .raised = "published created edited deleted prereleased released"},
    {.name = "repository_dispatch", .any_type = true, .raised = "*", .saves_caches = true},
    {.name = "schedule", .own_form = true, .raised = "*", .saves_caches = true},
    {.name = "status", .raised = "*"},
    {.name = "watch", .types = "started"},
    {.name = "workflow_call", .own_form = true, .raised = "*"},
    {.name = "workflow_dispatch", .own_form = true, .raised = "*", .saves_caches = true},
    {.name = "workflow_run",
     .types = "requested completed in_progress",
     .filters = "workflows branches",
     .raised = "*"},
});

}  // namespace

std::span<const EventInfo> event_table() {
  return kEvents;
}

const EventInfo* find_event(std::string_view name) {
  const auto found = std::ranges::find(kEvents, name, &EventInfo::name);
  return found == kEvents.end() ? nullptr : &*found;
}

bool is_raised(const EventInfo& event, std::string_view activity) {
  if (event.raised.empty() || event.raised == "*" || activity.empty()) return !event.raised.empty();
  const auto words = event_words(event.raised);
  return std::ranges::find(words, activity) != words.end();
}

std::vector<std::string_view> event_words(std::string_view list) {
  std::vector<std::string_view> out;
  while (!list.empty()) {
    const auto end = std::min(list.find(' '), list.size());
    out.push_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return out;
}

}  // namespace weir::workflow
