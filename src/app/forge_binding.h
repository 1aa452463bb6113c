#pragma once

#include <functional>
#include <string>
#include <vector>

#include "access/access.h"
#include "access/config_store.h"
#include "engine/engine.h"
#include "forge/attachments.h"
#include "forge/checks.h"
#include "forge/deployments.h"
#include "forge/issues.h"
#include "forge/job_deployments.h"
#include "forge/labels.h"
#include "forge/pulls.h"
#include "forge/reactions.h"
#include "forge/releases.h"

namespace weir::app {

// Issues, pull requests and checks of the server's repositories. Pointers outlive it.
class Forge {
 public:
  struct Parts {
    store::Database& db;
    const Clock& clock;
    Log& log;
    event::Triggers& triggers;
    engine::Engine& engine;
    access::ConfigStore& config;
    store::BlobStore& attachments;
    Loop& loop;  // deployments of jobs are written here
    std::function<Result<io::Git>(const std::string& repo)> git;
    std::function<std::string()> server_url;
    access::Access& access;
  };
  explicit Forge(Parts parts);

  [[nodiscard]] forge::Issues& issues() { return issues_; }
  [[nodiscard]] forge::Pulls& pulls() { return pulls_; }
  [[nodiscard]] forge::Checks& checks() { return checks_; }
  [[nodiscard]] forge::Releases& releases() { return releases_; }
  [[nodiscard]] forge::Deployments& deployments() { return deployments_; }
  [[nodiscard]] forge::Labels& labels() { return labels_; }
  [[nodiscard]] forge::Reactions& reactions() { return reactions_; }
  [[nodiscard]] forge::Attachments& attachments() { return attachments_; }

  // Jobs that enter an environment deploy to it from now on; what they did since the server last ran is taken up.
  Result<void> start() { return job_deployments_->start(); }
  void stop() { job_deployments_->stop(); }

  // What a commit was checked by: its jobs, check runs and statuses, of two of a name the newer last.
  Result<std::vector<forge::CheckState>> states_of(const std::string& repo, const std::string& commit);

  // What a push brought: pull requests follow their branches; refs/for/BRANCH opens one, or brings the one that its
  // author has open there up to date. `foreign`: by somebody who may not push.
  Result<void> pushed(const std::string& repo, const std::vector<event::RefUpdate>& updates,
                      const types::Identity& identity, bool foreign);

 private:
  Result<std::vector<types::Role>> roles_of(const std::string& name);
  Result<std::optional<forge::JobFacts>> facts_of(std::int64_t job);
  Result<event::RefUpdate> take_proposal(const std::string& repo, const event::RefUpdate& update,
                                         const types::Identity& identity, bool foreign, std::string& base);

  Parts parts_;
  forge::Standing standing_;
  forge::Issues issues_;
  forge::Checks checks_;
  forge::Releases releases_;
  forge::Deployments deployments_;
  std::shared_ptr<forge::JobDeployments> job_deployments_;
  forge::Labels labels_;
  forge::Reactions reactions_;
  forge::Attachments attachments_;
  forge::Pulls pulls_;
};

}  // namespace weir::app
