#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "store/database.h"

namespace weir::event {

// Where commit statuses of a repository go: <url>/statuses/<commit>.
struct StatusPlace {
  // GitHub's API, which Gitea and Forgejo have too, or GitLab's.
  enum class Kind : std::uint8_t { kGithub, kGitlab };
  std::string url;  // "https://api.github.com/repos/me/flights", "https://gitlab.com/api/v4/projects/me%2Fflights"
  std::string token;
  Kind kind = Kind::kGithub;
};

// What a status says of a run.
struct RunStatus {
  std::string repo;
  std::string commit;    // a pull request's newest one, not the merge commit, which the forge does not know
  std::string workflow;  // its name
  std::string event;
  std::string conclusion;                // "" while it goes on
  Duration took{0};                      // from its beginning to its end
  std::vector<std::string> failed_jobs;  // by name
};

struct UpstreamStatusDeps {
  store::Database* db = nullptr;
  const Clock* clock = nullptr;
  Log* log = nullptr;
  // Nothing: the repository follows none whose statuses may be set.
  std::function<std::optional<StatusPlace>(const std::string& repo)> place;
  std::function<Result<RunStatus>(std::int64_t run)> run;  // kNotFound: it is gone
  std::function<std::string()> server_url;                 // of links to runs; "": statuses bring none
};

// The body of a status, by https://docs.github.com/en/rest/commits/statuses or
// https://docs.gitlab.com/api/commits/#set-commit-pipeline-status. `server_url` may be "".
std::string status_body(const RunStatus& status, std::int64_t run, const std::string& server_url,
                        StatusPlace::Kind kind = StatusPlace::Kind::kGithub);

// The project of a followed address in GitLab's API `api` ("https://gitlab.com/api/v4"), groups within groups included;
// "" for one of another server, to which its token must not go.
std::string gitlab_project(std::string_view url, std::string_view api);

// Tells the forges that repositories follow how the runs of their commits go: pending when a run was made, and its
// conclusion when it ended. What is to be told is kept until the forge has taken it, also over a crash, and tried for a
// day; only the newest state of a run is told. Works on a thread of its own.
class UpstreamStatuses {
 public:
  explicit UpstreamStatuses(UpstreamStatusDeps deps);
  ~UpstreamStatuses();

  Result<void> start();
  void stop();  // waits for a call under way, a minute at most

 private:
  struct Due {
    std::int64_t run = 0;
    std::int64_t event = 0;  // what it is to tell of
    std::int64_t attempts = 0;
    TimePoint since;
  };

  void wake();
  void work(const std::stop_token& stop);
  Result<void> follow();
  Result<Duration> tell_due(const std::stop_token& stop);
  Result<void> tell(const Due& due);
  Result<void> later(const Due& due, std::string_view why);
  Result<void> forget(const Due& due);

  UpstreamStatusDeps deps_;
  std::int64_t position_ = 0;
  std::int64_t saved_ = 0;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool woken_ = false;
  store::Database::Subscription subscription_;
  std::jthread thread_;
};

}  // namespace weir::event
