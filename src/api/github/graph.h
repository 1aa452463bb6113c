#pragma once

#include <any>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/github/answers.h"
#include "api/github/call.h"
#include "api/graphql/schema.h"

// GitHub's GraphQL API, as far as scripts and actions ask it: https://docs.github.com/en/graphql. Its types show what
// the REST routes show, from the same functions, and need what those need.
namespace weir::api::github {

// Whose repository something is of. The owner may be any: it is shown as it was asked for.
struct Home {
  std::string owner = "weir";
  std::string repo;
};

// One request's questions.
class Graph {
 public:
  Graph(const Parts& parts, io::HttpRequest& request) : parts_(parts), request_(request) {}

  [[nodiscard]] const Parts& parts() const { return parts_; }
  [[nodiscard]] const types::Identity& identity() const { return request_.identity; }
  // As of a REST route of the repository.
  [[nodiscard]] Call call(const Home& home) const { return {parts_, request_, json::object{}, home.owner, home.repo}; }
  // A call that `need` allows. kNotFound if there is no such repository.
  [[nodiscard]] Result<Call> allowed(const Home& home, const Need& need) const;
  // Those that bring a commit, looked through once in a request.
  Result<std::vector<forge::Pull>> pulls_of_commit(const Home& home, const std::string& sha);

 private:
  struct Looked {
    explicit Looked(Call of) : call(std::move(of)), pulls(call) {}
    Call call;
    PullsOfCommits pulls;
  };
  const Parts& parts_;
  io::HttpRequest& request_;
  std::map<std::string, std::unique_ptr<Looked>> looked_;
};

// What the schema's objects hold: where they are, what REST answers show of them, and what that was made of.
struct Shown {
  Home home;
  json::object shown;
};
template <class T>
struct Of : Shown {
  T of;
};
using PullNode = Of<forge::Pull>;
using IssueNode = Of<forge::Issue>;
using CommentNode = Of<forge::Comment>;
using CommitNode = Of<io::GitCommit>;
using RefNode = Of<Ref>;
using ReleaseNode = Of<forge::Release>;
struct ReviewOfPull {
  std::int64_t pull = 0;
  forge::Review review;
};
using ReviewNode = Of<ReviewOfPull>;
// A tree or a blob.
using ItemNode = Of<PathItem>;

// What a resolver of something is asked.
template <class T>
struct Question {
  const T& of;
  const json::object& arguments;
  Graph& graph;

