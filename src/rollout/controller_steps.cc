#include <algorithm>
#include <utility>

#include "rollout/controller_impl.h"

// How wishes become facts: each function is one step, and ends by calling `next`.
namespace weir::rollout {
namespace {

constexpr Duration kRetryDelay{std::chrono::seconds{5}};
constexpr std::size_t kHistoryMax = 8;

// Taken by a rollback's own write only where the reference can be moved.
bool is_movable(const Target& target, const ModelVersion& version) {
  return !target.reference.version && target.reference.model == version.model;
}

std::int64_t waited_for(const Record& record) {
  return record.wish.state == WishState::kWaiting ? record.wish.approval : 0;
}

std::string summary_of(const Record& record, const ModelVersion& wanted) {
  if (!record.live.exists()) return fmt::format("{} (nothing is live yet)", wanted.text());
  if (record.live.model != wanted.model) return fmt::format("{} (live: {})", wanted.text(), record.live.text());
  return fmt::format("{} (live: {})", wanted.text(), record.live.version);
}

}  // namespace

types::EventDraft Controller::Impl::event(const Environment& env, std::string_view type, std::string actor,
                                          std::int64_t cause, const ModelVersion& version, json::object extra) {
  json::object payload{{"endpoint", env.target.settings.endpoint},
                       {"environment", env.target.settings.environment},
                       {"model", version.model},
                       {"version", version.version}};
  for (auto& member : extra) payload[member.key()] = std::move(member.value());
  return {.type = std::string(type),
          .actor = std::move(actor),
          .subject = target_subject(env.target.settings.endpoint, env.target.settings.environment),
          .cause = cause,
          .payload = std::move(payload)};
}

void Controller::Impl::abandon_preparation(Environment& env) {
  ++env.generation;
  env.preparing = false;
}

// --- a reference may have moved

void Controller::Impl::model_changed(const std::string& model) {
  for (const auto& [name, env] : environments_) {
    if (!env->removed && env->target.reference.model == model) queue_observe(env, false);
  }
}

void Controller::Impl::queue_observe(const EnvironmentPtr& env, bool anew) {
  env->observe_anew = env->observe_anew || anew;
  if (std::exchange(env->observe_queued, true)) return;
  enqueue(env, [this, env](Next next) {
    env->observe_queued = false;
    observe(env, std::exchange(env->observe_anew, false), std::move(next));
  });
}

void Controller::Impl::observe(const EnvironmentPtr& env, bool anew, Next next) {
  if (env->removed) return next();
  blocking<Observation>([&journal = ports_.journal, target = env->target] { return journal.observe(target); },
                        [this, env, anew, next = std::move(next)](Result<Observation> seen) mutable {
                          if (env->removed) return next();
                          if (seen) return on_observed(env, *seen, anew, std::move(next));
                          ports_.log.error("{}: cannot tell what {} names: {}", env->name(),
                                           env->target.reference.text(), seen.error().message);
                          later(env, kRetryDelay,
                                [this, anew](const EnvironmentPtr& again) { queue_observe(again, anew); });
                          next();
                        });
}

void Controller::Impl::on_observed(const EnvironmentPtr& env, const Observation& seen, bool anew, Next next) {
  const Wish& wish = env->record.wish;
  const bool same = wish.target == seen.target && wish.reference == env->target.reference.text();
  if (!seen.target.exists()) {
    if (same && wish.state == WishState::kNone) return next();
    return settle_wish(env, seen, WishState::kNone, std::move(next));
  }
  if (seen.target == env->record.live) {
    if (same && wish.state == WishState::kLive) return next();
    return settle_wish(env, seen, WishState::kLive, std::move(next));
  }
  if (same && wish.state == WishState::kPreparing) {
    if (!env->preparing) prepare(env);  // after a restart, or after a step could not be stored
    return next();
  }
  if (same && wish.state == WishState::kWaiting && !seen.may_enter) return next();
  if (same && wish.state == WishState::kRefused && !anew && seen.cause <= wish.cause) return next();
  take_wish(env, seen, std::move(next));
}

// The wish is fulfilled already, or is no wish any more.
void Controller::Impl::settle_wish(const EnvironmentPtr& env, const Observation& seen, WishState state, Next next) {
  abandon_preparation(*env);
  Change change{.record = env->record, .expire_approval = waited_for(env->record)};
  change.record.wish = {.target = seen.target,
                        .reference = env->target.reference.text(),
                        .state = state,
                        .actor = seen.actor,
                        .cause = seen.cause,
                        .changed_at = ports_.clock.now()};
  commit(env, std::move(change), [this, env, next = std::move(next)](const Result<Record>& stored) mutable {
    if (!stored) later(env, kRetryDelay, [this](const EnvironmentPtr& again) { queue_observe(again, false); });
    next();
  });
}

void Controller::Impl::take_wish(const EnvironmentPtr& env, const Observation& seen, Next next) {
  abandon_preparation(*env);
  Change change{.record = env->record, .expire_approval = waited_for(env->record)};
  change.record.wish = {.target = seen.target,
                        .reference = env->target.reference.text(),
                        .state = seen.may_enter ? WishState::kPreparing : WishState::kWaiting,
                        .actor = seen.actor,
                        .cause = seen.cause,
                        .changed_at = ports_.clock.now()};
  if (!seen.may_enter) {
    change.record.wish.reason = fmt::format("waits for a reviewer of {}", env->target.settings.environment);
    change.approval = {
        .summary = summary_of(env->record, seen.target), .requested_by = seen.person, .cause = seen.cause};
  }
  change.event = event(*env, seen.may_enter ? types::event_type::kRolloutStarted : types::event_type::kRolloutWaiting,
                       seen.actor, seen.cause, seen.target, {{"live", env->record.live.version}});
  commit(env, std::move(change), [this, env, next = std::move(next)](const Result<Record>& stored) mutable {
    if (!stored) {
      later(env, kRetryDelay, [this](const EnvironmentPtr& again) { queue_observe(again, false); });
    } else if (stored->wish.state == WishState::kPreparing) {
      prepare(env);
    } else {
      queue_decide(env);  // it may have been decided before its number was known here
    }
    next();
  });
}

// --- a reviewer has decided

void Controller::Impl::approval_decided(std::int64_t id) {
  for (const auto& [name, env] : environments_) {
    if (!env->removed && waited_for(env->record) == id) queue_decide(env);
  }
}

void Controller::Impl::queue_decide(const EnvironmentPtr& env) {
  enqueue(env, [this, env](Next next) mutable {
    const auto id = waited_for(env->record);
    if (env->removed || id == 0) return next();
    blocking<ApprovalView>([&journal = ports_.journal, id] { return journal.approval(id); },
                           [this, env, next = std::move(next)](Result<ApprovalView> view) mutable {
                             if (env->removed) return next();
                             if (view) return on_decision(env, *view, std::move(next));
                             ports_.log.error("{}: cannot read an approval: {}", env->name(), view.error().message);
                             later(env, kRetryDelay, [this](const EnvironmentPtr& again) { queue_decide(again); });
                             next();
                           });
  });
}

void Controller::Impl::on_decision(const EnvironmentPtr& env, const ApprovalView& view, Next next) {
  if (view.decision == Decision::kPending) return next();
  if (view.decision == Decision::kRejected) {
    std::string reason = view.reviewer.empty() ? "nobody approved it in time" : "rejected by " + view.reviewer;
    if (!view.comment.empty()) reason += ": " + view.comment;
    return refuse(env, std::move(reason), view.reviewer.empty() ? "weir" : view.reviewer, view.event, std::move(next));
  }
  Change change{.record = env->record};
  auto& wish = change.record.wish;
  wish.state = WishState::kPreparing;
  wish.reason.clear();
  wish.cause = std::max(wish.cause, view.event);
  wish.changed_at = ports_.clock.now();
  change.event = event(*env, types::event_type::kRolloutStarted, view.reviewer.empty() ? "weir" : view.reviewer,
                       view.event, wish.target, {{"live", env->record.live.version}, {"approval", wish.approval}});
  commit(env, std::move(change), [this, env, next = std::move(next)](const Result<Record>& stored) mutable {
    if (stored) {
      prepare(env);
    } else {
      later(env, kRetryDelay, [this](const EnvironmentPtr& again) { queue_decide(again); });
    }
    next();
  });
}

// --- load, try out, switch

void Controller::Impl::prepare(const EnvironmentPtr& env) {
  abandon_preparation(*env);
  env->preparing = true;
  const auto generation = env->generation;
  const ModelVersion version = env->record.wish.target;
  auto done = on_loop([this, env, generation](Result<Prepared> result) {
    auto shared = std::make_shared<Result<Prepared>>(std::move(result));
    enqueue(env, [this, env, generation, shared](Next next) {
      on_prepared(env, generation, std::move(*shared), std::move(next));
    });
  });
  if (env->warm && env->warm_version == version) {
    ports_.loader.try_out(version, env->warm, std::move(done));
  } else {
    ports_.loader.prepare(version, env->target, true, std::move(done));
  }
}

void Controller::Impl::on_prepared(const EnvironmentPtr& env, std::uint64_t generation, Result<Prepared> result,
                                   Next next) {
  if (env->removed || generation != env->generation) return next();  // a newer wish or a rollback came first
  env->preparing = false;
  if (result) return go_live(env, *std::move(result), std::move(next));
  if (result.error().code == Code::kCancelled) return next();  // the server stops; the next start goes on here
  refuse(env, result.error().message, "weir", env->record.wish.cause, std::move(next));
}

void Controller::Impl::refuse(const EnvironmentPtr& env, std::string reason, std::string actor, std::int64_t cause,
                              Next next) {
  ports_.log.warning("{}: {} is refused: {}", env->name(), env->record.wish.target.text(), reason);
  Change change{.record = env->record};
  change.record.wish.state = WishState::kRefused;
  change.record.wish.reason = reason;
  change.record.wish.changed_at = ports_.clock.now();
  change.event = event(*env, types::event_type::kRolloutRefused, std::move(actor), cause, env->record.wish.target,
                       {{"reason", reason}, {"live", env->record.live.version}});
  commit(env, std::move(change), [this, env, next = std::move(next)](const Result<Record>& stored) mutable {
    if (!stored) {
      later(env, kRetryDelay, [this](const EnvironmentPtr& again) {
        queue_observe(again, false);
        queue_decide(again);
      });
    }
    next();
  });
}

void Controller::Impl::go_live(const EnvironmentPtr& env, Prepared prepared, Next next) {
  const Record& before = env->record;
  Change change{.record = before};
  Record& after = change.record;
  after.live = before.wish.target;
  after.live_since = after.wish.changed_at = ports_.clock.now();
  after.wish.state = WishState::kLive;
  after.wish.reason.clear();
  std::erase(after.history, after.live);
  if (before.live.exists()) {
    std::erase(after.history, before.live);
    after.history.push_back(before.live);
  }
  if (after.history.size() > kHistoryMax) after.history.erase(after.history.begin());
  change.event = event(*env, types::event_type::kRolloutSwitched, before.wish.actor, before.wish.cause, after.live,
                       {{"previous", before.live.version}, {"smoke", prepared.smoke}});
  const ModelVersion old_version = before.live;
  commit(env, std::move(change),
         [this, env, old_version, backend = std::move(prepared.backend),
          next = std::move(next)](const Result<Record>& stored) mutable {
           if (env->removed) return next();
           if (!stored) {
             later(env, kRetryDelay, [this](const EnvironmentPtr& again) { queue_observe(again, false); });
             return next();
           }
           if (env->live && stored->previous() == old_version) {
             env->warm = std::move(env->live);
             env->warm_version = old_version;
           } else if (env->warm_version != stored->previous()) {
             env->warm = nullptr;
           }
           env->live = std::move(backend);
           route(env);
           set_restored(env);
           ports_.log.info("{}: {} is live", env->name(), stored->live.text());
           next();
         });
}

// --- what people ask for

void Controller::Impl::roll_back(const std::string& name, std::string reason, types::Identity actor, std::int64_t cause,
                                 Reply reply) {
  const auto env = find(name, reply);
  if (!env) return;
  auto request =
      std::make_shared<RollbackRequest>(RollbackRequest{std::move(reason), std::move(actor), cause, std::move(reply)});
  enqueue(env, [this, env, request](Next next) { start_rollback(env, request, std::move(next)); });
}

void Controller::Impl::start_rollback(const EnvironmentPtr& env, std::shared_ptr<RollbackRequest> request, Next next) {
  const ModelVersion target = env->record.previous();
  if (env->removed || !target.exists()) {
    request->reply(fail(Code::kFailedPrecondition, "{} has no earlier version to go back to{}", env->name(),
                        env->record.live.exists() ? "; live is " + env->record.live.text() : ""));
    return next();
  }
  abandon_preparation(*env);  // what is being prepared is not what is wanted now
  if (env->warm && env->warm_version == target)
    return finish_rollback(env, std::move(request), env->warm, std::move(next));
  ports_.log.warning("{}: {} has to be loaded for the rollback", env->name(), target.text());
  ports_.loader.prepare(target, env->target, false,
                        on_loop([this, env, request, next = std::move(next)](Result<Prepared> result) mutable {
                          if (result) return finish_rollback(env, request, std::move(result->backend), std::move(next));
                          request->reply(std::unexpected(result.error()));
                          queue_observe(env, false);  // the wish that was given up for this is taken up again
                          next();
                        }));
}

void Controller::Impl::finish_rollback(const EnvironmentPtr& env, std::shared_ptr<RollbackRequest> request,
                                       std::shared_ptr<serve::Backend> backend, Next next) {
  const Record& before = env->record;
  const ModelVersion target = before.previous();
  Change change{.record = before, .expire_approval = waited_for(before)};
  Record& after = change.record;
  after.live = target;
  after.history.pop_back();
  after.live_since = ports_.clock.now();
  after.wish = {.target = target,
                .reference = env->target.reference.text(),
                .state = WishState::kLive,
                .actor = request->actor.name,
                .cause = request->cause,
                .changed_at = after.live_since};
  if (is_movable(env->target, target)) {
    change.move = {env->target.reference, target.version, request->actor, request->cause};
  } else {
    // weir.yaml itself wishes the version that was just taken away: it stays refused until the file says otherwise.
    after.wish.target = before.wish.target;
    after.wish.cause = before.wish.cause;
    after.wish.state = WishState::kRefused;
    after.wish.reason = "rolled back: " + request->reason;
  }
  change.event = event(*env, types::event_type::kRolloutRolledBack, request->actor.name, request->cause, target,
                       {{"previous", before.live.version}, {"reason", request->reason}});
  commit(
      env, std::move(change),
      [this, env, request, backend = std::move(backend), next = std::move(next)](const Result<Record>& stored) mutable {
        if (!stored) {
          request->reply(std::unexpected(stored.error()));
          queue_observe(env, false);
          return next();
        }
        if (env->removed) {
          request->reply(status_of(*env));
          return next();
        }
        env->live = std::move(backend);
        env->warm = nullptr;
        route(env);
        ports_.log.info("{}: rolled back to {}: {}", env->name(), stored->live.text(), request->reason);
        request->reply(status_of(*env));
        load_previous(env);
        next();
      });
}

void Controller::Impl::deploy(const std::string& name, std::int64_t version, types::Identity actor, Reply reply) {
  const auto env = find(name, reply);
  if (!env) return;
  if (env->target.reference.version) {
    reply(fail(Code::kFailedPrecondition,
               "weir.yaml pins {} to {}: change it there, or let it name an alias such as "
               "models:/{}@champion",
               name, env->target.reference.text(), env->target.reference.model));
    return;
  }
  auto shared = std::make_shared<Reply>(std::move(reply));
  enqueue(env, [this, env, version, actor = std::move(actor), shared](Next next) mutable {
    Change change{.record = env->record};
    change.move = {env->target.reference, version, std::move(actor), 0};
    commit(env, std::move(change), [this, env, shared, next = std::move(next)](const Result<Record>& stored) mutable {
      if (!stored) {
        (*shared)(std::unexpected(stored.error()));
        return next();
      }
      // The answer tells what became of the wish: it waits, or is being prepared.
      observe(env, true, [env, shared, next = std::move(next)]() mutable {
        (*shared)(status_of(*env));
        next();
      });
    });
  });
}

}  // namespace weir::rollout
