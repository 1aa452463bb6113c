// Repositories, and what is looked up in them.
#include <algorithm>
#include <functional>

#include "api/github/commits.h"
#include "api/github/graph.h"
#include "api/github/needs.h"
#include "event/source.h"

namespace weir::api::github {
namespace {

using OfRepository = Question<Shown>;

std::vector<std::string> strings_of(const json::object& arguments, std::string_view name) {
  std::vector<std::string> all;
  const auto* list = arguments.if_contains(name);
  if (list == nullptr || !list->is_array()) return all;
  for (const auto& one : list->get_array()) {
    if (one.is_string()) all.emplace_back(one.get_string());
  }
  return all;
}

bool among(const std::vector<std::string>& wanted, std::string_view name) {
  return wanted.empty() || std::ranges::find(wanted, name) != wanted.end();
}

// Whether it has one of the labels.
bool labeled(const std::vector<std::string>& wanted, const forge::Issue& issue) {
  return wanted.empty() || std::ranges::any_of(wanted, [&](const auto& name) {
           return std::ranges::find(issue.labels, name) != issue.labels.end();
         });
}

// Without an order GitHub lists what is older first.
template <class T, class IssueOf>
void order(std::vector<T>& newest_first, const json::object& arguments, const IssueOf& issue_of) {
  const auto* wanted = arguments.if_contains("orderBy");
  const bool is_given = wanted != nullptr && wanted->is_object();
  const auto by = is_given ? json_string_or(*wanted, "field", "") : std::string("CREATED_AT");
  if (by == "UPDATED_AT") {
    std::ranges::sort(newest_first, std::ranges::greater{},
                      [&](const T& one) { return std::pair(issue_of(one).updated_at, issue_of(one).number); });
  }
  if (!is_given || json_string_or(*wanted, "direction", "ASC") == "ASC") std::ranges::reverse(newest_first);
}

template <class T, class List, class IssueOf>
Result<std::vector<T>> all_of(const List& list, const IssueOf& issue_of) {
  std::vector<T> found;
  forge::IssueFilter filter{.limit = 100};
  while (true) {
    std::vector<T> more = WEIR_TRY(list(filter));
    const bool last = more.size() < 100;
    if (!more.empty()) filter.before = issue_of(more.back()).number;
    std::ranges::move(more, std::back_inserter(found));
    if (last) return found;
  }
}

Result<Outcome> pull_requests(const OfRepository& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadPulls));
  const auto issue_of = [](const forge::Pull& pull) -> const forge::Issue& { return pull.issue; };
  auto pulls = WEIR_TRY(all_of<forge::Pull>(
      [&](const forge::IssueFilter& filter) { return call.services().pulls->list(call.repo, filter); }, issue_of));
  const auto states = strings_of(question.arguments, "states");
  const auto labels = strings_of(question.arguments, "labels");
  const auto base = question.text("baseRefName");
  const auto head = question.text("headRefName");
  std::erase_if(pulls, [&](const forge::Pull& pull) {
    const std::string_view state = pull.merged_at ? "MERGED" : pull.issue.open ? "OPEN" : "CLOSED";
    return !among(states, state) || !labeled(labels, pull.issue) ||
           (!base.empty() && event::short_ref(pull.base_ref) != base) ||
           (!head.empty() && event::short_ref(pull.head_ref) != head);
  });
  order(pulls, question.arguments, issue_of);
  return pulls_connection(call, question.arguments, "pullRequests", pulls);
}

Result<Outcome> issues(const OfRepository& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadIssues));
  constexpr std::identity issue_of;
  auto all = WEIR_TRY(all_of<forge::Issue>(
      [&](forge::IssueFilter filter) {
        filter.is_pull = false;
        return call.services().issues->list(call.repo, filter);
      },
      issue_of));
  const auto states = strings_of(question.arguments, "states");
  const auto labels = strings_of(question.arguments, "labels");
  std::erase_if(all, [&](const forge::Issue& issue) {
    return !among(states, issue.open ? "OPEN" : "CLOSED") || !labeled(labels, issue);
  });
  order(all, question.arguments, issue_of);
  return connect<forge::Issue>(
      "IssueConnection", "IssueEdge", question.arguments, "issues", all,
      [](const auto& issue) { return std::to_string(issue.number); },
      [&](const auto& issue) -> Result<Outcome> { return issue_node(call, issue); });
}

