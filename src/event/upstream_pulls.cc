#include "event/upstream_pulls.h"

#include <algorithm>
#include <set>

#include "event/payload.h"
#include "event/pull_occurrences.h"

namespace weir::event {
namespace {

constexpr auto kPauseFirst = std::chrono::seconds{5};
constexpr auto kPauseMax = std::chrono::minutes{30};
constexpr std::int64_t kAttemptsMax = 55;  // about a day
constexpr auto kLookAgain = std::chrono::seconds{30};
constexpr std::int64_t kAtOnce = 1'000;

// Aside from what Mirrors keeps, which moves this repository's own refs.
std::string own_ref(const UpstreamPull& pull, std::string_view which) {
  return fmt::format("refs/upstream-pulls/{}/{}", pull.number, which);
}

Duration pause_after(std::int64_t attempts) {
  Duration pause = kPauseFirst;
  for (std::int64_t i = 0; i < attempts && pause < kPauseMax; ++i) pause *= 2;
  return std::min<Duration>(pause, kPauseMax);
}

Result<void> remove_queued(store::Transaction& tx, std::int64_t id) {
  WEIR_TRY(tx.execute("DELETE FROM event_upstream_pulls WHERE id = ?", {id}));
  return {};
}

// What runs see of it. Its repositories are this server's, where their API calls go.
json::object payload_of(const UpstreamPull& pull, const PullFacts& facts) {
  json::object payload = pull.payload;
  payload.erase("repository");
  auto& inner = payload["pull_request"];
  if (!inner.is_object()) inner = json::object();
  auto& object = inner.get_object();
  object["number"] = pull.number;
  object["merge_commit_sha"] = facts.merge_sha.empty() ? json::value(nullptr) : json::value(facts.merge_sha);
  for (const auto& [side, ref, sha] :
       {std::tuple{"head", pull.head_ref, facts.head_sha}, std::tuple{"base", pull.base_ref, facts.base_sha}}) {
    auto& branch = object[side];
    if (!branch.is_object()) branch = json::object();
    branch.get_object()["ref"] = ref;
    branch.get_object()["sha"] = sha;
    branch.get_object()["repo"] = json::object{{"fork", pull.is_foreign && std::string_view(side) == "head"}};
  }
  return payload;
}

}  // namespace

json::object to_json(const UpstreamPull& pull) {
  return {{"repo", pull.repo},           {"forge", pull.forge},       {"event", pull.event},
          {"action", pull.action},       {"number", pull.number},     {"title", pull.title},
          {"fetch_ref", pull.fetch_ref}, {"head_ref", pull.head_ref}, {"base_ref", pull.base_ref},
          {"head_sha", pull.head_sha},   {"sender", pull.sender},     {"is_foreign", pull.is_foreign},
          {"payload", pull.payload}};
}

Result<UpstreamPull> upstream_pull_from_json(const json::value& value) {
  const auto* payload = json_find(value, "payload");
  if (payload == nullptr || !payload->is_object()) {
    return fail(Code::kInternal, "a queued pull request has no payload");
  }
  return UpstreamPull{.repo = json_string_or(value, "repo", ""),
                      .forge = json_string_or(value, "forge", ""),
                      .event = json_string_or(value, "event", ""),
                      .action = json_string_or(value, "action", ""),
                      .number = json_int(value, "number").value_or(0),
                      .title = json_string_or(value, "title", ""),
                      .fetch_ref = json_string_or(value, "fetch_ref", ""),
                      .head_ref = json_string_or(value, "head_ref", ""),
                      .base_ref = json_string_or(value, "base_ref", ""),
                      .head_sha = json_string_or(value, "head_sha", ""),
                      .sender = json_string_or(value, "sender", ""),
                      .is_foreign = json_bool_or(value, "is_foreign", true),
                      .payload = payload->get_object()};
}

UpstreamPulls::UpstreamPulls(MirrorDeps deps, std::function<Result<std::vector<Mirror>>()> mirrors)
    : deps_(std::move(deps)), mirrors_(std::move(mirrors)) {}

UpstreamPulls::~UpstreamPulls() {
  stop();
}

void UpstreamPulls::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

void UpstreamPulls::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  changed_.notify_all();
  thread_.join();
}

Result<void> UpstreamPulls::queue(store::Transaction& tx, const UpstreamPull& pull) {
  const auto id = WEIR_TRY(tx.next_id("upstream_pull"));
  WEIR_TRY(tx.execute("INSERT INTO event_upstream_pulls(id, repo, pull, attempts, next_at) VALUES(?, ?, ?, 0, ?)",
                      {id, pull.repo, json::serialize(to_json(pull)), tx.now()}));
  return {};
}

