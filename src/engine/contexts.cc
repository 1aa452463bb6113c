#include "engine/contexts.h"

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

json::object github_context(const RunRow& run, std::string_view server_url, std::string_view default_owner) {
  const std::string repository = event::full_repository_name(run.repo, default_owner);
  const auto ref = split_ref(run.ref);
  return {{"actor", run.actor},
          {"triggering_actor", run.triggering_actor},
          {"api_url", fmt::format("{}/api/v3", server_url)},
          {"graphql_url", fmt::format("{}/api/graphql", server_url)},
          {"server_url", server_url},
          {"base_ref", run.base_ref},
          {"head_ref", run.head_ref},
          {"event", run.payload},
          {"event_name", run.event},
          {"ref", run.ref},
          {"ref_name", ref.name},
          {"ref_type", ref.type},
          {"ref_protected", false},
          {"repository", repository},
          {"repository_owner", repository.substr(0, repository.find('/'))},
          {"repositoryUrl", fmt::format("{}/{}.git", server_url, repository)},
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

}  // namespace weir::engine
