#include "api/github/graph.h"

#include <charconv>

#include "api/github/needs.h"

namespace weir::api::github {

Result<Call> Graph::allowed(const Home& home, const Need& need) const {
  auto call = this->call(home);
  const auto missing = [&] {
    return fail(Code::kNotFound, "Could not resolve to a Repository with the name '{}/{}'.", home.owner.substr(0, 100),
                home.repo.substr(0, 200));
  };
  if (!is_repository_name(home.repo)) return missing();
  WEIR_TRY(check_need(call, need));
  if (!call.git()) return missing();
  return call;
}

Result<std::vector<forge::Pull>> Graph::pulls_of_commit(const Home& home, const std::string& sha) {
  auto& looked = looked_[home.repo];
  if (looked == nullptr) looked = std::make_unique<Looked>(call(home));
  return looked->pulls.of(sha);
}

Home home_of(const Call& call) {
  return {call.owner, call.repo};
}

std::int64_t NodeId::number() const {
  std::int64_t number = 0;
  const auto* end = key.data() + key.size();
  return std::from_chars(key.data(), end, number).ptr == end ? number : 0;
}

Result<NodeId> read_node_id(std::string_view id) {
  const auto slash = id.find('/');
  const auto second = slash == std::string_view::npos ? slash : id.find('/', slash + 1);
  NodeId read;
  read.kind = id.substr(0, slash);
  if (slash != std::string_view::npos) read.home.repo = id.substr(slash + 1, second - slash - 1);
  if (second != std::string_view::npos) read.key = id.substr(second + 1);
  if (read.kind.empty() || read.home.repo.empty()) {
    return fail(Code::kNotFound, "Could not resolve to a node with the global id of '{}'", id.substr(0, 200));
  }
  return read;
}

namespace {

// One of weir's own: its kind decides what the caller needs to see it.
Result<Outcome> find_by(Graph& graph, const NodeId& id) {
  const auto call_for = [&](const Need& need) { return graph.allowed(id.home, need); };
  if (id.kind == "repository") {
    WEIR_TRY(call_for(needs::kSeeRepository));
    return repository_node(id.home);
  }
  if (id.kind == "issue") {
    const auto call = WEIR_TRY(call_for(needs::kReadIssues));
    if (const auto upstream = followed(call)) return upstream_subject(call, *upstream, id.number(), false);
    auto issue = WEIR_TRY(call.services().issues->find(call.repo, id.number()));
    if (!issue.is_pull) return issue_node(call, std::move(issue));
    return fail(Code::kNotFound, "{} is a pull request", id.number());
  }
  if (id.kind == "pull") {
    const auto call = WEIR_TRY(call_for(needs::kReadPulls));
    if (const auto upstream = followed(call)) return upstream_subject(call, *upstream, id.number(), true);
    return pull_node(call, WEIR_TRY(call.services().pulls->find(call.repo, id.number())));
  }
  if (id.kind == "comment") {
    const auto call = WEIR_TRY(call_for(needs::kReadIssues));
    if (const auto upstream = followed(call)) return upstream_comment(call, *upstream, id.number());
    return comment_node(call, WEIR_TRY(call.services().issues->find_comment(call.repo, id.number())));
  }
  if (id.kind == "review") {
    const auto call = WEIR_TRY(call_for(needs::kReadPulls));
    const auto slash = id.key.find('/');
    const NodeId pull{.kind = {}, .home = {}, .key = id.key.substr(0, slash)};
    const NodeId review{.kind = {}, .home = {}, .key = slash == std::string::npos ? "" : id.key.substr(slash + 1)};
    return review_node(call, pull.number(),
                       WEIR_TRY(call.services().pulls->find_review(call.repo, pull.number(), review.number())));
  }
  if (id.kind == "label") {
    const auto call = WEIR_TRY(call_for(needs::kReadIssues));
    return label_node(call, WEIR_TRY(call.parts.labels->find(call.repo, id.key)));
  }
  const auto call = WEIR_TRY(call_for(needs::kReadContents));
  if (id.kind == "release") {
    for (auto& release : WEIR_TRY(visible_releases(call))) {
      if (release.id == id.number()) return release_node(call, std::move(release));
    }
  } else if (id.kind == "commit") {
    const auto git = WEIR_TRY(call.git());
    return commit_node(call, WEIR_TRY(git.commit(WEIR_TRY(commit_of(git, id.key)))));
  } else if (id.kind == "ref") {
    const auto refs = WEIR_TRY(WEIR_TRY(call.git()).refs());
    if (const auto found = refs.find(id.key); found != refs.end()) return ref_node(call, *found);
  }
  return fail(Code::kNotFound, "weir has no {} {}", id.kind.substr(0, 40), id.key.substr(0, 200));
}

}  // namespace

Result<Outcome> find_node(Graph& graph, const std::string& id) {
  auto found = find_by(graph, WEIR_TRY(read_node_id(id)));
  if (!found && found.error().code == Code::kNotFound) {
    return fail(Code::kNotFound, "Could not resolve to a node with the global id of '{}': {}", id.substr(0, 200),
                found.error().message);
  }
  return found;
}

const graphql::Schema& graph_schema() {
  static const graphql::Schema kSchema = [] {
    graphql::Schema schema;
    declare_lists(schema);
    declare_people(schema);
    declare_discussion(schema);
    declare_pulls(schema);
    declare_git(schema);
    declare_releases(schema);
    declare_repository(schema);
    declare_query(schema);
    declare_mutations(schema);
    return schema;
  }();
  return kSchema;
}

}  // namespace weir::api::github
