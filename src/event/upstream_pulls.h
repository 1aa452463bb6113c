#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "event/mirrors.h"

namespace weir::event {

// What a forge tells of a pull request of a repository that is followed.
struct UpstreamPull {
  std::string repo;   // here: "flights"
  std::string forge;  // "github": its runs are made in this name
  std::string event;  // in GitHub's words: "pull_request", "pull_request_review", "pull_request_review_comment"
  std::string action;
  std::int64_t number = 0;
  std::string title;
  std::string fetch_ref;  // where the forge keeps its newest commit: "refs/pull/7/head"
  std::string head_ref;   // short: "better"
  std::string base_ref;   // short: "main"
  std::string head_sha;   // the newest commit when it was told
  std::string sender;     // who did it, by the forge's name
  bool is_foreign = true;
  json::object payload;  // as GitHub's: github.event
};

json::object to_json(const UpstreamPull& pull);
Result<UpstreamPull> upstream_pull_from_json(const json::value& value);

// Pull requests of the forges that repositories follow: fetches their commits, makes the merge commits, and starts what
// listens to them, on a thread of its own. What was queued is done in its order for each repository, also after a
// crash; where the forge cannot be reached, for about a day. Functions may be called from any thread.
class UpstreamPulls {
 public:
  UpstreamPulls(MirrorDeps deps, std::function<Result<std::vector<Mirror>>()> mirrors);
  ~UpstreamPulls();

  void start();
  void stop();  // waits for a fetch that is under way, which is ended

  // Queues it in the caller's transaction; call wake() once that has been committed.
  static Result<void> queue(store::Transaction& tx, const UpstreamPull& pull);
  void wake();

 private:
  struct Queued {
    std::int64_t id = 0;
    UpstreamPull pull;
    std::int64_t attempts = 0;
    TimePoint next;
  };

  void work(const std::stop_token& stop);
  Result<std::vector<Queued>> first_of_each_repository();
  void take(const Queued& queued);
  Result<void> run(const Queued& queued);

  MirrorDeps deps_;
  std::function<Result<std::vector<Mirror>>()> mirrors_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool woken_ = false;
  std::jthread thread_;
};

}  // namespace weir::event
