#include "app/engine_binding.h"

#include <unistd.h>

#include <filesystem>
#include <thread>

namespace weir::app {
namespace {

engine::ApprovalAnswer answer_of(const access::Approval& approval) {
  engine::ApprovalAnswer answer{.id = approval.id, .comment = approval.comment, .event = approval.event};
  switch (approval.state) {
    case access::ApprovalState::kPending: answer.state = engine::ApprovalState::kPending; break;
    case access::ApprovalState::kGranted: answer.state = engine::ApprovalState::kGranted; break;
    case access::ApprovalState::kExpired: answer.expired = true; [[fallthrough]];
    case access::ApprovalState::kRejected: answer.state = engine::ApprovalState::kRejected; break;
  }
  return answer;
}

// weir.yaml's own pools first, so that `gpu: {slots: 1}` wins over the pool that takes everything.
std::vector<engine::RunnerPool> pools_of(const config::Config& config, const engine::RunnerPool& local) {
  std::vector<engine::RunnerPool> pools;
  pools.reserve(config.runners.size() + 1);
  for (const auto& runner : config.runners) {
    pools.push_back({.name = runner.label,
                     .labels = {runner.label, "self-hosted", "linux", "x64"},
                     .slots = runner.slots,
                     .gpus = runner.gpus,
                     .memory_bytes = runner.memory_bytes,
                     .grace = runner.grace});
  }
  pools.push_back(local);
  return pools;
}

// What this machine has.
engine::RunnerPool this_machine(int slots) {
  auto pool = engine::local_pool(slots);
  const auto pages = ::sysconf(_SC_PHYS_PAGES);
  const auto page_size = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_size > 0) pool.memory_bytes = std::int64_t{pages} * page_size;
  std::error_code ignored;
  while (std::filesystem::exists(fmt::format("/dev/nvidia{}", pool.gpus), ignored)) ++pool.gpus;
  return pool;
}

}  // namespace

engine::EngineDeps engine_deps(const EngineBinding& binding) {
  engine::EngineDeps deps;
  deps.db = &binding.db;
  deps.loop = &binding.loop;
  deps.clock = &binding.clock;
  deps.log = &binding.log;
  deps.executor = &binding.executor;
  deps.jobs_dir = binding.state / "jobs";
  deps.checkouts_dir = (binding.state / "checkouts").string();
  deps.envs_dir = (binding.state / "envs").string();
  deps.tool_dir = (binding.state / "tools").string();
  deps.blobs_dir = (binding.state / "blobs").string();
  deps.exchange_dir = (binding.state / "exchange").string();
  deps.cache_trees_dir = (binding.state / "cache-trees").string();
  deps.containers_dir = (binding.state / "containers").string();
  deps.actions_dir = (binding.state / "actions").string();
  deps.actions_url = binding.actions_url;
  while (deps.actions_url.ends_with('/')) deps.actions_url.pop_back();
  deps.server_url = binding.server_url;
  deps.git = binding.git;
  deps.remote_git = binding.remote_git;
  deps.action_variables = binding.action_variables;

  auto& access = binding.access;
  auto& config = binding.config;
  auto& db = binding.db;
  const int slots = binding.slots > 0 ? binding.slots : static_cast<int>(std::thread::hardware_concurrency());
  deps.pools = [&config, local = this_machine(slots)](const std::string& repo) {
    return pools_of(*config.of(repo), local);
  };
  deps.strict = [&config, strict = binding.strict](const std::string& repo) {
    return strict || config.of(repo)->strict;
  };
  deps.secrets = [&access, &db, &config, extra = binding.extra_secrets](
                     std::int64_t, const std::string& repo,
                     const std::string& environment) -> Result<std::map<std::string, std::string>> {
    const access::Place place{repo, environment, !config.is_guarded_elsewhere(repo, environment)};
    auto secrets = WEIR_TRY((db.load<std::map<std::string, std::string>>(
        [&](store::Reader& reader) { return access.secrets(reader, place); })));
    for (const auto& [name, value] : extra) secrets[name] = value;
    return secrets;
  };
  deps.vars = [&access, &db](const std::string& repo, const std::string& environment) {
    json::object vars;
    const auto values = db.load<std::map<std::string, std::string>>(
        [&](store::Reader& reader) { return access.variables(reader, {repo, environment}); });
    if (values) {
      for (const auto& [name, value] : *values) vars[name] = value;
    }
    return vars;
  };
  deps.request_approval = [&access, &config](store::Transaction& tx,
                                             const engine::ApprovalRequest& request) -> Result<engine::ApprovalAnswer> {
    if (config.of(request.repo)->environment(request.environment) == nullptr) {
      if (const auto problems = config.refusal(request.repo); !problems.empty()) {
        return fail(Code::kFailedPrecondition,
                    "nobody enters the environment {}: the newest weir.yaml of {} is refused, and what it asks for is "
                    "not known. Push one that `weir lint` accepts, then run this job again.\n{}",
                    request.environment, request.repo, problems);
      }
    }
    return answer_of(WEIR_TRY(access.request_approval(tx, {.repository = request.repo,
                                                           .environment = request.environment,
                                                           .subject = request.subject,
                                                           .summary = request.summary,
                                                           .requested_by = request.requested_by,
                                                           .ref = request.ref,
                                                           .cause = request.cause,
                                                           .run_id = request.run,
                                                           .job_id = request.job})));
  };
  deps.approval = [&access](std::int64_t id) -> Result<engine::ApprovalAnswer> {
    return answer_of(WEIR_TRY(access.approval(id)));
  };
  deps.withdraw_approval = [&access](store::Transaction& tx, std::int64_t id, const std::string& why,
                                     std::int64_t cause) { return access.expire(tx, id, why, cause); };
  deps.issue_job_token = [&access](store::Transaction& tx, const types::JobGrant& grant) {
    return access.issue_job_token(tx, grant);
  };
  deps.resume_variables = [&db](std::int64_t run, std::int64_t job) -> Result<std::map<std::string, std::string>> {
    // The experiment run that the job's last turn began goes on: mlflow.start_run() takes its id from here.
    const auto id = WEIR_TRY(db.load<std::optional<std::string>>([&](store::Reader& reader) {
      return reader.first<std::string>(
          "SELECT id FROM track_runs WHERE workflow_run = ? AND job = ? AND deleted = 0 ORDER BY start_ms DESC LIMIT 1",
          {run, job}, [](const store::Row& row) { return row.string(0); });
    }));
    std::map<std::string, std::string> variables;
    if (id) variables["MLFLOW_RUN_ID"] = *id;
    return variables;
  };
  deps.revoke_job_token = [&access](store::Transaction& tx, std::int64_t job) {
    return access.revoke_job_token(tx, job);
  };
  return deps;
}

}  // namespace weir::app
