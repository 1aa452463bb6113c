#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "access/access.h"
#include "access/config_store.h"
#include "engine/engine.h"
#include "event/triggers.h"
#include "io/git.h"

namespace weir::app {

// Who may move which refs of a repository.
//
// People by their roles: whoever may propose pushes to refs/for/BRANCH, developers to branches, approvers to the
// default branch, from which weir.yaml applies, and to those that it guards by checks or reviews.
//
// Jobs by `permissions: contents: write` of their workflow, to the repository that holds it; to the default branch only
// if their run plays a commit of that very branch (what runs there was let in by those who may) and weir.yaml asks for
// neither checks nor reviews of it. They change neither workflow files nor weir.yaml, see event/job_push.h.
class PushRules {
 public:
  struct Parts {
    access::Access& access;
    const access::ConfigStore& config;
    engine::Engine& engine;
    std::function<Result<io::Git>(const std::string& repo)> git;
  };

  explicit PushRules(Parts parts) : parts_(std::move(parts)) {}

  // Which refs. Any thread; blocks.
  Result<void> authorize(const types::Identity& identity, std::string_view repo,
                         std::span<const event::RefUpdate> updates) const;
  // What a job would make them hold; nothing for people. `git`: with the objects.
  Result<void> examine(const types::Identity& identity, const std::string& repo,
                       std::span<const event::RefUpdate> updates, const io::Git& git) const;
  // What whoever has pushed should know, for people; "" for nothing.
  std::string remark(const std::string& repo) const;

 private:
  Result<void> authorize_default(const types::Identity& identity, const std::string& repo,
                                 const event::RefUpdate& update) const;
  Result<void> authorize_guarded(const types::Identity& identity, const std::string& repo,
                                 const event::RefUpdate& update) const;
  Result<engine::Run> run_of(const types::Identity& identity) const;

  Parts parts_;
};

}  // namespace weir::app
