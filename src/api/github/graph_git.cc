// Refs, commits, trees and blobs.
#include <algorithm>

#include "api/github/commits.h"
#include "api/github/graph.h"
#include "api/github/needs.h"
#include "event/source.h"

namespace weir::api::github {
namespace {

constexpr std::size_t kHistoryMax = 100'000;
constexpr std::size_t kHistoryPage = 100;  // where a query does not say
constexpr int kComparedMax = 10'000;
constexpr std::int64_t kTextMax = 512 << 10;  // of a blob, as GitHub gives

using OfCommit = Question<CommitNode>;

const io::GitCommit& commit_in(const OfCommit& question) {
  return question.of.of;
}

template <class Function>
graphql::Resolver said(const Function& function) {
  return ask<CommitNode>(
      [function](const OfCommit& question) -> Result<Outcome> { return Outcome(function(commit_in(question))); });
}

std::string date_of(std::int64_t seconds) {
  return to_iso8601(TimePoint{std::chrono::seconds{seconds}});
}

std::string headline(const io::GitCommit& commit) {
  return commit.message.substr(0, commit.message.find('\n'));
}

std::string rest_of(const io::GitCommit& commit) {
  const auto end = commit.message.find("\n\n");
  return end == std::string::npos ? std::string() : commit.message.substr(end + 2);
}

// Whoever a commit names need not be known here.
Outcome person(const io::GitCommit& commit, std::int64_t seconds) {
  return Outcome(graphql::Object{"GitActor", Shown{.home = {},
                                                   .shown = {{"name", commit.author_name},
                                                             {"email", commit.author_email},
                                                             {"date", date_of(seconds)},
                                                             {"avatar_url", ""}}}});
}

Result<Outcome> history(const OfCommit& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
  LogQuery query{.commit = commit_in(question).sha, .path = question.text("path"), .limit = kHistoryMax};
  if (!query.path.empty()) WEIR_TRY(check_path(query.path));
  for (auto [name, member] : {std::pair{"since", &query.since}, {"until", &query.until}}) {
    if (const auto text = question.text(name); !text.empty()) *member = to_iso8601(WEIR_TRY(parse_iso8601(text)));
  }
  const auto ids = WEIR_TRY(log_ids(WEIR_TRY(call.git()), query));
  return commits_connection(call, "CommitHistoryConnection", "history", question.arguments, ids);
}

Result<Outcome> parents(const OfCommit& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
  return commits_connection(call, "CommitConnection", "parents", question.arguments, commit_in(question).parents);
}

Result<Outcome> authors(const OfCommit& question) {
  const auto& commit = commit_in(question);
  return connect<io::GitCommit>(
      "GitActorConnection", "GitActorEdge", question.arguments, "authors", {commit},
      [](const auto& one) { return one.author_email; },
      [](const auto& one) -> Result<Outcome> { return person(one, one.author_time_s); });
}

Result<Outcome> associated(const OfCommit& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadPulls));
  const auto pulls = WEIR_TRY(question.graph.pulls_of_commit(question.of.home, commit_in(question).sha));
  return pulls_connection(call, question.arguments, "associatedPullRequests", pulls);
}

Result<Outcome> lines(const OfCommit& question, std::int64_t ChangedFile::* count) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
  const auto& commit = commit_in(question);
  std::int64_t sum = 0;
  for (const auto& file : WEIR_TRY(
           changed_files(WEIR_TRY(call.git()), commit.parents.empty() ? "" : commit.parents.front(), commit.sha))) {
    sum += file.*count;
  }
  return Outcome(sum);
}

// What everything that checked the commit comes to; null if nothing did.
Result<Outcome> rollup(const OfCommit& question) {
  const auto call = WEIR_TRY(question.allowed({"checks", Level::kRead, access::Permission::kRead, "statuses"}));
  const auto states = WEIR_TRY(call.parts.states(call.repo, commit_in(question).sha));
  if (states.empty()) return Outcome(nullptr);
  std::map<std::string, std::string> newest;
  for (const auto& state : states) newest[state.name] = state.state;
  const auto any = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::any_of(newest,
                               [&](const auto& one) { return std::ranges::find(names, one.second) != names.end(); });
  };
  const std::string_view state =
      any({"failure", "error", "cancelled", "timed_out", "action_required", "startup_failure"}) ? "FAILURE"
      : any({"pending", "queued", "in_progress", "waiting"})                                    ? "PENDING"
                                                                                                : "SUCCESS";
  return Outcome(graphql::Object{"StatusCheckRollup", Shown{question.of.home, {{"state", state}}}});
}

