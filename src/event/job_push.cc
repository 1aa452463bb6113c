#include "event/job_push.h"

#include <algorithm>
#include <vector>

#include "event/source.h"

namespace weir::event {
namespace {

constexpr std::string_view kConfigFile = "weir.yaml";

bool is_zero(std::string_view id) {
  return id.find_first_not_of('0') == std::string_view::npos;
}

// The id of what is there; "" if nothing is, or the commit is none.
Result<std::string> object_at(const io::Git& git, const std::string& commit, std::string_view path) {
  if (is_zero(commit)) return std::string();
  return WEIR_TRY(git.object_at(commit, path)).value_or("");
}

Result<void> check_default_branch(const JobPush& push, const RefUpdate& update) {
  if (!is_zero(update.before) && !WEIR_TRY(push.git.is_ancestor(update.before, update.after))) {
    return fail(
        Code::kPermissionDenied,
        "Resource not accessible by integration: {} has commits that the push would leave out; a job may add to "
        "it, not rewrite it: fetch it first, and put the job's commits onto it",
        short_ref(update.ref));
  }
  for (const auto path : {kWorkflowFolder, kConfigFile}) {
    if (WEIR_TRY(object_at(push.git, update.after, path)) == WEIR_TRY(object_at(push.git, update.before, path)))
      continue;
    return fail(Code::kPermissionDenied,
                "Resource not accessible by integration: a job may not change {} on {}, which decides what later runs "
                "may do; open a pull request, or let a person push it",
                path, short_ref(update.ref));
  }
  return {};
}

Result<void> check_other_ref(const JobPush& push, const RefUpdate& update) {
  const auto files = WEIR_TRY(object_at(push.git, update.after, kWorkflowFolder));
  if (files.empty()) return {};
  for (const auto& known : {update.before, push.default_commit, push.job_commit}) {
    if (files == WEIR_TRY(object_at(push.git, known, kWorkflowFolder))) return {};
  }
  const auto commit = WEIR_TRY(push.git.resolve(update.after));
  if (!push.default_commit.empty() && WEIR_TRY(push.git.is_ancestor(commit, push.default_commit))) return {};
  return fail(
      Code::kPermissionDenied,
      "Resource not accessible by integration: a job may not change workflow files, and {} would hold others in "
      "{} than before; let a person push them",
      short_ref(update.ref), kWorkflowFolder);
}

}  // namespace

Result<void> check_job_push(const JobPush& push, std::span<const RefUpdate> updates) {
  for (const auto& update : updates) {
    if (is_zero(update.after)) continue;
    WEIR_TRY(update.ref == push.default_ref ? check_default_branch(push, update) : check_other_ref(push, update));
  }
  return {};
}

}  // namespace weir::event
