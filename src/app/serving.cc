#include "app/serving.h"

#include <cstdlib>

#include "app/version.h"
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
  if (all.empty()) return fail(Code::kNotFound, "there is no Python on this machine; install one: apt install python3-venv");
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
  explicit Impl(Parts given) : parts(given), gateway({.server_version = std::string(version())}, parts.clock) {
    runner::PythonPlaces places;
    places.path = environment_variable("PATH");
    places.home = environment_variable("HOME");
    places.tool_dir = parts.state / "tools";
    places.memory_file = parts.state / "envs" / "interpreters.json";
    serve::ModelHost::Options host;
    host.environments.folder = parts.state / "envs";
    host.environments.find_interpreter = [places](std::string_view wanted) { return interpreter_for(wanted, places); };
    host.environments.uv = find_uv();
    rollouts = std::make_unique<rollout::Rollouts>(
        rollout::Rollouts::Parts{.db = parts.db,
                                 .registry = parts.lineage.registry(),
                                 .access = parts.access,
                                 .gateway = gateway,
                                 .clock = parts.clock,
                                 .log = parts.log,
                                 .config = [&config = parts.config] { return config.current(); }},
        rollout::Rollouts::Options{.models = parts.state / "models", .host = std::move(host)});
  }

  Parts parts;
  serve::Gateway gateway;
  std::unique_ptr<rollout::Rollouts> rollouts;
};

Serving::Serving(Parts parts) : impl_(std::make_unique<Impl>(parts)) {}
Serving::~Serving() { stop(); }

void Serving::add_gateway_routes(io::Router& router) { impl_->gateway.add_routes(router); }
void Serving::start() { impl_->rollouts->start(); }
void Serving::stop() { impl_->rollouts->stop(); }
rollout::Rollouts& Serving::rollouts() { return *impl_->rollouts; }
const serve::Gateway& Serving::gateway() const { return impl_->gateway; }

Result<std::optional<gate::Champion>> find_champion(store::Database& db, const std::string& model) {
  return db.load<std::optional<gate::Champion>>([&](store::Reader& reader) -> Result<std::optional<gate::Champion>> {
    const auto live = WEIR_TRY(rollout::live_version(reader, model, "production"));
    if (!live) return std::nullopt;
    const auto version = WEIR_TRY(registry::Registry::version(reader, model, *live));
    return gate::Champion{std::to_string(*live), version.run_id};
  });
}

}  // namespace weir::app
