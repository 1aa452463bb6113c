#include "runner/job.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "io/file.h"
#include "runner/background.h"
#include "runner/checkout.h"
#include "runner/containers.h"
#include "runner/job_context.h"
#include "runner/job_state.h"
#include "runner/lfs_files.h"
#include "runner/loaded_action.h"
#include "runner/reads.h"
#include "runner/sandbox.h"
#include "runner/step_names.h"
#include "runner/step_run.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;
using types::Conclusion;

// The journal's last record decides whether the job counts: a full disk gets some time to be cleaned up.
constexpr int kFinishAttempts = 60;
constexpr auto kFinishPause = std::chrono::milliseconds{500};

Result<std::shared_ptr<const types::JobSpec>> read_spec(const fs::path& job_dir) {
  const auto text = WEIR_TRY(io::read_file(job_dir / "spec.json"));
  const auto value = WEIR_TRY(parse_json(text, "spec.json"));
  return std::make_shared<const types::JobSpec>(WEIR_TRY(types::job_spec_from_json(value)));
}

Result<void> prepare_folders(JobState& job) {
  WEIR_TRY(io::make_dirs(job.workspace));
  // Scripts with secrets lie here for a while.
  if (::mkdir(job.temp_dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_errno(errno, fmt::format("cannot make the folder {}", job.temp_dir.string()));
  }
  return {};
}

Result<void> prepare_sandbox(JobState& job) {
  if (!job.spec->sandbox) return {};
  job.sandbox = WEIR_TRY(Sandbox::create(job));
  job.supervisor->spare_roots();
  return {};
}

Result<void> check_out_commit(JobState& job) {
  const auto& spec = *job.spec;
  if (!spec.implicit_checkout || spec.strict) return {};
  WEIR_TRY(check_out(spec, job.workspace, {spec.commit, spec.ref}, false));
  // Whoever asks for nothing is to find the files; what `lfs: true` demands is only said here.
  if (has_lfs_objects(spec.git_dir)) {
    const LfsFiles files = WEIR_TRY(put_lfs_files(job.workspace, spec.git_dir));
    for (const auto& message : files.missing) job.line(-1, 'e', message);
  }
  // Without a network they are of no use.
  if (!job.sandbox) job.hidden_env = git_credentials(spec, job.token);
  job.line(-1, 'c',
           fmt::format("No actions/checkout step: the job starts with {} at {} checked out (--strict turns this "
                       "off)",
                       spec.ref, spec.commit.substr(0, 12)));
  return {};
}

// The interpreter that the nearest earlier job installed its packages for, if it is another than `python3` is here: a
// job without setup-python means the Python of the jobs that it needs.
std::optional<Interpreter> python_of_layers(const JobState& job) {
  for (const auto& layer : job.spec->python_layers) {
    const auto info = read_layer_info(layer);
    if (!info || ::access(info->interpreter.c_str(), X_OK) != 0) continue;
    if (job.outer_python && job.outer_python->version.same_minor(info->version)) return std::nullopt;
    return Interpreter{
        .executable = info->interpreter, .version = info->version, .patch_known = true, .virtual_env = {}};
  }
  return std::nullopt;
}

Result<void> prepare_python(JobState& job, StepState& step) {
  // A container has its own.
  if (job.spec->strict || job.spec->envs_dir.empty() || job.containers->has_job_container()) return {};
  job.outer_python = default_interpreter(python_places(job));
  if (const auto earlier = python_of_layers(job)) return set_up_python(job, step, *earlier, false);
  if (!job.outer_python) return {};
  return set_up_python(job, step, *job.outer_python, true);
}

// `wait`, `wait-all` and `cancel` run whatever happened before.
bool is_control(const workflow::Step& step) {
  return step.kind() != workflow::StepKind::kRun && step.kind() != workflow::StepKind::kUses;
}

void run_posts(JobState& job) {
  // The latest first. A post may not add others.
  std::vector<PostStep> posts = std::exchange(job.posts, {});
  std::ranges::reverse(posts);
  for (auto& post : posts) {
    StepState step{.index = job.next_index++};
    step.name = std::move(post.name);
    step.step = std::move(post.step);
    step.step.id.clear();
    step.step.background = false;
    run_step(job, step, post.run, post.title);
  }
}

void run_steps(JobState& job) {
  job.next_index = static_cast<int>(job.spec->steps.size());
  job.step_names = name_steps(job.spec->steps);
  run_pre_steps(job);
  BackgroundSteps background(job);
  int index = 0;
  for (const auto& raw : job.spec->steps) {
    auto step = std::make_unique<StepState>(index++);
    step->name = job.step_names[static_cast<std::size_t>(step->index)];
    job.supervisor->poll_now();
    auto parsed = workflow::step_from_json(raw);
    if (!parsed) {
      step->title = fmt::format("Step {}", step->index + 1);
      job.error(*step, parsed.error().message);
      job.failed = true;
      break;
    }
    step->step = *std::move(parsed);
    if (step->step.background) {
      job.supervisor->mark_processes();
      background.start(std::move(step));
    } else if (is_control(step->step)) {
      step->step.condition = "always()";
      run_step(job, *step, [&](JobState&, StepState& control) { return background.run_control(control); });
    } else {
      run_step(job, *step, run_main);
    }
  }
  background.finish();
  run_posts(job);
}

// Job outputs that hold a secret are dropped, as on GitHub: they would travel in the clear.
json::object job_outputs(JobState& job, StepState& step) {
  json::object outputs;
  job.contexts.values["env"] = job.job_env;
  job.update_status();
  for (const auto& [name, text] : job.spec->outputs) {
    if (!text.is_string()) continue;
    const auto value = workflow::interpolate(std::string(text.get_string()), job.contexts);
    if (!value) {
      job.error(step, fmt::format("Fail to evaluate job outputs: {}", value.error().message));
      job.failed = true;
    } else if (job.log->mask(*value) != *value) {
      job.warning(step, fmt::format("Skip output '{}' since it may contain secret.", std::string_view(name)));
    } else if (!value->empty()) {
      outputs[name] = *value;
    }
  }
  return outputs;
}

// Where the job deployed to, for people to open. One that holds a secret, or that cannot be told, is left out.
std::string environment_url(JobState& job, StepState& step) {
  const auto value = workflow::interpolate(job.spec->environment_url, job.contexts);
  if (!value) {
    job.warning(step, fmt::format("The environment's url could not be evaluated: {}", value.error().message));
    return {};
  }
  if (job.log->mask(*value) != *value) {
    job.warning(step, "Skip the environment's url since it may contain a secret.");
    return {};
  }
  return *value;
}

// What the job installed becomes a layer for the jobs after it. Only after success: an interrupted installation is no
// ground to build on.
void keep_packages(JobState& job, StepState& step, json::object& fields) {
  if (!job.python || job.spec->strict) return;
  // No other job builds upon what came out of a sandbox.
  if (job.sandbox) {
    [[maybe_unused]] const auto removed = io::remove_tree(job.python->spec().folder);
    return;
  }
  json::array layers;
  const bool good = !job.failed && !job.cancelled();
  if (!job.python->has_packages()) {
    job.python->retire();
  } else if (good) {
    std::vector<std::string> left_out;
    const auto layer = job.python->make_layer(fmt::format("{}", job.spec->job_id), left_out);
    for (const auto& name : left_out) {
      job.line(-1, 'c',
               fmt::format("{} is not kept for later jobs: its editable installation points into this job's "
                           "workspace",
                           name));
    }
    if (layer) {
      fields["layer"] = layer->string();
      layers.emplace_back(layer->string());
    } else {
      job.warning(step, layer.error().message);
    }
  }
  for (const auto& layer : job.python->spec().layers) layers.emplace_back(layer.string());
  fields["layers"] = std::move(layers);
}

// "1h0m0s", as GitHub says it, and scripts that tell a time limit from a cancellation look for it.
std::string time_limit_text(Duration limit) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(limit).count();
  if (seconds >= 3'600) return fmt::format("{}h{}m{}s", seconds / 3'600, seconds % 3'600 / 60, seconds % 60);
  return seconds >= 60 ? fmt::format("{}m{}s", seconds / 60, seconds % 60) : fmt::format("{}s", seconds);
}

// What the server says of the job before its first step.
void show_limits(JobState& job, StepState& set_up) {
  if (const auto mode = job.spec->cache_mode; mode != types::CacheMode::kWrite) {
    job.line(set_up.index, 'o', fmt::format("Cache mode: {}", types::cache_mode_name(mode)));
  }
  for (const auto& warning : job.spec->warnings) job.warning(set_up, warning);
}

Result<void> finish_job(JobState& job, StepState& step) {
  json::object fields;
  auto reads = job.sandbox ? json::value(nullptr) : reads_of(job.workspace, job.spec->commit);
  json::object outputs = job_outputs(job, step);
  const std::string url = environment_url(job, step);
  for (const auto& orphan : job.supervisor->end_orphans()) {
    // A sandbox that is on its way out is nothing that a step has left behind.
    if (job.sandbox && orphan.ends_with("(bwrap)")) continue;
    job.line(-1, 'c', fmt::format("Terminate orphan process: {}", orphan));
  }
  keep_packages(job, step, fields);
  if (!job.failed && !job.cancelled()) {
    for (const auto& finish : job.at_end) finish();
  }
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(job.temp_dir, ignored)) {
    [[maybe_unused]] const auto removed = io::remove_tree(entry.path());
  }
  const Conclusion conclusion = job.supervisor->timed_out() ? Conclusion::kTimedOut
                                : job.cancelled()           ? Conclusion::kCancelled
                                : job.failed                ? Conclusion::kFailure
                                                            : Conclusion::kSuccess;
  if (job.supervisor->timed_out()) {
    job.error(step,
              fmt::format("The job has exceeded the maximum execution time of {}", time_limit_text(job.spec->timeout)));
  }
  const bool preempted = job.supervisor->preempted();
  job.line(-1, 'c',
           preempted ? "The job makes room for another one; it is queued again"
                     : fmt::format("Job finished: {}",
                                   types::conclusion_name(conclusion == Conclusion::kTimedOut ? Conclusion::kCancelled
                                                                                              : conclusion)));
  job.log->flush();
  fields["conclusion"] = types::conclusion_name(conclusion);
  fields["reads"] = std::move(reads);
  fields["outputs"] = std::move(outputs);
  if (!url.empty()) fields["environment_url"] = url;
  Result<void> written;
  for (int attempt = 0; attempt < kFinishAttempts; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(kFinishPause);
    written = preempted ? job.journal->append("job_preempted", {}) : job.journal->append("job_finished", fields);
    if (written) break;
  }
  return written;
}

}  // namespace

