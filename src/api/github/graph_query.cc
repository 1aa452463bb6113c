// Where questions begin, and the search for issues and pull requests.
#include <algorithm>

#include "api/github/graph.h"
#include "api/github/needs.h"
#include "event/source.h"

namespace weir::api::github {
namespace {

using graphql::Asked;

Graph& graph_of(const Asked& asked) {
  return *static_cast<Graph*>(asked.context);
}

Result<Outcome> viewer(const Asked& asked) {
  auto& graph = graph_of(asked);
  if (!graph.identity().role && !graph.identity().job_id) {
    return fail(Code::kUnauthenticated, "no token was given, so there is nobody to tell of");
  }
  auto shown = user_json(graph.call({}), graph.identity().name);
  // Where comments are GitHub's own, a job is there who its token says: scripts find what they wrote by that.
  if (graph.identity().run_id) {
    const auto run = WEIR_TRY(graph.parts().services->engine->run(*graph.identity().run_id));
    if (const auto upstream = followed(graph.call({.repo = run.repo}))) {
      shown = user_json(graph.call({}), WEIR_TRY(upstream_viewer(*upstream)));
    }
  }
  return Outcome(graphql::Object{"User", Shown{.home = {}, .shown = std::move(shown)}});
}

Result<Outcome> repository(const Asked& asked) {
  const Home home{json_string_or(asked.arguments, "owner", ""), json_string_or(asked.arguments, "name", "")};
  WEIR_TRY(graph_of(asked).allowed(home, needs::kSeeRepository));
  return repository_node(home);
}

Result<Outcome> node(const Asked& asked) {
  return find_node(graph_of(asked), json_string_or(asked.arguments, "id", ""));
}

Result<Outcome> nodes(const Asked& asked) {
  constexpr std::size_t kNodesMax = 100;
  const auto& ids = asked.arguments.at("ids").as_array();
  if (ids.size() > kNodesMax) {
    return fail(Code::kInvalidArgument, "You may not provide more than {} node ids; you provided {}.", kNodesMax,
                ids.size());
  }
  std::vector<Outcome> found;
  found.reserve(ids.size());
  for (const auto& id : ids) {
    auto one = find_node(graph_of(asked), std::string(id.as_string()));
    if (!one && one.error().code == Code::kNotFound) one = Outcome(nullptr);  // the others are told of all the same
    found.push_back(WEIR_TRY(std::move(one)));
  }
  return Outcome(std::move(found));
}

// Any name has an account; who is behind it is for their token to say.
graphql::Resolver account(std::string_view type) {
  return [type](const Asked& asked) -> Result<Outcome> {
    auto shown = user_json(graph_of(asked).call({}), json_string_or(asked.arguments, "login", "").substr(0, 200));
    return Outcome(graphql::Object{type, Shown{.home = {}, .shown = std::move(shown)}});
  };
}

// "repo:weir/flights is:pr is:merged author:ann merged:<2026-01-02T03:04:05Z some words"
struct Search {
  Home home;
  std::optional<bool> is_pull;
  std::optional<bool> open;
  bool merged = false;
  std::string author;
  std::string base;
  std::string head;
  std::vector<std::string> labels;
  std::string merged_before;
  std::string merged_after;
  std::vector<std::string> words;
};

std::string folded(std::string text) {
  for (auto& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 0x20) : c;
  return text;
}

Result<void> read_is(std::string_view value, Search& search) {
  if (value == "pr" || value == "issue") {
    search.is_pull = value == "pr";
  } else if (value == "open" || value == "closed") {
    search.open = value == "open";
  } else if (value == "merged") {
    search.merged = true;
  } else {
    return fail(Code::kInvalidArgument, "weir's search does not know is:{}", value.substr(0, 80));
  }
  return {};
}

Result<void> read_term(const std::string& term, Search& search) {
  const auto colon = term.find(':');
  if (colon == std::string::npos) {
    search.words.push_back(folded(term));
    return {};
  }
  const auto name = term.substr(0, colon);
  auto value = term.substr(colon + 1);
  if (value.size() > 1 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
  if (name == "repo") {
    const auto slash = value.find('/');
    if (slash == std::string::npos)
      return fail(Code::kInvalidArgument, "repo: needs an owner and a name, not \"{}\"", value.substr(0, 80));
    search.home = {value.substr(0, slash), value.substr(slash + 1)};
    return {};
  }
  if (name == "is" || name == "type" || name == "state") return read_is(value, search);
  if (name == "author")
    search.author = value.starts_with("app/") ? value.substr(4) + "[bot]" : value;
  else if (name == "base")
    search.base = value;
  else if (name == "head")
    search.head = value;
  else if (name == "label")
    search.labels.push_back(value);
  else if (name == "merged" && value.starts_with("<"))
    search.merged_before = value.substr(value.starts_with("<=") ? 2 : 1);
  else if (name == "merged" && value.starts_with(">"))
    search.merged_after = value.substr(value.starts_with(">=") ? 2 : 1);
  else if (name != "sort") {
    return fail(Code::kInvalidArgument,
                "weir's search does not know {}; it takes repo, is, author, base, head, label, "
                "merged:<TIME and merged:>TIME",
                term.substr(0, 80));
  }
  return {};
}

Result<Search> read_search(std::string_view query) {
  Search search;
  search.home = {};
  search.home.repo.clear();
  while (!query.empty()) {
    bool quoted = false;
    std::size_t end = 0;
    while (end < query.size() && (quoted || query[end] != ' ')) quoted ^= query[end++] == '"';
    if (end > 0) WEIR_TRY(read_term(std::string(query.substr(0, end)), search));
    query.remove_prefix(std::min(query.size(), end + 1));
  }
  if (search.home.repo.empty())
    return fail(Code::kInvalidArgument, "weir searches one repository at a time: write repo:OWNER/NAME");
  return search;
}

Result<bool> fits(const Call& call, const Search& search, const forge::Issue& issue,
                  const std::optional<forge::Pull>& pull) {
  const auto login = json_string_or(user_json(call, issue.author), "login", "");
  if (search.open && issue.open != *search.open) return false;
  if (!search.author.empty() && login != search.author) return false;
  const auto has = [&](const auto& label) { return std::ranges::find(issue.labels, label) != issue.labels.end(); };
  if (!std::ranges::all_of(search.labels, has)) return false;
  const auto text = folded(issue.title + "\n" + issue.body);
  if (!std::ranges::all_of(search.words, [&](const auto& word) { return text.contains(word); })) return false;
  const bool is_of_pulls = search.merged || !search.base.empty() || !search.head.empty() ||
                           !search.merged_before.empty() || !search.merged_after.empty();
  if (!is_of_pulls) return true;
  if (!pull || (search.merged && !pull->merged_at)) return false;
  if (!search.base.empty() && event::short_ref(pull->base_ref) != search.base) return false;
  if (!search.head.empty() && event::short_ref(pull->head_ref) != search.head) return false;
  if (!search.merged_before.empty() &&
      (!pull->merged_at || *pull->merged_at >= WEIR_TRY(parse_iso8601(search.merged_before))))
    return false;
  return search.merged_after.empty() ||
         (pull->merged_at && *pull->merged_at > WEIR_TRY(parse_iso8601(search.merged_after)));
}

Result<Outcome> search(const Asked& asked) {
  if (const auto type = json_string_or(asked.arguments, "type", ""); type != "ISSUE" && type != "ISSUE_ADVANCED") {
    return fail(Code::kInvalidArgument, "weir searches for issues and pull requests (type: ISSUE), not for {}", type);
  }
  const auto wanted = WEIR_TRY(read_search(json_string_or(asked.arguments, "query", "")));
  const auto call = WEIR_TRY(graph_of(asked).allowed(wanted.home, needs::kReadIssues));
  struct Found {
    forge::Issue issue;
    std::optional<forge::Pull> pull;
  };
  std::vector<Found> all;
  forge::IssueFilter filter{.open = wanted.open, .is_pull = wanted.is_pull, .limit = 100};
  for (bool last = false; !last;) {
    auto more = WEIR_TRY(call.services().issues->list(call.repo, filter));
    last = more.size() < 100;
    if (!more.empty()) filter.before = more.back().number;
    for (auto& issue : more) {
      Found found{std::move(issue), {}};
      if (found.issue.is_pull) found.pull = WEIR_TRY(call.services().pulls->find(call.repo, found.issue.number));
      if (WEIR_TRY(fits(call, wanted, found.issue, found.pull))) all.push_back(std::move(found));
    }
  }
  return connect<Found>(
      "SearchResultItemConnection", "SearchResultItemEdge", asked.arguments, "search", all,
      [](const auto& found) { return std::to_string(found.issue.number); },
      [&](const auto& found) -> Result<Outcome> {
        return found.pull ? pull_node(call, *found.pull) : issue_node(call, found.issue);
      });
}

}  // namespace

void declare_query(graphql::Schema& schema) {
  schema.object("Query");
  schema.field("Query", "viewer: User!", viewer);
  schema.field("Query", "repository(owner: String!, name: String!, followRenames: Boolean): Repository", repository);
  schema.field("Query", "node(id: ID!): Node", node);
  schema.field("Query", "nodes(ids: [ID!]!): [Node]!", nodes);
  schema.field("Query", "user(login: String!): User", account("User"));
  schema.field("Query", "organization(login: String!): Organization", account("Organization"));
  schema.object("RateLimit");
  for (const std::string_view field :
       {"limit: Int!", "cost: Int!", "remaining: Int!", "used: Int!", "nodeCount: Int!"}) {
    schema.field("RateLimit", field, [](const Asked&) -> Result<Outcome> { return Outcome(0); });
  }
  schema.field("RateLimit", "resetAt: DateTime!", [](const Asked&) -> Result<Outcome> { return Outcome(""); });
  // As of GitHub Enterprise Server where no limit is set; here none ever is.
  schema.field("Query", "rateLimit(dryRun: Boolean): RateLimit",
               [](const Asked&) -> Result<Outcome> { return Outcome(nullptr); });
  schema.enumeration("SearchType", {"ISSUE", "ISSUE_ADVANCED", "REPOSITORY", "USER", "DISCUSSION"});
  declare_connection(schema, "SearchResultItem", "SearchResultItem");
  schema.field("SearchResultItemConnection", "issueCount: Int!", [](const Asked& asked) -> Result<Outcome> {
    return Outcome(std::any_cast<Connection>(&asked.self)->total);
  });
  schema.field("Query",
               fmt::format("search(query: String!, type: SearchType!, {}): SearchResultItemConnection!", kPaging),
               search);
}

}  // namespace weir::api::github
