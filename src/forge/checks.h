#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "event/occurrence.h"
#include "event/triggers.h"
#include "io/git.h"
#include "store/database.h"
#include "types/identity.h"

namespace weir::forge {

// What others than weir's own workflows say of a commit. https://docs.github.com/en/rest/commits/statuses and /checks

struct Status {
  std::int64_t id = 0;
  std::string repo;
  std::string commit;
  std::string context = "default";  // the newest of a context counts
  std::string state;                // error, failure, pending or success
  std::string description;
  std::string target_url;
  std::string creator;
  TimePoint created_at;
};

struct CheckRun {
  std::int64_t id = 0;
  std::int64_t suite = 0;  // that it belongs to
  std::string repo;
  std::string commit;
  std::string name;
  std::string status = "queued";  // queued, in_progress or completed
  std::string conclusion;  // success, failure, neutral, cancelled, skipped, timed_out, action_required; "" before
  std::string details_url;
  std::string external_id;
  std::string creator;
  TimePoint started_at;
  std::optional<TimePoint> completed_at;
  std::string title;
  std::string summary;  // Markdown, not to be trusted
  std::string text;     // the same
  json::array annotations;
};

// All check runs of a commit by one who sets them: a person's program, or the jobs of workflows together. It is derived
// from them, and has the number of the first.
struct CheckSuite {
  std::int64_t id = 0;
  std::string repo;
  std::string commit;
  std::string app;         // who sets them; kActionsApp: jobs
  std::string status;      // queued, in_progress or completed
  std::string conclusion;  // the worst of its check runs, of each name the newest; "" before all have ended
  std::int64_t runs = 0;   // of each name the newest
  TimePoint created_at;
  TimePoint updated_at;
};
inline constexpr std::string_view kActionsApp = "github-actions";

// Any thread; functions block for the commit. kInvalidArgument names the member that is wrong.
class Checks {
 public:
  using Git = std::function<Result<io::Git>(const std::string& repo)>;
  // `git` finds the branch that a commit is the head of, for what tells of suites; it may be left out.
  Checks(store::Database& db, event::Triggers& triggers, Git git = {})
      : db_(db), triggers_(triggers), git_(std::move(git)) {}

  // Event `status`.
  Result<Status> set(Status status, const types::Identity& identity);
  // The newest of each context, newest first.
  Result<std::vector<Status>> statuses(const std::string& repo, const std::string& commit);

  // Event `check_run` (created, completed), and `check_suite` (completed) with the last of its suite. An update keeps
  // what is not set, by `change` on the row as it is. Suites of jobs start nothing, whoever changes what is in them.
  Result<CheckRun> create(CheckRun check, const types::Identity& identity);
  Result<CheckRun> update(const std::string& repo, std::int64_t id,
                          const std::function<Result<void>(CheckRun&)>& change, const types::Identity& identity);
  Result<CheckRun> find(const std::string& repo, std::int64_t id);
  // Newest first.
  Result<std::vector<CheckRun>> of_commit(const std::string& repo, const std::string& commit);
  // Event `check_run` (rerequested): whoever set it is to do so again. The check run stays as it is until then.
  Result<void> rerequest(const std::string& repo, std::int64_t id, const types::Identity& identity);

  // Oldest first.
  Result<std::vector<CheckSuite>> suites(const std::string& repo, const std::string& commit);
  Result<CheckSuite> find_suite(const std::string& repo, std::int64_t id);
  // Newest first.
  Result<std::vector<CheckRun>> of_suite(const std::string& repo, std::int64_t id);
  // The branch whose newest commit it is; "" without one.
  [[nodiscard]] std::string branch_of(const std::string& repo, const std::string& commit) const;

 private:
  // All check runs of a commit, newest first, without what they say.
  Result<std::vector<CheckRun>> outlines(const std::string& repo, const std::string& commit);
  Result<std::vector<event::Occurrence>> occurrences_of(const CheckRun& check, std::string_view action,
                                                        const types::Identity& identity);

  store::Database& db_;
  event::Triggers& triggers_;
  Git git_;
  std::mutex mutex_;  // one change at a time: which one ends a suite is clear
};

// Who is meant by the creator of a check run.
std::string app_of(std::string_view creator);
// Suites of a commit's check runs (newest first), oldest first; numbers each run's suite.
std::vector<CheckSuite> group_into_suites(std::vector<CheckRun>& newest_first);

// kInvalidArgument, naming the member, unless it is a link that people may follow, or empty.
Result<void> check_link(std::string_view member, std::string_view url);

// An app as GitHub shows one.
json::object app_json(std::string_view app);

// Members as GitHub's webhooks and REST API name them, without addresses.
json::object to_json(const Status& status);
json::object to_json(const CheckRun& check);
json::object to_json(const CheckSuite& suite);

}  // namespace weir::forge
