#include "app/serving.h"

#include <cstdlib>

#include "app/version.h"
#include "io/thread_loop.h"
#include "runner/python_find.h"
#include "serve/model_host.h"

namespace weir::app {
namespace {

namespace fs = std::filesystem;

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// `uv` on PATH; it installs a model's requirements in a second where pip takes a minute.
fs::path find_uv() {
  std::string_view path;
  const std::string all = environment_variable("PATH");
  path = all;
  while (!path.empty()) {
    const auto end = path.find(':');
    const fs::path candidate = fs::path(path.substr(0, end)) / "uv";
    std::error_code ignored;
    if (fs::is_regular_file(candidate, ignored)) return candidate;
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  }
  return {};
}

Result<serve::Interpreter> interpreter_for(std::string_view version, const runner::PythonPlaces& places) {
  auto all = runner::installed_interpreters(places);
  if (all.empty())
    return fail(Code::kNotFound, "there is no Python on this machine; install one: apt install python3-venv");
  const auto wanted = runner::parse_python_version(version);
  std::optional<runner::Interpreter> chosen;
  if (wanted) {
    const auto range = WEIR_TRY(runner::PythonRange::parse(runner::minor_version(*wanted)));
    chosen = runner::find_interpreter(all, range, places);
    if (!chosen) chosen = runner::nearest_interpreter(all, range, places);
  }
  if (!chosen) chosen = runner::default_interpreter(places);
  if (!chosen) chosen = all.front();
  runner::complete_version(*chosen, places);
  return serve::Interpreter{chosen->executable, runner::to_string(chosen->version)};
}

}  // namespace

struct Serving::Impl {
  explicit Impl(const Parts& given)
      : parts(given),
        monitor(monitor_deps()),
        gateway({.server_version = std::string(version()), .captures = &monitor, .feedback = &monitor}, parts.clock),
        rollouts({.db = parts.db,
                  .registry = parts.lineage.registry(),
                  .access = parts.access,
                  .gateway = gateway,
                  .clock = parts.clock,
                  .log = parts.log,
                  .config = [this] { return parts.config.current(); }},
                 rollout_options()) {}

  rollout::Rollouts::Options rollout_options();
  monitor::MonitorDeps monitor_deps();
  std::optional<monitor::LiveVersion> live(const monitor::Place& place);
  Result<std::int64_t> start_training(const monitor::RetrainRequest& request);

  Parts parts;
  io::ThreadLoop monitor_loop;
  monitor::Monitor monitor;
  serve::Gateway gateway;
  rollout::Rollouts rollouts;
  bool stopped = false;
};

rollout::Rollouts::Options Serving::Impl::rollout_options() {
  runner::PythonPlaces places;
  places.path = environment_variable("PATH");
  places.home = environment_variable("HOME");
  places.tool_dir = parts.state / "tools";
  places.memory_file = parts.state / "envs" / "interpreters.json";
  rollout::Rollouts::Options options;
  options.models = parts.state / "models";
  options.host.environments.folder = parts.state / "envs";
  options.host.environments.find_interpreter = [places](std::string_view wanted) {
    return interpreter_for(wanted, places);
  };
  options.host.environments.uv = find_uv();
  return options;
}

std::optional<monitor::LiveVersion> Serving::Impl::live(const monitor::Place& place) {
  for (const auto& status : rollouts.statuses()) {
    const auto& record = status.record;
    if (record.endpoint != place.endpoint || record.environment != place.environment || !record.live.exists()) continue;
    const auto version = parts.lineage.registry().version(record.live.model, record.live.version);
    return monitor::LiveVersion{.model = record.live.model,
                                .version = std::to_string(record.live.version),
                                .since = version ? from_millis(version->created_ms) : record.live_since};
  }
  return std::nullopt;
}

Result<std::int64_t> Serving::Impl::start_training(const monitor::RetrainRequest& request) {
  const std::string repository = parts.config.repository_of_model(request.model);
  if (repository.empty()) return fail(Code::kNotFound, "no repository configures the retraining of {}", request.model);
  return parts.triggers.dispatch(
      repository, request.workflow, "", {{"reasons", request.reasons}, {"data_until", request.data_until}},
      {.name = "weir", .role = types::Role::kDeveloper}, request.cause, "retraining: " + request.reasons);
}

monitor::MonitorDeps Serving::Impl::monitor_deps() {
  monitor::MonitorDeps deps;
  deps.db = &parts.db;
  deps.clock = &parts.clock;
  deps.log = &parts.log;
  deps.loop = &monitor_loop;
  deps.config = [this] { return parts.config.current(); };
  deps.live = [this](const monitor::Place& place) { return live(place); };
  deps.artifact = [this](const std::string& model, const std::string& version,
                         const std::string& path) -> Result<std::string> {
    const auto found = WEIR_TRY(parts.lineage.registry().version(model, WEIR_TRY(registry::parse_version(version))));
    const auto run = WEIR_TRY(parts.lineage.tracking().run(found.run_id));
    const auto folder = WEIR_TRY(track::artifact_path_of(run.info.artifact_uri));
    if (!folder) return fail(Code::kNotFound, "the artifacts of run {} are not on this server", found.run_id);
    return parts.lineage.tracking().artifacts().read(*folder + "/" + path);
  };
  deps.traffic = [this] { return gateway.snapshot(); };
  deps.start_training = [this](const monitor::RetrainRequest& request) { return start_training(request); };
  deps.roll_back = [this](const monitor::Place& place, const std::string& reason) -> Result<void> {
    WEIR_TRY(
        rollouts.roll_back(place.endpoint, place.environment, reason, {.name = "weir", .role = types::Role::kAdmin}));
    return {};
  };
  return deps;
}

Serving::Serving(const Parts& parts) : impl_(std::make_unique<Impl>(parts)) {}
Serving::~Serving() {
  stop();
}

void Serving::add_gateway_routes(io::Router& router) {
  impl_->gateway.add_routes(router);
}

Result<void> Serving::start() {
  impl_->rollouts.start();
  return impl_->monitor.start();
}

void Serving::stop() {
  if (std::exchange(impl_->stopped, true)) return;
  impl_->monitor.stop();
  impl_->rollouts.stop();
  impl_->monitor_loop.stop();
}

rollout::Rollouts& Serving::rollouts() {
  return impl_->rollouts;
}
weir::monitor::Monitor& Serving::monitor() {
  return impl_->monitor;
}
const serve::Gateway& Serving::gateway() const {
  return impl_->gateway;
}

Result<std::optional<gate::Champion>> find_champion(store::Database& db, const std::string& model) {
  return db.load<std::optional<gate::Champion>>([&](store::Reader& reader) -> Result<std::optional<gate::Champion>> {
    const auto live = WEIR_TRY(rollout::live_version(reader, model, "production"));
    if (!live) return std::nullopt;
    const auto version = WEIR_TRY(registry::Registry::version(reader, model, *live));
    return gate::Champion{std::to_string(*live), version.run_id};
  });
}

}  // namespace weir::app