void UpstreamPulls::wake() {
  const std::scoped_lock lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

Result<std::vector<UpstreamPulls::Queued>> UpstreamPulls::first_of_each_repository() {
  return deps_.db->load<std::vector<Queued>>([](store::Reader& reader) -> Result<std::vector<Queued>> {
    std::vector<Queued> first;
    std::set<std::string> seen;
    std::optional<Error> broken;
    WEIR_TRY(reader.query("SELECT id, repo, pull, attempts, next_at FROM event_upstream_pulls ORDER BY id LIMIT ?",
                          {kAtOnce}, [&](const store::Row& row) {
                            if (!seen.insert(row.string(1)).second) return;
                            auto value = parse_json(row.text(2), "a queued pull request");
                            auto pull = value ? upstream_pull_from_json(*value)
                                              : Result<UpstreamPull>(std::unexpected(value.error()));
                            if (!pull) broken = pull.error();
                            if (pull) first.push_back({row.integer(0), *std::move(pull), row.integer(3), row.time(4)});
                          }));
    if (broken) return std::unexpected(*broken);
    return first;
  });
}

void UpstreamPulls::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    auto queued = first_of_each_repository();
    if (!queued) deps_.log->error("pull requests of other forges: {}", queued.error().message);
    bool any = false;
    Duration pause = kLookAgain;
    for (const auto& one : queued.value_or(std::vector<Queued>{})) {
      if (stop.stop_requested()) return;
      const Duration left = one.next - deps_.clock->now();
      if (left > Duration{0}) {
        pause = std::min(pause, left);
        continue;
      }
      take(one);
      any = true;
    }
    std::unique_lock lock(mutex_);
    if (!any) changed_.wait_for(lock, stop, pause, [this] { return woken_; });
    woken_ = false;
  }
}

void UpstreamPulls::take(const Queued& queued) {
  const auto& pull = queued.pull;
  auto done = run(queued);
  if (done) return;
  const auto what = fmt::format("{} #{} {} of {}", pull.event, pull.number, pull.action, pull.repo);
  const bool last = queued.attempts + 1 >= kAttemptsMax || done.error().code == Code::kNotFound;
  const TimePoint next = deps_.clock->now() + pause_after(queued.attempts);
  if (last) {
    deps_.log->error("{} is given up: {}", what, done.error().message);
  } else if (queued.attempts == 0) {
    deps_.log->warning("{} cannot be followed yet: {}", what, done.error().message);
  }
  const auto written = deps_.db->write([&](store::Transaction& tx) -> Result<void> {
    if (last) return remove_queued(tx, queued.id);
    WEIR_TRY(tx.execute("UPDATE event_upstream_pulls SET attempts = attempts + 1, next_at = ? WHERE id = ?",
                        {next, queued.id}));
    return {};
  });
  if (!written) deps_.log->error("{}: {}", what, written.error().message);
}

// kNotFound: it never will be.
Result<void> UpstreamPulls::run(const Queued& queued) {
  const auto& pull = queued.pull;
  const auto mirrors = WEIR_TRY(mirrors_());
  const auto mirror = std::ranges::find(mirrors, pull.repo, &Mirror::repo);
  if (mirror == mirrors.end()) return fail(Code::kNotFound, "{} follows none any more", pull.repo);
  const auto git = WEIR_TRY(deps_.git(pull.repo));
  std::string token;
  if (!mirror->token_secret.empty()) {
    auto secret = deps_.secret(mirror->token_secret);
    if (!secret) return fail(Code::kUnavailable, "{}", secret.error().message);
    token = *std::move(secret);
  }
  const std::string base_ref = "refs/heads/" + pull.base_ref;
  if (auto fetched = git.fetch(mirror->url,
                               {fmt::format("+{}:{}", pull.fetch_ref, own_ref(pull, "head")),
                                fmt::format("+{}:{}", base_ref, own_ref(pull, "base"))},
                               token);
      !fetched) {
    return fail(Code::kUnavailable, "it cannot be fetched: {}", fetched.error().message);
  }
  PullFacts facts{.number = pull.number,
                  .title = pull.title,
                  .head_ref = pull.head_ref,
                  .base_ref = base_ref,
                  .head_sha = WEIR_TRY(git.resolve(own_ref(pull, "head"))),
                  .base_sha = WEIR_TRY(git.resolve(own_ref(pull, "base"))),
                  .is_foreign = pull.is_foreign};
  const auto told = git.resolve(pull.head_sha + "^{commit}");
  if (!told) {
    return fail(Code::kNotFound, "its commit {} is not there any more; a newer one is at {}",
                pull.head_sha.substr(0, 12), facts.head_sha.substr(0, 12));
  }
  facts.head_sha = *told;
  facts.merge_sha = WEIR_TRY(trial_merge(git, facts.base_sha, facts.head_sha)).commit;
  const auto& commit = facts.merge_sha.empty() ? facts.head_sha : facts.merge_sha;
  const auto own = own_ref(pull, "merge");
  WEIR_TRY(git.move_ref(own, git.resolve(own).value_or(std::string(kNoObject)), commit));
  const auto payload = payload_of(pull, facts);
  std::vector<Occurrence> occurrences;
  if (pull.event == "pull_request") {
    occurrences = pull_occurrences(git, facts, pull.action, payload, pull.forge);
  } else {
    occurrences.push_back(pull_occurrence(facts, pull.event, pull.action, payload, pull.forge));
  }
  if (!pull.sender.empty()) {
    for (auto& one : occurrences) one.reason += fmt::format(" ({})", pull.sender);
  }
  WEIR_TRY(deps_.triggers->occurred(pull.repo, occurrences, {.name = pull.forge, .role = types::Role::kDeveloper},
                                    [&](store::Transaction& tx) -> Result<std::int64_t> {
                                      WEIR_TRY(remove_queued(tx, queued.id));
                                      return 0;
                                    }));
  return {};
}

}  // namespace weir::event
