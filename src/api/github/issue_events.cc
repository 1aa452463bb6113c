// What happened to issues and pull requests: https://docs.github.com/en/rest/issues/events and /timeline
#include "forge/issue_events.h"

#include <algorithm>

#include "api/github/answers.h"
#include "api/github/commits.h"
#include "api/github/needs.h"

namespace weir::api::github {
namespace {

using forge::IssueEvent;

constexpr Need kReads = needs::kReadIssues;
constexpr std::int64_t kListedMax = 10'000;  // of a repository

json::object event_json(const Call& call, const IssueEvent& event) {
  json::object object = event.detail;
  object["id"] = event.id;
  object["node_id"] = call.node_id("event", event.id);
  object["url"] = call.api_url(fmt::format("/issues/events/{}", event.id));
  object["actor"] = user_json(call, event.actor);
  object["event"] = event.event;
  object["created_at"] = to_iso8601(event.created_at);
  object["performed_via_github_app"] = nullptr;
  const auto commit = json_string_or(event.detail, "commit_id", "");
  object["commit_id"] = commit.empty() ? json::value() : json::value(commit);
  object["commit_url"] = commit.empty() ? json::value() : json::value(call.api_url("/commits/" + commit));
  if (const auto* label = event.detail.if_contains("label")) {
    // The color of one that is gone is the one that new labels have.
    const auto labels = labels_json(call, {json_string_or(*label, "name", "")});
    object["label"] = json::object{{"name", labels.front().at("name")}, {"color", labels.front().at("color")}};
  }
  // Who was meant, and who meant them.
  for (const auto& [member, by] :
       {std::pair{"assignee", "assigner"}, std::pair{"requested_reviewer", "review_requester"}}) {
    const auto* whom = event.detail.if_contains(member);
    if (whom == nullptr) continue;
    object[member] = user_json(call, json_string_or(*whom, "login", ""));
    object[by] = user_json(call, event.actor);
  }
  return object;
}

Result<std::vector<IssueEvent>> events_of(const Call& call, std::int64_t number) {
  return call.services().db->load<std::vector<IssueEvent>>(
      [&](store::Reader& reader) { return forge::load_issue_events(reader, call.repo, number); });
}

Result<io::HttpResponse> list_events(Call& call) {
  const auto issue = WEIR_TRY(call.services().issues->find(call.repo, WEIR_TRY(call.number("number"))));
  const auto events = WEIR_TRY(events_of(call, issue.number));
  return paged(call, events, [&](const IssueEvent& event) { return event_json(call, event); });
}

Result<json::object> with_issue(const Call& call, const IssueEvent& event) {
  auto object = event_json(call, event);
  object["issue"] = issue_json(call, WEIR_TRY(call.services().issues->find(call.repo, event.number)));
  return object;
}

Result<io::HttpResponse> list_all_events(Call& call) {
  const auto page = WEIR_TRY(page_of(call.request));
  if (static_cast<std::int64_t>(page.end()) > kListedMax) {
    return fail(Code::kInvalidArgument, "weir lists the newest {} events", kListedMax);
  }
  const auto events = WEIR_TRY(call.services().db->load<std::vector<IssueEvent>>([&](store::Reader& reader) {
    return forge::load_repository_events(reader, call.repo, 0, static_cast<std::int64_t>(page.end()) + 1);
  }));
  json::array list;
  for (std::size_t i = page.begin(); i < events.size() && i < page.end(); ++i) {
    list.push_back(WEIR_TRY(with_issue(call, events[i])));
  }
  auto response = io::json_response(200, std::move(list));
  set_links(call, page, events.size(), false, response);
  return response;
}

Result<io::HttpResponse> get_event(Call& call) {
  const auto id = WEIR_TRY(call.number("id"));
  const auto event = WEIR_TRY(call.services().db->load<IssueEvent>(
      [&](store::Reader& reader) { return forge::load_issue_event(reader, call.repo, id); }));
  return io::json_response(200, WEIR_TRY(with_issue(call, event)));
}

struct Entry {
  TimePoint time;
  json::object object;
};

Result<void> add_pull_entries(const Call& call, std::int64_t number, std::vector<Entry>& entries) {
  const auto pull = WEIR_TRY(call.services().pulls->find(call.repo, number));
  for (const auto& commit : WEIR_TRY(commits_of(call, pull))) {
    auto object = git_commit_json(call, commit);
    object["event"] = "committed";
    entries.push_back({TimePoint{std::chrono::seconds{commit.committer_time_s}}, std::move(object)});
  }
  for (const auto& review : WEIR_TRY(call.services().pulls->reviews(call.repo, number))) {
    auto object = review_json(call, number, review);
    object["event"] = "reviewed";
    std::string state(forge::review_state_name(review.state));
    std::ranges::transform(state, state.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    object["state"] = state;  // in small letters here, and nowhere else
    entries.push_back({review.submitted_at, std::move(object)});
  }
  return {};
}

Result<io::HttpResponse> timeline(Call& call) {
  const auto issue = WEIR_TRY(call.services().issues->find(call.repo, WEIR_TRY(call.number("number"))));
  std::vector<Entry> entries;
  if (issue.is_pull) WEIR_TRY(add_pull_entries(call, issue.number, entries));
  for (const auto& event : WEIR_TRY(events_of(call, issue.number))) {
    entries.push_back({event.created_at, event_json(call, event)});
  }
  for (const auto& comment :
       WEIR_TRY(issue_comments(call, issue.number, std::nullopt, std::numeric_limits<std::size_t>::max()))) {
    auto object = comment_json(call, comment);
    object["event"] = "commented";
    object["actor"] = object.at("user");
    entries.push_back({comment.created_at, std::move(object)});
  }
  std::vector<const Entry*> in_order;
  in_order.reserve(entries.size());
  for (const auto& entry : entries) in_order.push_back(&entry);
  // What came at the same time stays in its order.
  std::ranges::sort(in_order, {}, [](const Entry* entry) { return std::pair(entry->time, entry); });
  return paged(call, in_order, [](const Entry* entry) { return entry->object; });
}

}  // namespace

void add_issue_event_routes(Routes& routes) {
  routes.repo("GET", "/issues/events", kReads, list_all_events);
  routes.repo("GET", "/issues/events/{id}", kReads, get_event);
  routes.repo("GET", "/issues/{number}/events", kReads, list_events);
  routes.repo("GET", "/issues/{number}/timeline", kReads, timeline);
}

}  // namespace weir::api::github
