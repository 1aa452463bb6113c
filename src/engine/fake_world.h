#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/fake_loop.h"
#include "base/hash.h"
#include "engine/engine.h"
#include "engine/schema.h"
#include "store/sqlite/sqlite_database.h"

// Fakes for deterministic tests of the engine: a database that commits when told, an executor whose jobs are timers,
// and a server that can die between any two effects on the world.
namespace weir::engine::fake {

// Counts what a server does to the outside. After `crash_at` of them nothing gets out any more: the server is dead from
// there on, although its code still runs to the end of the current call.
struct Fuse {
  std::int64_t effects = 0;
  std::int64_t crash_at = -1;  // -1: never
  [[nodiscard]] bool dead() const { return crash_at >= 0 && effects >= crash_at; }
  bool burn() {
    if (dead()) return false;
    ++effects;
    return true;
  }
};

// Wraps a real database and executes what is written step by step, on the caller's thread.
class SteppedDatabase final : public store::Database {
 public:
  explicit SteppedDatabase(std::unique_ptr<store::Database> inner) : inner_(std::move(inner)) {}

  Result<void> read(const std::function<Result<void>(store::Reader&)>& work) override { return inner_->read(work); }
  void write_async(Work work, Done done) override {
    if (fuse_ != nullptr && !fuse_->burn()) {
      if (immediate_) done(fail(Code::kUnavailable, "the server is dead"));
      return;
    }
    queue_.push_back({std::move(work), std::move(done), immediate_});
    if (immediate_) step_all();
  }
  Subscription subscribe(std::function<void(const types::Event&)> listener) override {
    return inner_->subscribe([this, listener = std::move(listener)](const types::Event& event) {
      if (fuse_ == nullptr || !fuse_->dead()) listener(event);
    });
  }
  void stop() override { inner_->stop(); }

  [[nodiscard]] bool busy() const { return !queue_.empty(); }
  // Executes the oldest write. With `fails` it is rolled back and its writer told so.
  void step(bool fails = false) {
    auto request = std::move(queue_.front());
    queue_.pop_front();
    auto result = inner_->write([&](store::Transaction& tx) -> Result<void> {
      WEIR_TRY(request.work(tx));
      if (fails) return fail(Code::kResourceExhausted, "no room on the disk");
      return {};
    });
    // Somebody waits for the answer of a write that is done at once, be the server dead or not.
    if (fuse_ == nullptr || fuse_->burn() || request.awaited) request.done(std::move(result));
  }
  void step_all() {
    while (!queue_.empty()) step();
  }
  // Everything is executed at once, as Database::write() needs it.
  template <class Do>
  auto at_once(Do what) {
    step_all();
    const bool before = std::exchange(immediate_, true);
    auto result = what();
    immediate_ = before;
    return result;
  }
  void use(Fuse* fuse) { fuse_ = fuse; }
  // What a dead server had not yet handed to the disk.
  void forget_queue() { queue_.clear(); }
  store::Database& inner() { return *inner_; }

 private:
  struct Request {
    Work work;
    Done done;
    bool awaited = false;
  };
  std::unique_ptr<store::Database> inner_;
  std::deque<Request> queue_;
  Fuse* fuse_ = nullptr;
  bool immediate_ = false;
};

// How a job of the fake machine goes.
struct JobScript {
  Duration takes{std::chrono::seconds{1}};
  types::Conclusion conclusion = types::Conclusion::kSuccess;
  json::object outputs;
  bool dies = false;  // the runner ends without a word
  bool ignores_cancel = false;
};

// Machines and what runs on them: outlives servers.
class Machine {
 public:
  struct Running {
    types::JobSpec spec;
    JobScript script;
    bool ended = false;
    int turn = 0;  // counts how often it was started
    JobEnd end;
  };

  Machine(FakeLoop& loop, std::function<JobScript(const types::JobSpec&)> script)
      : loop_(loop), script_(std::move(script)) {}

