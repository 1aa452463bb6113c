// Deployments, their statuses, and environments: https://docs.github.com/en/rest/deployments
#include "forge/deployments.h"

#include <algorithm>
#include <map>

#include "api/github/call.h"
#include "event/payload.h"
#include "event/source.h"

namespace weir::api::github {
namespace {

using access::Permission;
using forge::Deployment;
using forge::DeploymentStatus;

constexpr Need kReads{"deployments", Level::kRead, Permission::kRead};
constexpr Need kWrites{"deployments", Level::kWrite, Permission::kPush};
constexpr Need kReadsEnvironments{"actions", Level::kRead, Permission::kRead, "deployments"};

json::object deployment_json(const Call& call, const Deployment& deployment) {
  auto object = forge::to_json(deployment);
  const auto url = call.api_url(fmt::format("/deployments/{}", deployment.id));
  object["node_id"] = fmt::format("deployment-{}", deployment.id);
  object["url"] = url;
  object["statuses_url"] = url + "/statuses";
  object["repository_url"] = call.api_url();
  object["creator"] = user_json(call, deployment.creator);
  return object;
}

json::object status_json(const Call& call, const DeploymentStatus& status) {
  auto object = forge::to_json(status);
  const auto deployment = call.api_url(fmt::format("/deployments/{}", status.deployment));
  object["node_id"] = fmt::format("deployment-status-{}", status.id);
  object["url"] = fmt::format("{}/statuses/{}", deployment, status.id);
  object["deployment_url"] = deployment;
  object["repository_url"] = call.api_url();
  object["creator"] = user_json(call, status.creator);
  return object;
}

// "refs/heads/main" or "refs/tags/v1" for what names one; "" for a commit's id.
std::string full_ref_of(const io::Git& git, const std::string& ref) {
  const auto refs = git.refs();
  if (!refs) return {};
  for (const std::string_view prefix : {"refs/heads/", "refs/tags/", ""}) {
    if (auto full = fmt::format("{}{}", prefix, ref); full.starts_with("refs/") && refs->contains(full)) return full;
  }
  return {};
}

// Brings a branch that lacks something of the default branch up to date: the answer, if that is what was done.
Result<std::optional<io::HttpResponse>> auto_merge(const Call& call, const io::Git& git, const Deployment& wanted) {
  const auto main = WEIR_TRY(git.head_ref());
  if (!wanted.full_ref.starts_with("refs/heads/") || wanted.full_ref == main) return std::nullopt;
  const auto head = git.resolve(main);
  if (!head || WEIR_TRY(git.is_ancestor(*head, wanted.commit))) return std::nullopt;
  const auto merge = WEIR_TRY(git.merge(wanted.commit, *head));
  const auto what = fmt::format("{} into {}", event::short_ref(main), event::short_ref(wanted.full_ref));
  if (!merge.conflicts.empty()) {
    return error_answer(409, fmt::format("Conflict merging {}: {}", what, fmt::join(merge.conflicts, ", ")));
  }
  event::RefUpdate update{wanted.full_ref, wanted.commit, std::string(event::kNoObject)};
  WEIR_TRY(call.parts.may_push(call.identity(), call.repo, {update}));
  update.after = WEIR_TRY(git.make_commit({.tree = merge.tree,
                                           .parents = {wanted.commit, *head},
                                           .message = fmt::format("Merge {}\n", what),
                                           .author_name = call.identity().name,
                                           .author_email = call.identity().name + "@localhost",
                                           .time = call.services().clock->now()}));
  WEIR_TRY(call.parts.move_ref(call.identity(), call.repo, update));
  return io::json_response(202, json::object{{"message", fmt::format("Auto-merged {} on deployment.", what)}});
}

// What must have succeeded and has not: the answer that names it. Without a list it is all that the commit has.
Result<std::optional<io::HttpResponse>> refuse_unchecked(const Call& call, const Deployment& wanted) {
  const auto* given = json_find(call.body, "required_contexts");
  const auto required = WEIR_TRY(names_in(call.body, "required_contexts"));
  if (given != nullptr && required && required->empty()) return std::nullopt;
  std::map<std::string, std::string> states;
  for (auto& check : WEIR_TRY(call.parts.states(call.repo, wanted.commit))) states[check.name] = std::move(check.state);
  std::vector<std::string> names;
  if (required) {
    names = *required;
  } else {
    for (const auto& [name, state] : states) names.push_back(name);
  }
  json::array missing;
  for (const auto& name : names) {
    const auto found = states.find(name);
    const std::string state = found == states.end() ? "missing" : found->second;
    if (state == "success" || state == "skipped" || state == "neutral") continue;
    missing.push_back(json::object{{"context", name}, {"state", state}});
  }
  if (missing.empty()) return std::nullopt;
  auto answer = error_answer(409, "");
  answer.body = json::serialize(
      json::object{{"message", fmt::format("Conflict: Commit status checks failed for {}.", wanted.ref)},
                   {"errors", json::array{json::object{{"contexts", std::move(missing)},
                                                       {"resource", "Deployment"},
                                                       {"field", "required_contexts"},
                                                       {"code", "invalid"}}}},
                   {"documentation_url", "https://docs.github.com/rest/deployments/deployments#create-a-deployment"},
                   {"status", "409"}});
  return answer;
}

Result<io::HttpResponse> create_deployment(Call& call) {
  Deployment wanted{.repo = call.repo, .ref = WEIR_TRY(json_require_string(call.body, "ref"))};
  const auto git = WEIR_TRY(call.git());
  const auto commit = commit_of(git, wanted.ref);
  if (!commit) return fail(Code::kInvalidArgument, "No ref found for: {}", wanted.ref.substr(0, 200));
  wanted.commit = *commit;
  wanted.full_ref = full_ref_of(git, wanted.ref);
  wanted.task = json_string_or(call.body, "task", wanted.task);
  wanted.environment = json_string_or(call.body, "environment", wanted.environment);
  wanted.description = json_string_or(call.body, "description", "");
  wanted.transient = json_bool_or(call.body, "transient_environment", false);
  wanted.production = json_bool_or(call.body, "production_environment", wanted.environment == "production");
  wanted.payload = json::object();
  if (const auto* payload = json_find(call.body, "payload"); payload != nullptr && !payload->is_null()) {
    if (!payload->is_object() && !payload->is_string()) {
      return fail(Code::kInvalidArgument, "payload must be an object or a text");
    }
    wanted.payload = *payload;
  }
  if (json_bool_or(call.body, "auto_merge", true)) {
    if (auto merged = WEIR_TRY(auto_merge(call, git, wanted))) return *std::move(merged);
  }
  if (auto refused = WEIR_TRY(refuse_unchecked(call, wanted))) return *std::move(refused);
  const auto made = WEIR_TRY(call.parts.deployments->create(std::move(wanted), call.identity()));
  return io::json_response(201, deployment_json(call, made));
}

Result<io::HttpResponse> list_deployments(Call& call) {
  const auto page = WEIR_TRY(page_of(call.request));
  const auto wanted = [&](std::string_view name) {
    auto value = call.query(name);
    return value == "none" ? std::string() : value;  // as GitHub's own default reads
  };
  auto found = WEIR_TRY(call.parts.deployments->list(call.repo, {.commit = wanted("sha"),
                                                                 .ref = wanted("ref"),
                                                                 .task = wanted("task"),
                                                                 .environment = wanted("environment"),
                                                                 .offset = static_cast<std::int64_t>(page.begin()),
                                                                 .limit = page.size + 1}));
  const auto total = page.begin() + found.size();
  found.resize(std::min(found.size(), static_cast<std::size_t>(page.size)));
  json::array list;
  for (const auto& deployment : found) list.push_back(deployment_json(call, deployment));
  auto response = io::json_response(200, std::move(list));
  set_links(call, page, total, false, response);
  return response;
}

Result<io::HttpResponse> get_deployment(Call& call) {
  const auto found = WEIR_TRY(call.parts.deployments->find(call.repo, WEIR_TRY(call.number("id"))));
  return io::json_response(200, deployment_json(call, found));
}

Result<io::HttpResponse> delete_deployment(Call& call) {
  WEIR_TRY(call.parts.deployments->remove(call.repo, WEIR_TRY(call.number("id")), call.identity()));
  return io::text_response(204, "");
}

Result<io::HttpResponse> create_status(Call& call) {
  const auto target = json_string_or(call.body, "target_url", "");
  const auto made =
      WEIR_TRY(call.parts.deployments->add_status(call.repo,
                                                  {.deployment = WEIR_TRY(call.number("id")),
                                                   .state = WEIR_TRY(json_require_string(call.body, "state")),
                                                   .environment = json_string_or(call.body, "environment", ""),
                                                   .description = json_string_or(call.body, "description", ""),
                                                   .environment_url = json_string_or(call.body, "environment_url", ""),
                                                   .log_url = json_string_or(call.body, "log_url", target)},
                                                  json_bool_or(call.body, "auto_inactive", true), call.identity()));
  auto response = io::json_response(201, status_json(call, made));
  response.headers.set("Location", call.api_url(fmt::format("/deployments/{}/statuses/{}", made.deployment, made.id)));
  return response;
}

Result<io::HttpResponse> list_statuses(Call& call) {
  const auto all = WEIR_TRY(call.parts.deployments->statuses(call.repo, WEIR_TRY(call.number("id"))));
  return paged(call, all, [&](const DeploymentStatus& status) { return status_json(call, status); });
}

Result<io::HttpResponse> get_status(Call& call) {
  return io::json_response(
      200, status_json(call, WEIR_TRY(call.parts.deployments->find_status(call.repo, WEIR_TRY(call.number("id")),
                                                                          WEIR_TRY(call.number("status"))))));
}

// What must hold before a job may enter.
json::array rules_json(const Call& call, const config::Environment& environment) {
  json::array rules;
  const auto add = [&](std::string_view type, json::object rule) {
    const auto id = event::number_of_name(fmt::format("{}/{}/{}", call.repo, environment.name, type));
    rule["id"] = id;
    rule["node_id"] = fmt::format("rule-{}", id);
    rule["type"] = type;
    rules.push_back(std::move(rule));
  };
  const auto minutes = std::chrono::ceil<std::chrono::minutes>(environment.wait).count();
  if (minutes > 0) add("wait_timer", {{"wait_timer", minutes}});
  if (!environment.reviewers.empty()) {
    json::array reviewers;
    for (const auto& name : environment.reviewers) {
      reviewers.push_back(json::object{{"type", "User"}, {"reviewer", user_json(call, name)}});
    }
    add("required_reviewers", {{"prevent_self_review", !environment.self_review}, {"reviewers", std::move(reviewers)}});
  }
  if (!environment.branches.empty()) add("branch_policy", {});
  return rules;
}

// What weir.yaml protects and what was deployed to, by name.
struct KnownEnvironment {
  config::Environment settings;
  std::optional<forge::DeployedTo> deployed;
};

Result<std::vector<KnownEnvironment>> known_environments(const Call& call) {
  std::map<std::string, KnownEnvironment> known;
  for (const auto& one : call.services().config->of(call.repo)->environments) known[one.name].settings = one;
  for (auto& one : WEIR_TRY(call.parts.deployments->environments(call.repo))) {
    auto& entry = known[one.name];
    entry.settings.name = one.name;
    entry.deployed = std::move(one);
  }
  std::vector<KnownEnvironment> all;
  all.reserve(known.size());
  for (auto& [name, entry] : known) all.push_back(std::move(entry));
  return all;
}

json::object environment_json(const Call& call, const KnownEnvironment& known) {
  const auto& name = known.settings.name;
  const auto id = event::number_of_name(call.repo + "/" + name);
  json::value policy;  // null: any branch may be deployed
  if (!known.settings.branches.empty()) {
    policy = json::object{{"protected_branches", false}, {"custom_branch_policies", true}};
  }
  const auto time = [&](const TimePoint forge::DeployedTo::* when) {
    return known.deployed ? json::value(to_iso8601((*known.deployed).*when)) : json::value();
  };
  return {{"id", id},
          {"node_id", fmt::format("environment-{}", id)},
          {"name", name},
          {"url", call.api_url("/environments/" + io::percent_encode(name))},
          {"html_url", call.page_url("/runs")},
          {"created_at", time(&forge::DeployedTo::first)},
          {"updated_at", time(&forge::DeployedTo::last)},
          {"protection_rules", rules_json(call, known.settings)},
          {"deployment_branch_policy", std::move(policy)}};
}

Result<io::HttpResponse> list_environments(Call& call) {
  const auto all = WEIR_TRY(known_environments(call));
  return paged(call, all, [&](const KnownEnvironment& one) { return environment_json(call, one); }, "environments");
}

Result<io::HttpResponse> get_environment(Call& call) {
  const auto& wanted = call.param("name");
  for (const auto& one : WEIR_TRY(known_environments(call))) {
    if (one.settings.name == wanted) return io::json_response(200, environment_json(call, one));
  }
  return error_answer(404, "Not Found");
}

}  // namespace

void add_deployment_routes(Routes& routes) {
  routes.repo("GET", "/deployments", kReads, list_deployments);
  routes.repo("POST", "/deployments", kWrites, create_deployment);
  routes.repo("GET", "/deployments/{id}", kReads, get_deployment);
  routes.repo("DELETE", "/deployments/{id}", kWrites, delete_deployment);
  routes.repo("GET", "/deployments/{id}/statuses", kReads, list_statuses);
  routes.repo("POST", "/deployments/{id}/statuses", kWrites, create_status);
  routes.repo("GET", "/deployments/{id}/statuses/{status}", kReads, get_status);
  routes.repo("GET", "/environments", kReadsEnvironments, list_environments);
  routes.repo("GET", "/environments/{name}", kReadsEnvironments, get_environment);
}

}  // namespace weir::api::github
