// Refs, commits as objects, branches and tags: https://docs.github.com/en/rest/git and /branches
#include "api/github/answers.h"
#include "api/github/commits.h"
#include "api/github/needs.h"
#include "event/source.h"

namespace weir::api::github {
namespace {

using access::Permission;

constexpr Need kReads = needs::kReadContents;
constexpr Need kWrites = needs::kWriteContents;

}  // namespace

Result<std::vector<Ref>> refs_below(const io::Git& git, std::string_view prefix) {
  std::vector<Ref> found;
  for (auto& [name, sha] : WEIR_TRY(git.refs())) {
    if (!name.starts_with("refs/heads/") && !name.starts_with("refs/tags/") && !name.starts_with("refs/pull/"))
      continue;
    if (name.starts_with(prefix)) found.emplace_back(name, sha);
  }
  return found;
}

namespace {

json::object ref_json(const Call& call, const io::Git& git, const Ref& ref) {
  // A tag may lead to an object of its own.
  const auto commit = git.resolve(ref.second);
  const bool is_commit = commit && *commit == ref.second;
  const std::string_view type = is_commit ? "commit" : "tag";
  return {{"ref", ref.first},
          {"node_id", call.node_id("ref", ref.first)},
          {"url", call.api_url("/git/" + ref.first)},
          {"object", json::object{{"type", type},
                                  {"sha", ref.second},
                                  {"url", call.api_url(fmt::format("/git/{}s/{}", type, ref.second))}}}};
}

// "heads/main" of an address.
std::string full_ref(const Call& call) {
  const auto& given = call.param("ref");
  return given.starts_with("refs/") ? given : "refs/" + given;
}

Result<io::HttpResponse> get_ref(Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto wanted = full_ref(call);
  for (const auto& ref : WEIR_TRY(refs_below(git, wanted))) {
    if (ref.first == wanted) return io::json_response(200, ref_json(call, git, ref));
  }
  return error_answer(404, "Not Found");
}

Result<io::HttpResponse> matching_refs(Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto refs = WEIR_TRY(refs_below(git, full_ref(call)));
  return paged(call, refs, [&](const Ref& ref) { return ref_json(call, git, ref); });
}

// As a push by git would.
Result<void> move(const Call& call, const event::RefUpdate& update) {
  WEIR_TRY(call.parts.may_push(call.identity(), call.repo, {update}));
  return call.parts.move_ref(call.identity(), call.repo, update);
}

Result<std::string> sha_in(const Call& call, const io::Git& git) {
  const auto sha = WEIR_TRY(json_require_string(call.body, "sha"));
  const bool full = sha.size() == 40 && sha.find_first_not_of("0123456789abcdef") == std::string::npos;
  auto commit = full ? git.resolve(sha) : Result<std::string>(fail(Code::kNotFound, "no"));
  if (!commit) return fail(Code::kInvalidArgument, "Object does not exist: sha \"{}\" is no commit", sha.substr(0, 80));
  return *commit;
}

Result<io::HttpResponse> create_ref(Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto name = WEIR_TRY(json_require_string(call.body, "ref"));
  WEIR_TRY(check_ref(git, name));
  const auto sha = WEIR_TRY(sha_in(call, git));
  if (WEIR_TRY(git.refs()).contains(name)) return fail(Code::kAlreadyExists, "Reference already exists");
  WEIR_TRY(move(call, {name, std::string(event::kNoObject), sha}));
  return io::json_response(201, ref_json(call, git, {name, sha}));
}

Result<Ref> existing_ref(const Call& call, const io::Git& git) {
  const auto name = full_ref(call);
  WEIR_TRY(check_ref(git, name));
  const auto refs = WEIR_TRY(git.refs());
  const auto found = refs.find(name);
  if (found == refs.end()) return fail(Code::kInvalidArgument, "Reference does not exist");
  return Ref(*found);
}

Result<io::HttpResponse> update_ref(Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto before = WEIR_TRY(existing_ref(call, git));
  const auto sha = WEIR_TRY(sha_in(call, git));
  if (!json_bool_or(call.body, "force", false) && !WEIR_TRY(git.is_ancestor(before.second, sha))) {
    return fail(Code::kInvalidArgument, "Update is not a fast forward");
  }
  if (before.second != sha) WEIR_TRY(move(call, {before.first, before.second, sha}));
  return io::json_response(200, ref_json(call, git, {before.first, sha}));
}

Result<io::HttpResponse> delete_ref(Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto before = WEIR_TRY(existing_ref(call, git));
  if (before.first == git.head_ref().value_or("")) {
    return fail(Code::kInvalidArgument, "Cannot delete the default branch");
  }
  WEIR_TRY(move(call, {before.first, before.second, std::string(event::kNoObject)}));
  return io::text_response(204, "");
}

Result<io::HttpResponse> get_commit(Call& call) {
  const auto git = WEIR_TRY(call.git());
  return io::json_response(200,
                           git_commit_json(call, WEIR_TRY(git.commit(WEIR_TRY(commit_of(git, call.param("sha")))))));
}

json::object branch_json(const Call& call, const Ref& ref, std::string_view main) {
  const auto name = event::short_ref(ref.first);
  const auto config = call.services().config->of(call.repo);
  const auto* rule = config->branch(name);
  json::array checks;
  if (rule != nullptr) {
    for (const auto& check : rule->checks) checks.emplace_back(check);
  }
  const bool is_protected = name == main || rule != nullptr;
  return {{"name", name},
          {"commit", json::object{{"sha", ref.second}, {"url", call.api_url("/commits/" + ref.second)}}},
          {"protected", is_protected},
          {"protection", json::object{{"enabled", is_protected},
                                      {"required_status_checks", json::object{{"contexts", std::move(checks)}}}}},
          {"protection_url", call.api_url(fmt::format("/branches/{}/protection", name))}};
}

Result<io::HttpResponse> list_branches(Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto main = default_branch(git);
  auto refs = WEIR_TRY(refs_below(git, "refs/heads/"));
  if (const auto wanted = call.query("protected"); !wanted.empty()) {
    std::erase_if(refs, [&](const Ref& ref) {
      return branch_json(call, ref, main).at("protected").as_bool() != (wanted == "true");
    });
  }
  return paged(call, refs, [&](const Ref& ref) { return branch_json(call, ref, main); });
}

Result<Ref> branch_of(const Call& call, const io::Git& git) {
  const auto name = "refs/heads/" + call.param("branch");
  const auto refs = WEIR_TRY(git.refs());
  const auto found = refs.find(name);
  if (found == refs.end()) return fail(Code::kNotFound, "Not Found: Branch not found");
  return Ref(*found);
}

Result<io::HttpResponse> get_branch(Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto ref = WEIR_TRY(branch_of(call, git));
  auto object = branch_json(call, ref, default_branch(git));
  object["commit"] = commit_json(call, WEIR_TRY(git.commit(ref.second)));
  return io::json_response(200, std::move(object));
}

Result<io::HttpResponse> get_protection(Call& call) {
  const auto git = WEIR_TRY(call.git());
  WEIR_TRY(branch_of(call, git));
  const auto config = call.services().config->of(call.repo);
  const auto* rule = config->branch(call.param("branch"));
  if (rule == nullptr) return error_answer(404, "Branch not protected");
  json::array checks;
  for (const auto& check : rule->checks) checks.emplace_back(check);
  return io::json_response(
      200,
      json::object{{"url", call.api_url(fmt::format("/branches/{}/protection", call.param("branch")))},
                   {"required_status_checks", json::object{{"strict", false}, {"contexts", std::move(checks)}}},
                   {"required_pull_request_reviews", json::object{{"required_approving_review_count", rule->reviews}}},
                   {"allow_force_pushes", json::object{{"enabled", false}}}});
}

Result<io::HttpResponse> list_tags(Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto refs = WEIR_TRY(refs_below(git, "refs/tags/"));
  return paged(call, refs, [&](const Ref& ref) {
    const auto sha = git.resolve(ref.first).value_or(ref.second);
    return json::object{{"name", event::short_ref(ref.first)},
                        {"node_id", call.node_id("ref", ref.first)},
                        {"commit", json::object{{"sha", sha}, {"url", call.api_url("/commits/" + sha)}}}};
  });
}

}  // namespace

void add_ref_routes(Routes& routes) {
  routes.repo("GET", "/git/ref/{ref*}", kReads, get_ref);
  routes.repo("GET", "/git/matching-refs/{ref*}", kReads, matching_refs);
  routes.repo("POST", "/git/refs", kWrites, create_ref);
  routes.repo("PATCH", "/git/refs/{ref*}", kWrites, update_ref);
  routes.repo("DELETE", "/git/refs/{ref*}", kWrites, delete_ref);
  routes.repo("GET", "/git/commits/{sha}", kReads, get_commit);
  routes.repo("GET", "/branches", kReads, list_branches);
  routes.repo("GET", "/branches/{branch*}", kReads, get_branch);
  routes.repo("GET", "/branches/{branch}/protection", {"contents", Level::kRead, Permission::kRead}, get_protection);
  routes.repo("GET", "/tags", kReads, list_tags);
}

}  // namespace weir::api::github
