// Who asks, and who wrote something.
#include "api/github/graph.h"

namespace weir::api::github {
namespace {

// A program as the author of something goes without the suffix that its own account's name has.
Result<Outcome> login(const Question<Shown>& question) {
  constexpr std::string_view kSuffix = "[bot]";
  auto name = json_string_or(question.of.shown, "login", "");
  if (name.ends_with(kSuffix)) name.resize(name.size() - kSuffix.size());
  return Outcome(name);
}

// There are none to say what is in them.
Result<Outcome> no_project(const Question<Shown>&) {
  return fail(Code::kNotFound, "weir has no projects: issues and pull requests can be put into none");
}

void declare_account(graphql::Schema& schema, std::string_view name) {
  schema.object(name, {"Node", "Actor", "RepositoryOwner", "RequestedReviewer"});
  schema.field(name, "id: ID!", member<Shown>("node_id"));
  schema.field(name, "databaseId: BigInt", member<Shown>("id"));
  if (name == "Bot") {
    schema.field(name, "login: String!", ask<Shown>(login));
  } else {
    schema.field(name, "login: String!", member<Shown>("login"));
  }
  schema.field(name, "name: String", member<Shown>("name"));
  schema.field(name, "url: URI!", member<Shown>("html_url"));
  schema.field(name, "avatarUrl(size: Int): URI!", member<Shown>("avatar_url"));
  schema.field(name, "projectV2(number: Int!): ProjectV2", ask<Shown>(no_project));
}

}  // namespace

Outcome actor(const json::value* user) {
  if (user == nullptr || !user->is_object()) return Outcome(nullptr);
  const bool is_bot = json_string_or(*user, "type", "") == "Bot";
  return Outcome(graphql::Object{is_bot ? "Bot" : "User", Shown{.home = {}, .shown = user->get_object()}});
}

Result<Outcome> people_connection(const json::object& arguments, const json::object& shown) {
  std::vector<json::value> all;
  if (const auto* list = shown.if_contains("assignees"); list != nullptr && list->is_array()) {
    all.assign(list->get_array().begin(), list->get_array().end());
  }
  return connect<json::value>(
      "UserConnection", "UserEdge", arguments, "assignees", all,
      [](const auto& one) { return json_string_or(one, "login", ""); },
      [](const auto& one) -> Result<Outcome> { return actor(&one); });
}

void declare_people(graphql::Schema& schema) {
  schema.interface("Actor", {"login: String!", "url: URI!", "avatarUrl(size: Int): URI!"});
  schema.interface("RepositoryOwner", {"id: ID!", "login: String!", "url: URI!", "avatarUrl(size: Int): URI!"});
  schema.union_of("RequestedReviewer");
  schema.enumeration("CommentAuthorAssociation", {"MEMBER", "OWNER", "MANNEQUIN", "COLLABORATOR", "CONTRIBUTOR",
                                                  "FIRST_TIME_CONTRIBUTOR", "FIRST_TIMER", "NONE"});
  for (const std::string_view name : {"User", "Bot", "Organization"}) declare_account(schema, name);
  declare_connection(schema, "User", "User");
  schema.object("ProjectV2", {"Node"});
  schema.field("ProjectV2", "id: ID!", member<Shown>("node_id"));
  schema.field("ProjectV2", "number: Int!", member<Shown>("number"));
  schema.field("ProjectV2", "title: String!", member<Shown>("title"));
}

}  // namespace weir::api::github
