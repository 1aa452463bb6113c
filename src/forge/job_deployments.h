#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/loop.h"
#include "store/database.h"
#include "types/event.h"

namespace weir::forge {

// What a deployment is made from when a job enters its environment.
struct JobFacts {
  std::string repo;
  std::int64_t run = 0;
  std::string commit;
  std::string ref;  // "refs/heads/main"
  std::string environment;
  std::string environment_url;  // known at its end; "" if none
  bool deployment = true;       // it deploys, and does not only use what the environment has
};

struct JobDeploymentDeps {
  store::Database* db = nullptr;
  Log* log = nullptr;
  Loop* loop = nullptr;
  // A job as it is now; nothing if it has gone.
  std::function<Result<std::optional<JobFacts>>(std::int64_t job)> job;
  std::function<std::string()> server_url;
};

// Jobs with `environment:` deploy, as on GitHub: each makes a deployment that is in progress when the job starts, and
// says at its end what became of it. Both follow the event log: what is written and the mark of how far it was read are
// one transaction, so that each job deploys once, also over a crash. They start no workflows, as nothing does that a
// job's own token did.
class JobDeployments : public std::enable_shared_from_this<JobDeployments> {
 public:
  explicit JobDeployments(JobDeploymentDeps deps) : deps_(std::move(deps)) {}

  // Works on the loop from now on, first through what was logged since it last did.
  Result<void> start();
  // Waits for a turn that is under way. Any thread.
  void stop();

 private:
  void wake();
  void run();
  Result<void> catch_up();
  Result<void> follow(const types::Event& event);

  JobDeploymentDeps deps_;
  std::mutex mutex_;  // held while it works
  store::Database::Subscription subscription_;
  std::int64_t cursor_ = 0;
  std::atomic<std::int64_t> saved_ = 0;  // what the database holds of it
  bool stopped_ = false;
};

}  // namespace weir::forge
