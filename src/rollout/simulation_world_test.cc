#include <algorithm>

#include "rollout/simulation.h"

// The world's own behaviour; its tests are in controller_test.cc and simulation_test.cc.
namespace weir::rollout {

using namespace std::chrono_literals;

class FakeJournal final : public Journal {
 public:
  explicit FakeJournal(World& world) : world_(world) {}

  Result<std::vector<Record>> load() override {
    std::vector<Record> all;
    for (const auto& [name, row] : world_.rows) all.push_back(row);
    return all;
  }

  Result<Observation> observe(const Target& target) override {
    Observation seen{.actor = "weir", .person = "weir"};
    const auto& reference = target.reference;
    if (reference.version) {
      seen.target = {reference.model, *reference.version};
    } else if (const auto found = world_.aliases.find(reference.alias); found != world_.aliases.end()) {
      seen.target = {reference.model, found->second};
      seen.actor = seen.person = world_.movers[reference.alias].first;
      seen.cause = world_.movers[reference.alias].second;
    }
    seen.may_enter = !world_.protected_environments.contains(target.settings.environment) ||
                     world_.approved_actors.contains(seen.actor);
    if (seen.may_enter) permit(target_name(target.settings.endpoint, target.settings.environment), seen.target.version);
    return seen;
  }

  Result<ApprovalView> approval(std::int64_t id) override {
    const auto& ask = world_.asks.at(id);
    return ApprovalView{.decision = ask.decision, .reviewer = "bob", .comment = "as agreed"};
  }

  Result<Record> commit(Change change) override {
    if (world_.percent(world_.commit_failures_percent)) return fail(Code::kResourceExhausted, "the disk is full");
    Record record = change.record;
    const std::string name = target_name(record.endpoint, record.environment);
    const auto before = world_.rows.find(name);
    if (before != world_.rows.end() && before->second.live.exists() && !record.live.exists()) {
      world_.violations.push_back(name + " lost its live version");
    }
    if (before != world_.rows.end() && before->second.live != record.live) {
      world_.replaced_[name] = {before->second.live.version, world_.loop.now()};
    }
    if (change.event) world_.events.push_back(*change.event);
    if (change.expire_approval != 0 && world_.asks[change.expire_approval].decision == Decision::kPending) {
      world_.asks[change.expire_approval].decision = Decision::kRejected;
    }
    if (change.move)
      world_.move_in_transaction(change.move->reference.alias, change.move->version, change.move->actor.name);
    if (change.approval) {
      record.wish.approval = static_cast<std::int64_t>(world_.asks.size()) + 1;
      world_.asks[record.wish.approval] = {name, record.wish.target.version};
    }
    if (change.remove) {
      world_.rows.erase(name);
    } else {
      world_.rows[name] = record;
    }
    return record;
  }

 private:
  void permit(const std::string& name, std::int64_t version) { world_.permitted_.emplace(name, version); }
  World& world_;
};

class FakeLoader final : public Loader {
 public:
  explicit FakeLoader(World& world) : world_(world) {}

  void prepare(ModelVersion version, const Target&, bool smoke, Done done) override {
    ++world_.loads;
    const bool fails = world_.unloadable.contains(version.version) || world_.percent(world_.load_failures_percent);
    auto backend = std::make_shared<serve::FakeBackend>();
    backend->mutable_info().flavor = std::to_string(version.version);
    answer(version, smoke, fails, std::move(backend), world_.load_time, std::move(done));
  }
  void try_out(ModelVersion version, std::shared_ptr<serve::Backend> backend, Done done) override {
    answer(version, true, false, std::move(backend), 10ms, std::move(done));
  }

 private:
  void answer(const ModelVersion& version, bool smoke, bool fails, std::shared_ptr<serve::Backend> backend,
              Duration time, Done done) {
    const Duration delay =
        time / 2 + Duration{static_cast<std::int64_t>(world_.random() % 1'000'000)} * (time.count() > 0);
    const bool bad = smoke && world_.bad_versions.contains(version.version);
    world_.in_this_life(delay, [fails, bad, backend = std::move(backend), done = std::move(done)]() mutable {
      if (fails) return done(fail(Code::kFailedPrecondition, "the worker ended before it was ready"));
      if (bad)
        return done(fail(Code::kFailedPrecondition, "smoke test: the prediction of row 0 is not a finite number"));
      done(Prepared{std::move(backend), {{"rows", 3}}});
    });
  }
  World& world_;
};

class FakeRoutes final : public Routes {
 public:
  explicit FakeRoutes(World& world) : world_(world) {}

