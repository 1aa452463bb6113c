#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/loop.h"
#include "rollout/ports.h"

namespace weir::rollout {

// What is known of one environment, for the API.
struct Status {
  Record record;
  bool live_loaded = false;
  bool previous_loaded = false;
};

// Decides which version serves each environment of each endpoint, step by step:
//
//   wish moved -> [reviewer] -> load -> smoke test -> store the fact -> switch the route
//
// The fact is stored before the route is switched, so that a restart at any point finds either the old version or the
// new one live, never none. The version before stays loaded for a rollback. A newer wish overtakes one that is being
// prepared. Whatever fails leaves traffic where it is and marks the wish refused.
//
// An actor: everything happens on `loop`, one thing after another; what blocks runs through `run_blocking`. Public
// functions may be called from any thread. Clock, log, loop and ports outlive it; once it is destroyed it touches none.
class Controller {
 public:
  struct Ports {
    Loop& loop;
    const Clock& clock;
    Log& log;
    Journal& journal;
    Loader& loader;
    Routes& routes;
    std::function<void(Loop::Task)> run_blocking;
  };

  explicit Controller(Ports ports);
  ~Controller();

  // Loads what is stored and the versions that are live, then follows the wishes. `targets` is what weir.yaml has.
  void start(std::vector<Target> targets);

  // The configuration has changed.
  void set_targets(std::vector<Target> targets);
  // An alias, stage or version of `model` has changed.
  void model_changed(std::string model);
  // An approval was decided.
  void approval_decided(std::int64_t id);

  using Reply = std::move_only_function<void(Result<Status>)>;

  // Brings the version back that was live before, with its alias or stage, in one transaction. Takes effect at once
  // when that version is still loaded. `cause` is the event that asks for it, 0 = none. kNotFound without such an
  // environment, kFailedPrecondition if there is nothing to go back to.
  void roll_back(std::string endpoint, std::string environment, std::string reason, types::Identity actor,
                 std::int64_t cause, Reply reply);

  // Moves the wish of an environment to a version, by its alias or stage; what follows is as if a person had moved it
  // there. kFailedPrecondition if weir.yaml pins the version.
  void deploy(std::string endpoint, std::string environment, std::int64_t version, types::Identity actor, Reply reply);

  // In the order of weir.yaml.
  [[nodiscard]] std::vector<Status> statuses() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace weir::rollout
