#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/github/github.h"
#include "engine/engine.h"
#include "event/mirrors.h"
#include "event/upstream_pulls.h"
#include "event/upstream_statuses.h"

namespace weir::app {

// Repositories that follow one of a forge: what comes from there, and what is told to it.
class FollowedRepositories {
 public:
  struct Parts {
    store::Database& db;
    const Clock& clock;
    Log& log;
    event::Triggers& triggers;
    engine::Engine& engine;
    std::function<Result<io::Git>(const std::string& repo)> make_git;  // makes the repository if it is not there
    std::function<Result<std::string>(const std::string& name)> secret;
    std::function<Result<std::map<std::string, std::string>>()> variables;
    decltype(event::MirrorDeps::moved) moved;
    std::function<std::string()> public_url;  // "" where nobody at the forge could follow a link
  };
  explicit FollowedRepositories(Parts parts);

  [[nodiscard]] event::Mirrors& mirrors() { return mirrors_; }
  [[nodiscard]] event::UpstreamPulls& pulls() { return pulls_; }
  // GitHub's API for a repository, if a token for it is set: it goes to GitHub's own, or to the one that the variable
  // FORWARD_GITHUB_API names, and nowhere else.
  [[nodiscard]] std::optional<api::github::Upstream> upstream(const std::string& repo);

  Result<void> start();
  void stop();  // waits for what is under way, which is ended

 private:
  struct Followed;
  std::optional<Followed> followed(const std::string& repo, const std::string& secret, const std::string& variable,
                                   const std::string& usual_api);
  // GitLab's API, with FORWARD_GITLAB_TOKEN and FORWARD_GITLAB_API as above; only statuses go there.
  std::optional<event::StatusPlace> gitlab(const std::string& repo);
  Result<event::RunStatus> status_of(std::int64_t run);

  Parts parts_;
  event::Mirrors mirrors_;
  event::UpstreamPulls pulls_;
  event::UpstreamStatuses statuses_;
};

}  // namespace weir::app
