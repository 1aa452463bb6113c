// Commit statuses and check runs: https://docs.github.com/en/rest/commits/statuses and /checks/runs
#include "forge/checks.h"

#include <algorithm>

#include "api/github/call.h"
#include "event/payload.h"

namespace weir::api::github {
namespace {

using access::Permission;
using forge::CheckRun;
using forge::CheckSuite;
using forge::Status;

constexpr Need kReadsStatuses{"statuses", Level::kRead, Permission::kRead};
constexpr Need kReadsChecks{"checks", Level::kRead, Permission::kRead};
constexpr Need kWritesChecks{"checks", Level::kWrite, Permission::kPush};
constexpr std::size_t kAnnotationsMax = 50;       // in a request, as GitHub takes
constexpr std::size_t kAnnotationsKept = 10'000;  // of a check

Result<std::string> sha_of(const Call& call) {
  return commit_of(WEIR_TRY(call.git()), call.param("ref"));
}

json::object status_json(const Call& call, const Status& status) {
  auto object = forge::to_json(status);
  object["node_id"] = fmt::format("status-{}", status.id);
  object["url"] = call.api_url("/statuses/" + status.commit);
  object["creator"] = user_json(call, status.creator);
  object["avatar_url"] = "";
  if (status.target_url.empty()) object["target_url"] = nullptr;
  if (status.description.empty()) object["description"] = nullptr;
  return object;
}

Result<io::HttpResponse> create_status(Call& call) {
  const auto sha = WEIR_TRY(sha_of(call));
  const auto status = WEIR_TRY(call.services().checks->set({.repo = call.repo,
                                                            .commit = sha,
                                                            .context = json_string_or(call.body, "context", "default"),
                                                            .state = WEIR_TRY(json_require_string(call.body, "state")),
                                                            .description = json_string_or(call.body, "description", ""),
                                                            .target_url = json_string_or(call.body, "target_url", "")},
                                                           call.identity()));
  return io::json_response(201, status_json(call, status));
}

Result<io::HttpResponse> list_statuses(Call& call) {
  const auto statuses = WEIR_TRY(call.services().checks->statuses(call.repo, WEIR_TRY(sha_of(call))));
  return paged(call, statuses, [&](const Status& status) { return status_json(call, status); });
}

Result<io::HttpResponse> combined_status(Call& call) {
  const auto sha = WEIR_TRY(sha_of(call));
  const auto statuses = WEIR_TRY(call.services().checks->statuses(call.repo, sha));
  const auto any = [&](auto... states) {
    return std::ranges::any_of(statuses, [&](const Status& one) { return ((one.state == states) || ...); });
  };
  const std::string_view state = any("error", "failure")              ? "failure"
                                 : statuses.empty() || any("pending") ? "pending"
                                                                      : "success";
  const auto page = WEIR_TRY(page_of(call.request));
  json::array list;
  for (std::size_t i = page.begin(); i < statuses.size() && i < page.end(); ++i) {
    list.push_back(status_json(call, statuses[i]));
  }
  const auto git = WEIR_TRY(call.git());
  auto response = io::json_response(200, json::object{{"state", state},
                                                      {"sha", sha},
                                                      {"total_count", statuses.size()},
                                                      {"statuses", std::move(list)},
                                                      {"repository", repository_json(call, default_branch(git))},
                                                      {"commit_url", call.api_url("/commits/" + sha)},
                                                      {"url", call.api_url(fmt::format("/commits/{}/status", sha))}});
  set_links(call, page, statuses.size(), true, response);
  return response;
}

json::object check_json(const Call& call, const CheckRun& check) {
  auto object = forge::to_json(check);
  const auto url = call.api_url(fmt::format("/check-runs/{}", check.id));
  object["node_id"] = fmt::format("check-{}", check.id);
  object["url"] = url;
  object["html_url"] = url;
  if (check.details_url.empty()) object["details_url"] = url;
  auto& output = object["output"].get_object();
  output["annotations_url"] = url + "/annotations";
  for (const auto& [member, text] :
       {std::pair{"title", &check.title}, {"summary", &check.summary}, {"text", &check.text}}) {
    if (text->empty()) output[member] = nullptr;
  }
  object["pull_requests"] = json::array();
  return object;
}

Result<void> check_annotation(const json::value& annotation) {
  for (const std::string_view member : {"path", "annotation_level", "message"}) {
    if (!json_string(annotation, member)) {
      return fail(Code::kInvalidArgument, "output.annotations: each needs {}", member);
    }
  }
  const auto level = *json_string(annotation, "annotation_level");
  if (level != "notice" && level != "warning" && level != "failure") {
    return fail(Code::kInvalidArgument, "annotation_level must be notice, warning or failure, not \"{}\"",
                level.substr(0, 80));
  }
  const auto line = json_int(annotation, "start_line");
  if (!line || *line < 0) return fail(Code::kInvalidArgument, "output.annotations: each needs start_line");
  return {};
}

Result<void> read_output(const json::value& body, CheckRun& check) {
  const auto* output = json_find(body, "output");
  if (output == nullptr || output->is_null()) return {};
  if (!output->is_object()) return fail(Code::kInvalidArgument, "output must be an object");
  WEIR_TRY(refuse_member(*output, "images", "weir shows no images of check runs; put them into the summary"));
  if (auto title = json_string(*output, "title")) check.title = *std::move(title);
  if (auto summary = json_string(*output, "summary")) check.summary = *std::move(summary);
  if (auto text = json_string(*output, "text")) check.text = *std::move(text);
  const auto* annotations = json_find(*output, "annotations");
  if (annotations == nullptr || annotations->is_null()) return {};
  if (!annotations->is_array() || annotations->get_array().size() > kAnnotationsMax) {
    return fail(Code::kInvalidArgument, "output.annotations must be an array of at most {}", kAnnotationsMax);
  }
  // Those of an update are added, as on GitHub.
  for (const auto& annotation : annotations->get_array()) {
    WEIR_TRY(check_annotation(annotation));
    check.annotations.push_back(annotation);
  }
  if (check.annotations.size() > kAnnotationsKept) {
    return fail(Code::kInvalidArgument, "a check run may have {} annotations", kAnnotationsKept);
  }
  return {};
}

// What both creation and update may say.
Result<void> read_check(const json::value& body, CheckRun& check) {
  if (auto status = json_string(body, "status")) check.status = *std::move(status);
  if (auto conclusion = json_string(body, "conclusion")) {
    check.conclusion = *std::move(conclusion);
    check.status = "completed";
  }
  if (auto url = json_string(body, "details_url")) check.details_url = *std::move(url);
  if (auto id = json_string(body, "external_id")) check.external_id = *std::move(id);
  if (check.external_id.size() > 1'024) return fail(Code::kInvalidArgument, "external_id may have 1024 bytes");
  if (const auto at = json_string(body, "started_at")) check.started_at = WEIR_TRY(parse_iso8601(*at));
  if (const auto at = json_string(body, "completed_at")) check.completed_at = WEIR_TRY(parse_iso8601(*at));
  WEIR_TRY(refuse_member(body, "actions", "weir offers no actions on check runs"));
  return read_output(body, check);
}

Result<io::HttpResponse> create_check(Call& call) {
  CheckRun check{.repo = call.repo, .name = WEIR_TRY(json_require_string(call.body, "name"))};
  const auto head = WEIR_TRY(json_require_string(call.body, "head_sha"));
  const auto sha = commit_of(WEIR_TRY(call.git()), head);
  if (!sha) return fail(Code::kInvalidArgument, "No commit found for SHA: {}", head.substr(0, 80));
  check.commit = *sha;
  WEIR_TRY(read_check(call.body, check));
  return io::json_response(
      201, check_json(call, WEIR_TRY(call.services().checks->create(std::move(check), call.identity()))));
}

Result<io::HttpResponse> update_check(Call& call) {
  const auto check = WEIR_TRY(call.services().checks->update(
      call.repo, WEIR_TRY(call.number("id")),
      [&](CheckRun& check) -> Result<void> {
        if (auto name = json_string(call.body, "name")) check.name = *std::move(name);
        return read_check(call.body, check);
      },
      call.identity()));
  return io::json_response(200, check_json(call, check));
}

Result<io::HttpResponse> get_check(Call& call) {
  return io::json_response(
      200, check_json(call, WEIR_TRY(call.services().checks->find(call.repo, WEIR_TRY(call.number("id"))))));
}

Result<io::HttpResponse> list_annotations(Call& call) {
  const auto check = WEIR_TRY(call.services().checks->find(call.repo, WEIR_TRY(call.number("id"))));
  const std::vector<json::value> all(check.annotations.begin(), check.annotations.end());
  return paged(call, all, [](const json::value& annotation) { return annotation; });
}

// Those of a list (newest first) that are asked for.
Result<io::HttpResponse> filtered(const Call& call, std::vector<CheckRun> checks) {
  const auto name = call.query("check_name");
  const auto status = call.query("status");
  std::erase_if(checks, [&](const CheckRun& check) {
    return (!name.empty() && check.name != name) || (!status.empty() && check.status != status);
  });
  if (call.query("filter", "latest") != "all") {
    std::set<std::string> seen;  // newest first
    std::erase_if(checks, [&](const CheckRun& check) { return !seen.insert(check.name).second; });
  }
  return paged(call, checks, [&](const CheckRun& check) { return check_json(call, check); }, "check_runs");
}

Result<io::HttpResponse> list_checks(Call& call) {
  return filtered(call, WEIR_TRY(call.services().checks->of_commit(call.repo, WEIR_TRY(sha_of(call)))));
}

Result<io::HttpResponse> rerequest_check(Call& call) {
  WEIR_TRY(call.services().checks->rerequest(call.repo, WEIR_TRY(call.number("id")), call.identity()));
  return io::json_response(201, json::object());
}

Result<json::object> suite_json(const Call& call, const CheckSuite& suite) {
  auto object = forge::to_json(suite);
  const auto url = call.api_url(fmt::format("/check-suites/{}", suite.id));
  const auto git = WEIR_TRY(call.git());
  object["node_id"] = fmt::format("check-suite-{}", suite.id);
  object["url"] = url;
  object["check_runs_url"] = url + "/check-runs";
  object["rerequestable"] = false;
  object["runs_rerequestable"] = true;
  object["repository"] = repository_json(call, default_branch(git));
  if (const auto branch = call.services().checks->branch_of(call.repo, suite.commit); !branch.empty()) {
    object["head_branch"] = branch;
  }
  // Its commit may have gone with its branch.
  const auto commit = git.commit(suite.commit);
  object["head_commit"] = commit ? json::value(event::commit_payload(*commit, {.repository = call.full_name(),
                                                                               .default_branch = {},
                                                                               .server_url = call.parts.server_url(),
                                                                               .sender = {}}))
                                 : json::value();
  return object;
}

Result<io::HttpResponse> list_suites(Call& call) {
  auto suites = WEIR_TRY(call.services().checks->suites(call.repo, WEIR_TRY(sha_of(call))));
  const auto name = call.query("check_name");
  const auto app = call.query("app_id");
  std::set<std::int64_t> named;
  if (!name.empty() && !suites.empty()) {
    for (const auto& check : WEIR_TRY(call.services().checks->of_commit(call.repo, suites.front().commit))) {
      if (check.name == name) named.insert(check.suite);
    }
  }
  std::erase_if(suites, [&](const CheckSuite& suite) {
    const auto id = std::to_string(forge::app_json(suite.app).at("id").to_number<std::int64_t>());
    return (!name.empty() && !named.contains(suite.id)) || (!app.empty() && app != id);
  });
  std::vector<json::object> shown;
  shown.reserve(suites.size());
  for (const auto& suite : suites) shown.push_back(WEIR_TRY(suite_json(call, suite)));
  return paged(call, shown, [](const json::object& suite) { return suite; }, "check_suites");
}

Result<io::HttpResponse> get_suite(Call& call) {
  const auto suite = WEIR_TRY(call.services().checks->find_suite(call.repo, WEIR_TRY(call.number("id"))));
  return io::json_response(200, WEIR_TRY(suite_json(call, suite)));
}

Result<io::HttpResponse> list_checks_of_suite(Call& call) {
  return filtered(call, WEIR_TRY(call.services().checks->of_suite(call.repo, WEIR_TRY(call.number("id")))));
}

}  // namespace

void add_check_routes(Routes& routes) {
  routes.repo("POST", "/statuses/{ref}", {"statuses", Level::kWrite, Permission::kPush}, create_status);
  routes.repo("GET", "/statuses/{ref}", kReadsStatuses, list_statuses);
  routes.repo("GET", "/commits/{ref}/statuses", kReadsStatuses, list_statuses);
  routes.repo("GET", "/commits/{ref}/status", kReadsStatuses, combined_status);
  routes.repo("POST", "/check-runs", kWritesChecks, create_check);
  routes.repo("GET", "/check-runs/{id}", kReadsChecks, get_check);
  routes.repo("PATCH", "/check-runs/{id}", kWritesChecks, update_check);
  routes.repo("GET", "/check-runs/{id}/annotations", kReadsChecks, list_annotations);
  routes.repo("POST", "/check-runs/{id}/rerequest", kWritesChecks, rerequest_check);
  routes.repo("GET", "/commits/{ref}/check-runs", kReadsChecks, list_checks);
  routes.repo("GET", "/commits/{ref}/check-suites", kReadsChecks, list_suites);
  routes.repo("GET", "/check-suites/{id}", kReadsChecks, get_suite);
  routes.repo("GET", "/check-suites/{id}/check-runs", kReadsChecks, list_checks_of_suite);
}

}  // namespace weir::api::github