// "main", "v1^{commit}", "HEAD:docs/notes.md" or an id, given as `expression` or `oid`; null if there is no such thing.
Result<Outcome> object(const OfRepository& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
  const auto git = WEIR_TRY(call.git());
  auto expression = question.text("oid");
  if (expression.empty()) expression = question.text("expression");
  if (expression.empty()) return fail(Code::kInvalidArgument, "object needs an expression or an oid");
  const auto colon = expression.find(':');
  auto revision = expression.substr(0, colon);
  for (const std::string_view peeled : {"^{commit}", "^{}", "^0"}) {
    if (revision.ends_with(peeled)) revision.resize(revision.size() - peeled.size());
  }
  const auto sha = commit_of(git, revision);
  if (!sha) return Outcome(nullptr);
  if (colon == std::string::npos) return commit_node(call, WEIR_TRY(git.commit(*sha)));
  const auto path = expression.substr(colon + 1);
  if (!path.empty() && !check_path(path)) return Outcome(nullptr);
  auto item = WEIR_TRY(item_at(git, *sha, path));
  if (!item || item->type == "commit") return Outcome(nullptr);
  json::object shown{{"node_id", call.node_id(item->type, item->object)}};
  return Outcome(graphql::Object{item->type == "tree" ? "Tree" : "Blob",
                                 ItemNode{{question.of.home, std::move(shown)}, *std::move(item)}});
}

Result<Outcome> ref(const OfRepository& question, const std::string& given) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
  const auto refs = WEIR_TRY(refs_below(WEIR_TRY(call.git()), "refs/"));
  // A short name is a branch's before it is a tag's.
  for (const auto& name : {given, "refs/heads/" + given, "refs/tags/" + given, "refs/" + given}) {
    const auto found = std::ranges::find(refs, name, &Ref::first);
    if (found != refs.end()) return ref_node(call, *found);
  }
  return Outcome(nullptr);
}

Result<Outcome> refs(const OfRepository& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
  auto all = WEIR_TRY(refs_below(WEIR_TRY(call.git()), question.text("refPrefix")));
  if (const auto query = question.text("query"); !query.empty()) {
    std::erase_if(all, [&](const Ref& ref) { return ref.first.find(query) == std::string::npos; });
  }
  return connect<Ref>(
      "RefConnection", "RefEdge", question.arguments, "refs", all, [](const auto& one) { return one.first; },
      [&](const auto& one) -> Result<Outcome> { return ref_node(call, one); });
}

Result<Outcome> releases(const OfRepository& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
  auto all = WEIR_TRY(visible_releases(call));
  const auto* wanted = question.arguments.if_contains("orderBy");
  if (wanted == nullptr || !wanted->is_object() || json_string_or(*wanted, "direction", "ASC") == "ASC") {
    std::ranges::reverse(all);
  }
  return connect<forge::Release>(
      "ReleaseConnection", "ReleaseEdge", question.arguments, "releases", all,
      [](const auto& release) { return std::to_string(release.id); },
      [&](const auto& release) -> Result<Outcome> { return release_node(call, release); });
}

Result<Outcome> release(const OfRepository& question, const std::function<bool(const forge::Release&)>& fits) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
  for (auto& one : WEIR_TRY(visible_releases(call))) {
    if (fits(one)) return release_node(call, std::move(one));
  }
  return Outcome(nullptr);
}

