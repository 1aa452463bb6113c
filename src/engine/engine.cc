#include "engine/engine.h"

#include <atomic>
#include <charconv>
#include <future>
#include <mutex>
#include <thread>

#include "engine/calls.h"
#include "engine/creation.h"
#include "engine/queries.h"
#include "engine/retention.h"
#include "engine/scheduler.h"
#include "engine/workflow_cache.h"
#include "event/occurrence.h"

namespace weir::engine {
namespace {

// The number in "run/7"; 0 if there is none.
std::int64_t number_of(std::string_view subject) {
  const auto slash = subject.find('/');
  if (slash == std::string_view::npos) return 0;
  subject.remove_prefix(slash + 1);
  std::int64_t number = 0;
  std::from_chars(subject.data(), subject.data() + subject.size(), number);
  return number;
}

void fill_in_defaults(EngineDeps& deps) {
  if (!deps.pools) {
    const int slots = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    deps.pools = [slots](const std::string&) { return std::vector{local_pool(slots)}; };
  }
  deps.jobs_dir = std::filesystem::absolute(deps.jobs_dir);
  if (!deps.server_url) deps.server_url = [] { return std::string(); };
}

}  // namespace

struct Engine::Impl {
  explicit Impl(EngineDeps the_deps) : core(std::make_shared<EngineCore>(std::move(the_deps))) {
    fill_in_defaults(deps);
  }

  std::shared_ptr<EngineCore> core;
  EngineDeps& deps = core->deps;
  Broadcast<LiveUpdate>& bus = core->bus;
  WorkflowCache& workflows = core->workflows;
  std::shared_ptr<Scheduler> scheduler = std::make_shared<Scheduler>(core);
  store::Database::Subscription subscription;

  // The commit whose requirements were asked for last: one push often starts several workflows.
  std::mutex requirements_mutex;
  std::string requirements_of;
  std::string requirements;

  template <class Do>
  void post(Do what) {
    deps.loop->post([weak = std::weak_ptr(scheduler), what = std::move(what)]() mutable {
      if (const auto alive = weak.lock()) what(*alive);
    });
  }

  void hear(const types::Event& event) {
    if (event.type == types::event_type::kRunCreated) {
      post([id = number_of(event.subject)](Scheduler& alive) { alive.run_created(id); });
    } else if (event.type != types::event_type::kApprovalRequested && event.subject.starts_with("approval/")) {
      post([id = number_of(event.subject)](Scheduler& alive) { alive.approval_decided(id); });
    }
  }

  // A workflow that a job of the request's calls. `seen`: repositories that were asked for already, by
  // "owner/name@ref", so that what calls each other there is of one commit.
  using SeenRepositories = std::map<std::string, EngineDeps::RemoteCommit>;
  Result<event::CalledWorkflow> load_workflow(const RunRequest& request, const CallTarget& target,
                                              SeenRepositories& seen) {
    if (target.repository.empty()) return read_workflow(WEIR_TRY(deps.git(request.repo)), request.commit, target.path);
    const auto name = fmt::format("{}@{}", target.repository, target.ref);
    auto found = seen.find(name);
    if (found == seen.end()) {
      if (!deps.remote_git) {
        return fail(Code::kInvalidArgument, "workflows of other repositories cannot be fetched here");
      }
      found = seen.emplace(name, WEIR_TRY(deps.remote_git(request, target.repository, target.ref))).first;
    }
    return read_workflow(found->second.git, found->second.commit, target.path);
  }

  static Result<event::CalledWorkflow> read_workflow(const io::Git& git, const std::string& commit,
                                                     const std::string& path) {
    constexpr std::size_t kSizeBytesMax = 1U << 20;
    auto text = git.show(commit, path);
    if (!text && text.error().code == Code::kNotFound) {
      return fail(Code::kInvalidArgument, "there is no such file at commit {}", commit.substr(0, 12));
    }
    if (!text) return std::unexpected(text.error());
    if (text->size() > kSizeBytesMax) {
      return fail(Code::kInvalidArgument, "the file has {} bytes; a workflow file may have {}", text->size(),
                  kSizeBytesMax);
    }
    return event::CalledWorkflow{.text = *std::move(text), .commit = commit};
  }

