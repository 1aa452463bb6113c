#include "access/approval_timer.h"

#include <condition_variable>
#include <mutex>

#include "types/event.h"

namespace weir::access {

// Shared with tasks and callbacks that may still be queued when the timer is gone.
struct ApprovalTimer::State : std::enable_shared_from_this<State> {
  State(Access& access_, store::Database& db_, Loop& loop_, Log& log_)
      : access(access_), db(db_), loop(loop_), log(log_) {}

  Access& access;
  store::Database& db;
  Loop& loop;
  Log& log;
  store::Database::Subscription subscription;

  std::mutex mutex;
  std::condition_variable idle;
  bool stopping = false;
  bool running = false;
  bool again = false;  // asked for while running
  Loop::TimerId timer = 0;

  void run() {
    {
      const std::scoped_lock lock(mutex);
      if (stopping) return;
      if (running) {
        again = true;
        return;
      }
      running = true;
      if (timer != 0) loop.cancel(timer);
      timer = 0;
    }
    auto delay = std::make_shared<std::optional<Duration>>();
    db.write_async(
        [this, delay](store::Transaction& tx) -> Result<void> {
          const auto next = WEIR_TRY(access.settle(tx));
          if (next) *delay = *next - tx.now();
          return {};
        },
        [self = shared_from_this(), delay](Result<void> result) { self->finish(std::move(result), *delay); });
  }

  void finish(Result<void> result, std::optional<Duration> delay) {
    const std::scoped_lock lock(mutex);
    running = false;
    if (!stopping) {
      if (!result) {
        log.warning("approvals could not be settled: {}", result.error().message);
        delay = std::chrono::minutes{1};
      }
      if (again) delay = Duration{0};
      again = false;
      if (delay) timer = loop.after(std::max(*delay, Duration{0}), [self = shared_from_this()] { self->run(); });
    }
    idle.notify_all();
  }
};

ApprovalTimer::ApprovalTimer(Access& access, store::Database& db, Loop& loop, Log& log)
    : state_(std::make_shared<State>(access, db, loop, log)) {
  state_->subscription = db.subscribe([weak = std::weak_ptr(state_)](const types::Event& event) {
    // A reviewed approval that goes on waiting has no event, but its wait was known when it was requested.
    if (event.type != types::event_type::kApprovalRequested) return;
    if (const auto state = weak.lock()) state->loop.post([state] { state->run(); });
  });
  state_->loop.post([state = state_] { state->run(); });
}

ApprovalTimer::~ApprovalTimer() {
  state_->subscription.reset();
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  if (state_->timer != 0) state_->loop.cancel(state_->timer);
  state_->idle.wait(lock, [this] { return !state_->running; });
}

}  // namespace weir::access
