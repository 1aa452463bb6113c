#include "event/payload.h"

#include <array>

#include "base/clock.h"
#include "base/hash.h"

namespace weir::event {
namespace {

std::string owner_of(std::string_view repository) {
  return std::string(repository.substr(0, repository.find('/')));
}

std::string name_of(std::string_view repository) {
  const auto slash = repository.find('/');
  return std::string(slash == std::string_view::npos ? repository : repository.substr(slash + 1));
}

}  // namespace

std::int64_t number_of_name(std::string_view name) {
  return std::stoll(sha256_hex(name).substr(0, 12), nullptr, 16);
}

json::object user_payload(std::string_view name) {
  return {{"login", name},
          {"id", number_of_name(name)},
          {"name", name},
          {"type", name.starts_with("job:") ? "Bot" : "User"}};
}

std::string full_repository_name(std::string_view repo, std::string_view default_owner) {
  return repo.find('/') != std::string_view::npos ? std::string(repo) : fmt::format("{}/{}", default_owner, repo);
}

bool is_no_object(std::string_view object_id) {
  return object_id.find_first_not_of('0') == std::string_view::npos;
}

json::object repository_payload(const PayloadFacts& facts) {
  const auto url = fmt::format("{}/{}", facts.server_url, facts.repository);
  const auto git = url + ".git";
  // There is one way to a repository: who asks for another protocol's address gets this one, which works.
  return {{"id", number_of_name(name_of(facts.repository))},
          {"name", name_of(facts.repository)},
          {"full_name", facts.repository},
          {"owner", user_payload(owner_of(facts.repository))},
          {"default_branch", facts.default_branch},
          {"master_branch", facts.default_branch},
          {"private", true},
          {"html_url", url},
          {"url", url},
          {"clone_url", git},
          {"git_url", git},
          {"ssh_url", git}};
}

void add_pull_repositories(json::object& pull, const PayloadFacts& facts) {
  for (const std::string_view side : {"head", "base"}) {
    auto* branch = pull.if_contains(side);
    if (branch == nullptr || !branch->is_object()) continue;
    const auto* repo = branch->get_object().if_contains("repo");
    const auto* mark = repo == nullptr ? nullptr : json_find(*repo, "fork");
    const bool fork = mark != nullptr && mark->is_bool() && mark->get_bool();
    auto repository = repository_payload(facts);
    repository["fork"] = fork;
    if (const auto* user = pull.if_contains("user"); fork && user != nullptr) {
      const auto owner = json_string_or(*user, "login", "");
      repository["owner"] = user_payload(owner);
      repository["full_name"] = fmt::format("{}/{}", owner, name_of(facts.repository));
    }
    auto& members = branch->get_object();
    members["user"] = repository.at("owner");
    members["label"] =
        fmt::format("{}:{}", json_string_or(repository.at("owner"), "login", ""), json_string_or(*branch, "ref", ""));
    members["repo"] = std::move(repository);
  }
}

void add_addresses(json::object& payload, const PayloadFacts& facts) {
  const auto object = [&](std::string_view name) -> json::object* {
    auto* value = payload.if_contains(name);
    return value != nullptr && value->is_object() ? &value->get_object() : nullptr;
  };
  const auto give = [](json::object& to, std::string_view name, std::string_view address) {
    if (const auto* there = to.if_contains(name); there == nullptr || there->is_null()) to[name] = address;
  };
  const auto api = fmt::format("{}/api/v3/repos/{}", facts.server_url, facts.repository);
  std::string page;
  for (const auto& [name, kind] : {std::pair{"pull_request", "pulls"}, {"issue", "issues"}}) {
    auto* subject = object(name);
    if (subject == nullptr) continue;
    const auto number = json_int(*subject, "number").value_or(0);
    page = fmt::format("{}/#/pulls/{}/{}", facts.server_url, name_of(facts.repository), number);
    const auto issue = fmt::format("{}/issues/{}", api, number);
    give(*subject, "node_id",
         fmt::format("{}/{}/{}", kind == std::string_view("pulls") ? "pull" : "issue", name_of(facts.repository),
                     number));
    give(*subject, "html_url", page);
    give(*subject, "url", fmt::format("{}/{}/{}", api, kind, number));
    give(*subject, "comments_url", issue + "/comments");
    if (kind == std::string_view("pulls")) {
      give(*subject, "issue_url", issue);
      give(*subject, "commits_url", fmt::format("{}/pulls/{}/commits", api, number));
    } else {
      give(*subject, "labels_url", issue + "/labels{/name}");
    }
  }
  if (auto* comment = object("comment"); comment != nullptr && !page.empty()) {
    give(*comment, "html_url", page);
    give(*comment, "node_id",
         fmt::format("comment/{}/{}", name_of(facts.repository), json_int(*comment, "id").value_or(0)));
    const bool on_line = !payload.contains("issue");
    give(*comment, "url",
         fmt::format("{}/{}/comments/{}", api, on_line ? "pulls" : "issues", json_int(*comment, "id").value_or(0)));
  }
}

json::object commit_payload(const io::GitCommit& commit, const PayloadFacts& facts) {
  const json::object author{{"name", commit.author_name}, {"email", commit.author_email}};
  return {{"id", commit.sha},
          {"tree_id", commit.tree},
          {"distinct", true},
          {"message", commit.message},
          {"timestamp", to_iso8601(TimePoint{std::chrono::seconds{commit.committer_time_s}})},
          {"url", fmt::format("{}/{}/commit/{}", facts.server_url, facts.repository, commit.sha)},
          {"author", author},
          {"committer", author}};
}

json::object push_payload(const PayloadFacts& facts, std::string_view ref, std::string_view before,
                          std::string_view after, const std::vector<io::GitCommit>& commits) {
  json::array oldest_first;
  for (auto commit = commits.rbegin(); commit != commits.rend(); ++commit) {
    oldest_first.emplace_back(commit_payload(*commit, facts));
  }
  return {{"ref", ref},
          {"before", before},
          {"after", after},
          {"created", is_no_object(before)},
          {"deleted", is_no_object(after)},
          {"forced", false},
          {"base_ref", nullptr},
          {"compare", fmt::format("{}/{}/compare/{}...{}", facts.server_url, facts.repository, before.substr(0, 12),
                                  after.substr(0, 12))},
          {"commits", std::move(oldest_first)},
          {"head_commit", commits.empty() ? json::value() : json::value(commit_payload(commits.front(), facts))},
          {"repository", repository_payload(facts)},
          {"pusher", json::object{{"name", facts.sender}}},
          {"sender", user_payload(facts.sender)}};
}

json::object dispatch_payload(const PayloadFacts& facts, std::string_view ref, std::string_view workflow_path,
                              const json::object& inputs) {
  return {{"inputs", inputs},
          {"ref", ref},
          {"workflow", workflow_path},
          {"repository", repository_payload(facts)},
          {"sender", user_payload(facts.sender)}};
}

json::object repository_dispatch_payload(std::string_view type, std::string_view branch, json::value client_payload) {
  if (!client_payload.is_object()) client_payload = json::object();
  return {{"action", type}, {"branch", branch}, {"client_payload", std::move(client_payload)}};
}

json::object schedule_payload(const PayloadFacts& facts, std::string_view workflow_path, std::string_view cron) {
  return {{"schedule", cron}, {"workflow", workflow_path}, {"repository", repository_payload(facts)}};
}

void merge_into(json::object& base, const json::object& over) {
  for (const auto& member : over) {
    auto* known = base.if_contains(member.key());
    if (known != nullptr && known->is_object() && member.value().is_object()) {
      merge_into(known->get_object(), member.value().get_object());
    } else {
      base[member.key()] = member.value();
    }
  }
}

bool skips_runs(std::string_view message) {
  static constexpr std::array<std::string_view, 5> kMarks{"[skip ci]", "[ci skip]", "[no ci]", "[skip actions]",
                                                          "[actions skip]"};
  return std::ranges::any_of(kMarks, [&](auto mark) { return message.find(mark) != std::string_view::npos; });
}

}  // namespace weir::event