  void configure(const serve::EndpointSettings& settings) override {
    world_.routes_.try_emplace(target_name(settings.endpoint, settings.environment));
  }
  void remove(const std::string& endpoint, const std::string& environment) override {
    world_.routes_.erase(target_name(endpoint, environment));
  }
  void switch_to(const std::string& endpoint, const std::string& environment, serve::Deployment live,
                 std::optional<serve::Deployment> warm) override {
    const std::string name = target_name(endpoint, environment);
    if (!world_.routes_.contains(name)) world_.violations.push_back(name + " was removed, but is switched");
    const auto version = std::stoll(live.version);
    const auto row = world_.rows.find(name);
    const auto broken = [&](std::string what) {
      world_.violations.push_back(fmt::format("{} switched to version {}: {}", name, version, what));
    };
    if (!live.backend || live.backend->info().flavor != live.version) broken("it is not loaded");
    if (warm && (!warm->backend || warm->backend->info().flavor != warm->version)) broken("the warm one is another");
    // While the news of a stored switch is on its way, the version before is still the right one.
    const auto before = world_.replaced_.find(name);
    const bool in_time = before != world_.replaced_.end() && before->second.first == version &&
                         world_.loop.now() - before->second.second < 1s;
    if (row == world_.rows.end() || (row->second.live.version != version && !in_time)) {
      broken("it is not what is stored as live");
    }
    if (world_.bad_versions.contains(version)) broken("its smoke test fails");
    if (!world_.permitted_.contains({name, version})) broken("nobody approved it");
    world_.routes_[name] = {version, warm ? std::stoll(warm->version) : 0};
  }
  void set_ready(bool ready) override { world_.ready = ready; }

 private:
  World& world_;
};

void World::in_this_life(Duration delay, Loop::Task work) {
  loop.after(delay, [this, life = life_, work = std::move(work)]() mutable {
    if (life == life_) work();
  });
}

void World::start() {
  ++life_;
  ready = false;
  routes_.clear();
  journal_ = std::make_unique<FakeJournal>(*this);
  loader_ = std::make_unique<FakeLoader>(*this);
  gateway_ = std::make_unique<FakeRoutes>(*this);
  controller_ = std::make_unique<Controller>(Controller::Ports{
      .loop = jitter,
      .clock = loop,
      .log = log,
      .journal = *journal_,
      .loader = *loader_,
      .routes = *gateway_,
      .run_blocking = [this](Loop::Task task) {
        in_this_life(Duration{static_cast<std::int64_t>(random() % jitter.delay_micros_max)}, std::move(task));
      }});
  controller_->start(targets);
}

void World::stop() {
  ++life_;
  controller_.reset();
}

void World::move_in_transaction(const std::string& alias, std::int64_t version, const std::string& actor) {
  if (version == 0) {
    aliases.erase(alias);
  } else if (const auto found = aliases.find(alias); found != aliases.end() && found->second == version) {
    return;
  } else {
    aliases[alias] = version;
  }
  events.push_back({.type = std::string(types::event_type::kAliasSet), .actor = actor});
  movers[alias] = {actor, static_cast<std::int64_t>(events.size())};
  if (controller_) controller_->model_changed("m");
}

void World::move(const std::string& alias, std::int64_t version, std::string actor) {
  move_in_transaction(alias, version, actor);
}

void World::decide(std::int64_t id, Decision decision) {
  auto& ask = asks.at(id);
  if (ask.decision != Decision::kPending) return;
  ask.decision = decision;
  if (decision == Decision::kGranted) permitted_.emplace(ask.target, ask.version);
  events.push_back({.type = "approval.decided"});
  if (controller_) controller_->approval_decided(id);
}

Result<Status> World::roll_back(const std::string& environment, std::string reason) {
  auto outcome = std::make_shared<std::optional<Result<Status>>>();
  controller_->roll_back("e", environment, std::move(reason), {.name = "carol"}, 0,
                         [outcome](Result<Status> status) { *outcome = std::move(status); });
  for (int i = 0; i < 10'000 && !*outcome; ++i) loop.advance(10ms);
  return outcome->value_or(fail(Code::kUnavailable, "never answered"));
}

Result<Status> World::deploy(const std::string& environment, std::int64_t version, std::string actor) {
  auto outcome = std::make_shared<std::optional<Result<Status>>>();
  controller_->deploy("e", environment, version, {.name = std::move(actor)},
                      [outcome](Result<Status> status) { *outcome = std::move(status); });
  for (int i = 0; i < 10'000 && !*outcome; ++i) loop.advance(10ms);
  return outcome->value_or(fail(Code::kUnavailable, "never answered"));
}

void World::set_targets(std::vector<Target> wanted) {
  targets = std::move(wanted);
  if (controller_) controller_->set_targets(targets);
}

std::int64_t World::routed(const std::string& environment) const {
  const auto found = routes_.find("e@" + environment);
  return found == routes_.end() ? 0 : found->second.live;
}

std::int64_t World::warm(const std::string& environment) const {
  const auto found = routes_.find("e@" + environment);
  return found == routes_.end() ? 0 : found->second.warm;
}

std::vector<std::string> World::event_types() const {
  std::vector<std::string> types;
  for (const auto& event : events) {
    if (event.type.starts_with("rollout.")) types.push_back(event.type);
  }
  return types;
}

std::int64_t World::pending_approval() const {
  for (const auto& [id, ask] : asks) {
    if (ask.decision == Decision::kPending) return id;
  }
  return 0;
}

}  // namespace weir::rollout
