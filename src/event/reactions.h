#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "event/occurrence.h"

namespace weir::event {

// Writes which workflows of the default branch listen to what the log tells, in the transaction that records its push;
// `sequence` is that push's event: what was logged before it starts none of them.
Result<void> store_listeners(store::Transaction& tx, const std::string& repo, const std::vector<WorkflowFile>& files,
                             std::int64_t sequence);

// Starts workflows by what the event log tells:
//   - `workflow_run`: runs that are requested, in progress or completed, in the same repository,
//   - `repository_dispatch` whose `types` name a log event; github.event.client_payload is the event. Those of the
//     registry and of what serves ("version.created", "drift.detected", "rollout.rolled_back", …) are for every
//     repository that names them, "config.applied" and "data.changed" (or "data.changed.NAME") for the one that they
//     belong to. Without `types` a workflow listens to what is sent to its repository, and to nothing of the log,
//   - `registry_package`: a model version was made.
// A run and the mark that its event was taken care of are one transaction: each event starts a workflow once, also over
// a crash. A run that was itself started so, three times in a row, starts no further one.
class Reactions : public std::enable_shared_from_this<Reactions> {
 public:
  static constexpr int kLevelsMax = 3;

  explicit Reactions(const TriggerDeps& deps) : deps_(deps) {}

  // Works on the loop from now on, first through what was logged since it last did.
  Result<void> start();
  // Waits for a turn that is under way. Any thread.
  void stop();

 private:
  struct Listener {
    std::string repo;
    std::int64_t since = 0;
  };
  // What an event of the log is in terms of `on:`.
  struct Meaning {
    workflow::TriggerInfo info;
    std::optional<std::string> repo;  // that it happened in; nothing: any
    json::object payload;
  };
  void wake();
  void run();
  Result<void> catch_up();
  Result<void> load_listeners();
  Result<void> react(const types::Event& event);
  Result<void> start_runs_of(const types::Event& event, const Meaning& meaning, const std::string& repo);
  Result<int> level_after(const types::Event& event) const;
  static std::vector<Meaning> meanings_of(const types::Event& event);

  const TriggerDeps& deps_;
  std::mutex mutex_;  // held while it works
  store::Database::Subscription subscription_;
  std::map<std::string, std::vector<Listener>> listeners_;  // by event of `on:`
  std::atomic<bool> heard_ = false;                         // whether there is one
  std::int64_t cursor_ = 0;
  std::int64_t saved_ = 0;  // what the database holds of it
  bool stopped_ = false;
};

}  // namespace weir::event
