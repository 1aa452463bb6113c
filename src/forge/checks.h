#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "event/triggers.h"
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

// Any thread; functions block for the commit. kInvalidArgument names the member that is wrong.
class Checks {
 public:
  Checks(store::Database& db, event::Triggers& triggers) : db_(db), triggers_(triggers) {}

  // Event `status`.
  Result<Status> set(Status status, const types::Identity& identity);
  // The newest of each context, newest first.
  Result<std::vector<Status>> statuses(const std::string& repo, const std::string& commit);

  // Event `check_run` (created, completed). An update keeps what is not set, by `change` on the row as it is.
  Result<CheckRun> create(CheckRun check, const types::Identity& identity);
  Result<CheckRun> update(const std::string& repo, std::int64_t id,
                          const std::function<Result<void>(CheckRun&)>& change, const types::Identity& identity);
  Result<CheckRun> find(const std::string& repo, std::int64_t id);
  // Newest first.
  Result<std::vector<CheckRun>> of_commit(const std::string& repo, const std::string& commit);

 private:
  store::Database& db_;
  event::Triggers& triggers_;
};

// kInvalidArgument, naming the member, unless it is a link that people may follow, or empty.
Result<void> check_link(std::string_view member, std::string_view url);

// Members as GitHub's webhooks and REST API name them, without addresses.
json::object to_json(const Status& status);
json::object to_json(const CheckRun& check);

}  // namespace weir::forge
