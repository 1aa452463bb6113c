#include "app/followed.h"

#include <algorithm>

#include "api/github/forward.h"

namespace weir::app {
namespace {

event::MirrorDeps mirror_deps(const FollowedRepositories::Parts& parts) {
  return {.db = &parts.db,
          .clock = &parts.clock,
          .log = &parts.log,
          .triggers = &parts.triggers,
          .git = parts.make_git,
          .secret = parts.secret,
          .moved = parts.moved};
}

}  // namespace

FollowedRepositories::FollowedRepositories(Parts parts)
    : parts_(std::move(parts)),
      mirrors_(mirror_deps(parts_)),
      pulls_(mirror_deps(parts_), [this] { return mirrors_.list(); }),
      statuses_({.db = &parts_.db,
                 .clock = &parts_.clock,
                 .log = &parts_.log,
                 .place = [this](const std::string& repo) -> std::optional<event::StatusPlace> {
                   if (auto found = upstream(repo)) {
                     return event::StatusPlace{std::move(found->url), std::move(found->token)};
                   }
                   return gitlab(repo);
                 },
                 .run = [this](std::int64_t run) { return status_of(run); },
                 .server_url = parts_.public_url}) {}

// What the repository follows, the address of the API that `variable` names, and the token that `secret` holds; nothing
// if one of them is not there.
struct FollowedRepositories::Followed {
  std::string url;
  std::string api;
  std::string token;
};

std::optional<FollowedRepositories::Followed> FollowedRepositories::followed(const std::string& repo,
                                                                             const std::string& secret,
                                                                             const std::string& variable,
                                                                             const std::string& usual_api) {
  auto token = parts_.secret(secret);
  if (!token) return std::nullopt;
  const auto variables = parts_.variables();
  const auto mirrors = mirrors_.list();
  if (!variables || !mirrors) return std::nullopt;
  const auto mirror = std::ranges::find(*mirrors, repo, &event::Mirror::repo);
  if (mirror == mirrors->end()) return std::nullopt;
  const auto named = variables->find(variable);
  return Followed{mirror->url, named == variables->end() ? usual_api : named->second, *std::move(token)};
}

std::optional<api::github::Upstream> FollowedRepositories::upstream(const std::string& repo) {
  const auto found = followed(repo, "FORWARD_GITHUB_TOKEN", "FORWARD_GITHUB_API", "https://api.github.com");
  if (!found) return std::nullopt;
  const auto url = api::github::upstream_of(found->url, found->api);
  if (url.empty()) return std::nullopt;
  return api::github::Upstream{url, found->token};
}

std::optional<event::StatusPlace> FollowedRepositories::gitlab(const std::string& repo) {
  const auto found = followed(repo, "FORWARD_GITLAB_TOKEN", "FORWARD_GITLAB_API", "https://gitlab.com/api/v4");
  if (!found) return std::nullopt;
  const auto url = event::gitlab_project(found->url, found->api);
  if (url.empty()) return std::nullopt;
  return event::StatusPlace{url, found->token, event::StatusPlace::Kind::kGitlab};
}

Result<event::RunStatus> FollowedRepositories::status_of(std::int64_t run) {
  const auto found = WEIR_TRY(parts_.engine.run(run));
  event::RunStatus status{
      .repo = found.repo, .commit = found.head_sha, .workflow = found.workflow, .event = found.event};
  if (!found.conclusion) return status;
  status.conclusion = types::conclusion_name(*found.conclusion);
  status.took = found.completed_at.value_or(found.created_at) - found.started_at.value_or(found.created_at);
  for (const auto& job : WEIR_TRY(parts_.engine.jobs(run, 0, engine::JobParts::kOutline))) {
    if (job.conclusion == types::Conclusion::kFailure || job.conclusion == types::Conclusion::kTimedOut) {
      status.failed_jobs.push_back(job.name);
    }
  }
  return status;
}

Result<void> FollowedRepositories::start() {
  mirrors_.start();
  pulls_.start();
  return statuses_.start();
}

void FollowedRepositories::stop() {
  statuses_.stop();
  pulls_.stop();
  mirrors_.stop();
}

}  // namespace weir::app
