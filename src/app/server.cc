#include "app/server.h"

#include <unistd.h>

#include <atomic>
#include <thread>

#include "access/approval_timer.h"
#include "access/config_store.h"
#include "access/schema.h"
#include "api/actions/service.h"
#include "api/approval_links.h"
#include "api/authentication.h"
#include "api/git/git_http.h"
#include "api/github/forward.h"
#include "api/hooks/hooks.h"
#include "api/mlflow/routes.h"
#include "api/weir/live.h"
#include "api/weir/report.h"
#include "api/weir/routes.h"
#include "api/weir/serving.h"
#include "app/engine_binding.h"
#include "app/followed.h"
#include "app/forge_binding.h"
#include "app/housekeeping.h"
#include "app/lineage.h"
#include "app/notifications.h"
#include "app/push_rules.h"
#include "app/remote_workflows.h"
#include "app/schema.h"
#include "app/serving.h"
#include "app/version.h"
#include "app/web_routes.h"
#include "engine/local_executor.h"
#include "engine/run_artifacts.h"
#include "event/data_watcher.h"
#include "event/time_zones.h"
#include "forge/proposals.h"
#include "io/file.h"
#include "io/git.h"
#include "io/http_server.h"
#include "io/http_stream.h"
#include "io/thread_loop.h"
#include "store/blob_store.h"
#include "store/sqlite/sqlite_database.h"

namespace weir::app {
namespace {

namespace fs = std::filesystem;

// The state's lock. A child that a killed server had just forked holds it until its exec, which is a moment away.
Result<io::FileLock> own(const fs::path& path) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{2};
  for (;;) {
    auto lock = io::FileLock::acquire(path);
    if (lock || lock.error().code != Code::kFailedPrecondition || std::chrono::steady_clock::now() > deadline)
      return lock;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
}

// The same error, with what to do: the owner may be a server that can be talked to.
Error in_use(Error error, const fs::path& state) {
  const auto text = io::read_file(state / "server.json", 1 << 16);
  const auto owner = text ? parse_json(*text, "server.json").value_or(nullptr) : json::value();
  const auto url = json_string_or(owner, "url", "");
  if (!url.empty()) error.message += fmt::format(", which answers at {}", url);
  error.message += "; use that one, wait for its end, or give another state: --state DIR";
  return error;
}

// The part of an address that a Host header holds.
std::string public_authority(const std::string& url) {
  const auto parsed = io::parse_url(url);
  return parsed ? parsed->authority : std::string();
}

// Others than this machine's people connect: themselves, or a proxy for them.
bool is_reached_from_elsewhere(const Server::Options& options) {
  const auto reached = io::parse_url(options.public_url);
  return !access::is_loopback(options.host) || (reached && !access::is_loopback(reached->host));
}

class ServerImpl final : public Server {
 public:
  ServerImpl(Options options, const Clock& clock, Log& log) : options_(std::move(options)), clock_(clock), log_(log) {}
  ~ServerImpl() override { stop(); }

  Result<void> start();
  void stop() override;

  [[nodiscard]] std::string url() const override { return url_; }
  [[nodiscard]] engine::Engine& engine() override { return *engine_; }
  [[nodiscard]] event::Triggers& triggers() override { return *triggers_; }
  [[nodiscard]] std::string admin_token() const override {
    auto token = io::read_file(options_.state / "keys" / "admin.token");
    while (token && token->ends_with('\n')) token->pop_back();
    return token.value_or("");
  }

 private:
  Result<void> open_state();
  Result<void> start_engine();
  Result<void> open_data_watcher();
  Result<void> start_http();
  Result<void> catch_up();
  [[nodiscard]] PushRules push_rules();
  [[nodiscard]] api::GitHttpOptions git_options();
  [[nodiscard]] api::github::Parts github_parts();
  [[nodiscard]] Result<io::Git> git(const std::string& repo) const;
  [[nodiscard]] Result<std::string> secret(const std::string& name) const;
  Result<void> apply_config(const std::string& repo, const std::string& commit, const types::Identity& identity);

