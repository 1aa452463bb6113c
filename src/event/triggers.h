#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "event/run_request.h"
#include "io/git.h"
#include "store/database.h"
#include "types/identity.h"

namespace weir::event {

inline constexpr std::string_view kWorkflowFolder = ".github/workflows";

// One ref that a push moved. `before` or `after` is all zeros for a ref that was made or deleted.
struct RefUpdate {
  std::string ref;  // "refs/heads/main"
  std::string before;
  std::string after;
};

// How schedules of a repository fire.
struct ScheduleRules {
  enum class Missed { kOnce, kSkip, kAll };
  Missed missed = Missed::kOnce;  // what was due while the server was down
  Duration jitter{0};             // each schedule fires by a fixed part of it later, so that not all fire at once
};

struct TriggerDeps {
  store::Database* db = nullptr;
  const Clock* clock = nullptr;
  Log* log = nullptr;
  Loop* loop = nullptr;  // cron ticks run here; not needed without schedules
  RunStarter* starter = nullptr;
  std::function<Result<io::Git>(const std::string& repo)> git;
  // Called when the default branch was pushed, with the new commit, before the push is recorded and its runs start: its
  // configuration protects them. On an error neither happens; after that, or a crash in between, it is called again.
  std::function<Result<void>(const std::string& repo, const std::string& commit, const types::Identity& identity)>
      default_branch_pushed;
  std::function<ScheduleRules(const std::string& repo)> schedule_rules;  // default: once, without jitter
  std::function<std::string()> server_url;                               // for the payload's links
  std::string default_owner = "weir";                                    // of a repository that is named without one
};

struct LocalEvent;  // local_event.h
struct LocalPlan;   // local_event.h
struct Occurrence;  // occurrence.h

// Turns what happens (pushes, time, requests) into workflow runs, by the `on:` of the workflow files at the commit
// concerned. Any thread may call; functions block for git and for the commit, except where said.
//
// A push and the runs it starts are one transaction, so that after a crash a ref's push was either recorded with all
// its runs or not at all; reconcile() then fires it.
class Triggers {
 public:
  explicit Triggers(TriggerDeps deps);
  ~Triggers();

  // Notes who is about to move refs so, durably when it returns. If the server dies after the refs have moved and
  // before repository_pushed() has recorded that, reconcile() knows by this whose push it was: a job's starts nothing.
  Result<void> push_begins(const std::string& repo, const std::vector<RefUpdate>& updates,
                           const types::Identity& identity);

  // Records `updates` (refs have already moved) and starts what listens to them. Gives the ids of the runs. Call it for
  // one repository in the order of its pushes; an update that was recorded already is left out.
  // A workflow file that does not parse gives a failed run which holds the diagnostics.
  Result<std::vector<std::int64_t>> repository_pushed(const std::string& repo, const std::vector<RefUpdate>& updates,
                                                      const types::Identity& identity);

  // Compares the repository's refs with the last push recorded for each, and fires what was missed: as the pushes of
  // those who began them, or else of the server itself. Call at start for every repository, before pushes are accepted.
  Result<std::vector<std::int64_t>> reconcile(const std::string& repo);

  // Starts a workflow by its file name ("ml-pipeline.yml") or path on `ref` (branch, tag or full ref; empty: the
  // default branch). kInvalidArgument names a missing, unknown or wrong input; kFailedPrecondition without
  // workflow_dispatch.
  Result<std::int64_t> dispatch(const std::string& repo, std::string_view workflow, std::string_view ref,
                                const json::object& inputs, const types::Identity& identity, std::int64_t cause = 0,
                                std::string_view reason = {});

  // What an event that a person plays through on this machine would start, and what it would not; see local_event.h.
  Result<LocalPlan> plan_local(const LocalEvent& event, const types::Identity& identity);
  // Starts the runs of a plan.
  Result<std::vector<std::int64_t>> start_local(LocalPlan plan);

  // repository_dispatch: starts what listens to `type` at the head of the default branch. `client_payload` is an object
  // of at most 10 members, as with GitHub.
  Result<std::vector<std::int64_t>> repository_dispatch(const std::string& repo, const std::string& type,
                                                        json::object client_payload, const types::Identity& identity);

  // Something happened to a repository: `record` writes it in the transaction in which the runs are made that listen to
  // it, and gives the sequence of its event. What a job did starts nothing, as with GitHub's own token.
  Result<std::vector<std::int64_t>> occurred(const std::string& repo, const std::vector<Occurrence>& occurrences,
                                             const types::Identity& identity,
                                             std::function<Result<std::int64_t>(store::Transaction&)> record);

  // Starts the clock of schedules and listens to the log (see reactions.h). A schedule that was due while the server
  // was down fires once; what was logged meanwhile starts what it should.
  Result<void> start();
  // Nothing fires afterwards. Any thread.
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace weir::event