  [[nodiscard]] Call call() const { return graph.call(of.home); }
  [[nodiscard]] Result<Call> allowed(const Need& need) const { return graph.allowed(of.home, need); }
  [[nodiscard]] std::string text(std::string_view name, std::string_view fallback = {}) const {
    return json_string_or(arguments, name, fallback);
  }
};

using graphql::Outcome;

// A resolver of objects that hold a T.
template <class T, class Function>
graphql::Resolver ask(const Function& function) {
  return [function](const graphql::Asked& asked) -> Result<Outcome> {
    return function(Question<T>{*std::any_cast<T>(&asked.self), asked.arguments, *static_cast<Graph*>(asked.context)});
  };
}

// A member of what REST shows; null if there is none.
template <class T>
graphql::Resolver member(const std::string& name) {
  return ask<T>([name](const Question<T>& question) -> Result<Outcome> {
    const auto* value = question.of.shown.if_contains(name);
    return Outcome(value == nullptr ? json::value() : *value);
  });
}

// The same in capitals, as GraphQL has what REST writes small.
template <class T>
graphql::Resolver capitals(const std::string& name) {
  return ask<T>([name](const Question<T>& question) -> Result<Outcome> {
    auto text = json_string(question.of.shown, name);
    if (!text) return Outcome(nullptr);
    for (auto& c : *text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 0x20) : c;
    return Outcome(*text);
  });
}

// Somebody as REST shows them, null for nobody. GraphQL knows bots by their names without "[bot]".
Outcome actor(const json::value* user);
template <class T>
graphql::Resolver actor_member(const std::string& name) {
  return ask<T>(
      [name](const Question<T>& question) -> Result<Outcome> { return actor(question.of.shown.if_contains(name)); });
}

// ---- lists

// What first, last, after and before choose of `total` things. The cursor of the one at `i` is made of `key(i)`, by
// which it is found again where others came or went.
struct Chosen {
  std::size_t begin = 0;
  std::size_t end = 0;
};
using KeyOf = std::function<std::string(std::size_t)>;
Result<Chosen> choose(const json::object& arguments, std::string_view field, std::size_t total, const KeyOf& key,
                      std::size_t unasked);

// One page of a connection.
struct Connection {
  std::string_view edge;  // its edges' type
  std::vector<Outcome> nodes;
  std::vector<std::string> cursors;
  std::size_t total = 0;
  bool has_next = false;
  bool has_previous = false;
  std::optional<Error> refused;  // why it has no nodes: only its count was asked for
};

std::string cursor_of(std::size_t at, std::string_view key);
// One edge by itself.
Outcome edge_node(std::string_view type, Outcome node, std::string cursor);

// `of` is the connection's type without "Connection". With `unasked` a page has so many where neither first nor last
// says how many; else they must.
template <class T, class Show>
Result<Outcome> connect(std::string_view type, std::string_view edge, const json::object& arguments,
                        std::string_view field, const std::vector<T>& all,
                        const std::function<std::string(const T&)>& key, const Show& show, std::size_t unasked = 0) {
  Connection page{.edge = edge, .total = all.size()};
  const auto chosen = choose(arguments, field, all.size(), [&](std::size_t i) { return key(all[i]); }, unasked);
  if (!chosen) {
    page.refused = chosen.error();
    return Outcome(graphql::Object{type, std::move(page)});
  }
  for (std::size_t i = chosen->begin; i < chosen->end; ++i) {
    Result<Outcome> node = show(all[i]);
    page.nodes.push_back(WEIR_TRY(std::move(node)));
    page.cursors.push_back(cursor_of(i, key(all[i])));
  }
  page.has_next = chosen->end < all.size();
  page.has_previous = chosen->begin > 0;
  return Outcome(graphql::Object{type, std::move(page)});
}

// Arguments of every connection's field.
inline constexpr std::string_view kPaging = "first: Int, last: Int, after: String, before: String";

// ---- objects

Outcome repository_node(const Home& home);
Outcome pull_node(const Call& call, forge::Pull pull);
Outcome issue_node(const Call& call, forge::Issue issue);
Outcome comment_node(const Call& call, forge::Comment comment);
Outcome commit_node(const Call& call, io::GitCommit commit);
Outcome label_node(const Call& call, const forge::Label& label);
Outcome review_node(const Call& call, std::int64_t pull, forge::Review review);
Outcome release_node(const Call& call, forge::Release release);
Outcome ref_node(const Call& call, Ref ref);

Home home_of(const Call& call);

// Connections that more than one type has.
// Those assigned to what REST shows.
Result<Outcome> people_connection(const json::object& arguments, const json::object& shown);
Result<Outcome> labels_connection(const Call& call, const json::object& arguments,
                                  const std::vector<std::string>& names);
Result<Outcome> comments_connection(const Call& call, const json::object& arguments, std::int64_t number);
Result<Outcome> pulls_connection(const Call& call, const json::object& arguments, std::string_view field,
                                 const std::vector<forge::Pull>& pulls);
Result<Outcome> commits_connection(const Call& call, std::string_view type, std::string_view field,
                                   const json::object& arguments, const std::vector<std::string>& ids);

// What a node id names, if the caller may see it. kNotFound in GitHub's words otherwise.
Result<Outcome> find_node(Graph& graph, const std::string& id);
// The parts of a node id: "comment", "flights", "12". kNotFound if it is none of weir's.
struct NodeId {
  std::string kind;
  Home home;
  std::string key;
  [[nodiscard]] std::int64_t number() const;  // 0 if the key is none
};
Result<NodeId> read_node_id(std::string_view id);

// Makes the commit of createCommitOnBranch and moves the branch to it, as a push does: it is made only from what the
// caller has seen (graph_commits.cc).
Result<Outcome> commit_on_branch(Graph& graph, const json::object& input);

// ---- what GitHub keeps of a repository that follows one of its (graph_upstream.cc)

// Members of what is shown that only weir knows: GitHub's own id, and why a comment is hidden there ("": it is not).
inline constexpr std::string_view kUpstreamId = "weir_upstream_id";
inline constexpr std::string_view kUpstreamHidden = "weir_upstream_hidden";
// Where comments of the repository are kept; nothing if they are here.
std::optional<Upstream> followed(const Call& call);
Result<Outcome> upstream_comments(const Call& call, const Upstream& upstream, const json::object& arguments,
                                  std::int64_t number);
// A pull request, or an issue that may be one.
Result<Outcome> upstream_subject(const Call& call, const Upstream& upstream, std::int64_t number, bool is_pull);
Result<Outcome> upstream_comment(const Call& call, const Upstream& upstream, std::int64_t id);
Result<Outcome> add_upstream_comment(const Call& call, const Upstream& upstream, std::int64_t number,
                                     const std::string& body);
Result<Outcome> change_upstream_comment(const Call& call, const Upstream& upstream, std::int64_t id,
                                        const std::string& body);
Result<void> remove_upstream_comment(const Upstream& upstream, std::int64_t id);
// Without a reason it is shown again.
Result<Outcome> hide_upstream_comment(const Call& call, const Upstream& upstream, std::int64_t id,
                                      const std::string& reason);
// As whom it is told.
Result<std::string> upstream_viewer(const Upstream& upstream);

// ---- the schema, each part in its file

void declare_connection(graphql::Schema& schema, std::string_view name, std::string_view node,
                        std::string_view edge = {});
void declare_lists(graphql::Schema& schema);       // graph_lists.cc
void declare_people(graphql::Schema& schema);      // graph_people.cc
void declare_discussion(graphql::Schema& schema);  // graph_discussion.cc: issues, comments, labels
void declare_pulls(graphql::Schema& schema);       // graph_pulls.cc
void declare_git(graphql::Schema& schema);         // graph_git.cc: refs, commits, trees, blobs
void declare_releases(graphql::Schema& schema);    // graph_releases.cc
void declare_repository(graphql::Schema& schema);  // graph_repository.cc
void declare_query(graphql::Schema& schema);       // graph_query.cc
void declare_mutations(graphql::Schema& schema);   // graph_mutations.cc
const graphql::Schema& graph_schema();

}  // namespace weir::api::github
