#include "forge/checks.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "event/payload.h"
#include "forge/issues.h"
#include "types/event.h"

namespace weir::forge {
namespace {

constexpr std::string_view kStatusColumns =
    "id, repo, commit_id, context, state, description, target_url, creator, created_at";
constexpr std::string_view kCheckColumns =
    "id, repo, commit_id, name, status, conclusion, details_url, external_id, creator, started_at, completed_at, "
    "title, "
    "summary, body, annotations";
constexpr std::int64_t kReadMax = 1'000;
constexpr std::int64_t kOutlinesMax = 10'000;
constexpr std::size_t kTextMax = 65'535;  // as GitHub takes

constexpr std::array<std::string_view, 4> kStates = {"error", "failure", "pending", "success"};
constexpr std::array<std::string_view, 3> kStatuses = {"queued", "in_progress", "completed"};
constexpr std::array<std::string_view, 8> kConclusions = {"success", "failure",   "neutral",         "cancelled",
                                                          "skipped", "timed_out", "action_required", "stale"};

template <std::size_t N>
Result<void> one_of(std::string_view member, std::string_view value, const std::array<std::string_view, N>& allowed) {
  if (std::ranges::find(allowed, value) != allowed.end()) return {};
  return fail(Code::kInvalidArgument, "{} must be one of {}, not \"{}\"", member, fmt::join(allowed, ", "),
              value.substr(0, 80));
}

Result<void> at_most(std::string_view member, std::string_view value, std::size_t most) {
  if (value.size() <= most) return {};
  return fail(Code::kInvalidArgument, "{} may have {} bytes", member, most);
}

Result<void> check_commit(std::string_view commit) {
  const bool hex = commit.size() == 40 && commit.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (hex) return {};
  return fail(Code::kInvalidArgument, "\"{}\" is no commit's full id", commit.substr(0, 80));
}

Status read_status(const store::Row& row) {
  return {.id = row.integer(0),
          .repo = row.string(1),
          .commit = row.string(2),
          .context = row.string(3),
          .state = row.string(4),
          .description = row.string(5),
          .target_url = row.string(6),
          .creator = row.string(7),
          .created_at = row.time(8)};
}

CheckRun read_check(const store::Row& row) {
  CheckRun check{.id = row.integer(0),
                 .repo = row.string(1),
                 .commit = row.string(2),
                 .name = row.string(3),
                 .status = row.string(4),
                 .conclusion = row.string(5),
                 .details_url = row.string(6),
                 .external_id = row.string(7),
                 .creator = row.string(8),
                 .started_at = row.time(9),
                 .title = row.string(11),
                 .summary = row.string(12),
                 .text = row.string(13)};
  if (!row.is_null(10)) check.completed_at = row.time(10);
  auto annotations = parse_json(row.text(14), "annotations");
  if (annotations && annotations->is_array()) check.annotations = std::move(annotations->get_array());
  return check;
}

Result<CheckRun> load_check(store::Reader& reader, const std::string& repo, std::int64_t id) {
  auto check = WEIR_TRY(reader.first<CheckRun>(
      fmt::format("SELECT {} FROM forge_checks WHERE id = ? AND repo = ?", kCheckColumns), {id, repo}, read_check));
  if (!check) return fail(Code::kNotFound, "repository {} has no check run {}", repo, id);
  return *std::move(check);
}

Result<void> check_run(const CheckRun& check) {
  WEIR_TRY(check_commit(check.commit));
  if (check.name.empty()) return fail(Code::kInvalidArgument, "name must not be empty");
  WEIR_TRY(at_most("name", check.name, 255));
  WEIR_TRY(one_of("status", check.status, kStatuses));
  if (check.status == "completed" || !check.conclusion.empty()) {
    WEIR_TRY(one_of("conclusion", check.conclusion, kConclusions));
  }
  WEIR_TRY(check_link("details_url", check.details_url));
  WEIR_TRY(at_most("output.title", check.title, 255));
  WEIR_TRY(at_most("output.summary", check.summary, kTextMax));
  return at_most("output.text", check.text, kTextMax);
}

types::EventDraft check_draft(const CheckRun& check, const types::Identity& identity) {
  return {
      .type = std::string(types::event_type::kCheckSet),
      .actor = identity.name,
      .subject = fmt::format("repo/{}", check.repo),
      .payload = {
          {"commit", check.commit}, {"name", check.name}, {"status", check.status}, {"conclusion", check.conclusion}}};
}

}  // namespace

Result<void> check_link(std::string_view member, std::string_view url) {
  if (url.empty() || url.starts_with("https://") || url.starts_with("http://")) return at_most(member, url, 2'048);
  return fail(Code::kInvalidArgument, "{} must begin with http:// or https://", member);
}

Result<Status> Checks::set(Status status, const types::Identity& identity) {
  WEIR_TRY(check_commit(status.commit));
  WEIR_TRY(one_of("state", status.state, kStates));
  WEIR_TRY(at_most("context", status.context, 255));
  WEIR_TRY(at_most("description", status.description, 1'024));
  WEIR_TRY(check_link("target_url", status.target_url));
  status.creator = identity.name;
  status.id = WEIR_TRY(reserve_number(db_, "status"));
  auto payload = to_json(status);
  payload["sha"] = status.commit;
  const event::Occurrence occurrence{
      .info = {.event = "status"}, .payload = std::move(payload), .actor = identity.name};
  WEIR_TRY(triggers_.occurred(status.repo, {occurrence}, identity, [&](store::Transaction& tx) -> Result<std::int64_t> {
    status.created_at = tx.now();
    WEIR_TRY(tx.execute(fmt::format("INSERT INTO forge_statuses({}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", kStatusColumns),
                        {status.id, status.repo, status.commit, status.context, status.state, status.description,
                         status.target_url, status.creator, status.created_at}));
    return tx.append({.type = std::string(types::event_type::kStatusSet),
                      .actor = identity.name,
                      .subject = fmt::format("repo/{}", status.repo),
                      .payload = {{"commit", status.commit}, {"context", status.context}, {"state", status.state}}});
  }));
  return status;
}

Result<std::vector<Status>> Checks::statuses(const std::string& repo, const std::string& commit) {
  auto all = WEIR_TRY(db_.load<std::vector<Status>>([&](store::Reader& reader) {
    return reader.all<Status>(
        fmt::format("SELECT {} FROM forge_statuses WHERE repo = ? AND commit_id = ? ORDER BY id DESC LIMIT ?",
                    kStatusColumns),
        {repo, commit, kReadMax}, read_status);
  }));
  std::set<std::string> seen;
  std::erase_if(all, [&](const Status& status) { return !seen.insert(status.context).second; });
  return all;
}

Result<CheckRun> Checks::create(CheckRun check, const types::Identity& identity) {
  WEIR_TRY(check_run(check));
  check.creator = identity.name;
  check.id = WEIR_TRY(reserve_number(db_, "check"));
  const std::scoped_lock lock(mutex_);
  const bool completed = check.status == "completed";
  const auto occurrences = WEIR_TRY(occurrences_of(check, completed ? "completed" : "created", identity));
  WEIR_TRY(triggers_.occurred(check.repo, occurrences, identity, [&](store::Transaction& tx) -> Result<std::int64_t> {
    if (to_micros(check.started_at) == 0) check.started_at = tx.now();
    if (completed && !check.completed_at) check.completed_at = tx.now();
    WEIR_TRY(tx.execute(
        fmt::format("INSERT INTO forge_checks({}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", kCheckColumns),
        {check.id, check.repo, check.commit, check.name, check.status, check.conclusion, check.details_url,
         check.external_id, check.creator, check.started_at, check.completed_at, check.title, check.summary, check.text,
         json::serialize(check.annotations)}));
    return tx.append(check_draft(check, identity));
  }));
  return find(check.repo, check.id);
}

Result<CheckRun> Checks::update(const std::string& repo, std::int64_t id,
                                const std::function<Result<void>(CheckRun&)>& change, const types::Identity& identity) {
  const std::scoped_lock lock(mutex_);
  auto check = WEIR_TRY(find(repo, id));
  const bool was_completed = check.status == "completed";
  WEIR_TRY(change(check));
  // A conclusion ends it, as on GitHub.
  if (!check.conclusion.empty()) check.status = "completed";
  WEIR_TRY(check_run(check));
  const bool completes = !was_completed && check.status == "completed";
  std::vector<event::Occurrence> occurrences;
  if (completes) occurrences = WEIR_TRY(occurrences_of(check, "completed", identity));
  WEIR_TRY(triggers_.occurred(repo, occurrences, identity, [&](store::Transaction& tx) -> Result<std::int64_t> {
    if (completes && !check.completed_at) check.completed_at = tx.now();
    WEIR_TRY(tx.execute(
        "UPDATE forge_checks SET name = ?, status = ?, conclusion = ?, details_url = ?, external_id = ?, "
        "started_at = ?, completed_at = ?, title = ?, summary = ?, body = ?, annotations = ? "
        "WHERE id = ? AND repo = ?",
        {check.name, check.status, check.conclusion, check.details_url, check.external_id, check.started_at,
         check.completed_at, check.title, check.summary, check.text, json::serialize(check.annotations), id, repo}));
    return tx.append(check_draft(check, identity));
  }));
  return check;
}

Result<CheckRun> Checks::find(const std::string& repo, std::int64_t id) {
  auto check = WEIR_TRY(db_.load<CheckRun>([&](store::Reader& reader) { return load_check(reader, repo, id); }));
  for (const auto& other : WEIR_TRY(outlines(repo, check.commit))) {
    if (other.id == id) check.suite = other.suite;
  }
  return check;
}

Result<std::vector<CheckRun>> Checks::outlines(const std::string& repo, const std::string& commit) {
  auto all = WEIR_TRY(db_.load<std::vector<CheckRun>>([&](store::Reader& reader) {
    return reader.all<CheckRun>(
        "SELECT id, repo, commit_id, name, status, conclusion, '', '', creator, started_at, completed_at, '', '', '', "
        "'[]' FROM forge_checks WHERE repo = ? AND commit_id = ? ORDER BY id DESC LIMIT ?",
        {repo, commit, kOutlinesMax}, read_check);
  }));
  group_into_suites(all);
  return all;
}

Result<std::vector<CheckRun>> Checks::of_commit(const std::string& repo, const std::string& commit) {
  auto all = WEIR_TRY(db_.load<std::vector<CheckRun>>([&](store::Reader& reader) {
    return reader.all<CheckRun>(
        fmt::format("SELECT {} FROM forge_checks WHERE repo = ? AND commit_id = ? ORDER BY id DESC LIMIT ?",
                    kCheckColumns),
        {repo, commit, kReadMax}, read_check);
  }));
  std::map<std::int64_t, std::int64_t> suites;
  for (const auto& check : WEIR_TRY(outlines(repo, commit))) suites[check.id] = check.suite;
  for (auto& check : all) check.suite = suites[check.id];
  return all;
}

json::object to_json(const Status& status) {
  return {{"id", status.id},
          {"state", status.state},
          {"context", status.context},
          {"description", status.description},
          {"target_url", status.target_url},
          {"creator", event::user_payload(status.creator)},
          {"created_at", to_iso8601(status.created_at)},
          {"updated_at", to_iso8601(status.created_at)}};
}

json::object to_json(const CheckRun& check) {
  return {{"id", check.id},
          {"name", check.name},
          {"head_sha", check.commit},
          {"status", check.status},
          {"conclusion", check.conclusion.empty() ? json::value() : json::value(check.conclusion)},
          {"details_url", check.details_url},
          {"external_id", check.external_id},
          {"started_at", to_iso8601(check.started_at)},
          {"completed_at", check.completed_at ? json::value(to_iso8601(*check.completed_at)) : json::value()},
          {"output", json::object{{"title", check.title},
                                  {"summary", check.summary},
                                  {"text", check.text},
                                  {"annotations_count", check.annotations.size()}}},
          {"check_suite", json::object{{"id", check.suite}}},
          {"app", app_json(app_of(check.creator))}};
}

}  // namespace weir::forge