Result<Outcome> tree_of_commit(const OfCommit& question) {
  const auto& tree = commit_in(question).tree;
  return Outcome(
      graphql::Object{"Tree", ItemNode{{question.of.home, {{"node_id", question.call().node_id("tree", tree)}}},
                                       PathItem{.type = "tree", .mode = "040000", .object = tree, .name = {}}}});
}

void declare_commit(graphql::Schema& schema) {
  schema.interface("GitObject", {"id: ID!", "oid: GitObjectID!", "abbreviatedOid: String!"});
  schema.enumeration("StatusState", {"EXPECTED", "ERROR", "FAILURE", "PENDING", "SUCCESS"});
  schema.object("StatusCheckRollup");
  schema.field("StatusCheckRollup", "state: StatusState!", member<Shown>("state"));
  schema.object("GitActor");
  for (const auto& [field, shown] : {std::pair{"name: String", "name"},
                                     {"email: String", "email"},
                                     {"date: GitTimestamp", "date"},
                                     {"avatarUrl(size: Int): URI!", "avatar_url"},
                                     {"user: User", "user"}}) {
    schema.field("GitActor", field, member<Shown>(shown));
  }
  declare_connection(schema, "GitActor", "GitActor");
  schema.object("Commit", {"Node", "GitObject"});
  schema.field("Commit", "id: ID!", member<CommitNode>("node_id"));
  schema.field("Commit", "url: URI!", member<CommitNode>("html_url"));
  schema.field("Commit", "oid: GitObjectID!", said([](const auto& commit) { return commit.sha; }));
  schema.field("Commit", "abbreviatedOid: String!", said([](const auto& commit) { return commit.sha.substr(0, 7); }));
  schema.field("Commit", "message: String!", said([](const auto& commit) { return commit.message; }));
  schema.field("Commit", "messageHeadline: String!", said(headline));
  schema.field("Commit", "messageBody: String!", said(rest_of));
  schema.field("Commit", "authoredDate: DateTime!",
               said([](const auto& commit) { return date_of(commit.author_time_s); }));
  schema.field("Commit", "committedDate: DateTime!",
               said([](const auto& commit) { return date_of(commit.committer_time_s); }));
  schema.field("Commit", "author: GitActor",
               said([](const auto& commit) { return person(commit, commit.author_time_s); }));
  schema.field("Commit", "committer: GitActor",
               said([](const auto& commit) { return person(commit, commit.committer_time_s); }));
  schema.field("Commit", fmt::format("authors({}): GitActorConnection!", kPaging), ask<CommitNode>(authors));
  schema.field("Commit", "tree: Tree!", ask<CommitNode>(tree_of_commit));
  schema.field("Commit", fmt::format("parents({}): CommitConnection!", kPaging), ask<CommitNode>(parents));
  schema.field(
      "Commit",
      fmt::format("history({}, path: String, since: GitTimestamp, until: GitTimestamp): CommitHistoryConnection!",
                  kPaging),
      ask<CommitNode>(history));
  schema.field("Commit", fmt::format("associatedPullRequests({}): PullRequestConnection", kPaging),
               ask<CommitNode>(associated));
  schema.field("Commit", "additions: Int!",
               ask<CommitNode>([](const OfCommit& question) { return lines(question, &ChangedFile::additions); }));
  schema.field("Commit", "deletions: Int!",
               ask<CommitNode>([](const OfCommit& question) { return lines(question, &ChangedFile::deletions); }));
  schema.field("Commit", "statusCheckRollup: StatusCheckRollup", ask<CommitNode>(rollup));
  schema.field("Commit", "repository: Repository!", ask<CommitNode>([](const OfCommit& question) -> Result<Outcome> {
                 return repository_node(question.of.home);
               }));
  declare_connection(schema, "Commit", "Commit");
  declare_connection(schema, "CommitHistory", "Commit");
  declare_connection(schema, "ComparisonCommit", "Commit");
}

using OfRef = Question<RefNode>;

Result<Outcome> target(const OfRef& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
  const auto git = WEIR_TRY(call.git());
  // What a tag with a message leads to, in the end.
  return commit_node(call, WEIR_TRY(git.commit(WEIR_TRY(git.resolve(question.of.of.second)))));
}

