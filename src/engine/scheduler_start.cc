#include <filesystem>
#include <ranges>
#include <tuple>

#include "engine/cache_access.h"
#include "engine/contexts.h"
#include "engine/job_turns.h"
#include "engine/scheduler.h"
#include "event/payload.h"

// From the queue into a slot: the start is recorded, the job's files are made meanwhile, then its runner is started.
namespace weir::engine {

using types::Conclusion;

namespace {

// How long small jobs may go before a large one that is next.
constexpr auto kReserveAfter = std::chrono::seconds{30};
// What a runner needs beyond the grace of its job.
constexpr auto kPreemptSlack = std::chrono::seconds{30};

// Errors that a later try may not have: then the whole transaction is tried again.
bool worth_another_try(const Error& error) {
  return error.code == Code::kResourceExhausted || error.code == Code::kUnavailable || error.code == Code::kInternal;
}

bool may_push(const std::optional<types::TokenScopes>& scopes) {
  return !scopes || scopes->of("contents") == types::TokenScopes::Level::kWrite;
}

// Without `permissions` there are no id tokens, as on GitHub.
bool may_ask_for_id_token(const std::optional<types::TokenScopes>& scopes) {
  return scopes && scopes->of("id-token") == types::TokenScopes::Level::kWrite;
}

}  // namespace

void Scheduler::queue(const RunPtr& run, const JobPtr& job) {
  auto& row = job->row;
  if (const auto found = find_place(run, *job); !found) {
    return complete(run, job, Conclusion::kFailure, found.error().message);
  }
  row.state = JobState::kQueued;
  row.waiting_for.clear();
  row.queued_at = deps_.clock->now();
  mark(run, *job);
  job_event(run, job, types::event_type::kJobQueued, job->last_event);
  queue_.push({run, job});
}

Result<void> Scheduler::find_place(const RunPtr& run, JobNode& job) const {
  job.demand = WEIR_TRY(parse_demand(job.row.labels));
  job.pool = std::make_shared<const RunnerPool>(WEIR_TRY(find_pool(deps_.pools(run->row.repo), job.demand)));
  return {};
}

void Scheduler::dispatch() {
  queue_.offer([this](const auto& pool, const auto& repo) { return slots_.cpus_of(pool, repo); },
               [this](const Ref& ref) { return offer_place(ref); });
}

JobQueue::Answer Scheduler::offer_place(const Ref& ref) {
  using Answer = JobQueue::Answer;
  const auto& [run, job] = ref;
  if (job->row.state != JobState::kQueued) return Answer::kTaken;
  const int at_most = job->row.max_parallel;
  if (at_most != 0 && job->key->in_progress() >= at_most) {
    job->key->parked.push_back(job);
    return Answer::kTaken;
  }
  if (slots_.fits(*job->pool, job->demand.resources)) {
    start(run, job);
    return Answer::kTaken;
  }
  make_room(*job);
  // Small jobs may go before a large one, but not for ever.
  const auto now = deps_.clock->now();
  if (!job->blocked_since) job->blocked_since = now;
  return now - *job->blocked_since > kReserveAfter ? Answer::kReserved : Answer::kBlocked;
}

// Asks jobs of lower priority that allow it to make room, if that is enough: the least important and youngest first.
void Scheduler::make_room(const JobNode& job) {
  Resources freed{0, 0, 0};
  const auto add = [&](const JobNode& victim) {
    freed.cpus += victim.held->resources.cpus;
    freed.gpus += victim.held->resources.gpus;
    freed.memory_bytes += victim.held->resources.memory_bytes;
  };
  std::vector<JobPtr> victims;
  for (const auto& [id, ref] : running_) {
    const auto& other = ref.job;
    if (!other->held || other->pool->name != job.pool->name) continue;
    if (other->preempting || other->row.cancel_requested) {
      add(*other);  // on its way out already
    } else if (other->demand.preemptible && other->demand.priority < job.demand.priority) {
      victims.push_back(other);
    }
  }
  if (slots_.fits(*job.pool, job.demand.resources, freed)) return;
  std::ranges::sort(victims, [](const JobPtr& a, const JobPtr& b) {
    return std::tuple(a->demand.priority, b->row.started_at, b->row.id) <
           std::tuple(b->demand.priority, a->row.started_at, a->row.id);
  });
  std::size_t enough = 0;
  while (enough < victims.size() && !slots_.fits(*job.pool, job.demand.resources, freed)) add(*victims[enough++]);
  if (!slots_.fits(*job.pool, job.demand.resources, freed)) return;
  for (std::size_t i = 0; i < enough; ++i) {
    auto& victim = *victims[i];
    victim.preempting = true;
    victim.makes_room_for = fmt::format("job {} ({} of run {}), whose priority is {}", job.row.id, job.row.name,
                                        job.row.run, job.demand.priority);
    deps_.log->info("job {} makes room for job {} of a higher priority", victim.row.id, job.row.id);
    deps_.executor->preempt(victim.row.id);
    kill_after(victims[i], victim.pool->grace + kPreemptSlack);
  }
}

// A preempted job waits for its next turn, before those that came after it.
void Scheduler::requeue(const RunPtr& run, const JobPtr& job) {
  auto& row = job->row;
  give_back_place(run, *job);
  ++row.preemptions;
  // How the log goes on, for who reads it while the job waits.
  auto why = fmt::format("it made room for {}. It begins again when there is room, and goes on below",
                         job->makes_room_for.empty() ? "a job of a higher priority" : job->makes_room_for);
  if (!run->row.options.foreign) {
    const auto kept = resume_dir(deps_.jobs_dir, run->row.id, fmt::format("{}.{}", row.key, row.leg));
    why += fmt::format("; WEIR_RESUME_DIR stays {}", kept.string());
  }
  const auto noted = note_preemption(deps_.jobs_dir / std::to_string(row.id), row.preemptions, deps_.clock->now(), why);
  if (!noted) deps_.log->warning("the log of job {} does not say why it goes on: {}", row.id, noted.error().message);
  job->makes_room_for.clear();
  row.state = JobState::kQueued;
  row.started_at.reset();
  row.error.clear();
  job->preempting = job->prepared = job->launched = job->overdue = job->ended = false;
  job->blocked_since.reset();
  mark(run, *job);
  if (deps_.revoke_job_token) {
    outbox_.step([core = core_, id = job->id](store::Transaction& tx) { return core->deps.revoke_job_token(tx, *id); });
  }
  job_event(run, job, types::event_type::kJobPreempted, job->last_event);
  job_event(run, job, types::event_type::kJobQueued, job->last_event);
  queue_.push({run, job}, true);
}

// A combination of a matrix that waited because max-parallel others ran has its turn.
void Scheduler::unpark(KeyNode& key, const RunPtr& run) {
  if (key.parked.empty()) return;
  const auto job = std::move(key.parked.front());
  key.parked.pop_front();
  if (job->row.state == JobState::kQueued) queue_.push({run, job}, true);
}

void Scheduler::give_back_place(const RunPtr& run, JobNode& job) {
  if (!job.held) return;
  slots_.give_back(job.pool->name, run->row.repo, *job.held);
  job.held.reset();
  unpark(*job.key, run);
}

void Scheduler::start(const RunPtr& run, const JobPtr& job) {
  job->held = slots_.take(*job->pool, run->row.repo, job->demand.resources);
  job->row.gpus = job->held->gpus;
  job->blocked_since.reset();
  begin(run, job);
  issue_and_launch(run, job);
}

void Scheduler::begin(const RunPtr& run, const JobPtr& job) {
  job->row.state = JobState::kInProgress;
  job->row.started_at = deps_.clock->now();
  if (!run->row.started_at) {
    run->row.started_at = job->row.started_at;
    auto started = event_ref();
    outbox_.event(run_draft(*run, types::event_type::kRunStarted, {}), run->last_event, started);
    run->last_event = started;
  }
  mark(run);
  mark(run, *job);
  job_event(run, job, types::event_type::kJobStarted, job->last_event);
}

void Scheduler::issue_and_launch(const RunPtr& run, const JobPtr& job) {
  std::vector<std::string> environments;
  if (!job->row.environment.empty()) environments.push_back(job->row.environment);
  auto token = std::make_shared<Result<std::string>>();
  if (deps_.issue_job_token) {
    types::JobGrant grant{
        .run_id = run->row.id, .environments = std::move(environments), .scopes = scopes_of(*job->key)};
    if (run->row.options.foreign) {
      grant.foreign = true;
      const types::TokenScopes reads{.others = types::TokenScopes::Level::kRead};
      grant.scopes = grant.scopes ? types::TokenScopes::common(*grant.scopes, reads) : reads;
    }
    outbox_.step([core = core_, token, id = job->id, grant = std::move(grant)](store::Transaction& tx) -> Result<void> {
      auto known = grant;
      known.job_id = *id;
      *token = core->deps.issue_job_token(tx, known);
      if (!*token && worth_another_try(token->error())) return std::unexpected(token->error());
      return {};
    });
  }
  outbox_.after([this, run, job, token] { launch(run, job, std::move(*token)); });
  starting_.push_back({run, job});
}

// A runner that cannot keep the sandbox fails the job before its first step. What jobs share is not handed to it by
// name: its files go through the server.
void Scheduler::put_in_sandbox(const JobNode& job, types::JobSpec& spec) const {
  spec.sandbox.emplace();
  spec.sandbox->state_dir = deps_.jobs_dir.parent_path().string();
  if (job.demand.resources.memory_bytes > 0) spec.sandbox->memory_bytes = job.demand.resources.memory_bytes;
  for (auto* shared : {&spec.checkouts_dir, &spec.blobs_dir, &spec.exchange_dir, &spec.cache_trees_dir})
    shared->clear();
}

// Files of an unpacked cache that one job hands to the next are as good as saved ones.
void Scheduler::limit_caches(const RunNode& run, const JobNode& job, types::JobSpec& spec) {
  spec.cache_mode = job.row.cache_mode;
  if (!types::may_save(spec.cache_mode)) {
    spec.cache_trees_dir.clear();
  } else if (!types::may_save(default_cache_mode(run.row))) {
    spec.warnings.push_back(
        fmt::format("cache-mode: {} lets a run of {}, which others than the repository's people can start, save caches "
                    "that trusted runs restore",
                    types::cache_mode_name(spec.cache_mode), run.row.event));
  }
}

void Scheduler::prepare_starting() {
  for (const auto& [run, job] : std::exchange(starting_, {})) {
    // The number of a job that was made in the same transaction is known after it only.
    if (job->row.id == 0 || job->prepared) continue;
    // An error shows again, and is handled, when the job is launched.
    [[maybe_unused]] const auto prepared = prepare(run, job);
  }
}

Result<void> Scheduler::prepare(const RunPtr& run, const JobPtr& job) {
  auto& row = job->row;
  auto facts = facts_of(run, *job->key, row.environment);
  set_leg(facts, row);
  auto body = WEIR_TRY(job->key->frame->plan->body(job->key->index, facts));
  const auto git = WEIR_TRY(deps_.git(run->row.repo));
  auto launch = std::make_shared<JobLaunch>();
  launch->job_dir = deps_.jobs_dir / std::to_string(row.id);
  launch->preemptions = row.preemptions;
  auto& spec = launch->spec;
  spec.job_id = row.id;
  spec.run_id = run->row.id;
  spec.run_number = run->row.number;
  spec.run_attempt = run->row.attempt;
  spec.job_key = local_key(row.key);
  spec.job_name = row.name;
  spec.workflow_name = run->row.workflow;
  spec.workspace = (launch->job_dir / "workspace").string();
  spec.git_dir = git.git_dir().string();
  spec.repository = event::full_repository_name(run->row.repo, deps_.default_owner);
  spec.commit = run->row.commit;
  spec.ref = run->row.ref;
  spec.server_url = deps_.server_url();
  spec.checkouts_dir = deps_.checkouts_dir;
  spec.envs_dir = deps_.envs_dir;
  spec.tool_dir = deps_.tool_dir;
  spec.blobs_dir = deps_.blobs_dir;
  spec.exchange_dir = deps_.exchange_dir;
  spec.cache_trees_dir = deps_.cache_trees_dir;
  spec.containers_dir = deps_.containers_dir;
  spec.actions_dir = deps_.actions_dir;
  spec.actions_url = deps_.actions_url;
  spec.server_owner = deps_.default_owner;
  if (run->row.options.foreign) put_in_sandbox(*job, spec);
  spec.strict = run->row.options.strict || (deps_.strict && deps_.strict(run->row.repo));
  spec.implicit_checkout = !spec.strict && !body.checks_out;
  spec.may_push = may_push(scopes_of(*job->key));
  if (!spec.strict) {
    spec.python_layers = needed_layers(*job->key);
    if (spec.python_layers.empty() && !run->row.requirements_hash.empty()) {
      spec.python_layers = WEIR_TRY(deps_.db->load<std::vector<std::string>>(
          [&](store::Reader& reader) { return load_layers(reader, run->row.repo, run->row.requirements_hash); }));
    }
    std::erase_if(spec.python_layers, [](const auto& layer) {
      std::error_code ignored;
      return !std::filesystem::is_directory(layer, ignored);
    });
  }
  spec.timeout = std::chrono::seconds{row.timeout_s};
  spec.cancel_limit = std::chrono::seconds{row.cancel_limit_s};
  spec.preempt_grace = job->pool->grace;
  limit_caches(*run, *job, spec);
  facts.github["workspace"] = spec.workspace;
  if (!row.gpus.empty()) body.env["CUDA_VISIBLE_DEVICES"] = fmt::format("{}", fmt::join(row.gpus, ","));
  const bool resumes = job->demand.preemptible || row.preemptions > 0;
  if (resumes && !spec.sandbox) WEIR_TRY(add_resume(run, *job, body.env));
  for (const auto& variable : run->row.options.env) body.env[variable.key()] = variable.value();
  auto of_job = job_context(run->row, workflow_of(*run, *job->key->frame), spec.repository);
  of_job["check_run_id"] = row.id;  // GitHub numbers a job and its check run alike
  spec.contexts = {{"github", std::move(facts.github)},
                   {"env", body.env},
                   {"vars", std::move(facts.vars)},
                   {"needs", std::move(facts.needs)},
                   {"matrix", std::move(facts.matrix)},
                   {"strategy", std::move(facts.strategy)},
                   {"inputs", std::move(facts.inputs)},
                   {"job", std::move(of_job)},
                   {"runner", json::object{{"os", "Linux"},
                                           {"arch", "X64"},
                                           {"name", job->pool->name},
                                           {"environment", "self-hosted"},
                                           {"tool_cache", deps_.tool_dir}}}};
  spec.env = std::move(body.env);
  spec.outputs = std::move(body.outputs);
  spec.environment_url = std::move(body.environment_url);
  spec.defaults = std::move(body.defaults);
  spec.container = std::move(body.container);
  spec.services = std::move(body.services);
  spec.steps = std::move(body.steps);
  WEIR_TRY(deps_.executor->prepare(*launch));
  row.layers = spec.python_layers;
  job->launch = std::move(launch);
  job->prepared = true;
  return {};
}

// A job that may be preempted finds in WEIR_RESUME_DIR what its earlier turns left there, also those of the attempts
// before; its experiment run goes on.
Result<void> Scheduler::add_resume(const RunPtr& run, const JobNode& job, json::object& env) {
  const auto dir = resume_dir(deps_.jobs_dir, run->row.id, fmt::format("{}.{}", job.row.key, job.row.leg));
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return fail_errno(error.value(), fmt::format("cannot make the folder {}", dir.string()));
  env["WEIR_RESUME_DIR"] = dir.string();
  if (job.row.preemptions == 0 || !deps_.resume_variables) return {};
  for (const auto& [key, value] : WEIR_TRY(deps_.resume_variables(job.row.run, job.row.id))) env[key] = value;
  return {};
}

Result<std::string> Scheduler::secrets_of(const RunPtr& run, const JobNode& job, const std::string& token) {
  std::map<std::string, std::string> common;
  const bool trusted = !run->row.options.foreign;
  if (deps_.secrets && trusted) common = WEIR_TRY(deps_.secrets(run->row.id, run->row.repo, ""));
  json::object secrets;
  for (const auto& [name, value] : common) secrets[name] = value;
  secrets["GITHUB_TOKEN"] = token;
  // A call hands over what the repository has; what belongs to an environment is for the jobs that name it.
  secrets = WEIR_TRY(secrets_in(run, *job.key->frame, std::move(secrets)));
  if (deps_.secrets && trusted && !job.row.environment.empty()) {
    for (const auto& [name, value] : WEIR_TRY(deps_.secrets(run->row.id, run->row.repo, job.row.environment))) {
      const auto found = common.find(name);
      if (found == common.end() || found->second != value) secrets[name] = value;
    }
  }
  secrets["GITHUB_TOKEN"] = token;
  auto facts = facts_of(run, *job.key, job.row.environment);
  set_leg(facts, job.row);
  facts.github["token"] = token;
  facts.secrets = secrets;
  const auto body = WEIR_TRY(job.key->frame->plan->body(job.key->index, facts));
  json::object env;
  for (const auto& [name, value] : body.private_env) {
    if (!run->row.options.env.contains(name)) env[name] = value;
  }
  json::object actions;
  if (deps_.action_variables) {
    actions = deps_.action_variables({.run = run->row.id,
                                      .job = job.row.id,
                                      .timeout = std::chrono::seconds{job.row.timeout_s},
                                      .environment = job.row.environment,
                                      .github = job.launch->spec.contexts.at("github").as_object(),
                                      .context = job.launch->spec.contexts.at("job").as_object(),
                                      .cache_mode = job.row.cache_mode,
                                      .id_token = trusted && may_ask_for_id_token(scopes_of(*job.key))});
  }
  return json::serialize(json::object{
      {"secrets", std::move(secrets)}, {"token", token}, {"env", std::move(env)}, {"actions", std::move(actions)}});
}

void Scheduler::launch(const RunPtr& run, const JobPtr& job, Result<std::string> token) {
  if (job->row.state != JobState::kInProgress) return;
  touch(run);
  if (job->row.cancel_requested) return complete(run, job, Conclusion::kCancelled);
  const auto go = [&]() -> Result<void> {
    const auto bearer = WEIR_TRY(std::move(token));
    if (!job->prepared) WEIR_TRY(prepare(run, job));
    job->launch->secrets = WEIR_TRY(secrets_of(run, *job, bearer));
    return deps_.executor->start(*job->launch);
  };
  auto started = go();
  job->launch.reset();
  if (!started) {
    return complete(run, job, Conclusion::kFailure, fmt::format("cannot start the job: {}", started.error().message));
  }
  job->launched = true;
  running_[job->row.id] = {run, job};
  guard_deadline(run, job);
}

// The runner keeps the time limit itself; one that hangs is ended here.
void Scheduler::guard_deadline(const RunPtr&, const JobPtr& job) {
  const auto limit = std::chrono::seconds{job->row.timeout_s} + std::chrono::minutes{6};
  const auto end = job->row.started_at.value_or(deps_.clock->now()) + limit;
  kill_after(job, std::max<Duration>(end - deps_.clock->now(), std::chrono::seconds{1}));
}

void Scheduler::kill_after(const JobPtr& job, Duration delay) {
  if (job->deadline != 0) deps_.loop->cancel(job->deadline);
  job->deadline = deps_.loop->after(delay, [weak = weak_from_this(), job] {
    const auto self = weak.lock();
    if (!self || job->row.state != JobState::kInProgress) return;
    job->overdue = true;
    job->row.error = "the runner did not end in time and was killed";
    self->deps_.executor->kill(job->row.id);
  });
}

}  // namespace weir::engine
