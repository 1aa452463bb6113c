#include "engine/reuse_view.h"
#include "engine/run_artifacts.h"
#include "engine/scheduler.h"

// Jobs that somebody did not ask for, but that others need: what they made before stands for them if nothing that went
// into it has changed since.
namespace weir::engine {

using types::Conclusion;

// Whether the job has its result.
bool Scheduler::reuse(const RunPtr& run, const JobPtr& job, Facts& facts) {
  auto reused = try_reuse(run, job, facts);
  if (reused) return *reused;
  // It can be made anew.
  job->row.reason = fmt::format("earlier results cannot be looked at: {}", reused.error().message);
  return false;
}

Result<bool> Scheduler::try_reuse(const RunPtr& run, const JobPtr& job, Facts& facts) {
  auto inputs = WEIR_TRY(job_inputs(run, *job, facts));
  const auto needs = need_results(*job->key);
  const auto candidates =
      WEIR_TRY(deps_.db->load<std::vector<Candidate>>([&](store::Reader& reader) -> Result<std::vector<Candidate>> {
        WEIR_TRY(add_needs(reader, run->row.id, needs, inputs));
        return load_candidates(reader, run->row, job->row);
      }));
  if (candidates.empty()) {
    job->row.reason = "no earlier run of it succeeded";
    return false;
  }
  const auto git = WEIR_TRY(deps_.git(run->row.repo));
  const auto tree = WEIR_TRY(trees_.of(git, run->row.commit));
  for (const auto& candidate : candidates) {
    const auto before = trees_.of(git, candidate.inputs.commit);
    if (!before) continue;  // its commit is gone
    auto changed = differences(candidate.inputs, inputs, **before, *tree);
    if (changed.empty()) {
      take_result(
          run, job, candidate,
          WEIR_TRY(deps_.db->load<JobRow>([&](store::Reader& reader) { return load_job(reader, candidate.job); })));
      return true;
    }
    if (!job->row.reason.empty()) continue;
    job->row.reason = fmt::format("since run #{}: {}", candidate.number, in_words(changed));
    outbox_.step([id = job->id, with = candidate.job, changed = std::move(changed)](store::Transaction& tx) {
      return keep_comparison(tx, *id, with, changed);
    });
  }
  return false;
}

// What goes into a job, without what its needs gave.
Result<JobInputs> Scheduler::job_inputs(const RunPtr& run, const JobNode& job, Facts& facts) const {
  set_leg(facts, job.row);
  auto body = WEIR_TRY(job.key->frame->plan->body(job.key->index, facts));
  for (const auto& variable : run->row.options.env) body.env[variable.key()] = variable.value();
  return inputs_of(body, facts, run->row.commit);
}

void Scheduler::take_result(const RunPtr& run, const JobPtr& job, const Candidate& candidate, JobRow earlier) {
  auto& row = job->row;
  row.origin = candidate.job;
  row.reason = fmt::format("reused from run #{}: nothing that went into it has changed", candidate.number);
  row.started_at = earlier.started_at;
  row.outputs = std::move(earlier.outputs);
  row.environment_url = std::move(earlier.environment_url);
  row.layer = std::move(earlier.layer);
  row.layers = std::move(earlier.layers);
  outbox_.step([from = candidate.job, run_id = run->row.id, id = job->id](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute("UPDATE engine_jobs SET origin = ? WHERE id = ?", {from, *id}));
    return copy_artifacts(tx, from, run_id, *id);
  });
  complete(run, job, Conclusion::kSuccess);
}

}  // namespace weir::engine
