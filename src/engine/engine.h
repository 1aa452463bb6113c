#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"
#include "engine/executor.h"
#include "engine/reuse_view.h"
#include "engine/views.h"
#include "event/run_request.h"
#include "io/git.h"
#include "store/database.h"
#include "types/identity.h"

namespace weir::engine {

using event::PreparedRun;
using event::RunOptions;
using event::RunRequest;

// Machines for jobs: what they have, and which `runs-on` labels lead there.
struct RunnerPool {
  std::string name;                 // "local", "gpu"
  std::vector<std::string> labels;  // exact, or ending in "*": "ubuntu-*"
  int slots = 1;                    // CPUs; a job takes one unless it asks for more
  int gpus = 0;
  std::int64_t memory_bytes = 0;            // 0: not counted
  Duration grace{std::chrono::minutes{1}};  // for a preempted job to write a checkpoint
};

// The pool that takes every usual label: ubuntu-*, debian-*, linux, self-hosted, local, x64, gpu.
RunnerPool local_pool(int slots);

// A job wants to enter an environment; as access::ApprovalRequest.
struct ApprovalRequest {
  std::string environment;
  std::string subject;  // "job/42"
  std::string summary;  // "deploy (ML Pipeline #12, main at 1a2b3c4)"
  std::string requested_by;
  std::string repo;
  std::string ref;
  std::int64_t run = 0;
  std::int64_t job = 0;
  std::int64_t cause = 0;
};
// Expired counts as rejected.
enum class ApprovalState { kPending, kGranted, kRejected };
struct ApprovalAnswer {
  std::int64_t id = 0;
  ApprovalState state = ApprovalState::kPending;
  std::string comment;     // why it was rejected
  bool expired = false;    // rejected because nobody decided in time
  std::int64_t event = 0;  // newest event about it: the cause of what follows
};

// A job whose runner is about to be started.
struct StartingJob {
  std::int64_t run = 0;
  std::int64_t job = 0;
  Duration timeout{0};
  std::string environment;  // "" if none
  json::object github;      // the contexts as the job sees them, without the token
  json::object context;     // `job`
  types::CacheMode cache_mode = types::CacheMode::kWrite;
  bool id_token = false;  // `permissions: id-token: write`
};

// What the engine needs of others. Pointers outlive the engine; functions left empty are named with their default.
// After Engine::stop() none of it is used any more; an engine that goes without it leaves the functions that get a
// transaction to the writes which the database still has.
struct EngineDeps {
  store::Database* db = nullptr;
  Loop* loop = nullptr;  // the engine's own: its state lives there
  const Clock* clock = nullptr;
  Log* log = nullptr;
  Executor* executor = nullptr;

  std::filesystem::path jobs_dir;  // <state>/jobs
  std::string checkouts_dir;       // <state>/checkouts
  std::string envs_dir;            // <state>/envs
  std::string tool_dir;            // RUNNER_TOOL_CACHE
  std::string blobs_dir;           // as in JobSpec, like the three below; "" if runners shall not
  std::string exchange_dir;
  std::string cache_trees_dir;
  std::string containers_dir;
  std::string actions_dir;                  // where actions of other repositories are kept; "": none are fetched
  std::string actions_url;                  // what `uses: owner/name@ref` is below: "https://github.com"
  std::function<std::string()> server_url;  // "http://127.0.0.1:4510"; asked when a job starts
  std::string default_owner = "weir";       // github.repository_owner of a repository named without one

  // The repository's git access; also gives JobSpec::git_dir.
  std::function<Result<io::Git>(const std::string& repo)> git;

  // The repository that a workflow of the run names by "owner/name", and the commit that `ref` means there. May block
  // for the network. The error says what to do. Default: there is none.
  struct RemoteCommit {
    io::Git git;
    std::string commit;
    std::shared_ptr<const void> held;  // keeps it from removal
  };
  std::function<Result<RemoteCommit>(const RunRequest& run, const std::string& repository, const std::string& ref)>
      remote_git;

  // Pools in the order in which labels are looked up. Default: local_pool(number of processors).
  std::function<std::vector<RunnerPool>(const std::string& repo)> pools;
  // Whether weir.yaml says `strict: true`. Default: no.
  std::function<bool(const std::string& repo)> strict;

  // Default: no secrets, no variables.
  std::function<Result<std::map<std::string, std::string>>(std::int64_t run, const std::string& repo,
                                                           const std::string& environment)>
      secrets;
  std::function<json::object(const std::string& repo, const std::string& environment)> vars;

  // Default: every environment is unprotected. kFailedPrecondition: the environment does not take the run's branch.
  std::function<Result<ApprovalAnswer>(store::Transaction& tx, const ApprovalRequest& request)> request_approval;
  // The state of an approval now; asked again whenever approval.granted or approval.rejected was logged for it.
  std::function<Result<ApprovalAnswer>(std::int64_t id)> approval;
  // The job no longer wants it (it was cancelled).
  std::function<Result<void>(store::Transaction& tx, std::int64_t id, const std::string& why, std::int64_t cause)>
      withdraw_approval;