struct Compared {
  std::string base;
  std::string head;
  std::vector<std::string> ahead;  // oldest first
  std::size_t behind = 0;
};
using ComparedNode = Of<Compared>;

Result<Outcome> compare(const OfRef& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
  const auto git = WEIR_TRY(call.git());
  Compared compared{.base = WEIR_TRY(git.resolve(question.of.of.second)),
                    .head = WEIR_TRY(commit_of(git, question.text("headRef"))),
                    .ahead = {}};
  const auto start = WEIR_TRY(git.merge_base(compared.base, compared.head));
  if (start.empty())
    return fail(Code::kNotFound, "No common ancestor between {} and {}", question.of.of.first,
                question.text("headRef").substr(0, 200));
  for (auto& commit : WEIR_TRY(git.commits_between(start, compared.head, kComparedMax)))
    compared.ahead.push_back(std::move(commit.sha));
  std::ranges::reverse(compared.ahead);
  compared.behind = WEIR_TRY(git.commits_between(start, compared.base, kComparedMax)).size();
  return Outcome(graphql::Object{"Comparison", ComparedNode{{question.of.home, {}}, std::move(compared)}});
}

void declare_comparison(graphql::Schema& schema) {
  using Asked = Question<ComparedNode>;
  schema.enumeration("ComparisonStatus", {"DIVERGED", "AHEAD", "BEHIND", "IDENTICAL"});
  schema.object("Comparison");
  schema.field("Comparison", "aheadBy: Int!", ask<ComparedNode>([](const Asked& question) -> Result<Outcome> {
                 return Outcome(question.of.of.ahead.size());
               }));
  schema.field("Comparison", "behindBy: Int!", ask<ComparedNode>([](const Asked& question) -> Result<Outcome> {
                 return Outcome(question.of.of.behind);
               }));
  schema.field("Comparison", "status: ComparisonStatus!",
               ask<ComparedNode>([](const Asked& question) -> Result<Outcome> {
                 const auto& compared = question.of.of;
                 if (compared.ahead.empty()) return Outcome(compared.behind == 0 ? "IDENTICAL" : "BEHIND");
                 return Outcome(compared.behind == 0 ? "AHEAD" : "DIVERGED");
               }));
  for (const auto& [field, side] :
       {std::pair{"baseTarget: GitObject!", &Compared::base}, {"headTarget: GitObject!", &Compared::head}}) {
    schema.field("Comparison", field, ask<ComparedNode>([side](const Asked& question) -> Result<Outcome> {
                   const auto call = question.call();
                   return commit_node(call, WEIR_TRY(WEIR_TRY(call.git()).commit(question.of.of.*side)));
                 }));
  }
  schema.field("Comparison", fmt::format("commits({}): ComparisonCommitConnection!", kPaging),
               ask<ComparedNode>([](const Asked& question) -> Result<Outcome> {
                 return commits_connection(question.call(), "ComparisonCommitConnection", "commits", question.arguments,
                                           question.of.of.ahead);
               }));
}

void declare_ref(graphql::Schema& schema) {
  schema.object("Ref", {"Node"});
  schema.field("Ref", "id: ID!", member<RefNode>("node_id"));
  schema.field("Ref", "name: String!", member<RefNode>("name"));
  schema.field("Ref", "prefix: String!", member<RefNode>("prefix"));
  schema.field("Ref", "target: GitObject", ask<RefNode>(target));
  schema.field("Ref", "compare(headRef: String!): Comparison", ask<RefNode>(compare));
  schema.field("Ref", "repository: Repository!", ask<RefNode>([](const OfRef& question) -> Result<Outcome> {
                 return repository_node(question.of.home);
               }));
  schema.field("Ref",
               fmt::format("associatedPullRequests({}, states: [PullRequestState!]): PullRequestConnection!", kPaging),
               ask<RefNode>([](const OfRef& question) -> Result<Outcome> {
                 const auto call = WEIR_TRY(question.allowed(needs::kReadPulls));
                 const auto found = WEIR_TRY(call.services().pulls->of_branch(call.repo, question.of.of.first));
                 return pulls_connection(call, question.arguments, "associatedPullRequests",
                                         found ? std::vector{*found} : std::vector<forge::Pull>{});
               }));
  declare_connection(schema, "Ref", "Ref");
}

using OfItem = Question<ItemNode>;

template <class Function>
graphql::Resolver of_item(const Function& function) {
  return ask<ItemNode>(
      [function](const OfItem& question) -> Result<Outcome> { return Outcome(function(question.of.of)); });
}

