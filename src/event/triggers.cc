#include "event/triggers.h"

#include "event/local_event.h"
#include "event/occurrence.h"
#include "event/reactions.h"
#include "event/schedules.h"
#include "event/source.h"
#include "event/turns.h"

namespace weir::event {
namespace {

// Events carry what a push brought, but not without end.
constexpr int kCommitsMax = 20;

// A push of one ref: the event to record, and the runs it starts.
struct Push {
  RefUpdate update;
  std::vector<RunRequest> requests;
  std::vector<WorkflowFile> default_branch_files;  // of a push of the default branch: its schedules are taken over
  bool default_branch = false;
};

bool is_branch_or_tag(std::string_view ref) {
  return ref.starts_with("refs/heads/") || ref.starts_with("refs/tags/");
}

bool filters_paths(const std::vector<WorkflowFile>& files) {
  return std::ranges::any_of(files, [](const auto& file) {
    const auto* push = file.workflow ? file.workflow->on.find("push") : nullptr;
    return push != nullptr && !push->paths.empty();
  });
}

Result<Push> read_push(const TriggerDeps& deps, const Source& source, const RefUpdate& update,
                       const types::Identity& identity) {
  Push push{.update = update};
  if (is_no_object(update.after)) return push;
  auto found = source.git.resolve(update.after);  // a tag's object leads to its commit
  // Or to a file or folder: such a tag is recorded, and nothing at it could run.
  if (!found && found.error().code == Code::kNotFound && update.ref.starts_with("refs/tags/")) return push;
  const auto commit = WEIR_TRY(std::move(found));
  push.default_branch = update.ref == source.default_ref;
  auto files = WEIR_TRY(read_workflow_files(source.git, commit));
  if (push.default_branch && deps.default_branch_pushed) {
    WEIR_TRY(deps.default_branch_pushed(source.repo, commit, identity));
  }

  // A force push may have made the old commit unreachable, and then unknown.
  const bool known_before = !is_no_object(update.before) && source.git.resolve(update.before).has_value();
  auto commits = WEIR_TRY(
      source.git.commits_between(known_before ? update.before : std::string(), commit, known_before ? kCommitsMax : 1));
  if (commits.empty()) commits.push_back(WEIR_TRY(source.git.commit(commit)));
  workflow::TriggerInfo info{.event = "push", .ref = update.ref};
  if (known_before && filters_paths(files)) {
    info.changed_paths = WEIR_TRY(source.git.changed_paths(WEIR_TRY(source.git.resolve(update.before)), commit));
  }
  // What a job pushes (a documentation branch, a model card) starts nothing, as with GitHub's own token: a workflow
  // that pushes would start itself for ever.
  const bool skipped = identity.job_id.has_value() || skips_runs(commits.front().message);
  for (const auto& file : files) {
    if (skipped) break;
    auto request = request_for(source, file, commit, update.ref, identity.name);
    request.reason = fmt::format("push to {} by {}", short_ref(update.ref), identity.name);
    if (file.workflow && !workflow::matches(file.workflow->on, info).matched) continue;
    request.event_name = "push";
    request.event_payload =
        push_payload(facts_of(deps, source, identity.name), update.ref, update.before, update.after, commits);
    request.title = title_of(commits.front());
    push.requests.push_back(std::move(request));
  }
  if (push.default_branch) push.default_branch_files = std::move(files);
  return push;
}

// `create` and `delete`: a branch or tag came or went. They run at what came, or at the head of the default branch.
Result<std::vector<RunRequest>> ref_requests(const TriggerDeps& deps, const Source& source, const RefUpdate& update,
                                             const types::Identity& identity) {
  const bool comes = is_no_object(update.before);
  if (identity.job_id || comes == is_no_object(update.after)) return std::vector<RunRequest>{};
  // Without a default branch there is no file that could listen.
  if (!source.git.resolve(source.default_ref)) return std::vector<RunRequest>{};
  std::string commit;
  if (comes) {
    auto found = source.git.resolve(update.after);
    if (!found && found.error().code == Code::kNotFound) return std::vector<RunRequest>{};  // a tag of a file or folder
    commit = WEIR_TRY(std::move(found));
  }
  const std::string_view kind = update.ref.starts_with("refs/tags/") ? "tag" : "branch";
  const Occurrence occurrence{.info = {.event = comes ? "create" : "delete"},
                              .files_commit = commit,
                              .commit = commit,
                              .ref = comes ? update.ref : std::string(),
                              .payload = {{"ref", short_ref(update.ref)},
                                          {"ref_type", kind},
                                          {"master_branch", short_ref(source.default_ref)},
                                          {"pusher_type", "user"}},
                              .reason = fmt::format("{} {} {} by {}", kind, short_ref(update.ref),
                                                    comes ? "created" : "deleted", identity.name),
                              .actor = identity.name};
  return requests_of(deps, source, occurrence);
}

// Pushes that were refused or cut off before any ref moved are forgotten after that.
constexpr Duration kBegunKept = std::chrono::hours{24};

// Who began to move a ref to an object.
using Pushers = std::map<std::pair<std::string, std::string>, types::Identity>;

Result<Pushers> begun_pushes(store::Reader& reader, const std::string& repo) {
  Pushers pushers;
  WEIR_TRY(reader.query("SELECT ref, object_id, pusher, job FROM event_pushes_begun WHERE repo = ?", {repo},
                        [&](const store::Row& row) {
                          pushers.emplace(std::pair{row.string(0), row.string(1)},
                                          types::Identity{.name = row.string(2), .job_id = row.integer_or_null(3)});
                        }));
  return pushers;
}

// The last object that was recorded for a ref; "" if it never was.
Result<std::string> recorded(store::Reader& reader, const std::string& repo, const std::string& ref) {
  auto found = WEIR_TRY(reader.first<std::string>("SELECT object_id FROM event_refs WHERE repo = ? AND ref = ?",
                                                  {repo, ref}, [](const store::Row& row) { return row.string(0); }));
  return std::move(found).value_or("");
}

// repo.pushed and what goes with it; 0 if just this was recorded before.
Result<std::int64_t> record(store::Transaction& tx, const std::string& repo, const Push& push,
                            const std::string& actor) {
  const auto& update = push.update;
  WEIR_TRY(tx.execute("DELETE FROM event_pushes_begun WHERE repo = ? AND ref = ? AND object_id = ?",
                      {repo, update.ref, update.after}));
  const auto last = WEIR_TRY(recorded(tx, repo, update.ref));
  if (last == update.after || (last.empty() && is_no_object(update.after))) return 0;
  const auto sequence =
      WEIR_TRY(tx.append({.type = std::string(types::event_type::kRepoPushed),
                          .actor = actor,
                          .subject = fmt::format("repo/{}", repo),
                          .payload = {{"ref", update.ref}, {"before", update.before}, {"after", update.after}}}));
  WEIR_TRY(
      tx.execute("INSERT INTO event_refs(repo, ref, object_id, event) VALUES(?, ?, ?, ?) "
                 "ON CONFLICT(repo, ref) DO UPDATE SET object_id = excluded.object_id, event = excluded.event",
                 {repo, update.ref, update.after, sequence}));
  if (push.default_branch) {
    WEIR_TRY(store_schedules(tx, repo, push.default_branch_files));
    WEIR_TRY(store_listeners(tx, repo, push.default_branch_files, sequence));
  }
  return sequence;
}

}  // namespace

struct Triggers::Impl {
  explicit Impl(TriggerDeps the_deps) : deps(std::move(the_deps)) {}