  Result<std::string> requirements_at(const std::string& repo, const std::string& commit) {
    const auto asked = repo + "\n" + commit;
    {
      const std::scoped_lock lock(requirements_mutex);
      if (requirements_of == asked) return requirements;
    }
    auto hash = WEIR_TRY(requirements_hash(WEIR_TRY(deps.git(repo)), commit));
    const std::scoped_lock lock(requirements_mutex);
    requirements_of = asked;
    requirements = hash;
    return hash;
  }
};

Engine::Engine(EngineDeps deps) : impl_(std::make_shared<Impl>(std::move(deps))) {}

Engine::~Engine() {
  impl_->subscription.reset();
}

Result<void> Engine::start() {
  auto& impl = *impl_;
  impl.subscription = impl.deps.db->subscribe([weak = std::weak_ptr(impl_)](const types::Event& event) {
    if (const auto alive = weak.lock()) alive->hear(event);
  });
  auto stored =
      WEIR_TRY(impl.deps.db->load<std::vector<StoredRun>>([](store::Reader& reader) -> Result<std::vector<StoredRun>> {
        std::vector<StoredRun> runs;
        for (const auto id : WEIR_TRY(unfinished_runs(reader))) {
          runs.push_back(WEIR_TRY(load_stored_run(reader, id)));
        }
        return runs;
      }));
  impl.post([&executor = *impl.deps.executor, weak = std::weak_ptr(impl.scheduler),
             stored = std::move(stored)](Scheduler& scheduler) mutable {
    executor.listen({.on_end =
                         [weak](std::int64_t job, JobEnd end) {
                           if (const auto alive = weak.lock()) alive->job_ended(job, std::move(end));
                         },
                     .on_progress =
                         [weak](std::int64_t job) {
                           if (const auto alive = weak.lock()) alive->job_progressed(job);
                         }});
    scheduler.recover(std::move(stored));
  });
  return {};
}

void Engine::stop() {
  auto& impl = *impl_;
  impl.subscription.reset();
  std::promise<void> stopped;
  auto waiting = stopped.get_future();
  // Owned by the task: a loop that has stopped already drops it, and nobody waits for ever.
  impl.deps.loop->post([&impl, stopped = std::move(stopped)]() mutable {
    impl.deps.executor->detach();
    impl.scheduler->stop();
    stopped.set_value();
  });
  waiting.wait();
  // Writes go in order: behind this one, nothing of the engine's is under way.
  [[maybe_unused]] const auto written = impl.deps.db->write([](store::Transaction&) -> Result<void> { return {}; });
}

namespace {

// What is wrong with calls within the repository, with the places; "" if it lies deeper, or in another repository.
std::string explain_calls(const RunRequest& request, const CallLoader& load) {
  const auto read = [&](const std::string& path) -> std::optional<std::string> {
    auto called = load({.repository = {}, .path = path, .ref = {}});
    if (!called) return std::nullopt;
    return std::move(called->text);
  };
  const auto parsed = workflow::parse_workflow(request.workflow_text, request.workflow_path, {.read_local = read});
  return parsed.workflow ? std::string() : workflow::lint_text(parsed, request.workflow_text);
}

}  // namespace

Result<PreparedRun> Engine::prepare(RunRequest request) {
  WEIR_TRY(complete_request(request, impl_->workflows));
  PreparedRun prepared;
  if (request.problem.empty()) {
    Impl::SeenRepositories seen;
    const auto load = [&](const CallTarget& target) { return impl_->load_workflow(request, target, seen); };
    if (auto called = load_called(*request.workflow, impl_->workflows, load)) {
      prepared.called = *std::move(called);
    } else {
      request.problem = explain_calls(request, load);
      if (request.problem.empty()) request.problem = called.error().message;
    }
  }
  if (request.problem.empty()) {
    prepared.requirements_hash = WEIR_TRY(impl_->requirements_at(request.repo, request.commit));
  }
  prepared.request = std::move(request);
  return prepared;
}

Result<std::int64_t> Engine::insert(store::Transaction& tx, const PreparedRun& run) {
  const auto& deps = impl_->deps;
  return insert_new_run(tx, run,
                        {.server_url = deps.server_url(),
                         .default_owner = deps.default_owner,
                         .vars = deps.vars ? deps.vars(run.request.repo, "") : json::object()});
}

Result<std::int64_t> Engine::create_run(RunRequest request) {
  const bool known_problem = !request.problem.empty();
  const auto prepared = WEIR_TRY(prepare(std::move(request)));
  if (!known_problem && !prepared.request.problem.empty()) {
    return std::unexpected(Error{Code::kInvalidArgument, prepared.request.problem});
  }
  return impl_->deps.db->write_with<std::int64_t>([&](store::Transaction& tx) { return insert(tx, prepared); });
}

Result<void> Engine::cancel(std::int64_t run, const std::string& actor, const std::string& reason, bool force) {
  const auto why =
      reason.empty() ? fmt::format("cancelled by {}", actor) : fmt::format("cancelled by {}: {}", actor, reason);
  WEIR_TRY(impl_->deps.db->write([&](store::Transaction& tx) -> Result<void> {
    const auto row = WEIR_TRY(load_run(tx, run));
    if (row.state == RunState::kCompleted) {
      return fail(Code::kFailedPrecondition, "run {} has already completed ({})", run,
                  types::conclusion_name(row.conclusion.value_or(types::Conclusion::kFailure)));
    }
    return mark_cancelled(tx, run, why);
  }));
  impl_->post([run, why, force](Scheduler& scheduler) { scheduler.cancel_run(run, why, force); });
  return {};
}

Result<void> Engine::rerun(std::int64_t run, bool failed_only, const std::string& actor) {
  return impl_->deps.db->write([&](store::Transaction& tx) { return insert_attempt(tx, run, failed_only, actor); });
}

Result<std::int64_t> Engine::rerun_on(std::int64_t run, const std::string& ref, bool failed_only,
                                      const std::string& actor) {
  const auto before =
      WEIR_TRY(impl_->deps.db->load<RunRow>([&](store::Reader& reader) { return load_run_row(reader, run); }));
  const auto jobs = WEIR_TRY(impl_->deps.db->load<std::vector<JobRow>>(
      [&](store::Reader& reader) { return load_jobs(reader, run, before.attempt); }));
  const auto git = WEIR_TRY(impl_->deps.git(before.repo));
  const auto commit = WEIR_TRY(git.resolve(ref));
  auto request = request_again(before, commit, WEIR_TRY(git.show(commit, before.path)), actor);
  // A commit that only a proposal leads to is its author's, whoever asks for it and whatever the run before was.
  request.options.foreign = request.options.foreign || !WEIR_TRY(event::is_pushed(git, commit));
  if (git.resolve("refs/heads/" + ref)) request.ref = "refs/heads/" + ref;
  if (failed_only) request.options.from = WEIR_TRY(failed_keys(before, jobs));
  request.cause = WEIR_TRY(impl_->deps.db->load<std::int64_t>(
      [&](store::Reader& reader) { return newest_event(reader, fmt::format("run/{}", run)); }));
  return create_run(std::move(request));
}

Result<Run> Engine::run(std::int64_t id) {
  return impl_->deps.db->load<Run>([&](store::Reader& reader) { return load_run(reader, id); });
}

Result<std::vector<Run>> Engine::runs(const RunFilter& filter) {
  return impl_->deps.db->load<std::vector<Run>>([&](store::Reader& reader) { return find_runs(reader, filter); });
}

Result<std::vector<Job>> Engine::jobs(std::int64_t run, std::int64_t attempt, JobParts parts) {
  return impl_->deps.db->load<std::vector<Job>>(
      [&](store::Reader& reader) { return find_jobs(reader, impl_->deps.jobs_dir, run, attempt, parts); });
}

Result<Job> Engine::job(std::int64_t id) {
  return impl_->deps.db->load<Job>([&](store::Reader& reader) { return find_job(reader, impl_->deps.jobs_dir, id); });
}

Result<Reuse> Engine::reuse(std::int64_t job) {
  std::string repo;
  auto reuse = WEIR_TRY(impl_->deps.db->load<Reuse>([&](store::Reader& reader) -> Result<Reuse> {
    repo = WEIR_TRY(load_run(reader, WEIR_TRY(load_job(reader, job)).run)).repo;
    return load_reuse(reader, job);
  }));
  const auto git = impl_->deps.git(repo);
  // A commit that is gone takes the names of its files along, and nothing else of what is known.
  const auto added = git ? add_files(*git, reuse) : Result<void>(std::unexpected(git.error()));
  if (!added) impl_->deps.log->debug("files that went into job {} are not known: {}", job, added.error().message);
  return reuse;
}

Result<std::string> Engine::workflow_text(std::int64_t run) {
  return impl_->deps.db->load<std::string>([&](store::Reader& reader) -> Result<std::string> {
    return load_workflow_text(reader, WEIR_TRY(load_run_row(reader, run)).workflow_sha256);
  });
}

Result<std::filesystem::path> Engine::job_dir(std::int64_t job) {
  const auto row = WEIR_TRY(impl_->deps.db->load<JobRow>([&](store::Reader& reader) { return load_job(reader, job); }));
  auto dir = impl_->deps.jobs_dir / std::to_string(row.origin != 0 ? row.origin : row.id);
  std::error_code ignored;
  if (std::filesystem::is_directory(dir, ignored)) return dir;
  if (row.state != JobState::kCompleted) return fail(Code::kNotFound, "job {} has not started yet", job);
  return fail(Code::kNotFound, "job {} has no log: {}", job,
              row.started_at ? "its folder was removed by the retention rules" : "it never ran");
}

Result<bool> Engine::job_runs(std::int64_t run, std::int64_t job) {
  const auto row = WEIR_TRY(impl_->deps.db->load<JobRow>([&](store::Reader& reader) { return load_job(reader, job); }));
  return row.run == run && row.state == JobState::kInProgress;
}

Result<types::CacheMode> Engine::cache_mode(std::int64_t job) {
  return WEIR_TRY(impl_->deps.db->load<JobRow>([&](store::Reader& reader) { return load_job(reader, job); }))
      .cache_mode;
}

Result<std::int64_t> Engine::job_event(std::int64_t job) {
  return impl_->deps.db->load<std::int64_t>(
      [&](store::Reader& reader) { return newest_event(reader, fmt::format("job/{}", job)); });
}

Engine::Subscription Engine::subscribe(std::function<void(const LiveUpdate&)> listener) {
  return impl_->bus.subscribe(std::move(listener));
}

Result<Removed> Engine::apply_retention(const RetentionRules& rules) {
  return remove_old_folders(*impl_->deps.db, impl_->deps.clock->now(), impl_->deps.jobs_dir, rules);
}

bool Engine::idle() {
  const auto unfinished = impl_->deps.db->load<std::vector<std::int64_t>>(unfinished_runs);
  return unfinished && unfinished->empty();
}

}  // namespace weir::engine
