#include "event/mirrors.h"

#include <algorithm>

#include "event/payload.h"
#include "types/event.h"

namespace weir::event {
namespace {

constexpr std::string_view kUpstream = "refs/upstream/";
constexpr auto kLookAgain = std::chrono::seconds{5};
constexpr auto kEveryLeast = std::chrono::seconds{10};

// Where "user:password" of an address stands: after "://" and before its "@".
std::pair<std::size_t, std::size_t> credentials_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {0, 0};
  const auto start = scheme + 3;
  const auto host_end = std::min(url.find_first_of("/?#", start), url.size());
  const auto at = url.substr(start, host_end - start).rfind('@');
  return at == std::string_view::npos ? std::pair(start, start) : std::pair(start, start + at);
}

// Tokens are given as a name without a password, too: no name of a person is as long.
bool holds_secret(std::string_view url) {
  constexpr std::size_t kTokenBytesMin = 20;
  const auto [start, end] = credentials_of(url);
  const auto credentials = url.substr(start, end - start);
  return credentials.find(':') != std::string_view::npos ||
         (url.starts_with("http") && credentials.size() >= kTokenBytesMin);
}

Result<void> check_url(std::string_view url) {
  if (holds_secret(url)) {
    return fail(Code::kInvalidArgument,
                "the address holds a password, which everybody who may read here would see: store it with "
                "`weir secret set NAME`, and give the address without it and --token-secret NAME (token_secret)");
  }
  const bool known = url.starts_with("https://") || url.starts_with("http://") || url.starts_with("ssh://") ||
                     url.starts_with("file:///") || url.starts_with("git@");
  if (known && url.find_first_of(" \t\r\n") == std::string_view::npos && url.size() <= 2'000) return {};
  return fail(Code::kInvalidArgument,
              "\"{}\" is no address to follow: give https://, http://, ssh://, git@host:path or file:///path",
              url.substr(0, 200));
}

Mirror read_mirror(const store::Row& row) {
  Mirror mirror{.repo = row.string(0),
                .url = row.string(1),
                .every = std::chrono::seconds{row.integer(2)},
                .token_secret = row.string(3),
                .problem = row.string(5)};
  if (!row.is_null(4)) mirror.fetched_at = row.time(4);
  return mirror;
}

// What is at `ref`, or all zeros.
std::string at(const std::map<std::string, std::string>& refs, const std::string& ref) {
  const auto found = refs.find(ref);
  return found == refs.end() ? std::string(kNoObject) : found->second;
}

}  // namespace

std::string without_secret(std::string_view url) {
  if (!holds_secret(url)) return std::string(url);
  const auto [start, end] = credentials_of(url);
  return fmt::format("{}***{}", url.substr(0, start), url.substr(end));
}

Mirrors::Mirrors(MirrorDeps deps) : deps_(std::move(deps)) {}

Mirrors::~Mirrors() {
  stop();
}

void Mirrors::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

void Mirrors::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  changed_.notify_all();
  thread_.join();
}

Result<void> Mirrors::set(const Mirror& mirror, const types::Identity& identity) {
  WEIR_TRY(check_url(mirror.url));
  if (mirror.every != Duration{0} && mirror.every < kEveryLeast) {
    return fail(Code::kInvalidArgument, "a repository may be fetched every {} at most", format_duration(kEveryLeast));
  }
  WEIR_TRY(deps_.git(mirror.repo));
  WEIR_TRY(deps_.db->write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(
        tx.execute("INSERT INTO event_mirrors(repo, url, every_s, token_secret, fetched_at, problem) "
                   "VALUES(?, ?, ?, ?, NULL, '') ON CONFLICT(repo) DO UPDATE SET url = excluded.url, "
                   "every_s = excluded.every_s, token_secret = excluded.token_secret",
                   {mirror.repo, mirror.url, std::chrono::duration_cast<std::chrono::seconds>(mirror.every).count(),
                    mirror.token_secret}));
    WEIR_TRY(tx.append({.type = std::string(types::event_type::kMirrorSet),
                        .actor = identity.name,
                        .subject = fmt::format("repo/{}", mirror.repo),
                        .payload = {{"url", mirror.url}, {"every", format_duration(mirror.every)}}}));
    return {};
  }));
  return fetch_soon(mirror.repo);
}

