#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "event/triggers.h"
#include "store/database.h"
#include "types/identity.h"

namespace weir::forge {

// What was brought where: a commit to an environment, and what became of it.
// GitHub's model: https://docs.github.com/en/rest/deployments

struct Deployment {
  std::int64_t id = 0;
  std::string repo;
  std::string commit;
  std::string ref;       // as it was asked for: "main", "v1" or a commit's id
  std::string full_ref;  // "refs/heads/main"; "" if a commit was asked for
  std::string task = "deploy";
  std::string environment = "production";
  std::string original_environment;  // what `environment` was at first: a status may change it
  std::string description;
  json::value payload;      // whatever its creator gave along
  bool transient = false;   // the environment will be gone one day
  bool production = false;  // people work in it
  std::string state;        // of its newest status; "" without one
  std::string creator;
  std::int64_t job = 0;  // whose `environment:` made it; 0: somebody asked for it
  TimePoint created_at;
  TimePoint updated_at;
};

struct DeploymentStatus {
  std::int64_t id = 0;
  std::int64_t deployment = 0;
  std::string state;        // error, failure, inactive, in_progress, queued, pending or success
  std::string environment;  // "": the deployment's
  std::string description;
  std::string environment_url;
  std::string log_url;
  std::string creator;
  TimePoint created_at;
};

struct DeploymentFilter {
  std::string commit;  // "": any, as the others
  std::string ref;
  std::string task;
  std::string environment;
  std::int64_t offset = 0;
  std::int64_t limit = 30;  // 1 to 101
};

// An environment that a repository deployed to.
struct DeployedTo {
  std::string name;
  TimePoint first;
  TimePoint last;
};

// Any thread; functions block for the commit. kInvalidArgument names the member that is wrong, kNotFound a number that
// is none.
class Deployments {
 public:
  Deployments(store::Database& db, event::Triggers& triggers, const Clock& clock)
      : db_(db), triggers_(triggers), clock_(clock) {}

  // Event `deployment`.
  Result<Deployment> create(Deployment deployment, const types::Identity& identity);
  Result<Deployment> find(const std::string& repo, std::int64_t id);
  // Newest first.
  Result<std::vector<Deployment>> list(const std::string& repo, const DeploymentFilter& filter);
  // kFailedPrecondition for one that may be live, unless it is the only one.
  Result<void> remove(const std::string& repo, std::int64_t id, const types::Identity& identity);

  // Event `deployment_status`, but for `inactive`. A success ends, if `auto_inactive`, what was live in the environment
  // before, unless that is transient or production.
  Result<DeploymentStatus> add_status(const std::string& repo, DeploymentStatus status, bool auto_inactive,
                                      const types::Identity& identity);
  Result<DeploymentStatus> find_status(const std::string& repo, std::int64_t deployment, std::int64_t id);
  // Newest first, at most 1,000.
  Result<std::vector<DeploymentStatus>> statuses(const std::string& repo, std::int64_t deployment);

  // By name, at most 1,000.
  Result<std::vector<DeployedTo>> environments(const std::string& repo);

 private:
  store::Database& db_;
  event::Triggers& triggers_;
  const Clock& clock_;
};

// For those who write them in transactions of their own (job_deployments.cc). They number what they write and append
// its event to the log, whose sequence they give.
Result<std::int64_t> insert_deployment(store::Transaction& tx, Deployment& deployment, std::int64_t cause = 0);
Result<std::int64_t> insert_deployment_status(store::Transaction& tx, const Deployment& deployment,
                                              DeploymentStatus& status, bool auto_inactive, std::int64_t cause = 0);
Result<std::optional<Deployment>> deployment_of_job(store::Reader& reader, std::int64_t job);

// Members as GitHub's webhooks and REST API name them, without addresses.
json::object to_json(const Deployment& deployment);
json::object to_json(const DeploymentStatus& status);

}  // namespace weir::forge
