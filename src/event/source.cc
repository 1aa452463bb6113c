#include "event/source.h"

namespace weir::event {

Result<Source> open_source(const TriggerDeps& deps, const std::string& repo) {
  auto git = WEIR_TRY(deps.git(repo));
  // A detached HEAD (a work tree in the middle of something) has no default branch of its own.
  auto default_ref = git.head_ref().value_or("refs/heads/main");
  return Source{.repo = repo, .git = std::move(git), .default_ref = std::move(default_ref)};
}

PayloadFacts facts_of(const TriggerDeps& deps, const Source& source, const std::string& sender) {
  return {.repository = full_repository_name(source.repo, deps.default_owner),
          .default_branch = short_ref(source.default_ref),
          .server_url = deps.server_url ? deps.server_url() : std::string(),
          .sender = sender};
}

std::string short_ref(std::string_view ref) {
  for (const std::string_view prefix : {"refs/heads/", "refs/tags/", "refs/pull/"}) {
    if (ref.starts_with(prefix)) return std::string(ref.substr(prefix.size()));
  }
  // What somebody proposes has its name with "changes/", wherever it is kept.
  if (ref.starts_with("refs/changes/")) return std::string(ref.substr(std::string_view("refs/").size()));
  return std::string(ref);
}

std::string title_of(const io::GitCommit& commit) {
  auto line = commit.message.substr(0, commit.message.find('\n'));
  return line.empty() ? commit.sha.substr(0, 12) : line;
}

RunRequest request_for(const Source& source, const WorkflowFile& file, std::string_view commit, std::string_view ref,
                       const std::string& actor) {
  RunRequest request;
  request.repo = source.repo;
  request.workflow_path = file.path;
  request.workflow_text = file.text;
  request.workflow = file.workflow;
  request.problem = file.problem;
  request.commit = commit;
  request.ref = ref;
  request.actor = actor;
  return request;
}

Result<std::vector<std::int64_t>> start_runs(const TriggerDeps& deps, std::vector<RunRequest> requests,
                                             std::function<Result<std::int64_t>(store::Transaction&)> before) {
  std::vector<PreparedRun> prepared;
  prepared.reserve(requests.size());
  for (auto& request : requests) prepared.push_back(WEIR_TRY(deps.starter->prepare(std::move(request))));
  return deps.db->write_with<std::vector<std::int64_t>>(
      [&](store::Transaction& tx) -> Result<std::vector<std::int64_t>> {
        const auto cause = WEIR_TRY(before(tx));
        std::vector<std::int64_t> runs;
        for (auto& run : prepared) {
          if (cause != 0) run.request.cause = cause;
          runs.push_back(WEIR_TRY(deps.starter->insert(tx, run)));
        }
        return runs;
      });
}

}  // namespace weir::event