  std::function<void(const types::JobSpec&)> on_start = [](const types::JobSpec&) {};
  std::function<void(std::int64_t job)> on_end = [](std::int64_t) {};  // told to the server of the day

  void start(const types::JobSpec& spec) {
    on_start(spec);
    auto& running = jobs[spec.job_id];
    running = {.spec = spec, .turn = ++starts[spec.job_id]};
    running.script = script_(spec);
    end_after(spec.job_id, running.script.takes, running.script.conclusion, running.script.dies);
  }

  void cancel(std::int64_t job) {
    const auto found = jobs.find(job);
    if (found == jobs.end() || found->second.ended || found->second.script.ignores_cancel) return;
    end_after(job, std::chrono::milliseconds{300}, types::Conclusion::kCancelled, false);
  }

  void preempt(std::int64_t job) {
    ++asked_for_room[job];
    const auto found = jobs.find(job);
    if (found == jobs.end() || found->second.ended) return;
    const auto turn = found->second.turn;
    loop_.after(std::chrono::milliseconds{500}, [this, job, turn] {
      auto& running = jobs.at(job);
      if (running.turn != turn || std::exchange(running.ended, true)) return;
      running.end.report.started = true;
      running.end.report.preempted = true;
      on_end(job);
    });
  }

  void kill(std::int64_t job) {
    if (const auto found = jobs.find(job); found != jobs.end() && !found->second.ended) {
      end_after(job, Duration{0}, types::Conclusion::kFailure, true);
    }
  }

  [[nodiscard]] std::vector<const Running*> alive() const {
    std::vector<const Running*> running;
    for (const auto& [id, job] : jobs) {
      if (!job.ended) running.push_back(&job);
    }
    return running;
  }

  std::map<std::int64_t, Running> jobs;
  std::map<std::int64_t, int> starts;
  std::map<std::int64_t, int> asked_for_room;
  std::map<std::int64_t, int> set_aside;  // the turn whose folder was

 private:
  void end_after(std::int64_t job, Duration delay, types::Conclusion conclusion, bool dies) {
    loop_.after(delay, [this, job, conclusion, dies, turn = jobs.at(job).turn] {
      auto& running = jobs.at(job);
      if (running.turn != turn || std::exchange(running.ended, true)) return;
      running.end.report.started = true;
      if (dies) {
        running.end.error = "the runner died (signal 9)";
      } else {
        running.end.report.finished = true;
        running.end.report.conclusion = conclusion;
        running.end.report.outputs = running.script.outputs;
      }
      on_end(job);
    });
  }

  FakeLoop& loop_;
  std::function<JobScript(const types::JobSpec&)> script_;
};

// One server's view of the machine.
class FakeExecutor final : public Executor {
 public:
  FakeExecutor(FakeLoop& loop, Machine& machine, Fuse& fuse) : loop_(loop), machine_(machine), fuse_(fuse) {
    machine_.on_end = [this](std::int64_t job) { tell(job); };
  }
  ~FakeExecutor() override {
    machine_.on_end = [](std::int64_t) {};
  }

  std::function<bool()> start_fails = [] { return false; };

  void listen(Listener listener) override { listener_ = std::move(listener); }
  Result<void> prepare(const JobLaunch& launch) override {
    if (!fuse_.burn()) return {};
    prepared_.insert(launch.spec.job_id);
    if (launch.preemptions > 0) {
      const auto found = machine_.jobs.find(launch.spec.job_id);
      if (found != machine_.jobs.end() && found->second.ended)
        machine_.set_aside[launch.spec.job_id] = found->second.turn;
    }
    return {};
  }
  Result<void> start(const JobLaunch& launch) override {
    if (!fuse_.burn()) return {};
    if (start_fails()) return fail(Code::kResourceExhausted, "cannot fork");
    machine_.start(launch.spec);
    return {};
  }
  Result<Adoption> adopt(std::int64_t job, const std::filesystem::path&) override {
    const auto found = machine_.jobs.find(job);
    // A folder that was set aside for the next turn tells nothing of that one.
    if (found == machine_.jobs.end() || machine_.set_aside[job] == found->second.turn) return Adoption::kNeverStarted;
    if (!found->second.ended) return Adoption::kRunning;
    loop_.post([alive = std::weak_ptr(alive_), this, job] {
      if (!alive.expired()) tell(job);
    });
    return Adoption::kEnded;
  }
  void cancel(std::int64_t job) override {
    if (fuse_.burn()) machine_.cancel(job);
  }
  void preempt(std::int64_t job) override {
    if (fuse_.burn()) machine_.preempt(job);
  }
  void kill(std::int64_t job) override {
    if (fuse_.burn()) machine_.kill(job);
  }
  void detach() override { listener_ = {}; }

