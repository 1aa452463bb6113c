#include "rollout/rollouts.h"

#include <charconv>
#include <future>

#include "io/thread_loop.h"
#include "rollout/host_loader.h"

namespace weir::rollout {
namespace {

class GatewayRoutes final : public Routes {
 public:
  explicit GatewayRoutes(serve::Gateway& gateway) : gateway_(gateway) {}
  void configure(const serve::EndpointSettings& settings) override { gateway_.configure(settings); }
  void remove(const std::string& endpoint, const std::string& environment) override {
    gateway_.remove(endpoint, environment);
  }
  void switch_to(const std::string& endpoint, const std::string& environment, serve::Deployment live,
                 std::optional<serve::Deployment> warm) override {
    gateway_.switch_to(endpoint, environment, std::move(live), std::move(warm));
  }
  void set_ready(bool ready) override { gateway_.set_ready(ready); }

 private:
  serve::Gateway& gateway_;
};

std::function<void(Loop::Task)> runs_on(Loop& loop) {
  return [&loop](Loop::Task task) { loop.post(std::move(task)); };
}

// 5 of "approval/5".
std::int64_t number_of(std::string_view subject) {
  std::int64_t number = 0;
  const auto slash = subject.find('/');
  if (slash != std::string_view::npos)
    std::from_chars(subject.data() + slash + 1, subject.data() + subject.size(), number);
  return number;
}

}  // namespace

struct Rollouts::Impl {
  Impl(Parts given, Options options)
      : parts(std::move(given)),
        host(std::make_unique<serve::ModelHost>(std::move(options.host), parts.log)),
        journal(parts.db, parts.access, parts.config),
        loader(
            options.models,
            [this](const ModelVersion& version, const std::filesystem::path& folder) {
              return parts.registry.materialise(version.model, version.version, folder);
            },
            *host, runs_on(loader_loop)),
        routes(parts.gateway),
        controller(std::make_unique<Controller>(Controller::Ports{.loop = actor_loop,
                                                                  .clock = parts.clock,
                                                                  .log = parts.log,
                                                                  .journal = journal,
                                                                  .loader = loader,
                                                                  .routes = routes,
                                                                  .run_blocking = runs_on(journal_loop)})) {}

  std::vector<Target> targets() const {
    const auto config = parts.config();
    return config ? targets_of(*config) : std::vector<Target>{};
  }

  // On the writer's thread: only posts.
  void hear(const types::Event& event) {
    using namespace types::event_type;
    if (event.type == kConfigApplied) {
      // The configuration is read where waiting is fine, after whoever applies it has put it in place.
      journal_loop.post([this] { controller->set_targets(targets()); });
    } else if (event.type == kAliasSet || event.type == kAliasDeleted || event.type == kStageSet ||
               event.type == kVersionDeleted) {
      controller->model_changed(json_string_or(event.payload, "model", ""));
    } else if (event.type.starts_with("approval.") && event.type != kApprovalRequested) {
      controller->approval_decided(number_of(event.subject));
    }
  }

  void prune() {
    std::vector<ModelVersion> kept;
    const auto records = journal.load();
    if (!records) return;
    for (const auto& record : *records) {
      kept.insert(kept.end(), {record.live, record.wish.target});
      kept.insert(kept.end(), record.history.begin(), record.history.end());
    }
    loader.prune(kept);
  }

  template <class Call>
  Result<Status> wait_for(Call call) {
    auto promise = std::make_shared<std::promise<Result<Status>>>();
    auto future = promise->get_future();
    {
      const std::scoped_lock lock(mutex);
      if (stopped) return fail(Code::kUnavailable, "the server stops");
      call([promise](Result<Status> status) { promise->set_value(std::move(status)); });
      promise.reset();
    }
    try {
      return future.get();
    } catch (const std::future_error&) {  // dropped unanswered
      return fail(Code::kUnavailable, "the server stops");
    }
  }

  Parts parts;
  io::ThreadLoop journal_loop;  // for what waits for the database
  io::ThreadLoop loader_loop;   // for what waits for the disk
  io::ThreadLoop actor_loop;    // the controller's own
  std::unique_ptr<serve::ModelHost> host;
  DatabaseJournal journal;
  HostLoader loader;
  GatewayRoutes routes;
  std::unique_ptr<Controller> controller;
  store::Database::Subscription subscription;
  std::mutex mutex;
  bool stopped = false;
};

Rollouts::Rollouts(Parts parts, Options options)
    : impl_(std::make_unique<Impl>(std::move(parts), std::move(options))) {}

Rollouts::~Rollouts() {
  stop();
}

void Rollouts::start() {
  impl_->loader_loop.post([impl = impl_.get()] { impl->prune(); });
  impl_->subscription =
      impl_->parts.db.subscribe([impl = impl_.get()](const types::Event& event) { impl->hear(event); });
  impl_->controller->start(impl_->targets());
}

void Rollouts::stop() {
  {
    const std::scoped_lock lock(impl_->mutex);
    if (std::exchange(impl_->stopped, true)) return;
  }
  impl_->subscription.reset();
  impl_->parts.gateway.set_ready(false);
  impl_->actor_loop.stop();  // nothing is decided any more
  impl_->host.reset();       // loads under way end with kCancelled
  impl_->loader_loop.stop();
  impl_->journal_loop.stop();
}

Result<Status> Rollouts::roll_back(std::string_view endpoint, std::string_view environment, std::string_view reason,
                                   const types::Identity& actor, std::int64_t cause) {
  return impl_->wait_for([&](Controller::Reply reply) {
    impl_->controller->roll_back(std::string(endpoint), std::string(environment), std::string(reason), actor, cause,
                                 std::move(reply));
  });
}

Result<Status> Rollouts::deploy(std::string_view endpoint, std::string_view environment, std::int64_t version,
                                const types::Identity& actor) {
  return impl_->wait_for([&](Controller::Reply reply) {
    impl_->controller->deploy(std::string(endpoint), std::string(environment), version, actor, std::move(reply));
  });
}

std::vector<Status> Rollouts::statuses() const {
  return impl_->controller->statuses();
}

}  // namespace weir::rollout