  TriggerDeps deps;
  // A later push's runs come after an earlier one's, which may wait for workflows that it calls to be fetched.
  Turns pushes_of;
  std::shared_ptr<Schedules> schedules;
  std::shared_ptr<Reactions> reactions;

  Result<std::vector<std::int64_t>> pushed(const std::string& repo, const std::vector<RefUpdate>& updates,
                                           const types::Identity& identity) {
    const auto turn = pushes_of.take(repo);
    const auto source = WEIR_TRY(open_source(deps, repo));
    struct Prepared {
      Push push;
      std::vector<PreparedRun> runs;
    };
    std::vector<Prepared> pushes;
    for (const auto& update : updates) {
      if (!is_branch_or_tag(update.ref)) continue;
      Prepared prepared{.push = WEIR_TRY(read_push(deps, source, update, identity))};
      auto requests = WEIR_TRY(ref_requests(deps, source, update, identity));
      std::ranges::move(prepared.push.requests, std::back_inserter(requests));
      for (auto& request : requests) {
        prepared.runs.push_back(WEIR_TRY(deps.starter->prepare(std::move(request))));
      }
      pushes.push_back(std::move(prepared));
    }
    if (pushes.empty()) return std::vector<std::int64_t>{};
    return deps.db->write_with<std::vector<std::int64_t>>(
        [&](store::Transaction& tx) -> Result<std::vector<std::int64_t>> {
          std::vector<std::int64_t> started;
          for (auto& prepared : pushes) {
            const auto cause = WEIR_TRY(record(tx, repo, prepared.push, identity.name));
            if (cause == 0) continue;
            for (auto& run : prepared.runs) {
              run.request.cause = cause;
              started.push_back(WEIR_TRY(deps.starter->insert(tx, run)));
            }
          }
          return started;
        });
  }
};

Triggers::Triggers(TriggerDeps deps) : impl_(std::make_shared<Impl>(std::move(deps))) {}
Triggers::~Triggers() = default;

Result<void> Triggers::push_begins(const std::string& repo, const std::vector<RefUpdate>& updates,
                                   const types::Identity& identity) {
  if (std::ranges::none_of(updates, [](const auto& update) { return is_branch_or_tag(update.ref); })) return {};
  const auto now = to_micros(impl_->deps.clock->now());
  return impl_->deps.db->write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute("DELETE FROM event_pushes_begun WHERE begun_at < ?",
                        {now - std::chrono::microseconds{kBegunKept}.count()}));
    for (const auto& update : updates) {
      if (!is_branch_or_tag(update.ref)) continue;
      WEIR_TRY(tx.execute(
          "INSERT INTO event_pushes_begun(repo, ref, object_id, pusher, job, begun_at) VALUES(?, ?, ?, ?, ?, ?) "
          "ON CONFLICT(repo, ref, object_id) DO UPDATE SET pusher = excluded.pusher, job = excluded.job, "
          "begun_at = excluded.begun_at",
          {repo, update.ref, update.after, identity.name, identity.job_id, now}));
    }
    return {};
  });
}