  // The job's bearer token; the job's row is in the same transaction. Default: an empty token.
  std::function<Result<std::string>(store::Transaction& tx, const types::JobGrant& grant)> issue_job_token;
  std::function<Result<void>(store::Transaction& tx, std::int64_t job)> revoke_job_token;
  // Variables by which a job that was preempted goes on with what it had begun (MLFLOW_RUN_ID). Default: none.
  std::function<Result<std::map<std::string, std::string>>(std::int64_t run, std::int64_t job)> resume_variables;
  // The variables that the job's actions get beside those of every step (ACTIONS_RUNTIME_TOKEN, …): names to strings.
  // They may be secrets: they never reach the disk. Default: none.
  std::function<json::object(const StartingJob& job)> action_variables;
};

// Something moved in a run. Not durable, may be lost; the log and the queries hold the truth.
struct LiveUpdate {
  enum class Kind { kRun, kJob, kProgress };  // kProgress: steps or log of a running job
  Kind kind = Kind::kRun;
  std::int64_t run = 0;
  std::int64_t job = 0;  // 0 for kRun
  std::string state;
  std::optional<types::Conclusion> conclusion;
  std::vector<Step> steps;          // kProgress: as they stand
  std::int64_t log_size_bytes = 0;  // kProgress
};
json::object to_json(const LiveUpdate& update);

struct RunFilter {
  std::optional<std::string> repo;
  std::optional<std::string> workflow;  // file name or path
  std::optional<RunState> state;
  std::optional<std::string> commit;  // what ran, or the head of the pull request whose merge ran
  std::int64_t before = 0;            // ids below it; 0: from the newest
  int limit = 50;                     // 1 to 500
};

// What stays of the folders of completed runs.
struct RetentionRules {
  struct Kept {
    int runs = 50;                                              // the newest of each workflow stay whole
    std::optional<Duration> workspaces{std::chrono::days{90}};  // of others, so long after their end; none: for ever
    std::optional<Duration> logs{std::chrono::days{400}};
  };
  // Default: as above, for every repository.
  std::function<Kept(const std::string& repo)> of;
  std::set<std::int64_t> needed;  // runs that stay whole whatever the rules say
};
struct Removed {
  int workspaces = 0;  // jobs whose workspace went, and
  int logs = 0;        // jobs whose log did
};

// Runs workflows: plans them, waits for needs, approvals, groups and slots, starts jobs through the executor, and
// survives its own death: what is acknowledged is in the database, and jobs go on without the server.
//
// Functions may be called from any thread except the engine's loop and the database's writer; those that change
// something return after it was synced to disk. start() and stop() are called once each.
class Engine final : public event::RunStarter {
 public:
  explicit Engine(EngineDeps deps);
  ~Engine() override;

  // Loads what was unfinished, adopts running jobs, goes on. Call it before the first run is made.
  Result<void> start();
  // Stops scheduling and forgets running jobs, which go on. Afterwards the loop may be stopped.
  void stop();

  // Makes a run. A workflow that does not parse is kInvalidArgument with its diagnostics, and no run.
  Result<std::int64_t> create_run(RunRequest request);
  Result<PreparedRun> prepare(RunRequest request) override;
  Result<std::int64_t> insert(store::Transaction& tx, const PreparedRun& run) override;

  // Cancels what has not ended; always() jobs still run. A second call with `force` kills what still runs.
  // kFailedPrecondition if the run has completed.
  Result<void> cancel(std::int64_t run, const std::string& actor, const std::string& reason = {}, bool force = false);

  // A new attempt of a completed run: all jobs, or those that did not succeed and what depends on them.
  Result<void> rerun(std::int64_t run, bool failed_only, const std::string& actor);

  // The same event played on another commit (a branch, tag or commit of the repository), as a new run, whose id it
  // gives. With `failed_only` what did not fail then is reused where nothing that went into it has changed.
  Result<std::int64_t> rerun_on(std::int64_t run, const std::string& ref, bool failed_only, const std::string& actor);

  // ---- queries: answered from the database and the jobs' folders
  Result<Run> run(std::int64_t id);
  Result<std::vector<Run>> runs(const RunFilter& filter);
  // Jobs of one attempt (0: the newest) in the order of the file, with steps, live ones too.
  Result<std::vector<Job>> jobs(std::int64_t run, std::int64_t attempt = 0, JobParts parts = JobParts::kAll);
  Result<Job> job(std::int64_t id);
  // Why an earlier result was reused for the job, or why not.
  Result<Reuse> reuse(std::int64_t job);
  // The text of the workflow file that the run was made from.
  Result<std::string> workflow_text(std::int64_t run);
  // The folder with log.txt and journal.jsonl. kNotFound once retention has removed it.
  Result<std::filesystem::path> job_dir(std::int64_t job);
  // Whether the job belongs to the run and its runner is at work; kNotFound for a job that there never was.
  Result<bool> job_runs(std::int64_t run, std::int64_t job);
  // What the job may do with caches.
  Result<types::CacheMode> cache_mode(std::int64_t job);
  // The event that recorded the latest change of a job: the cause of what the job itself does. 0 if unknown.
  Result<std::int64_t> job_event(std::int64_t job);

  // Hears live updates on the engine's loop, while the handle lives; must not block. Dropping the handle waits for a
  // call that is under way.
  using Subscription = std::shared_ptr<void>;
  [[nodiscard]] Subscription subscribe(std::function<void(const LiveUpdate&)> listener);

  // Removes what the rules no longer keep of jobs' folders; never of unfinished runs.
  Result<Removed> apply_retention(const RetentionRules& rules);

  // True when no run is unfinished. (Tests, `weir run`.)
  [[nodiscard]] bool idle();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace weir::engine