Result<void> Mirrors::remove(const std::string& repo, const types::Identity& identity) {
  return deps_.db->write([&](store::Transaction& tx) -> Result<void> {
    if (WEIR_TRY(tx.execute("DELETE FROM event_mirrors WHERE repo = ?", {repo})) == 0) {
      return fail(Code::kNotFound, "repository {} follows none", repo);
    }
    WEIR_TRY(tx.append({.type = std::string(types::event_type::kMirrorRemoved),
                        .actor = identity.name,
                        .subject = fmt::format("repo/{}", repo)}));
    return {};
  });
}

Result<std::vector<Mirror>> Mirrors::list() {
  return deps_.db->load<std::vector<Mirror>>([](store::Reader& reader) {
    return reader.all<Mirror>(
        "SELECT repo, url, every_s, token_secret, fetched_at, problem FROM event_mirrors ORDER BY repo", {},
        read_mirror);
  });
}

Result<void> Mirrors::fetch_soon(const std::string& repo) {
  const auto mirrors = WEIR_TRY(list());
  if (std::ranges::find(mirrors, repo, &Mirror::repo) == mirrors.end()) {
    return fail(Code::kNotFound, "repository {} follows none: weir repo add {} --from URL", repo, repo);
  }
  const std::scoped_lock lock(mutex_);
  asked_.insert(repo);
  changed_.notify_all();
  return {};
}

void Mirrors::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto mirror = next_due(stop);
    if (mirror) note(mirror->repo, fetch(*mirror));
  }
}

// One that somebody asked for, or whose time has come; nothing after a while.
std::optional<Mirror> Mirrors::next_due(const std::stop_token& stop) {
  auto mirrors = list();
  std::unique_lock lock(mutex_);
  for (auto& mirror : mirrors.value_or(std::vector<Mirror>{})) {
    const bool due =
        mirror.every > Duration{0} && (!mirror.fetched_at || deps_.clock->now() - *mirror.fetched_at >= mirror.every);
    if (asked_.erase(mirror.repo) > 0 || due) return std::move(mirror);
  }
  changed_.wait_for(lock, stop, kLookAgain, [this] { return !asked_.empty(); });
  return std::nullopt;
}

Result<void> Mirrors::fetch(const Mirror& mirror) {
  const auto git = WEIR_TRY(deps_.git(mirror.repo));
  std::string token;
  if (!mirror.token_secret.empty()) token = WEIR_TRY(deps_.secret(mirror.token_secret));
  const auto before = WEIR_TRY(git.refs());
  WEIR_TRY(git.fetch(mirror.url, {"+refs/heads/*:refs/upstream/heads/*", "+refs/tags/*:refs/upstream/tags/*"}, token));
  const auto after = WEIR_TRY(git.refs());
  std::vector<RefUpdate> moved;
  std::string kept;
  std::set<std::string> names;
  for (const auto* refs : {&before, &after}) {
    for (const auto& [ref, object] : *refs) {
      if (ref.starts_with(kUpstream)) names.insert(ref.substr(kUpstream.size()));
    }
  }
  for (const auto& name : names) {
    const auto upstream = std::string(kUpstream) + name;
    const auto own = "refs/" + name;
    const auto was = at(before, upstream);
    const auto is = at(after, upstream);
    const auto here = at(before, own);
    if (here == is) continue;
    // Nobody but this moved it.
    if (here == was) {
      const RefUpdate update{own, here, is};
      WEIR_TRY(git.move_ref(update.ref, update.before, update.after));
      moved.push_back(update);
    } else if (was != is) {
      kept += (kept.empty() ? "" : ", ") + name.substr(name.find('/') + 1);
    }
  }
  if (!moved.empty()) {
    const types::Identity upstream{.name = "upstream", .role = types::Role::kApprover};
    WEIR_TRY(deps_.triggers->repository_pushed(mirror.repo, moved, upstream));
    if (deps_.moved) WEIR_TRY(deps_.moved(mirror.repo, moved, upstream));
  }
  if (kept.empty()) return {};
  return fail(Code::kFailedPrecondition, "{} moved upstream, but has commits of its own here and stays", kept);
}

void Mirrors::note(const std::string& repo, const Result<void>& result) {
  const std::string problem = result ? std::string() : result.error().message;
  if (!result) deps_.log->warning("{} cannot follow its upstream: {}", repo, problem);
  [[maybe_unused]] const auto written = deps_.db->write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute("UPDATE event_mirrors SET fetched_at = ?, problem = ? WHERE repo = ?",
                        {deps_.clock->now(), problem, repo}));
    return {};
  });
}

}  // namespace weir::event
