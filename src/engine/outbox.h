#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/log.h"
#include "base/loop.h"
#include "engine/rows.h"
#include "store/database.h"

namespace weir::engine {

// The sequence of an event that is yet to be appended: filled in when its transaction runs, so that a later event can
// name it as its cause.
using EventRef = std::shared_ptr<std::int64_t>;
inline EventRef event_ref(std::int64_t sequence = 0) {
  return std::make_shared<std::int64_t>(sequence);
}

// Brings the engine's changes to the database in order: one transaction under way at a time, in which everything that
// piled up meanwhile goes together. Memory runs ahead of the database; what must not happen before the change is
// durable (starting a runner, telling somebody) is an `after`.
//
// A transaction that fails (full disk) is tried again until it succeeds, since memory cannot go back. Lives on one
// loop; steps run on the writer's thread, possibly more than once, and see only what they captured. They may run after
// the outbox and its owner have gone, so they must share in owning whatever they use: never a bare `this`. Hooks and
// `after`s run only while the owner lives.
class Outbox {
 public:
  using Step = std::function<Result<void>(store::Transaction&)>;
  using After = std::move_only_function<void()>;

  struct Hooks {
    std::function<void()> collect;  // called before a transaction is sent: the last chance to add to it
    std::function<void()> settled;  // called when a transaction's `after`s have run
    // Whose member the outbox is: what comes back from the database holds it while it is looked at.
    std::function<std::weak_ptr<void>()> owner;
  };
  Outbox(store::Database& db, Loop& loop, Log& log, Hooks hooks)
      : db_(db), loop_(loop), log_(log), hooks_(std::move(hooks)) {}

  // Adds a change to the transaction in preparation.
  void step(Step step) { steps_.push_back(std::move(step)); }
  // Appends an event whose cause may be an event of an earlier step; `as` receives its sequence.
  void event(types::EventDraft draft, EventRef cause, EventRef as);
  // Runs on the loop once all steps added so far are durable.
  void after(After after) { afters_.push_back(std::move(after)); }

  // Sends what was added, unless a transaction is under way: then it goes when that one has ended.
  void flush();
  // What is under way may still be committed, but nothing is called or tried again.
  void stop() { stopped_ = true; }

 private:
  using Batch = std::shared_ptr<std::vector<Step>>;
  void submit(const Batch& batch);
  void finished(const Batch& batch, Result<void> result);

  store::Database& db_;
  Loop& loop_;
  Log& log_;
  Hooks hooks_;
  std::vector<Step> steps_;
  std::vector<After> afters_;
  std::vector<After> afters_under_way_;
  bool busy_ = false;
  int failures_ = 0;
  bool stopped_ = false;
};

}  // namespace weir::engine