Result<JobSecrets> parse_secrets(std::string_view text) {
  JobSecrets secrets;
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return secrets;
  const auto value = WEIR_TRY(parse_json(text, "standard input"));
  secrets.token = json_string_or(value, "token", "");
  const auto read = [&](std::string_view member, std::string_view what, json::object& target) -> Result<void> {
    const auto* all = json_find(value, member);
    if (all == nullptr || !all->is_object()) return {};
    for (const auto& [name, text_value] : all->get_object()) {
      if (!text_value.is_string()) {
        return fail(Code::kInvalidArgument, "standard input: {} \"{}\" must be a string", what, std::string_view(name));
      }
      target[name] = text_value;
    }
    return {};
  };
  WEIR_TRY(read("secrets", "secret", secrets.secrets));
  WEIR_TRY(read("env", "variable", secrets.env));
  WEIR_TRY(read("actions", "variable", secrets.actions));
  return secrets;
}

Result<JobExit> run_job(const fs::path& job_dir, JobSecrets secrets, const JobOptions& options) {
  std::error_code ignored;
  JobState job(fs::weakly_canonical(fs::absolute(job_dir), ignored));
  job.spec = WEIR_TRY(read_spec(job.job_dir));
  job.workspace = job.spec->workspace;
  job.journal.emplace(WEIR_TRY(Journal::open(job.job_dir / "journal.jsonl", job.clock)));
  job.log = WEIR_TRY(JobLog::open(job.job_dir / "log.txt", job.clock));
  job.supervisor = WEIR_TRY(Supervisor::create({.pauses = options.pauses,
                                                .cancel_limit = job.spec->cancel_limit,
                                                .preempt_grace = job.spec->preempt_grace,
                                                .on_cancelled = [&job] { job.record("job_cancelled", {}); }},
                                               [&job] { job.log->flush(); }));
  job.supervisor->set_job_deadline(std::chrono::steady_clock::now() + job.spec->timeout);
  WEIR_TRY(job.journal->append("job_started", {{"pid", ::getpid()}}));

  job.secrets = std::move(secrets.secrets);
  job.token = std::move(secrets.token);
  for (const auto& [name, secret] : job.secrets) job.log->add_mask(secret.get_string());
  job.log->add_mask(job.token);
  job.action_env = std::move(secrets.actions);
  for (const auto& [name, value] : job.action_env) {
    if (name.ends_with("_TOKEN")) job.log->add_mask(value.get_string());
  }

  StepState set_up{.index = -1, .step = {}, .title = "Set up job"};
  auto ready = prepare_folders(job);
  if (ready) ready = prepare_contexts(job);
  for (const auto& [name, value] : secrets.env) job.job_env[name] = value;
  show_limits(job, set_up);
  if (ready) ready = prepare_sandbox(job);
  if (ready) ready = check_out_commit(job);
  job.containers = std::make_shared<Containers>(job);
  if (ready) ready = resolve_actions(job, set_up);
  if (ready) ready = require_containers(job);
  if (ready) ready = job.containers->start(set_up);
  if (ready) ready = prepare_python(job, set_up);
  job.log->flush();
  if (!ready) {
    job.error(set_up, ready.error().message);
    job.failed = true;
  } else {
    run_steps(job);
  }
  // Once more without a time limit or a cancellation: what was started must go.
  job.containers->stop(set_up);
  WEIR_TRY(finish_job(job, set_up));
  return JobExit{.work_abandoned = job.supervisor->work_abandoned()};
}

}  // namespace weir::runner
