#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/fake_loop.h"
#include "rollout/controller.h"
#include "serve/fake_backend.h"

// A world for the controller's tests: a disk that survives restarts, model loading that takes time and fails,
// reviewers, and a gateway that remembers what it was told. One thread; time moves only when the test says so.
namespace weir::rollout {

// A loop that takes its time, in order, so that a restart can fall between any two steps.
class JitterLoop final : public Loop {
 public:
  JitterLoop(FakeLoop& loop, std::mt19937_64& random) : loop_(loop), random_(random) {}

  void post(Task task) override {
    last_ = std::max(last_, loop_.now() + Duration{static_cast<std::int64_t>(random_() % delay_micros_max)});
    loop_.after(last_ - loop_.now(), std::move(task));
  }
  TimerId after(Duration delay, Task task) override { return loop_.after(delay, std::move(task)); }
  void cancel(TimerId id) override { loop_.cancel(id); }

  std::uint64_t delay_micros_max = 1;

 private:
  FakeLoop& loop_;
  std::mt19937_64& random_;
  TimePoint last_;
};

// Model "m"; its alias "champion" is what production wishes, "candidate" what staging does.
class World {
 public:
  struct Ask {
    std::string target;  // "e@production"
    std::int64_t version = 0;
    Decision decision = Decision::kPending;
  };

  explicit World(std::uint64_t seed = 1) : random(seed), jitter(loop, random) {
    targets = {target("production", "champion"), target("staging", "candidate")};
  }
  ~World() { stop(); }

  static Target target(std::string environment, std::string alias) {
    return {.settings = {.endpoint = "e", .environment = std::move(environment)},
            .reference = {.model = "m", .alias = std::move(alias)}};
  }

  // --- the server
  void start();
  void stop();
  void restart() {
    stop();
    start();
  }
  void settle(Duration time = std::chrono::minutes{10}) { loop.advance(time); }

  // --- what people do
  void move(const std::string& alias, std::int64_t version, std::string actor = "alice");
  void decide(std::int64_t id, Decision decision);
  Result<Status> roll_back(const std::string& environment, std::string reason = "too slow");
  Result<Status> deploy(const std::string& environment, std::int64_t version, std::string actor = "alice");
  void set_targets(std::vector<Target> wanted);

  // --- what is so
  [[nodiscard]] const Record& record(const std::string& environment) const { return rows.at("e@" + environment); }
  // The version that the gateway routes to; 0 if none.
  [[nodiscard]] std::int64_t routed(const std::string& environment) const;
  [[nodiscard]] std::int64_t warm(const std::string& environment) const;
  [[nodiscard]] std::vector<std::string> event_types() const;
  [[nodiscard]] std::int64_t pending_approval() const;  // the newest one; 0 if none

  std::mt19937_64 random;
  FakeLoop loop;
  JitterLoop jitter;
  SystemClock log_clock;
  Log log{log_clock, -1, LogLevel::kError};

  // Survives restarts.
  std::map<std::string, Record> rows;
  std::map<std::string, std::int64_t> aliases;
  std::map<std::string, std::pair<std::string, std::int64_t>> movers;  // alias -> actor, event
  std::map<std::int64_t, Ask> asks;
  std::vector<types::EventDraft> events;
  std::vector<Target> targets;

  // Knobs.
  std::set<std::string> protected_environments = {"production"};
  std::set<std::string> approved_actors;  // jobs that may enter protected environments
  std::set<std::int64_t> bad_versions;    // their smoke test fails
  std::set<std::int64_t> unloadable;      // cannot be loaded at all
  Duration load_time{std::chrono::seconds{5}};
  int commit_failures_percent = 0;
  int load_failures_percent = 0;

  // Broken promises, in words; tests expect none.
  std::vector<std::string> violations;
  bool ready = false;
  int loads = 0;

 private:
  friend class FakeJournal;
  friend class FakeLoader;
  friend class FakeRoutes;

  struct Route {
    std::int64_t live = 0;
    std::int64_t warm = 0;
  };
  bool percent(int chance) { return static_cast<int>(random() % 100) < chance; }
  // Runs `work` later unless the server was restarted by then.
  void in_this_life(Duration delay, Loop::Task work);
  void move_in_transaction(const std::string& alias, std::int64_t version, const std::string& actor);

  std::uint64_t life_ = 0;
  std::map<std::string, Route> routes_;
  std::map<std::string, std::pair<std::int64_t, TimePoint>> replaced_;  // version that was live before, until when
  std::set<std::pair<std::string, std::int64_t>> permitted_;            // may go live there
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<Routes> gateway_;
  std::unique_ptr<Controller> controller_;
};

}  // namespace weir::rollout
