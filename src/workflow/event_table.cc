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

constexpr auto kEvents = std::to_array<EventInfo>({
    {.name = "branch_protection_rule", .types = "created edited deleted"},
    {.name = "check_run", .types = "completed created rerequested requested_action"},
    {.name = "check_suite", .types = "completed"},
    {.name = "create"},
    {.name = "delete"},
    {.name = "deployment"},
    {.name = "deployment_status"},
    {.name = "discussion",
     .types = "created edited deleted transferred pinned unpinned labeled unlabeled locked unlocked category_changed "
              "answered unanswered"},
    {.name = "discussion_comment", .types = "created edited deleted"},
    {.name = "fork"},
    {.name = "gollum"},
    {.name = "image_version", .types = "created ready deleted", .filters = "names versions"},
    {.name = "issue_comment", .types = "created edited deleted"},
    {.name = "issues",
     .types = "opened edited deleted transferred pinned unpinned closed reopened assigned unassigned labeled unlabeled "
              "locked unlocked milestoned demilestoned field_added field_removed typed untyped"},
    {.name = "label", .types = "created edited deleted"},
    {.name = "merge_group", .types = "checks_requested", .filters = "branches"},
    {.name = "milestone", .types = "created closed opened edited deleted"},
    {.name = "page_build"},
    {.name = "project", .types = "created closed reopened edited deleted"},
    {.name = "project_card", .types = "created moved converted edited deleted"},
    {.name = "project_column", .types = "created updated moved deleted"},
    {.name = "public"},
    {.name = "pull_request",
     .types = kPullRequestTypes,
     .default_types = "opened synchronize reopened",
     .filters = "branches paths"},
    {.name = "pull_request_comment", .types = "created edited deleted"},
    {.name = "pull_request_review", .types = "submitted edited dismissed"},
    {.name = "pull_request_review_comment", .types = "created edited deleted"},
    {.name = "pull_request_target",
     .types = kPullRequestTypes,
     .default_types = "opened synchronize reopened",
     .filters = "branches paths"},
    {.name = "push", .filters = "branches tags paths"},
    {.name = "registry_package", .types = "published updated"},
    {.name = "release", .types = "published unpublished created edited deleted prereleased released"},
    {.name = "repository_dispatch", .any_type = true},
    {.name = "schedule", .own_form = true},
    {.name = "status"},
    {.name = "watch", .types = "started"},
    {.name = "workflow_call", .own_form = true},
    {.name = "workflow_dispatch", .own_form = true},
    {.name = "workflow_run", .types = "requested completed in_progress", .filters = "workflows branches"},
});

}  // namespace

std::span<const EventInfo> event_table() {
  return kEvents;
}

const EventInfo* find_event(std::string_view name) {
  const auto found = std::ranges::find(kEvents, name, &EventInfo::name);
  return found == kEvents.end() ? nullptr : &*found;
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
