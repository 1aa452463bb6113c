#include "forge/issue_events.h"

#include <array>
#include <utility>

namespace weir::forge {
namespace {

constexpr std::string_view kColumns = "id, repo, number, actor, event, detail, created_at";

IssueEvent read_event(const store::Row& row) {
  IssueEvent event{.id = row.integer(0),
                   .repo = row.string(1),
                   .number = row.integer(2),
                   .actor = row.string(3),
                   .event = row.string(4),
                   .created_at = row.time(6)};
  if (const auto detail = parse_json(row.text(5), "detail"); detail && detail->is_object()) {
    event.detail = detail->get_object();
  }
  return event;
}

// Names of activities that are events' names, and the member that says more of them; "": none does.
constexpr auto kSame = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"labeled", "label"},
    {"unlabeled", "label"},
    {"assigned", "assignee"},
    {"unassigned", "assignee"},
    {"closed", ""},
    {"reopened", ""},
    {"ready_for_review", ""},
    {"review_requested", "requested_reviewer"},
    {"review_request_removed", "requested_reviewer"},
});

}  // namespace

std::vector<IssueEvent> events_of(const Issue& issue, const std::vector<Activity>& activities) {
  std::vector<IssueEvent> events;
  const auto add = [&](std::string_view name, json::object detail) {
    events.push_back({.event = std::string(name), .detail = std::move(detail)});
  };
  for (const auto& activity : activities) {
    for (const auto& [name, member] : kSame) {
      if (activity.action != name) continue;
      json::object detail;
      if (const auto* said = activity.payload.if_contains(member)) detail[member] = *said;
      add(name, std::move(detail));
    }
    if (activity.action == "converted_to_draft") add("convert_to_draft", {});
    const auto* changes = activity.action == "edited" ? activity.payload.if_contains("changes") : nullptr;
    if (changes == nullptr) continue;
    if (const auto* title = json_find(*changes, "title")) {
      add("renamed", {{"rename", json::object{{"from", json_string_or(*title, "from", "")}, {"to", issue.title}}}});
    }
    if (json_find(*changes, "base") != nullptr) add("base_ref_changed", {});
  }
  return events;
}

Result<void> insert_issue_events(store::Transaction& tx, const Issue& issue, const std::string& actor,
                                 const std::vector<IssueEvent>& events) {
  for (const auto& event : events) {
    WEIR_TRY(tx.execute(fmt::format("INSERT INTO forge_issue_events({}) VALUES(?, ?, ?, ?, ?, ?, ?)", kColumns),
                        {WEIR_TRY(tx.next_id("issue-event")), issue.repo, issue.number, actor, event.event,
                         json::serialize(event.detail), tx.now()}));
  }
  return {};
}

Result<std::vector<IssueEvent>> load_issue_events(store::Reader& reader, const std::string& repo, std::int64_t number) {
  return reader.all<IssueEvent>(
      fmt::format("SELECT {} FROM forge_issue_events WHERE repo = ? AND number = ? ORDER BY id", kColumns),
      {repo, number}, read_event);
}

Result<std::vector<IssueEvent>> load_repository_events(store::Reader& reader, const std::string& repo,
                                                       std::int64_t before, std::int64_t limit) {
  return reader.all<IssueEvent>(
      fmt::format("SELECT {} FROM forge_issue_events WHERE repo = ? AND (? = 0 OR id < ?) ORDER BY id DESC LIMIT ?",
                  kColumns),
      {repo, before, before, limit}, read_event);
}

Result<IssueEvent> load_issue_event(store::Reader& reader, const std::string& repo, std::int64_t id) {
  auto event = WEIR_TRY(reader.first<IssueEvent>(
      fmt::format("SELECT {} FROM forge_issue_events WHERE id = ? AND repo = ?", kColumns), {id, repo}, read_event));
  if (!event) return fail(Code::kNotFound, "repository {} has no event {}", repo, id);
  return *std::move(event);
}

}  // namespace weir::forge