  Options options_;
  const Clock& clock_;
  Log& log_;
  std::string url_;

  // In order of construction; destroyed in reverse.
  std::optional<io::FileLock> lock_;
  std::unique_ptr<store::Database> db_;
  std::unique_ptr<store::BlobStore> blobs_;
  std::unique_ptr<store::BlobStore> attachments_;  // apart from others, since they are collected
  std::unique_ptr<access::Access> access_;
  std::unique_ptr<access::ConfigStore> config_;
  std::unique_ptr<engine::RunArtifacts> artifacts_;
  std::unique_ptr<api::actions::Service> actions_;
  std::unique_ptr<io::ThreadLoop> loop_;
  std::unique_ptr<io::ThreadLoop> trigger_loop_;  // what it does waits for git and for commits
  std::unique_ptr<engine::LocalExecutor> executor_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<event::Triggers> triggers_;
  std::unique_ptr<Forge> forge_;
  std::unique_ptr<FollowedRepositories> followed_;
  std::unique_ptr<event::DataWatcher> data_;
  std::unique_ptr<Housekeeping> housekeeping_;
  std::unique_ptr<access::ApprovalTimer> approval_timer_;
  std::unique_ptr<Lineage> lineage_;
  std::unique_ptr<Serving> serving_;
  std::unique_ptr<Notifications> notifications_;
  api::Services services_;
  std::unique_ptr<api::LiveFeed> feed_;
  std::unique_ptr<io::HttpServer> http_;
  std::atomic<bool> ready_ = false;
  std::atomic<bool> stopping_ = false;
  bool stopped_ = false;
};

Result<void> ServerImpl::start() {
  WEIR_TRY(open_state());
  WEIR_TRY(start_engine());
  if (options_.serve_models) WEIR_TRY(open_data_watcher());
  WEIR_TRY(start_http());
  WEIR_TRY(catch_up());
  ready_ = true;
  return {};
}

Result<void> ServerImpl::open_state() {
  options_.state = fs::absolute(options_.state).lexically_normal();
  WEIR_TRY(io::make_dirs(options_.state));
  fs::permissions(options_.state, fs::perms::owner_all);
  auto lock = own(options_.state / "lock");
  if (!lock && lock.error().code == Code::kFailedPrecondition) {
    return std::unexpected(in_use(std::move(lock).error(), options_.state));
  }
  lock_ = WEIR_TRY(std::move(lock));
  // Of an earlier owner, who was killed.
  std::error_code ignored;
  fs::remove(options_.state / "server.json", ignored);
  // Keys are made after the database is on disk: alone they tell of a state whose database was lost. Starting anew
  // would hide that, and number runs and events a second time.
  std::error_code absent;
  const auto size_bytes = fs::file_size(options_.state / "weir.db", absent);
  if ((absent || size_bytes == 0) && fs::exists(options_.state / "keys" / "master.key")) {
    return fail(
        Code::kCorrupt,
        "the metadata database {} is {}, but the state has been in use; restore it from a backup, or give an empty "
        "folder for a new state",
        (options_.state / "weir.db").string(), absent ? "not there" : "empty");
  }
  const auto migrations = all_migrations();
  db_ = WEIR_TRY(store::open_sqlite(options_.state / "weir.db", migrations, clock_, log_, options_.durability));
  blobs_ = WEIR_TRY(store::open_local_blobs(options_.state / "blobs"));
  attachments_ = WEIR_TRY(store::open_local_blobs(options_.state / "attachments"));
  if (absent && options_.serve_models) {
    // The folders themselves; what is put into them is synced by those who put it there.
    WEIR_TRY(io::make_dirs(options_.state / "repos"));
    WEIR_TRY(io::sync_path(options_.state));
    // The folder above may be closed to us; then whoever made this one there has to see to it.
    const auto above = io::sync_path(options_.state.parent_path());
    if (!above && above.error().code != Code::kPermissionDenied) return std::unexpected(above.error());
  }
  WEIR_TRY(io::make_dirs(options_.state / "exchange"));
  WEIR_TRY(io::make_dirs(options_.state / "cache-trees"));
  WEIR_TRY(io::make_dirs(options_.state / "containers"));
  config_ = WEIR_TRY(access::ConfigStore::open(*db_));
  config_->check_time_zones(event::may_be_time_zone);
  access_ = WEIR_TRY(access::Access::open(*db_, clock_, log_,
                                          {.keys_dir = options_.state / "keys",
                                           .tokens_required = is_reached_from_elsewhere(options_),
                                           .config = [this] { return config_->current(); }}));
  artifacts_ = std::make_unique<engine::RunArtifacts>(*db_, *blobs_, clock_);
  artifacts_->keep_by([this](std::int64_t run) -> std::optional<Duration> {
    const auto found = engine_->run(run);
    return found ? config_->of(found->repo)->keep.artifacts : std::nullopt;
  });
  api::actions::Parts actions{.clock = &clock_,
                              .log = &log_,
                              .blobs = blobs_.get(),
                              .artifacts = artifacts_.get(),
                              .keys_dir = options_.state / "keys",
                              .uploads_dir = options_.state / "uploads"};
  actions.server_url = [this] { return url_; };
  actions.allow = [this](const types::Identity& identity, access::Permission permission, std::string_view object) {
    return access_->allow(identity, permission, object);
  };
  actions.run = [this](std::int64_t run) { return engine_->run(run); };
  actions.job_runs = [this](std::int64_t run, std::int64_t job) { return engine_->job_runs(run, job); };
  actions.cache_mode = [this](std::int64_t job) { return engine_->cache_mode(job); };
  actions.default_ref = [this](const std::string& repo) -> Result<std::string> {
    return WEIR_TRY(git(repo)).head_ref();
  };
  actions_ = WEIR_TRY(api::actions::Service::open(std::move(actions)));
  return {};
}

Result<io::Git> ServerImpl::git(const std::string& repo) const {
  if (const auto local = options_.local_repositories.find(repo); local != options_.local_repositories.end()) {
    return local->second;
  }
  const fs::path path = options_.state / "repos" / (repo + ".git");
  if (!fs::exists(path / "HEAD")) {
    return fail(Code::kNotFound, "there is no repository \"{}\"; push one to {}/git/{}.git", repo, url_, repo);
  }
  return io::Git(path);
}

Result<void> ServerImpl::start_engine() {
  loop_ = std::make_unique<io::ThreadLoop>();
  executor_ = std::make_unique<engine::LocalExecutor>(
      *loop_, log_, engine::LocalExecutor::Options{.runner = options_.runner, .nice = options_.job_nice});
  EngineBinding binding{.db = *db_,
                        .loop = *loop_,
                        .clock = clock_,
                        .log = log_,
                        .executor = *executor_,
                        .access = *access_,
                        .config = *config_,
                        .state = options_.state,
                        .slots = options_.slots,
                        .strict = options_.strict,
                        .actions_url = options_.actions_url,
                        .extra_secrets = options_.extra_secrets};
  binding.git = [this](const std::string& repo) { return git(repo); };
  binding.server_url = [this] { return url_; };
  WorkflowSources sources{.git = binding.git,
                          .mirrors = [this] { return followed_->mirrors().list(); },
                          .server_url = options_.serve_models ? binding.server_url : nullptr,
                          .base_url = options_.actions_url,
                          .cache = options_.state / "actions",
                          .stopped = &stopping_,
                          .log = &log_};
  while (sources.base_url.ends_with('/')) sources.base_url.pop_back();
  binding.remote_git = [sources = std::move(sources)](const event::RunRequest& run, const std::string& repository,
                                                      const std::string& ref) {
    return find_workflows(sources, run, repository, ref);
  };
  binding.action_variables = [this](const engine::StartingJob& job) { return actions_->job_variables(job); };
  engine_ = std::make_unique<engine::Engine>(engine_deps(binding));

  event::TriggerDeps deps;
  deps.db = db_.get();
  deps.clock = &clock_;
  deps.log = &log_;
  trigger_loop_ = std::make_unique<io::ThreadLoop>();
  deps.loop = trigger_loop_.get();
  deps.starter = engine_.get();
  deps.git = binding.git;
  deps.default_branch_pushed = [this](const std::string& repo, const std::string& commit,
                                      const types::Identity& identity) { return apply_config(repo, commit, identity); };
  deps.schedule_rules = [this](const std::string& repo) {
    using Missed = event::ScheduleRules::Missed;
    const auto config = config_->of(repo);
    const auto& missed = config->schedules.missed;
    return event::ScheduleRules{.missed = missed == "all"    ? Missed::kAll
                                          : missed == "skip" ? Missed::kSkip
                                                             : Missed::kOnce,
                                .jitter = config->schedules.jitter};
  };
  deps.server_url = binding.server_url;
  triggers_ = std::make_unique<event::Triggers>(std::move(deps));
  followed_ = std::make_unique<FollowedRepositories>(FollowedRepositories::Parts{
      .db = *db_,
      .clock = clock_,
      .log = log_,
      .triggers = *triggers_,
      .engine = *engine_,
      .make_git = [this](const std::string& repo) -> Result<io::Git> {
        if (!api::is_repository_name(repo))
          return fail(Code::kInvalidArgument, "\"{}\" cannot name a repository", repo);
        return io::Git::init_bare(options_.state / "repos" / (repo + ".git"));
      },
      .secret = [this](const std::string& name) { return secret(name); },
      .variables =
          [this] {
            return db_->load<std::map<std::string, std::string>>(
                [&](store::Reader& reader) { return access_->variables(reader, {}); });
          },
      .moved = [this](const std::string& repo, const std::vector<event::RefUpdate>& updates,
                      const types::Identity& identity) { return forge_->pushed(repo, updates, identity, false); },
      .public_url =
          [this] {
            if (!is_reached_from_elsewhere(options_)) return std::string();
            return options_.public_url.empty() ? url_ : options_.public_url;
          }});
  forge_ = std::make_unique<Forge>(Forge::Parts{*db_, clock_, log_, *triggers_, *engine_, *config_, *attachments_,
                                                *trigger_loop_, [this](const std::string& repo) { return git(repo); },
                                                [this] { return url_; }, *access_});
  return {};
}

Result<void> ServerImpl::open_data_watcher() {
  event::DataWatcherDeps deps{.db = db_.get(),
                              .clock = &clock_,
                              .log = &log_,
                              .roots = WEIR_TRY(event::WatchRoots::make(options_.watch_roots)),
                              .listings = options_.state / "watched"};
  deps.git = [this](const std::string& repo) { return git(repo); };
  deps.watches = [this] {
    std::map<std::string, std::vector<config::DataWatch>> watches;
    for (const auto& [repo, config] : config_->all()) {
      if (!config->data.empty()) watches[repo] = config->data;
    }
    return watches;
  };
  data_ = std::make_unique<event::DataWatcher>(std::move(deps));
  return {};
}

Result<std::string> ServerImpl::secret(const std::string& name) const {
  const auto secrets = WEIR_TRY((db_->load<std::map<std::string, std::string>>(
      [&](store::Reader& reader) { return access_->secrets(reader, {}); })));
  const auto found = secrets.find(name);
  if (found != secrets.end()) return found->second;
  return fail(Code::kNotFound, "there is no secret {}; set it: weir secret set {}", name, name);
}

Result<void> ServerImpl::apply_config(const std::string& repo, const std::string& commit,
                                      const types::Identity& identity) {
  const auto repository = WEIR_TRY(git(repo));
  const auto text = repository.show(commit, "weir.yaml");
  if (!text && text.error().code != Code::kNotFound) return std::unexpected(text.error());
  const auto applied = WEIR_TRY(config_->apply(repo, commit, text.value_or(""), identity.name, 0));
  if (!applied.problems.empty()) {
    log_.warning("weir.yaml of {} at {} is refused: {}", repo, commit.substr(0, 12), applied.problems.front().message);
  }
  return {};
}

Result<void> ServerImpl::start_http() {
  lineage_ = WEIR_TRY(
      Lineage::open(*db_, *blobs_, *config_, [this](const std::string& model) { return find_champion(*db_, model); }));
  if (options_.serve_models) {
    serving_ = std::make_unique<Serving>(
        Serving::Parts{*db_, *access_, *config_, *lineage_, *triggers_, clock_, log_, options_.state});
    notifications_ = std::make_unique<Notifications>(
        Notifications::Parts{*db_, *access_, *config_, clock_, log_,
                             [this] { return options_.public_url.empty() ? url_ : options_.public_url; }});
  }

  const auto find_git = [this](const std::string& repo) { return git(repo); };
  services_ = {.clock = &clock_,
               .log = &log_,
               .db = db_.get(),
               .blobs = blobs_.get(),
               .exchange_dir = options_.state / "exchange",
               .access = access_.get(),
               .config = config_.get(),
               .engine = engine_.get(),
               .artifacts = artifacts_.get(),
               .triggers = triggers_.get(),
               .mirrors = &followed_->mirrors(),
               .data = data_.get(),
               .issues = &forge_->issues(),
               .pulls = &forge_->pulls(),
               .checks = &forge_->checks(),
               .attachments = &forge_->attachments(),
               .gate = &lineage_->gate(),
               .insight = lineage_->insight_sources(find_git),
               .git = find_git};
  bind_notifications(services_, notifications_.get(), log_);
  feed_ = std::make_unique<api::LiveFeed>(*db_, *engine_);

  io::Router router;
  // The port is bound early, so that jobs learn the address; nothing is served before what was missed is caught up.
  router.before([this](io::HttpRequest&) -> std::optional<io::HttpResponse> {
    if (ready_) return std::nullopt;
    auto response = io::error_response({Code::kUnavailable, "the server is starting; try again in a moment"});
    response.headers.set("Retry-After", "1");
    return response;
  });
  router.before(api::authentication_filter(*access_, [this] {
    return access::ListenAddress{options_.host, http_ ? http_->port() : options_.port.value_or(0),
                                 public_authority(options_.public_url)};
  }));
  router.handle("GET", "/health", [](io::HttpRequest&) {
    return io::json_response(200, json::object{{"status", "ok"}, {"version", version()}});
  });
  api::RouteTable table(router, access_.get(),
                        [this](std::int64_t run) -> Result<std::string> { return WEIR_TRY(engine_->run(run)).repo; });
  api::add_run_routes(table, services_);
  api::add_artifact_routes(table, services_);
  api::add_access_routes(table, services_);
  api::add_approval_link_routes(router, *access_);
  api::add_insight_routes(table, services_);
  api::add_notification_routes(table, services_);
  api::add_report_route(table, services_);
  api::add_pull_routes(table, services_);
  api::add_attachment_routes(table, services_);
  api::add_repo_routes(table, services_);
  api::add_trigger_routes(table, services_);
  api::add_live_route(table, feed_.get());
  api::add_mlflow_routes(
      router, {.tracking = lineage_->tracking(),
               .registry = lineage_->registry(),
               .allow = [this](const types::Identity& identity, access::Permission permission,
                               std::string_view object) { return access_->allow(identity, permission, object); }});
  api::add_git_routes(router, git_options(), log_);
  actions_->add_routes(router);
  api::github::add_routes(router, github_parts());
  api::add_hook_routes(router, {.db = db_.get(),
                                .clock = &clock_,
                                .log = &log_,
                                .triggers = triggers_.get(),
                                .mirrors = &followed_->mirrors(),
                                .upstream_pulls = &followed_->pulls(),
                                .secret = [this](const std::string&, std::string_view source) {
                                  std::string name = "HOOK_" + std::string(source);
                                  std::ranges::transform(name, name.begin(), [](unsigned char c) {
                                    return static_cast<char>(std::toupper(c));
                                  });
                                  return secret(name);
                                }});
  if (serving_) {
    const api::ServingServices serving{.rollouts = &serving_->rollouts(),
                                       .gateway = &serving_->gateway(),
                                       .monitor = &serving_->monitor(),
                                       .registry = &lineage_->registry(),
                                       .tracking = &lineage_->tracking()};
    api::add_model_routes(table, services_, serving);
    api::add_endpoint_routes(table, serving);
    serving_->add_gateway_routes(router);
  }
  add_web_routes(router);
  add_repository_pages(router, [this](const std::string& repo) { return api::is_repository_name(repo) && git(repo); });
  table.add_openapi_route(version());

  io::HttpServerOptions http;
  http.host = options_.host;
  const fs::path port_file = options_.state / "port";
  const auto had_port = io::read_file(port_file, 16);
  http.port = options_.port.value_or(static_cast<std::uint16_t>(had_port ? std::atoi(had_port->c_str()) : 0));
  auto started = io::HttpServer::start(http, std::move(router), log_);
  http_ = WEIR_TRY(std::move(started));
  const bool v6 = options_.host.find(':') != std::string::npos;
  url_ = fmt::format("http://{}:{}", v6 ? "[" + options_.host + "]" : options_.host, http_->port());
  if (!options_.port) WEIR_TRY(io::write_file_atomic(port_file, std::to_string(http_->port())));
  WEIR_TRY(io::write_file_atomic(options_.state / "server.json",
                                 pretty_json(json::object{{"url", url_}, {"pid", ::getpid()}}) + "\n"));
  return {};
}

PushRules ServerImpl::push_rules() {
  return PushRules({.access = *access_, .config = *config_, .engine = *engine_, .git = [this](const std::string& repo) {
                      return git(repo);
                    }});
}

api::GitHttpOptions ServerImpl::git_options() {
  api::GitHttpOptions options;
  options.repos = options_.state / "repos";
  options.public_url = options_.public_url;
  options.authorize = [this](const types::Identity& identity, std::string_view repo, bool write,
                             std::span<const event::RefUpdate> updates) -> Result<void> {
    if (!write) return access_->allow(identity, access::Permission::kFetch, fmt::format("repo/{}", repo));
    return push_rules().authorize(identity, repo, updates);
  };
  options.examine = [this](const types::Identity& identity, const std::string& repo,
                           std::span<const event::RefUpdate> updates,
                           const io::Git& git) { return push_rules().examine(identity, repo, updates, git); };
  options.remark = [this](const std::string& repo) { return push_rules().remark(repo); };
  options.push_begins = [this](const std::string& repo, const std::vector<event::RefUpdate>& updates,
                               const types::Identity& identity) {
    return triggers_->push_begins(repo, updates, identity);
  };
  options.pushed = [this](const std::string& repo, const std::vector<event::RefUpdate>& updates,
                          const types::Identity& identity) -> Result<void> {
    WEIR_TRY(triggers_->repository_pushed(repo, updates, identity));
    const bool foreign = !access_->allow(identity, access::Permission::kPush, fmt::format("repo/{}", repo));
    return forge_->pushed(repo, updates, identity, foreign);
  };
  return options;
}

api::github::Parts ServerImpl::github_parts() {
  const auto options = git_options();
  return {
      .services = &services_,
      .releases = &forge_->releases(),
      .deployments = &forge_->deployments(),
      .labels = &forge_->labels(),
      .reactions = &forge_->reactions(),
      .states = [this](const std::string& repo, const std::string& commit) { return forge_->states_of(repo, commit); },
      .server_url = [this] { return url_; },
      .version = std::string(version()),
      .may_push = [this](const types::Identity& identity, const std::string& repo,
                         const std::vector<event::RefUpdate>& updates) -> Result<void> {
        WEIR_TRY(push_rules().authorize(identity, repo, updates));
        return push_rules().examine(identity, repo, updates, WEIR_TRY(git(repo)));
      },
      .move_ref = [this, pushed = options.pushed](const types::Identity& identity, const std::string& repo,
                                                  const event::RefUpdate& update) -> Result<void> {
        WEIR_TRY(triggers_->push_begins(repo, {update}, identity));
        WEIR_TRY(WEIR_TRY(git(repo)).move_ref(update.ref, update.before, update.after));
        return pushed(repo, {update}, identity);
      },
      .upstream = [this](const std::string& repo) { return followed_->upstream(repo); }};
}

Result<void> ServerImpl::catch_up() {
  if (options_.before_start) WEIR_TRY(options_.before_start(*engine_));
  WEIR_TRY(engine_->start());
  actions_->forget_ended();
  housekeeping_ = std::make_unique<Housekeeping>(
      Housekeeping::Parts{*engine_, *db_, *blobs_, *artifacts_, *config_, clock_, log_, options_.state},
      Housekeeping::Rules{.actions_bytes_max = options_.actions_bytes_max});
  housekeeping_->start();
  approval_timer_ = std::make_unique<access::ApprovalTimer>(*access_, *db_, *loop_, log_);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(options_.state / "repos", ignored)) {
    if (entry.path().extension() != ".git") continue;
    WEIR_TRY(api::wait_for_pushes(entry.path()));
    // First, or not at all: what is proposed must not be among the branches when these are looked at.
    if (const auto tidied = forge::tidy_proposals(*db_, io::Git(entry.path()), entry.path().stem().string()); !tidied) {
      log_.error("proposals of {}: {}", entry.path().stem().string(), tidied.error().message);
      continue;
    }
    const auto missed = triggers_->reconcile(entry.path().stem().string());
    if (const auto followed = forge_->pulls().reconcile(entry.path().stem().string()); !followed) {
      log_.error("pull requests of {}: {}", entry.path().stem().string(), followed.error().message);
    }
    if (!missed) log_.error("cannot reconcile {}: {}", entry.path().string(), missed.error().message);
    if (missed && !missed->empty())
      log_.info("{}: started {} runs of pushes whose trigger was missed", entry.path().stem().string(), missed->size());
  }
  WEIR_TRY(triggers_->start());
  WEIR_TRY(forge_->start());
  if (options_.serve_models) WEIR_TRY(followed_->start());
  if (data_) WEIR_TRY(data_->start());
  if (serving_) WEIR_TRY(serving_->start());
  if (notifications_) WEIR_TRY(notifications_->start());
  return {};
}

void ServerImpl::stop() {
  if (stopped_) return;
  stopped_ = true;
  stopping_ = true;
  if (feed_) feed_->close();
  if (http_) http_->stop();
  if (serving_) serving_->stop();
  if (notifications_) notifications_->stop();
  approval_timer_.reset();
  if (followed_) followed_->stop();
  if (data_) data_->stop();
  if (triggers_) triggers_->stop();
  if (forge_) forge_->stop();
  if (trigger_loop_) trigger_loop_->stop();
  if (housekeeping_) housekeeping_->stop();
  if (engine_) engine_->stop();
  if (executor_) executor_->detach();
  if (loop_) loop_->stop();
  if (db_) db_->stop();
  if (!lock_) return;  // the state is another's, and so is the file that tells where it is
  std::error_code ignored;
  fs::remove(options_.state / "server.json", ignored);
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Options options, const Clock& clock, Log& log) {
  auto server = std::make_unique<ServerImpl>(std::move(options), clock, log);
  WEIR_TRY(server->start());
  return server;
}

Result<fs::path> find_runner() {
  if (const char* named = std::getenv("WEIR_RUNNER"); named != nullptr && *named != '\0') return fs::path(named);
  std::error_code ignored;
  const fs::path own = fs::read_symlink("/proc/self/exe", ignored);
  fs::path beside = own.parent_path() / "weir-runner";
  if (fs::exists(beside, ignored)) return beside;
  return fail(Code::kNotFound, "there is no weir-runner beside {}; build it, or name it with WEIR_RUNNER",
              own.string());
}

}  // namespace weir::app
