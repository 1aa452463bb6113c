// Check runs of a commit together, and what workflows hear of them.
#include <algorithm>
#include <array>
#include <map>
#include <ranges>
#include <set>

#include "event/payload.h"
#include "event/source.h"
#include "forge/checks.h"

namespace weir::forge {
namespace {

constexpr std::string_view kHeads = "refs/heads/";
constexpr std::int64_t kPullsMax = 100;

// The first of these that a check run has is its suite's.
constexpr std::array<std::string_view, 8> kWorstFirst = {"action_required", "failure", "timed_out", "cancelled",
                                                         "stale",           "success", "neutral",   "skipped"};

bool is_completed(const CheckRun& check) {
  return check.status == "completed";
}

CheckSuite suite_of(std::vector<const CheckRun*> newest_first) {
  const auto& first = *newest_first.back();
  CheckSuite suite{.id = first.id,
                   .repo = first.repo,
                   .commit = first.commit,
                   .app = app_of(first.creator),
                   .status = "completed",
                   .created_at = first.started_at,
                   .updated_at = first.started_at};
  for (const auto* check : newest_first) {
    suite.updated_at = std::max(suite.updated_at, check->completed_at.value_or(check->started_at));
  }
  std::set<std::string> seen;
  std::erase_if(newest_first, [&](const CheckRun* check) { return !seen.insert(check->name).second; });
  suite.runs = std::ssize(newest_first);
  if (!std::ranges::all_of(newest_first, [](const auto* check) { return is_completed(*check); })) {
    const bool queued = std::ranges::all_of(newest_first, [](const auto* check) { return check->status == "queued"; });
    suite.status = queued ? "queued" : "in_progress";
    return suite;
  }
  for (const auto conclusion : kWorstFirst) {
    if (!suite.conclusion.empty()) break;
    if (std::ranges::any_of(newest_first, [&](const auto* check) { return check->conclusion == conclusion; })) {
      suite.conclusion = conclusion;
    }
  }
  return suite;
}

// Open pull requests that offer the commit.
Result<json::array> pulls_at(store::Reader& reader, const std::string& repo, const std::string& commit) {
  json::array pulls;
  WEIR_TRY(
      reader.query("SELECT p.number, p.head_ref, p.head_sha, p.base_ref, p.base_sha FROM forge_pulls p "
                   "JOIN forge_issues i ON i.repo = p.repo AND i.number = p.number "
                   "WHERE p.repo = ? AND p.head_sha = ? AND i.open = 1 ORDER BY p.number LIMIT ?",
                   {repo, commit, kPullsMax}, [&](const store::Row& row) {
                     const auto side = [&](int at) {
                       return json::object{{"ref", event::short_ref(row.text(at))}, {"sha", row.text(at + 1)}};
                     };
                     pulls.push_back(json::object{
                         {"id", row.integer(0)}, {"number", row.integer(0)}, {"head", side(1)}, {"base", side(3)}});
                   }));
  return pulls;
}

}  // namespace

std::string app_of(std::string_view creator) {
  return std::string(creator.starts_with("job:") ? kActionsApp : creator);
}

json::object app_json(std::string_view app) {
  return {{"id", event::number_of_name(app)},
          {"slug", app},
          {"name", app == kActionsApp ? std::string_view("GitHub Actions") : app}};
}

std::vector<CheckSuite> group_into_suites(std::vector<CheckRun>& newest_first) {
  std::map<std::string, std::vector<const CheckRun*>> groups;
  for (const auto& check : newest_first) groups[app_of(check.creator)].push_back(&check);
  std::vector<CheckSuite> suites;
  for (const auto& group : groups | std::views::values) suites.push_back(suite_of(group));
  for (auto& check : newest_first) check.suite = groups[app_of(check.creator)].back()->id;
  std::ranges::sort(suites, {}, &CheckSuite::id);
  return suites;
}

std::string Checks::branch_of(const std::string& repo, const std::string& commit) const {
  const auto git = git_ ? git_(repo) : Result<io::Git>(fail(Code::kNotFound, "none"));
  const auto refs = git ? git->refs() : Result<std::map<std::string, std::string>>(fail(Code::kNotFound, "none"));
  if (!refs) return {};
  for (const auto& [ref, object] : *refs) {
    if (ref.starts_with(kHeads) && object == commit) return ref.substr(kHeads.size());
  }
  return {};
}

// What happens with a check run as it is about to be: what others set is told, what jobs set is not, lest a workflow
// starts itself.
Result<std::vector<event::Occurrence>> Checks::occurrences_of(const CheckRun& check, std::string_view action,
                                                              const types::Identity& identity) {
  std::vector<event::Occurrence> occurrences;
  if (app_of(check.creator) == kActionsApp) return occurrences;
  auto all = WEIR_TRY(outlines(check.repo, check.commit));
  const auto known = std::ranges::find(all, check.id, &CheckRun::id);
  if (known == all.end()) {
    all.insert(all.begin(), check);
  } else {
    *known = check;
  }
  const auto suites = group_into_suites(all);
  const auto suite = *std::ranges::find(suites, app_of(check.creator), &CheckSuite::app);
  auto shown = to_json(suite);
  if (const auto branch = branch_of(check.repo, check.commit); !branch.empty()) shown["head_branch"] = branch;
  const auto pulls = WEIR_TRY(
      db_.load<json::array>([&](store::Reader& reader) { return pulls_at(reader, check.repo, check.commit); }));
  shown["pull_requests"] = pulls;
  auto run = to_json(*std::ranges::find(all, check.id, &CheckRun::id));
  run["check_suite"] = shown;
  run["pull_requests"] = pulls;
  occurrences.push_back({.info = {.event = "check_run", .action = std::string(action)},
                         .payload = {{"action", action}, {"check_run", std::move(run)}},
                         .actor = identity.name});
  if (action == "completed" && suite.status == "completed") {
    occurrences.push_back({.info = {.event = "check_suite", .action = "completed"},
                           .payload = {{"action", "completed"}, {"check_suite", std::move(shown)}},
                           .reason = fmt::format("the checks of {} ended: {}", suite.app, suite.conclusion),
                           .actor = identity.name});
  }
  return occurrences;
}

Result<void> Checks::rerequest(const std::string& repo, std::int64_t id, const types::Identity& identity) {
  const auto check = WEIR_TRY(find(repo, id));
  const auto occurrences = WEIR_TRY(occurrences_of(check, "rerequested", identity));
  WEIR_TRY(triggers_.occurred(repo, occurrences, identity, [&](store::Transaction& tx) -> Result<std::int64_t> {
    return tx.append({.type = std::string(types::event_type::kCheckSet),
                      .actor = identity.name,
                      .subject = fmt::format("repo/{}", repo),
                      .payload = {{"commit", check.commit}, {"name", check.name}, {"status", "rerequested"}}});
  }));
  return {};
}

Result<std::vector<CheckSuite>> Checks::suites(const std::string& repo, const std::string& commit) {
  auto all = WEIR_TRY(outlines(repo, commit));
  return group_into_suites(all);
}

Result<CheckSuite> Checks::find_suite(const std::string& repo, std::int64_t id) {
  if (const auto first = find(repo, id); first && first->suite == id) {
    for (auto& suite : WEIR_TRY(suites(repo, first->commit))) {
      if (suite.id == id) return std::move(suite);
    }
  }
  return fail(Code::kNotFound, "repository {} has no check suite {}", repo, id);
}

Result<std::vector<CheckRun>> Checks::of_suite(const std::string& repo, std::int64_t id) {
  auto all = WEIR_TRY(of_commit(repo, WEIR_TRY(find_suite(repo, id)).commit));
  std::erase_if(all, [&](const CheckRun& check) { return check.suite != id; });
  return all;
}

json::object to_json(const CheckSuite& suite) {
  return {{"id", suite.id},
          {"head_branch", nullptr},
          {"head_sha", suite.commit},
          {"status", suite.status},
          {"conclusion", suite.conclusion.empty() ? json::value() : json::value(suite.conclusion)},
          {"before", nullptr},
          {"after", suite.commit},
          {"app", app_json(suite.app)},
          {"latest_check_runs_count", suite.runs},
          {"pull_requests", json::array()},
          {"created_at", to_iso8601(suite.created_at)},
          {"updated_at", to_iso8601(suite.updated_at)}};
}

}  // namespace weir::forge