 private:
  void tell(std::int64_t job) {
    if (fuse_.dead() || !listener_.on_end) return;
    listener_.on_end(job, machine_.jobs.at(job).end);
  }

  FakeLoop& loop_;
  Machine& machine_;
  Fuse& fuse_;
  Listener listener_;
  std::set<std::int64_t> prepared_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

// Approvals in a table, so that a crash takes them back with the transaction that they belong to.
class FakeApprovals {
 public:
  static store::Migration migration() {
    return {"test/approvals",
            "CREATE TABLE test_approvals(id BIGINT PRIMARY KEY, environment TEXT NOT NULL, "
            "job BIGINT NOT NULL, state BIGINT NOT NULL)"};
  }
  static Result<ApprovalAnswer> request(store::Transaction& tx, const ApprovalRequest& request) {
    if (request.environment == "forbidden") {
      return fail(Code::kFailedPrecondition, "environment \"forbidden\" does not take branch main");
    }
    const auto id = WEIR_TRY(tx.next_id("approval"));
    const bool open = request.environment == "open";
    const auto event = WEIR_TRY(tx.append({.type = std::string(types::event_type::kApprovalRequested),
                                           .actor = request.requested_by,
                                           .subject = fmt::format("approval/{}", id),
                                           .cause = request.cause,
                                           .payload = {{"environment", request.environment}}}));
    WEIR_TRY(tx.execute("INSERT INTO test_approvals(id, environment, job, state) VALUES(?, ?, ?, ?)",
                        {id, request.environment, request.job, open ? 1 : 0}));
    return ApprovalAnswer{.id = id, .state = open ? ApprovalState::kGranted : ApprovalState::kPending, .event = event};
  }
  static Result<ApprovalAnswer> find(store::Database& db, std::int64_t id) {
    return db.load<ApprovalAnswer>([&](store::Reader& reader) -> Result<ApprovalAnswer> {
      const auto state = WEIR_TRY(reader.integer("SELECT state FROM test_approvals WHERE id = ?", {id}));
      if (!state) return fail(Code::kNotFound, "no approval {}", id);
      return ApprovalAnswer{.id = id, .state = static_cast<ApprovalState>(*state), .comment = *state == 2 ? "no" : ""};
    });
  }
  static Result<void> decide(store::Transaction& tx, std::int64_t id, bool granted) {
    const auto changed =
        WEIR_TRY(tx.execute("UPDATE test_approvals SET state = ? WHERE id = ? AND state = 0", {granted ? 1 : 2, id}));
    if (changed == 0) return {};
    const auto type = granted ? types::event_type::kApprovalGranted : types::event_type::kApprovalRejected;
    WEIR_TRY(tx.append({.type = std::string(type), .actor = "bob", .subject = fmt::format("approval/{}", id)}));
    return {};
  }
  static std::vector<std::int64_t> pending(store::Database& db) {
    return db
        .load<std::vector<std::int64_t>>([](store::Reader& reader) {
          return reader.all<std::int64_t>("SELECT id FROM test_approvals WHERE state = 0 ORDER BY id", {},
                                          [](const store::Row& row) { return row.integer(0); });
        })
        .value();
  }
};

}  // namespace weir::engine::fake
