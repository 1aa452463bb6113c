#include "rollout/controller.h"

#include <algorithm>
#include <set>
#include <utility>

#include "rollout/controller_impl.h"

namespace weir::rollout {
namespace {

constexpr Duration kRestoreDelay{std::chrono::seconds{1}};
constexpr int kRestoreDoublingsMax = 6;

}  // namespace

// --- plumbing

Loader::Done Controller::Impl::on_loop(std::move_only_function<void(Result<Prepared>)> then) {
  return [weak = weak_from_this(), &loop = ports_.loop, then = std::move(then)](Result<Prepared> result) mutable {
    loop.post([weak, result = std::move(result), then = std::move(then)]() mutable {
      if (const auto self = weak.lock()) then(std::move(result));
    });
  };
}

void Controller::Impl::enqueue(const EnvironmentPtr& env, Environment::Step step) {
  env->steps.push_back(std::move(step));
  if (!env->busy) run_next(env);
}

void Controller::Impl::run_next(const EnvironmentPtr& env) {
  env->busy = !env->steps.empty();
  if (!env->busy) return;
  auto step = std::move(env->steps.front());
  env->steps.pop_front();
  step([weak = weak_from_this(), &loop = ports_.loop, env] {
    loop.post([weak, env] {
      if (const auto self = weak.lock()) self->run_next(env);
    });
  });
}

void Controller::Impl::commit(const EnvironmentPtr& env, Change change, Committed then) {
  blocking<Record>(
      [&journal = ports_.journal, change = std::move(change)]() mutable { return journal.commit(std::move(change)); },
      [this, env, then = std::move(then)](Result<Record> stored) mutable {
        if (stored) {
          env->record = *stored;
        } else if (stored.error().code != Code::kNotFound) {  // which is for who named the version to hear
          ports_.log.error("{}: cannot store a step of the rollout: {}", env->name(), stored.error().message);
        }
        then(std::move(stored));
        publish();
      });
}

void Controller::Impl::later(const EnvironmentPtr& env, Duration delay,
                             std::function<void(const EnvironmentPtr&)> what) {
  ports_.loop.after(delay, [weak = weak_from_this(), env, what = std::move(what)] {
    if (const auto self = weak.lock(); self && !env->removed) what(env);
  });
}

EnvironmentPtr Controller::Impl::find(const std::string& name, Reply& reply) {
  const auto found = environments_.find(name);
  if (found != environments_.end() && !found->second->removed) return found->second;
  std::string known;
  for (const auto& [other, env] : environments_) known += (known.empty() ? "" : ", ") + other;
  reply(fail(Code::kNotFound, "there is no endpoint {}; weir.yaml has {}", name, known.empty() ? "none" : known));
  return nullptr;
}

Status Controller::Impl::status_of(const Environment& env) {
  Status status{.record = env.record, .live_loaded = env.live != nullptr};
  status.previous_loaded = env.warm != nullptr && env.warm_version == env.record.previous();
  return status;
}

void Controller::Impl::publish() {
  std::vector<Status> all;
  for (const auto& target : desired_) {
    const auto found = environments_.find(target_name(target.settings.endpoint, target.settings.environment));
    if (found != environments_.end()) all.push_back(status_of(*found->second));
  }
  const std::scoped_lock lock(status_mutex_);
  statuses_ = std::move(all);
}

std::vector<Status> Controller::Impl::statuses() const {
  const std::scoped_lock lock(status_mutex_);
  return statuses_;
}

// --- what weir.yaml has

void Controller::Impl::start(std::vector<Target> targets) {
  desired_ = std::move(targets);
  blocking<std::vector<Record>>(
      [&journal = ports_.journal] { return journal.load(); },
      [this](Result<std::vector<Record>> records) {
        if (!records) {
          ports_.log.error("cannot load what is live: {}; trying again", records.error().message);
          ports_.loop.after(kRestoreDelay, [weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->start(std::move(self->desired_));
          });
          return;
        }
        for (auto& record : *records)
          stored_.emplace(target_name(record.endpoint, record.environment), std::move(record));
        started_ = true;
        reconcile_targets();
      });
}

void Controller::Impl::set_targets(std::vector<Target> targets) {
  desired_ = std::move(targets);
  if (started_) reconcile_targets();
}

void Controller::Impl::reconcile_targets() {
  std::set<std::string> wanted;
  for (const auto& target : desired_) {
    const std::string name = target_name(target.settings.endpoint, target.settings.environment);
    wanted.insert(name);
    const auto found = environments_.find(name);
    if (found == environments_.end()) {
      add(target);
      continue;
    }
    const auto& env = found->second;
    if (env->removed) continue;  // added again once its removal is stored
    env->target = target;
    ports_.routes.configure(target.settings);
    queue_observe(env, false);
  }
  std::vector<EnvironmentPtr> unwanted;
  for (const auto& [name, env] : environments_) {
    if (!wanted.contains(name) && !env->removed) unwanted.push_back(env);
  }
  for (const auto& env : unwanted) remove(env);
  publish();
  const bool all_restored = std::ranges::all_of(
      environments_, [](const auto& entry) { return entry.second->restored || entry.second->removed; });
  if (!ready_ && all_restored) ports_.routes.set_ready(ready_ = true);
}

void Controller::Impl::add(const Target& target) {
  auto env = std::make_shared<Environment>();
  env->target = target;
  const std::string name = env->name();
  if (const auto found = stored_.find(name); found != stored_.end()) {
    env->record = std::move(found->second);
    stored_.erase(found);
  } else {
    env->record.endpoint = target.settings.endpoint;
    env->record.environment = target.settings.environment;
  }
  environments_[name] = env;
  ports_.routes.configure(target.settings);
  if (env->record.live.exists()) {
    restore(env);
  } else {
    env->restored = true;
  }
  queue_observe(env, false);
  if (env->record.wish.state == WishState::kWaiting) queue_decide(env);
}

void Controller::Impl::remove(const EnvironmentPtr& env) {
  env->removed = true;
  abandon_preparation(*env);
  ports_.routes.remove(env->target.settings.endpoint, env->target.settings.environment);
  env->live = env->warm = nullptr;
  store_removal(env);
}

void Controller::Impl::store_removal(const EnvironmentPtr& env) {
  enqueue(env, [this, env](Next next) {
    const auto waiting = env->record.wish.state == WishState::kWaiting ? env->record.wish.approval : 0;
    commit(env, {.record = env->record, .remove = true, .expire_approval = waiting},
           [this, env, next = std::move(next)](const Result<Record>& stored) mutable {
             next();
             if (stored) {
               environments_.erase(env->name());
               return reconcile_targets();
             }
             ports_.loop.after(kRestoreDelay, [weak = weak_from_this(), env] {
               if (const auto self = weak.lock()) self->store_removal(env);
             });
           });
  });
}

// --- what was live before a start

void Controller::Impl::restore(const EnvironmentPtr& env) {
  const ModelVersion version = env->record.live;
  ports_.loader.prepare(version, env->target, false, on_loop([this, env, version](Result<Prepared> result) {
                          on_restored(env, version, std::move(result));
                        }));
}

void Controller::Impl::on_restored(const EnvironmentPtr& env, const ModelVersion& version, Result<Prepared> result) {
  if (env->removed || env->live || env->record.live != version) return;  // overtaken by a switch
  if (!result) {
    const auto delay = kRestoreDelay * (1 << std::min(env->restore_failures++, kRestoreDoublingsMax));
    ports_.log.error("{}: the live {} cannot be loaded and is tried again in {}: {}", env->name(), version.text(),
                     format_duration(delay), result.error().message);
    later(env, delay, [this](const EnvironmentPtr& again) {
      if (!again->live && again->record.live.exists()) restore(again);
    });
    return;
  }
  env->live = std::move(result->backend);
  route(env);
  load_previous(env);
}

void Controller::Impl::load_previous(const EnvironmentPtr& env) {
  const ModelVersion version = env->record.previous();
  if (!version.exists() || (env->warm && env->warm_version == version)) return set_restored(env);
  ports_.loader.prepare(version, env->target, false, on_loop([this, env, version](Result<Prepared> result) {
                          if (env->removed) return;
                          if (!result) {
                            ports_.log.warning(
                                "{}: the previous {} cannot be loaded, so a rollback would take longer: {}",
                                env->name(), version.text(), result.error().message);
                          } else if (env->record.previous() == version && env->live) {
                            env->warm = std::move(result->backend);
                            env->warm_version = version;
                            route(env);
                          }
                          set_restored(env);
                        }));
}

void Controller::Impl::set_restored(const EnvironmentPtr& env) {
  env->restored = true;
  publish();
  if (ready_ || !std::ranges::all_of(environments_, [](const auto& entry) { return entry.second->restored; })) return;
  ports_.routes.set_ready(ready_ = true);
}

// Publishes what is loaded to the gateway: the switch itself.
void Controller::Impl::route(const EnvironmentPtr& env) {
  std::optional<serve::Deployment> warm;
  if (env->warm) {
    warm = serve::Deployment{env->warm_version.model, std::to_string(env->warm_version.version), env->warm};
  }
  const auto& live = env->record.live;
  ports_.routes.switch_to(env->target.settings.endpoint, env->target.settings.environment,
                          {live.model, std::to_string(live.version), env->live}, std::move(warm));
}

// --- the public face

Controller::Controller(Ports ports) : impl_(std::make_shared<Impl>(std::move(ports))) {}
Controller::~Controller() = default;

void Controller::start(std::vector<Target> targets) {
  impl_->loop().post([weak = std::weak_ptr(impl_), targets = std::move(targets)]() mutable {
    if (const auto impl = weak.lock()) impl->start(std::move(targets));
  });
}

void Controller::set_targets(std::vector<Target> targets) {
  impl_->loop().post([weak = std::weak_ptr(impl_), targets = std::move(targets)]() mutable {
    if (const auto impl = weak.lock()) impl->set_targets(std::move(targets));
  });
}

void Controller::model_changed(std::string model) {
  impl_->loop().post([weak = std::weak_ptr(impl_), model = std::move(model)] {
    if (const auto impl = weak.lock()) impl->model_changed(model);
  });
}

void Controller::approval_decided(std::int64_t id) {
  impl_->loop().post([weak = std::weak_ptr(impl_), id] {
    if (const auto impl = weak.lock()) impl->approval_decided(id);
  });
}

void Controller::roll_back(std::string endpoint, std::string environment, std::string reason, types::Identity actor,
                           std::int64_t cause, Reply reply) {
  impl_->loop().post([weak = std::weak_ptr(impl_), name = target_name(endpoint, environment),
                      reason = std::move(reason), actor = std::move(actor), cause, reply = std::move(reply)]() mutable {
    if (const auto impl = weak.lock())
      impl->roll_back(name, std::move(reason), std::move(actor), cause, std::move(reply));
  });
}

void Controller::deploy(std::string endpoint, std::string environment, std::int64_t version, types::Identity actor,
                        Reply reply) {
  impl_->loop().post([weak = std::weak_ptr(impl_), name = target_name(endpoint, environment), version,
                      actor = std::move(actor), reply = std::move(reply)]() mutable {
    if (const auto impl = weak.lock()) impl->deploy(name, version, std::move(actor), std::move(reply));
  });
}

std::vector<Status> Controller::statuses() const {
  return impl_->statuses();
}

}  // namespace weir::rollout
