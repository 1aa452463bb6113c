#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "rollout/controller.h"

// The controller's inside, for controller.cc (life, queues, loading after a start) and controller_steps.cc (decisions).
namespace weir::rollout {

// One environment of an endpoint. Steps that change what is stored run one after another; loading runs beside them.
struct Environment {
  using Next = std::move_only_function<void()>;
  using Step = std::move_only_function<void(Next)>;

  Target target;
  Record record;
  std::shared_ptr<serve::Backend> live;  // of record.live, once loaded
  std::shared_ptr<serve::Backend> warm;
  ModelVersion warm_version;

  std::deque<Step> steps;
  bool busy = false;  // a step is under way
  bool observe_queued = false;
  bool observe_anew = false;     // the queued observation shall try a refused wish again
  std::uint64_t generation = 0;  // of the preparation; results of older ones are void
  bool preparing = false;
  bool restored = false;  // what was live before the start is served again, or there was nothing
  int restore_failures = 0;
  bool removed = false;  // weir.yaml does not have it any more

  [[nodiscard]] std::string name() const { return target_name(target.settings.endpoint, target.settings.environment); }
};
using EnvironmentPtr = std::shared_ptr<Environment>;

class Controller::Impl : public std::enable_shared_from_this<Controller::Impl> {
 public:
  explicit Impl(Ports ports) : ports_(std::move(ports)) {}
  // Steps that never ran hold their environment, which holds them.
  ~Impl() {
    for (const auto& [name, env] : environments_) env->steps.clear();
  }

  void start(std::vector<Target> targets);
  void set_targets(std::vector<Target> targets);
  void model_changed(const std::string& model);
  void approval_decided(std::int64_t id);
  void roll_back(const std::string& name, std::string reason, types::Identity actor, std::int64_t cause, Reply reply);
  void deploy(const std::string& name, std::int64_t version, types::Identity actor, Reply reply);
  std::vector<Status> statuses() const;
  Loop& loop() { return ports_.loop; }

 private:
  using Next = Environment::Next;
  using Committed = std::move_only_function<void(Result<Record>)>;

  // --- plumbing (controller.cc)
  // Runs `work` on the pool and `then` with its result on the loop, unless this is gone by then.
  template <class T>
  void blocking(std::move_only_function<Result<T>()> work, std::move_only_function<void(Result<T>)> then);
  // Runs `then` on the loop with what an asynchronous call gives, unless this is gone by then.
  Loader::Done on_loop(std::move_only_function<void(Result<Prepared>)> then);
  void enqueue(const EnvironmentPtr& env, Environment::Step step);
  void run_next(const EnvironmentPtr& env);
  // Stores a change. On success env->record is what was stored; `then` learns of both.
  void commit(const EnvironmentPtr& env, Change change, Committed then);
  void later(const EnvironmentPtr& env, Duration delay, std::function<void(const EnvironmentPtr&)> what);
  EnvironmentPtr find(const std::string& name, Reply& reply);
  void publish();
  static Status status_of(const Environment& env);

  // --- what weir.yaml has, and what was live before a start (controller.cc)
  void reconcile_targets();
  void add(const Target& target);
  void remove(const EnvironmentPtr& env);
  void store_removal(const EnvironmentPtr& env);
  void restore(const EnvironmentPtr& env);
  void on_restored(const EnvironmentPtr& env, const ModelVersion& version, Result<Prepared> result);
  void load_previous(const EnvironmentPtr& env);
  void set_restored(const EnvironmentPtr& env);
  void route(const EnvironmentPtr& env);

  // --- decisions (controller_steps.cc)
  void queue_observe(const EnvironmentPtr& env, bool anew);
  void observe(const EnvironmentPtr& env, bool anew, Next next);
  void on_observed(const EnvironmentPtr& env, const Observation& seen, bool anew, Next next);
  void settle_wish(const EnvironmentPtr& env, const Observation& seen, WishState state, Next next);
  void take_wish(const EnvironmentPtr& env, const Observation& seen, Next next);
  void queue_decide(const EnvironmentPtr& env);
  void on_decision(const EnvironmentPtr& env, const ApprovalView& view, Next next);
  void prepare(const EnvironmentPtr& env);
  void on_prepared(const EnvironmentPtr& env, std::uint64_t generation, Result<Prepared> result, Next next);
  void refuse(const EnvironmentPtr& env, std::string reason, std::string actor, std::int64_t cause, Next next);
  void go_live(const EnvironmentPtr& env, Prepared prepared, Next next);

  struct RollbackRequest {
    std::string reason;
    types::Identity actor;
    std::int64_t cause = 0;
    Reply reply;
  };
  void start_rollback(const EnvironmentPtr& env, std::shared_ptr<RollbackRequest> request, Next next);
  void finish_rollback(const EnvironmentPtr& env, std::shared_ptr<RollbackRequest> request,
                       std::shared_ptr<serve::Backend> backend, Next next);
  static void abandon_preparation(Environment& env);
  static types::EventDraft event(const Environment& env, std::string_view type, std::string actor, std::int64_t cause,
                                 const ModelVersion& version, json::object extra);

  Ports ports_;
  bool started_ = false;
  bool ready_ = false;
  std::vector<Target> desired_;
  std::map<std::string, EnvironmentPtr> environments_;
  std::map<std::string, Record> stored_;  // rows that no target has claimed

  mutable std::mutex status_mutex_;
  std::vector<Status> statuses_;
};

template <class T>
void Controller::Impl::blocking(std::move_only_function<Result<T>()> work,
                                std::move_only_function<void(Result<T>)> then) {
  ports_.run_blocking(
      [weak = weak_from_this(), &loop = ports_.loop, work = std::move(work), then = std::move(then)]() mutable {
        auto result = work();
        loop.post([weak, result = std::move(result), then = std::move(then)]() mutable {
          if (const auto self = weak.lock()) then(std::move(result));
        });
      });
}

}  // namespace weir::rollout
