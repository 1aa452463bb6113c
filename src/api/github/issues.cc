// Issues, their comments and labels: https://docs.github.com/en/rest/issues
#include <algorithm>

#include "api/github/answers.h"
#include "api/github/needs.h"

namespace weir::api::github {
namespace {

constexpr Need kReads = needs::kReadIssues;
constexpr Need kWrites = needs::kWriteIssues;
constexpr std::string_view kNotKept = "weir does not keep this; leave it out";

std::string place(const forge::Issue& issue) {
  return fmt::format("/pulls/{}/{}", issue.repo, issue.number);
}

}  // namespace

json::object issue_json(const Call& call, const forge::Issue& issue) {
  auto object = forge::to_json(issue, call.services().issues->standing());
  const auto url = call.api_url(fmt::format("/issues/{}", issue.number));
  object["node_id"] = call.node_id(issue.is_pull ? "pull" : "issue", issue.number);
  object["url"] = url;
  object["html_url"] = call.page_url(place(issue));
  object["repository_url"] = call.api_url();
  object["comments_url"] = url + "/comments";
  object["labels_url"] = url + "/labels{/name}";
  object["labels"] = labels_json(call, issue.labels);
  object["user"] = user_json(call, issue.author);
  object["closed_by"] = issue.closed_by.empty() ? json::value() : json::value(user_json(call, issue.closed_by));
  auto assignees = people_json(call, issue.assignees);
  object["assignee"] = assignees.empty() ? json::value() : assignees.front();
  object["assignees"] = std::move(assignees);
  object["milestone"] = nullptr;
  object["locked"] = false;
  if (issue.is_pull) {
    const auto pull = call.api_url(fmt::format("/pulls/{}", issue.number));
    object["pull_request"] = json::object{{"url", pull}, {"html_url", object["html_url"]}};
  }
  return object;
}

namespace {

Result<forge::Issue> issue_of(const Call& call) {
  return call.services().issues->find(call.repo, WEIR_TRY(call.number("number")));
}

Result<std::optional<bool>> state_filter(const Call& call) {
  const auto state = call.query("state", "open");
  if (state == "all") return std::nullopt;
  if (state == "open" || state == "closed") return state == "open";
  return fail(Code::kInvalidArgument, "state must be open, closed or all, not \"{}\"", state.substr(0, 80));
}

// What a list asks for beyond its state.
struct Wanted {
  std::vector<std::string> labels;  // all of them
  std::string assignee;             // a name, "none", "*" for anybody; "": whoever
  std::string creator;
  std::optional<TimePoint> since;
  bool by_update = false;
  bool ascending = false;