Result<Outcome> labels(const OfRepository& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadIssues));
  auto all = WEIR_TRY(call.parts.labels->list(call.repo));
  if (const auto query = question.text("query"); !query.empty()) {
    std::erase_if(all, [&](const forge::Label& label) {
      return label.name.find(query) == std::string::npos && label.description.find(query) == std::string::npos;
    });
  }
  return connect<forge::Label>(
      "LabelConnection", "LabelEdge", question.arguments, "labels", all, [](const auto& label) { return label.name; },
      [&](const auto& label) -> Result<Outcome> { return label_node(call, label); });
}

Result<Outcome> label(const OfRepository& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadIssues));
  const auto found = call.parts.labels->find(call.repo, question.text("name"));
  if (!found && found.error().code == Code::kNotFound) return Outcome(nullptr);
  return label_node(call, WEIR_TRY(found));
}

enum class Wanted : std::uint8_t { kIssue, kPull, kEither };

template <Wanted kWanted>
Result<Outcome> numbered(const OfRepository& question) {
  constexpr std::string_view kName = kWanted == Wanted::kPull    ? "a PullRequest"
                                     : kWanted == Wanted::kIssue ? "an Issue"
                                                                 : "an issue or pull request";
  const auto call = WEIR_TRY(question.allowed(kWanted == Wanted::kPull ? needs::kReadPulls : needs::kReadIssues));
  const auto number = json_int(question.arguments, "number").value_or(0);
  if (const auto upstream = followed(call)) return upstream_subject(call, *upstream, number, kWanted == Wanted::kPull);
  auto issue = call.services().issues->find(call.repo, number);
  const bool fits = issue && (kWanted == Wanted::kEither || issue->is_pull == (kWanted == Wanted::kPull));
  if (!issue && issue.error().code != Code::kNotFound) return std::unexpected(issue.error());
  if (!fits) return fail(Code::kNotFound, "Could not resolve to {} with the number of {}.", kName, number);
  if (!issue->is_pull) return issue_node(call, *std::move(issue));
  return pull_node(call, WEIR_TRY(call.services().pulls->find(call.repo, number)));
}

Result<Outcome> permission(const OfRepository& question) {
  const auto may = [&](access::Permission wanted) {
    return question.graph.parts()
        .services->access->allow(question.graph.identity(), wanted, "repo/" + question.of.home.repo)
        .has_value();
  };
  if (may(access::Permission::kConfigure)) return Outcome("ADMIN");
  if (may(access::Permission::kPush)) return Outcome("WRITE");
  return Outcome(may(access::Permission::kRead) ? json::value("READ") : json::value());
}

// What GET /repos/{owner}/{repo} says, once it is asked for.
graphql::Resolver repository_member(const std::string& name) {
  return ask<Shown>([name](const OfRepository& question) -> Result<Outcome> {
    const auto call = question.call();
    const auto shown = repository_json(call, default_branch(WEIR_TRY(call.git())));
    const auto* value = shown.if_contains(name);
    return Outcome(value == nullptr ? json::value() : *value);
  });
}

void declare_facts(graphql::Schema& schema) {
  for (const auto& [field, shown] : {std::pair{"id: ID!", "node_id"},
                                     {"databaseId: BigInt", "id"},
                                     {"name: String!", "name"},
                                     {"nameWithOwner: String!", "full_name"},
                                     {"description: String", "description"},
                                     {"url: URI!", "html_url"},
                                     {"isPrivate: Boolean!", "private"},
                                     {"isFork: Boolean!", "fork"},
                                     {"isArchived: Boolean!", "archived"},
                                     {"hasIssuesEnabled: Boolean!", "has_issues"}}) {
    schema.field("Repository", field, repository_member(shown));
  }
  for (const std::string_view field :
       {"mergeCommitAllowed: Boolean!", "squashMergeAllowed: Boolean!", "rebaseMergeAllowed: Boolean!"}) {
    schema.field("Repository", field, ask<Shown>([](const OfRepository&) -> Result<Outcome> { return Outcome(true); }));
  }
  schema.field("Repository", "autoMergeAllowed: Boolean!",
               ask<Shown>([](const OfRepository&) -> Result<Outcome> { return Outcome(false); }));
  schema.field("Repository", "owner: RepositoryOwner!", ask<Shown>([](const OfRepository& question) -> Result<Outcome> {
                 const json::value owner = user_json(question.call(), question.of.home.owner);
                 return actor(&owner);
               }));
  schema.enumeration("RepositoryPermission", {"ADMIN", "MAINTAIN", "WRITE", "TRIAGE", "READ"});
  schema.field("Repository", "viewerPermission: RepositoryPermission", ask<Shown>(permission));
  schema.field("Repository", "isEmpty: Boolean!", ask<Shown>([](const OfRepository& question) -> Result<Outcome> {
                 return Outcome(WEIR_TRY(WEIR_TRY(question.call().git()).refs()).empty());
               }));
}

