// Who is to do what an issue or pull request asks for: https://docs.github.com/en/rest/issues/assignees
#include <algorithm>
#include <set>

#include "api/github/answers.h"
#include "api/github/needs.h"

namespace weir::api::github {
namespace {

constexpr Need kReads = needs::kReadIssues;
constexpr Need kAssigns = needs::kWriteLabels;

// Whoever holds a token can be asked to do something.
Result<std::set<std::string>> people(const Call& call) {
  std::set<std::string> names;
  for (const auto& token : WEIR_TRY(call.services().access->tokens())) names.insert(token.name);
  return names;
}

Result<forge::Issue> issue_of(const Call& call) {
  return call.services().issues->find(call.repo, WEIR_TRY(call.number("number")));
}

Result<io::HttpResponse> list_assignees(Call& call) {
  const auto names = WEIR_TRY(people(call));
  const std::vector<std::string> all(names.begin(), names.end());
  return paged(call, all, [&](const std::string& name) { return user_json(call, name); });
}

Result<io::HttpResponse> check_assignee(Call& call) {
  if (WEIR_TRY(people(call)).contains(call.param("assignee"))) return io::text_response(204, "");
  return error_answer(404, "Not Found: nobody of that name can be assigned");
}

Result<io::HttpResponse> answer_issue(const Call& call, const forge::Issue& before, std::vector<std::string> assignees,
                                      int status) {
  forge::IssueChange change;
  change.assignees = std::move(assignees);
  return io::json_response(status, issue_json(call, WEIR_TRY(change_issue(call, before, change))));
}

// As on GitHub, who cannot be assigned is passed over.
Result<io::HttpResponse> add_assignees(Call& call) {
  const auto issue = WEIR_TRY(issue_of(call));
  const auto known = WEIR_TRY(people(call));
  auto assignees = issue.assignees;
  for (auto& name : WEIR_TRY(names_in(call.body, "assignees")).value_or(std::vector<std::string>{})) {
    const bool there = std::ranges::find(assignees, name) != assignees.end();
    if (!there && known.contains(name)) assignees.push_back(std::move(name));
  }
  return answer_issue(call, issue, std::move(assignees), 201);
}

Result<io::HttpResponse> remove_assignees(Call& call) {
  const auto issue = WEIR_TRY(issue_of(call));
  auto assignees = issue.assignees;
  for (const auto& name : WEIR_TRY(names_in(call.body, "assignees")).value_or(std::vector<std::string>{})) {
    std::erase(assignees, name);
  }
  return answer_issue(call, issue, std::move(assignees), 200);
}

}  // namespace

Result<std::optional<std::vector<std::string>>> assignees_in(const Call& call) {
  auto wanted = WEIR_TRY(names_in(call.body, "assignees"));
  if (const auto* one = json_find(call.body, "assignee"); !wanted && one != nullptr) {
    wanted.emplace();
    if (const auto name = json_string_or(call.body, "assignee", ""); !name.empty()) wanted->push_back(name);
  }
  if (!wanted || wanted->empty()) return wanted;
  const auto known = WEIR_TRY(people(call));
  std::vector<std::string> once;
  for (auto& name : *wanted) {
    if (!known.contains(name)) {
      return fail(Code::kInvalidArgument, "assignees: nobody called \"{}\" can be assigned", name.substr(0, 80));
    }
    if (std::ranges::find(once, name) == once.end()) once.push_back(std::move(name));
  }
  return once;
}

void add_assignee_routes(Routes& routes) {
  routes.repo("GET", "/assignees", kReads, list_assignees);
  routes.repo("GET", "/assignees/{assignee}", kReads, check_assignee);
  routes.repo("GET", "/issues/{number}/assignees/{assignee}", kReads, check_assignee);
  routes.repo("POST", "/issues/{number}/assignees", kAssigns, add_assignees);
  routes.repo("DELETE", "/issues/{number}/assignees", kAssigns, remove_assignees);
}

}  // namespace weir::api::github