Result<std::vector<std::int64_t>> Triggers::repository_pushed(const std::string& repo,
                                                              const std::vector<RefUpdate>& updates,
                                                              const types::Identity& identity) {
  return impl_->pushed(repo, updates, identity);
}

Result<std::vector<std::int64_t>> Triggers::reconcile(const std::string& repo) {
  const auto git = WEIR_TRY(impl_->deps.git(repo));
  const auto refs = WEIR_TRY(git.refs());
  struct Known {
    std::map<std::string, std::string> refs;
    Pushers pushers;
  };
  const auto known = WEIR_TRY((impl_->deps.db->load<Known>([&](store::Reader& reader) -> Result<Known> {
    Known rows;
    WEIR_TRY(reader.query("SELECT ref, object_id FROM event_refs WHERE repo = ?", {repo},
                          [&](const store::Row& row) { rows.refs[row.string(0)] = row.string(1); }));
    rows.pushers = WEIR_TRY(begun_pushes(reader, repo));
    return rows;
  })));
  // One push for each who moved refs; what nobody began is the server's own.
  std::map<std::string, std::pair<types::Identity, std::vector<RefUpdate>>> missed;
  const auto add = [&](RefUpdate update) {
    const auto begun = known.pushers.find({update.ref, update.after});
    auto identity = begun == known.pushers.end() ? types::Identity{.name = "weir"} : begun->second;
    auto& push = missed[fmt::format("{} {}", identity.job_id.value_or(0), identity.name)];
    push.first = std::move(identity);
    push.second.push_back(std::move(update));
  };
  for (const auto& [ref, object_id] : refs) {
    if (!is_branch_or_tag(ref)) continue;
    const auto found = known.refs.find(ref);
    const std::string before = found == known.refs.end() ? std::string(kNoObject) : found->second;
    if (before != object_id) add({ref, before, object_id});
  }
  for (const auto& [ref, object_id] : known.refs) {
    if (!refs.contains(ref) && !is_no_object(object_id)) add({ref, object_id, std::string(kNoObject)});
  }
  std::vector<std::int64_t> started;
  for (const auto& [pusher, push] : missed) {
    impl_->deps.log->info("{}: {} refs that {} pushed were not recorded; they are now", repo, push.second.size(),
                          push.first.name);
    std::ranges::copy(WEIR_TRY(impl_->pushed(repo, push.second, push.first)), std::back_inserter(started));
  }
  if (known.pushers.empty()) return started;
  WEIR_TRY(impl_->deps.db->write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute("DELETE FROM event_pushes_begun WHERE repo = ?", {repo}));
    return {};
  }));
  return started;
}