void declare_git_of(graphql::Schema& schema) {
  schema.field("Repository", "defaultBranchRef: Ref", ask<Shown>([](const OfRepository& question) -> Result<Outcome> {
                 return ref(question, "refs/heads/" + default_branch(WEIR_TRY(question.call().git())));
               }));
  schema.field("Repository", "ref(qualifiedName: String!): Ref",
               ask<Shown>([](const OfRepository& question) { return ref(question, question.text("qualifiedName")); }));
  schema.enumeration("RefOrderField", {"TAG_COMMIT_DATE", "ALPHABETICAL"});
  schema.field("Repository", fmt::format("refs(refPrefix: String!, query: String, {}): RefConnection", kPaging),
               ask<Shown>(refs));
  schema.field("Repository", "object(expression: String, oid: GitObjectID): GitObject", ask<Shown>(object));
  schema.enumeration("ReleaseOrderField", {"CREATED_AT", "NAME"});
  schema.input("ReleaseOrder", {"field: ReleaseOrderField!", "direction: OrderDirection!"});
  schema.field("Repository", fmt::format("releases({}, orderBy: ReleaseOrder): ReleaseConnection!", kPaging),
               ask<Shown>(releases));
  schema.field("Repository", "release(tagName: String!): Release", ask<Shown>([](const OfRepository& question) {
                 return release(question, [tag = question.text("tagName")](const forge::Release& one) {
                   return !one.draft && one.tag == tag;
                 });
               }));
  schema.field("Repository", "latestRelease: Release", ask<Shown>([](const OfRepository& question) {
                 return release(question, [](const forge::Release& one) { return !one.draft && !one.prerelease; });
               }));
}

}  // namespace

Outcome repository_node(const Home& home) {
  return Outcome(graphql::Object{"Repository", Shown{home, {}}});
}

void declare_repository(graphql::Schema& schema) {
  schema.object("Repository", {"Node"});
  declare_facts(schema);
  declare_git_of(schema);
  schema.enumeration("IssueOrderField", {"CREATED_AT", "UPDATED_AT"});
  schema.input("IssueOrder", {"field: IssueOrderField!", "direction: OrderDirection!"});
  schema.field("Repository", "pullRequest(number: Int!): PullRequest", ask<Shown>(numbered<Wanted::kPull>));
  schema.field("Repository", "issue(number: Int!): Issue", ask<Shown>(numbered<Wanted::kIssue>));
  schema.field("Repository", "issueOrPullRequest(number: Int!): IssueOrPullRequest",
               ask<Shown>(numbered<Wanted::kEither>));
  schema.field("Repository",
               fmt::format("pullRequests({}, states: [PullRequestState!], labels: [String!], baseRefName: String, "
                           "headRefName: String, orderBy: IssueOrder): PullRequestConnection!",
                           kPaging),
               ask<Shown>(pull_requests));
  schema.field(
      "Repository",
      fmt::format("issues({}, states: [IssueState!], labels: [String!], orderBy: IssueOrder): IssueConnection!",
                  kPaging),
      ask<Shown>(issues));
  schema.field("Repository", fmt::format("labels({}, query: String): LabelConnection", kPaging), ask<Shown>(labels));
  schema.field("Repository", "label(name: String!): Label", ask<Shown>(label));
}

}  // namespace weir::api::github