  [[nodiscard]] bool fits(const forge::Issue& issue) const {
    const auto has = [](const std::vector<std::string>& list, const std::string& one) {
      return std::ranges::find(list, one) != list.end();
    };
    if (!std::ranges::all_of(labels, [&](const auto& label) { return has(issue.labels, label); })) return false;
    if (assignee == "none" ? !issue.assignees.empty() : assignee == "*" && issue.assignees.empty()) return false;
    const bool named = !assignee.empty() && assignee != "none" && assignee != "*";
    if (named && !has(issue.assignees, assignee)) return false;
    const bool by_job = creator == "github-actions[bot]" && issue.author.starts_with("job:");
    return (creator.empty() || issue.author == creator || by_job) && (!since || issue.updated_at >= *since);
  }
};

Result<Wanted> wanted_of(const Call& call) {
  for (const std::string_view name : {"mentioned", "milestone"}) {
    if (!call.query(name).empty()) return fail(Code::kInvalidArgument, "weir cannot filter issues by {}", name);
  }
  Wanted wanted{.labels = {}, .assignee = call.query("assignee"), .creator = call.query("creator"), .since = {}};
  const auto labels = call.query("labels");
  for (std::string_view rest = labels; !rest.empty();) {
    const auto one = rest.substr(0, rest.find(','));
    if (!one.empty()) wanted.labels.emplace_back(one);
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
  }
  if (const auto since = call.query("since"); !since.empty()) wanted.since = WEIR_TRY(parse_iso8601(since));
  const auto sort = call.query("sort", "created");
  if (sort != "created" && sort != "updated") {
    return fail(Code::kInvalidArgument, "weir sorts issues by created or updated, not by {}", sort.substr(0, 80));
  }
  wanted.by_update = sort == "updated";
  const auto direction = call.query("direction", "desc");
  if (direction != "asc" && direction != "desc") {
    return fail(Code::kInvalidArgument, "direction must be asc or desc, not \"{}\"", direction.substr(0, 80));
  }
  wanted.ascending = direction == "asc";
  return wanted;
}

Result<io::HttpResponse> list_issues(Call& call) {
  const auto page = WEIR_TRY(page_of(call.request));
  const auto wanted = WEIR_TRY(wanted_of(call));
  forge::IssueFilter filter{.open = WEIR_TRY(state_filter(call)), .limit = 100};
  // Newest first, as they are kept, the page and one more will do; another order needs them all.
  const bool in_order = !wanted.by_update && !wanted.ascending;
  std::vector<forge::Issue> found;
  while (!in_order || found.size() <= page.end()) {
    auto more = WEIR_TRY(call.services().issues->list(call.repo, filter));
    const bool last = more.size() < 100;
    if (!more.empty()) filter.before = more.back().number;
    std::ranges::copy_if(std::move(more), std::back_inserter(found),
                         [&](const forge::Issue& issue) { return wanted.fits(issue); });
    if (last) break;
  }
  if (wanted.by_update) {
    std::ranges::sort(found, std::ranges::greater{},
                      [](const forge::Issue& issue) { return std::pair(issue.updated_at, issue.number); });
  }
  if (wanted.ascending) std::ranges::reverse(found);
  json::array list;
  for (std::size_t i = page.begin(); i < found.size() && i < page.end(); ++i) {
    list.push_back(issue_json(call, found[i]));
  }
  auto response = io::json_response(200, std::move(list));
  set_links(call, page, found.size(), false, response);
  return response;
}

// For those who may write, whoever's the issue is.
Result<std::optional<std::vector<std::string>>> new_assignees(const Call& call) {
  auto wanted = WEIR_TRY(assignees_in(call));
  if (wanted && wanted->empty() && call.request.method == "POST") wanted.reset();
  if (wanted && !call.identity().job_id) {
    WEIR_TRY(call.services().access->allow(call.identity(), access::Permission::kPush, "repo/" + call.repo));
  }
  return wanted;
}

Result<io::HttpResponse> open_issue(Call& call) {
  for (const std::string_view member : {"milestone", "type"}) WEIR_TRY(refuse_member(call.body, member, kNotKept));
  const auto labels = WEIR_TRY(names_in(call.body, "labels"));
  auto assignees = WEIR_TRY(new_assignees(call));
  auto issue = WEIR_TRY(call.services().issues->open(call.repo, WEIR_TRY(json_require_string(call.body, "title")),
                                                     json_string_or(call.body, "body", ""),
                                                     labels.value_or(std::vector<std::string>{}), call.identity()));
  if (assignees) {
    forge::IssueChange change;
    change.assignees = *std::move(assignees);
    issue = WEIR_TRY(call.services().issues->change(call.repo, issue.number, change, call.identity()));
  }
  return io::json_response(201, issue_json(call, issue));
}

Result<io::HttpResponse> get_issue(Call& call) {
  return io::json_response(200, issue_json(call, WEIR_TRY(issue_of(call))));
}

}  // namespace

Result<void> may_change(const Call& call, std::string_view author) {
  if (call.identity().job_id || author == call.identity().name) return {};
  return call.services().access->allow(call.identity(), access::Permission::kPush, "repo/" + call.repo);
}

Result<forge::Issue> change_issue(const Call& call, const forge::Issue& before, const forge::IssueChange& change) {
  const auto& services = call.services();
  if (!before.is_pull) return services.issues->change(call.repo, before.number, change, call.identity());
  forge::Pulls::Change of_pull;
  of_pull.issue = change;
  return WEIR_TRY(services.pulls->change(call.repo, before.number, of_pull, call.identity())).issue;
}

namespace {

Result<io::HttpResponse> patch_issue(Call& call) {
  const auto before = WEIR_TRY(issue_of(call));
  WEIR_TRY(may_change(call, before.author));
  for (const std::string_view member : {"milestone", "type"}) WEIR_TRY(refuse_member(call.body, member, kNotKept));
  forge::IssueChange change;
  change.assignees = WEIR_TRY(new_assignees(call));
  change.title = json_string(call.body, "title");
  change.body = json_string(call.body, "body");
  change.labels = WEIR_TRY(names_in(call.body, "labels"));
  if (const auto state = json_string(call.body, "state")) {
    if (*state != "open" && *state != "closed") {
      return fail(Code::kInvalidArgument, "state must be open or closed, not \"{}\"", state->substr(0, 80));
    }
    change.open = *state == "open";
  }
  return io::json_response(200, issue_json(call, WEIR_TRY(change_issue(call, before, change))));
}

}  // namespace

Result<std::vector<forge::Comment>> issue_comments(const Call& call, std::int64_t number,
                                                   std::optional<TimePoint> since, std::size_t most) {
  const auto subject = fmt::format("issue/{}", number);
  std::vector<forge::Comment> found;
  std::int64_t after = 0;
  while (found.size() < most) {
    auto more = WEIR_TRY(call.services().issues->comments(call.repo, subject, after, 100));
    const bool last = more.size() < 100;
    if (!more.empty()) after = more.back().id;
    std::erase_if(more, [&](const auto& one) { return !one.path.empty() || (since && one.updated_at < *since); });
    std::ranges::move(more, std::back_inserter(found));
    if (last) break;
  }
  return found;
}

namespace {

Result<io::HttpResponse> list_comments(Call& call) {
  const auto issue = WEIR_TRY(issue_of(call));
  const auto page = WEIR_TRY(page_of(call.request));
  std::optional<TimePoint> since;
  if (const auto text = call.query("since"); !text.empty()) since = WEIR_TRY(parse_iso8601(text));
  const auto found = WEIR_TRY(issue_comments(call, issue.number, since, page.end() + 1));
  json::array list;
  for (std::size_t i = page.begin(); i < found.size() && i < page.end(); ++i) {
    list.push_back(comment_json(call, found[i]));
  }
  auto response = io::json_response(200, std::move(list));
  set_links(call, page, found.size(), false, response);
  return response;
}

Result<io::HttpResponse> create_comment(Call& call) {
  const auto issue = WEIR_TRY(issue_of(call));
  const auto comment =
      WEIR_TRY(call.services().issues->comment({.repo = call.repo,
                                                .subject = fmt::format("issue/{}", issue.number),
                                                .body = WEIR_TRY(json_require_string(call.body, "body"))},
                                               call.identity()));
  return io::json_response(201, comment_json(call, comment));
}

Result<io::HttpResponse> list_labels(Call& call) {
  const auto labels = labels_json(call, WEIR_TRY(issue_of(call)).labels);
  const std::vector<json::value> all(labels.begin(), labels.end());
  return paged(call, all, [](const json::value& label) { return label; });
}

// Adds, replaces or takes away labels, and gives those that there are then.
Result<io::HttpResponse> put_labels(const Call& call, const forge::Issue& issue, std::vector<std::string> labels) {
  WEIR_TRY(may_change(call, issue.author));
  WEIR_TRY(change_issue(call, issue, {.title = {}, .body = {}, .open = {}, .labels = labels}));
  return io::json_response(200, labels_json(call, labels));
}

Result<io::HttpResponse> add_labels(Call& call) {
  const auto issue = WEIR_TRY(issue_of(call));
  auto labels = issue.labels;
  for (auto& name : WEIR_TRY(names_in(call.body, "labels")).value_or(std::vector<std::string>{})) {
    if (std::ranges::find(labels, name) == labels.end()) labels.push_back(std::move(name));
  }
  return put_labels(call, issue, std::move(labels));
}

Result<io::HttpResponse> set_labels(Call& call) {
  const auto issue = WEIR_TRY(issue_of(call));
  return put_labels(call, issue, WEIR_TRY(names_in(call.body, "labels")).value_or(std::vector<std::string>{}));
}

Result<io::HttpResponse> clear_labels(Call& call) {
  WEIR_TRY(put_labels(call, WEIR_TRY(issue_of(call)), {}));
  return io::text_response(204, "");
}

Result<io::HttpResponse> remove_label(Call& call) {
  const auto issue = WEIR_TRY(issue_of(call));
  auto labels = issue.labels;
  if (std::erase(labels, call.param("name")) == 0) return error_answer(404, "Label does not exist");
  return put_labels(call, issue, std::move(labels));
}

}  // namespace

void add_issue_routes(Routes& routes) {
  routes.repo("GET", "/issues", kReads, list_issues);
  routes.repo("POST", "/issues", needs::kOpenIssues, open_issue);
  routes.repo("GET", "/issues/{number}", kReads, get_issue);
  routes.repo("PATCH", "/issues/{number}", kWrites, patch_issue);
  routes.repo("GET", "/issues/{number}/comments", kReads, list_comments);
  routes.repo("POST", "/issues/{number}/comments", kWrites, create_comment);
  routes.repo("GET", "/issues/{number}/labels", kReads, list_labels);
  routes.repo("POST", "/issues/{number}/labels", kWrites, add_labels);
  routes.repo("PUT", "/issues/{number}/labels", kWrites, set_labels);
  routes.repo("DELETE", "/issues/{number}/labels", kWrites, clear_labels);
  routes.repo("DELETE", "/issues/{number}/labels/{name}", kWrites, remove_label);
}

}  // namespace weir::api::github