Result<std::int64_t> Triggers::dispatch(const std::string& repo, std::string_view workflow, std::string_view ref,
                                        const json::object& inputs, const types::Identity& identity, std::int64_t cause,
                                        std::string_view reason) {
  const auto& deps = impl_->deps;
  const auto source = WEIR_TRY(open_source(deps, repo));
  const auto full_ref = WEIR_TRY(find_ref(source, ref));
  const auto commit = WEIR_TRY(source.git.resolve(full_ref));
  const auto file = WEIR_TRY(find_workflow_file(source.git, commit, workflow));
  if (!file.workflow) return std::unexpected(Error{Code::kInvalidArgument, file.problem});
  if (!file.workflow->on.dispatch) {
    return fail(Code::kFailedPrecondition,
                "{} cannot be started by hand: it has no `workflow_dispatch` under `on:` at commit {}", file.path,
                commit.substr(0, 12));
  }
  auto completed = WEIR_TRY(workflow::complete_inputs(*file.workflow->on.dispatch, inputs));
  auto request = request_for(source, file, commit, full_ref, identity.name);
  request.event_name = "workflow_dispatch";
  request.event_payload = dispatch_payload(facts_of(deps, source, identity.name), full_ref, file.path, completed.text);
  request.inputs = std::move(completed.typed);
  request.title = title_of(WEIR_TRY(source.git.commit(commit)));
  request.reason = reason.empty() ? fmt::format("started by {}", identity.name) : std::string(reason);
  request.cause = cause;
  std::vector<RunRequest> requests;
  requests.push_back(std::move(request));
  const auto runs =
      WEIR_TRY(start_runs(deps, std::move(requests), [](store::Transaction&) -> Result<std::int64_t> { return 0; }));
  return runs.front();
}

Result<std::vector<std::int64_t>> Triggers::repository_dispatch(const std::string& repo, const std::string& type,
                                                                json::object client_payload,
                                                                const types::Identity& identity) {
  constexpr std::size_t kTypeMax = 100;
  constexpr std::size_t kMembersMax = 10;
  if (type.empty() || type.size() > kTypeMax) {
    return fail(Code::kInvalidArgument, "event_type must have 1 to {} characters", kTypeMax);
  }
  if (client_payload.size() > kMembersMax) {
    return fail(Code::kInvalidArgument, "client_payload has {} members; {} may be", client_payload.size(), kMembersMax);
  }
  const auto& deps = impl_->deps;
  const auto source = WEIR_TRY(open_source(deps, repo));
  const Occurrence occurrence{
      .info = {.event = "repository_dispatch", .action = type},
      .payload = repository_dispatch_payload(type, short_ref(source.default_ref), std::move(client_payload)),
      .reason = fmt::format("repository_dispatch \"{}\" by {}", type, identity.name),
      .actor = identity.name};
  return start_runs(deps, WEIR_TRY(requests_of(deps, source, occurrence)),
                    [](store::Transaction&) -> Result<std::int64_t> { return 0; });
}

Result<std::vector<std::int64_t>> Triggers::occurred(const std::string& repo,
                                                     const std::vector<Occurrence>& occurrences,
                                                     const types::Identity& identity,
                                                     std::function<Result<std::int64_t>(store::Transaction&)> record) {
  std::vector<RunRequest> requests;
  if (!identity.job_id && !occurrences.empty()) {
    const auto source = WEIR_TRY(open_source(impl_->deps, repo));
    for (const auto& occurrence : occurrences) {
      const bool tells_broken = occurrence.info.event.starts_with("pull_request");
      auto more = WEIR_TRY(requests_of(impl_->deps, source, occurrence, tells_broken));
      std::ranges::move(more, std::back_inserter(requests));
    }
  }
  return start_runs(impl_->deps, std::move(requests), std::move(record));
}

Result<LocalPlan> Triggers::plan_local(const LocalEvent& event, const types::Identity& identity) {
  const auto& deps = impl_->deps;
  return event::plan_local(deps, WEIR_TRY(open_source(deps, event.repo)), event, identity.name);
}

Result<std::vector<std::int64_t>> Triggers::start_local(LocalPlan plan) {
  return start_runs(impl_->deps, std::move(plan.requests),
                    [](store::Transaction&) -> Result<std::int64_t> { return 0; });
}

Result<void> Triggers::start() {
  impl_->schedules = std::make_shared<Schedules>(impl_->deps);
  impl_->schedules->start();
  impl_->reactions = std::make_shared<Reactions>(impl_->deps);
  return impl_->reactions->start();
}

void Triggers::stop() {
  if (impl_->schedules) impl_->schedules->stop();
  if (impl_->reactions) impl_->reactions->stop();
}

}  // namespace weir::event
