#include "engine/cache_access.h"

#include "workflow/event_table.h"

namespace weir::engine {
namespace {

bool may_save_for_all(std::string_view event) {
  const auto* known = workflow::find_event(event);
  return known != nullptr && known->saves_caches;
}

// A run that another one starts is trusted as that one was.
bool is_trusted(const RunRow& run) {
  if (run.event != "workflow_run") return may_save_for_all(run.event);
  const auto* before = run.payload.if_contains("workflow_run");
  return before != nullptr && may_save_for_all(json_string_or(*before, "event", ""));
}

// Whether the run's caches are those of the default branch, or of another one that its pull request asks to change. A
// payload that does not say which is the default branch makes every branch it.
bool has_shared_caches(const RunRow& run) {
  constexpr std::string_view kBranch = "refs/heads/";
  if (!run.ref.starts_with(kBranch)) return false;
  if (run.event == "pull_request_target") return true;
  const auto* repository = run.payload.if_contains("repository");
  const auto main = repository == nullptr ? std::string() : json_string_or(*repository, "default_branch", "");
  return main.empty() || std::string_view(run.ref).substr(kBranch.size()) == main;
}

}  // namespace

types::CacheMode default_cache_mode(const RunRow& run) {
  return has_shared_caches(run) && !is_trusted(run) ? types::CacheMode::kRead : types::CacheMode::kWrite;
}

}  // namespace weir::engine
