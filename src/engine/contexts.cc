#include "engine/contexts.h"

#include "engine/calls.h"
#include "event/payload.h"

namespace weir::engine {
namespace {

struct RefName {
  std::string_view name;  // "main", "v1", "7/merge"
  std::string_view type;  // "branch" or "tag"
};

RefName split_ref(std::string_view ref) {
  if (ref.starts_with("refs/heads/")) return {ref.substr(11), "branch"};
  if (ref.starts_with("refs/tags/")) return {ref.substr(10), "tag"};
  if (ref.starts_with("refs/pull/")) return {ref.substr(10), "branch"};
  return {ref, "branch"};
}

}  // namespace

std::string shown_url(std::string_view server_url) {
  for (const std::string_view loopback : {"http://127.0.0.1:", "http://localhost:", "http://0.0.0.0:"}) {
    if (server_url.starts_with(loopback)) {
      return fmt::format("http://weir.localhost:{}", server_url.substr(loopback.size()));
    }
  }
  return std::string(server_url);
}

json::object github_context(const RunRow& run, std::string_view server_url, std::string_view default_owner) {
  const std::string shown = shown_url(server_url);
  const std::string repository = event::full_repository_name(run.repo, default_owner);
  const std::string owner = repository.substr(0, repository.find('/'));
  const auto number = [](std::string_view name) { return std::to_string(event::number_of_name(name)); };
  const auto ref = split_ref(run.ref);
  return {{"actor", run.actor},
          {"actor_id", number(run.actor)},
          {"triggering_actor", run.triggering_actor},
          {"api_url", fmt::format("{}/api/v3", server_url)},
          {"graphql_url", fmt::format("{}/api/graphql", server_url)},
          {"server_url", shown},
          {"base_ref", run.base_ref},
          {"head_ref", run.head_ref},
          {"event", run.payload},
          {"event_name", run.event},
          {"ref", run.ref},
          {"ref_name", ref.name},
          {"ref_type", ref.type},
          {"ref_protected", false},
          {"repository", repository},
          {"repository_id", number(repository.substr(owner.size() + 1))},
          {"repository_owner", owner},
          {"repository_owner_id", number(owner)},
          {"repositoryUrl", fmt::format("{}/{}.git", shown, repository)},
          {"retention_days", "30"},
          {"run_id", fmt::format("{}", run.id)},
          {"run_number", fmt::format("{}", run.number)},
          {"run_attempt", fmt::format("{}", run.attempt)},
          {"secret_source", "Actions"},
          {"sha", run.commit},
          {"workflow", run.workflow},
          {"workflow_ref", fmt::format("{}/{}@{}", repository, run.path, run.ref)},
          {"workflow_sha", run.commit}};
}

json::object job_context(const RunRow& run, const CalledFile& file, std::string_view repository) {
  std::string home(repository);
  std::string path = run.path;
  std::string ref = run.ref;
  if (!file.location.empty()) {
    if (const auto target = parse_location(file.location)) {
      path = target->path;
      if (!target->repository.empty()) home = target->repository;
      if (!target->ref.empty()) ref = target->ref;
    }
  }
  return {{"status", "success"},
          {"workflow_ref", fmt::format("{}/{}@{}", home, path, ref)},
          {"workflow_sha", file.location.empty() ? run.commit : file.commit},
          {"workflow_repository", home},
          {"workflow_file_path", path}};
}

}  // namespace weir::engine