Result<std::string> bytes_of(const OfItem& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
  return blob_bytes(WEIR_TRY(call.git()), question.of.of.object);
}

Result<Outcome> text_of(const OfItem& question) {
  if (question.of.of.size_bytes > kTextMax) return Outcome(nullptr);
  auto bytes = WEIR_TRY(bytes_of(question));
  // As git tells them apart. What is no text of UTF-8 could be no string of the answer either.
  if (bytes.contains('\0') || !parse_json(json::serialize(json::value(bytes)), "a file")) return Outcome(nullptr);
  return Outcome(std::move(bytes));
}

Result<Outcome> entries(const OfItem& question) {
  constexpr std::size_t kEntriesMax = 10'000;
  const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
  std::vector<Outcome> list;
  for (auto& item : WEIR_TRY(tree_at(WEIR_TRY(call.git()), question.of.of.object, false, kEntriesMax))) {
    const auto id = call.node_id(item.type, item.object);
    list.emplace_back(graphql::Object{"TreeEntry", ItemNode{{question.of.home, {{"node_id", id}}}, std::move(item)}});
  }
  return Outcome(std::move(list));
}

void declare_items(graphql::Schema& schema) {
  for (const std::string_view name : {"Tree", "Blob"}) {
    schema.object(name, {"Node", "GitObject"});
    schema.field(name, "id: ID!", member<ItemNode>("node_id"));
    schema.field(name, "oid: GitObjectID!", of_item([](const PathItem& item) { return item.object; }));
    schema.field(name, "abbreviatedOid: String!",
                 of_item([](const PathItem& item) { return item.object.substr(0, 7); }));
  }
  schema.field("Tree", "entries: [TreeEntry!]", ask<ItemNode>(entries));
  schema.field("Blob", "byteSize: Int!", of_item([](const PathItem& item) { return item.size_bytes; }));
  schema.field("Blob", "text: String", ask<ItemNode>(text_of));
  schema.field("Blob", "isBinary: Boolean", ask<ItemNode>([](const OfItem& question) -> Result<Outcome> {
                 return Outcome(WEIR_TRY(bytes_of(question)).contains('\0'));
               }));
  schema.field("Blob", "isTruncated: Boolean!",
               of_item([](const PathItem& item) { return item.size_bytes > kTextMax; }));
  schema.object("TreeEntry");
  schema.field("TreeEntry", "name: String!", of_item([](const PathItem& item) { return item.name; }));
  schema.field("TreeEntry", "type: String!", of_item([](const PathItem& item) { return item.type; }));
  schema.field("TreeEntry", "oid: GitObjectID!", of_item([](const PathItem& item) { return item.object; }));
  schema.field("TreeEntry", "object: GitObject", ask<ItemNode>([](const OfItem& question) -> Result<Outcome> {
                 if (question.of.of.type == "commit") return Outcome(nullptr);  // of another repository
                 return Outcome(graphql::Object{question.of.of.type == "tree" ? "Tree" : "Blob", question.of});
               }));
}

}  // namespace

Outcome commit_node(const Call& call, io::GitCommit commit) {
  return Outcome(graphql::Object{"Commit", CommitNode{{home_of(call), commit_json(call, commit)}, std::move(commit)}});
}

Outcome ref_node(const Call& call, Ref ref) {
  const auto name = event::short_ref(ref.first);
  json::object shown{{"node_id", call.node_id("ref", ref.first)},
                     {"name", name},
                     {"prefix", ref.first.substr(0, ref.first.size() - name.size())}};
  return Outcome(graphql::Object{"Ref", RefNode{{home_of(call), std::move(shown)}, std::move(ref)}});
}

Result<Outcome> commits_connection(const Call& call, std::string_view type, std::string_view field,
                                   const json::object& arguments, const std::vector<std::string>& ids) {
  const auto git = WEIR_TRY(call.git());
  return connect<std::string>(
      type, "CommitEdge", arguments, field, ids, [](const auto& sha) { return sha; },
      [&](const auto& sha) -> Result<Outcome> { return commit_node(call, WEIR_TRY(git.commit(sha))); },
      field == "history" ? kHistoryPage : 0);
}

void declare_git(graphql::Schema& schema) {
  declare_commit(schema);
  declare_ref(schema);
  declare_comparison(schema);
  declare_items(schema);
}

}  // namespace weir::api::github
