#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "event/triggers.h"

namespace weir::event {

// A repository that follows another one, of a forge for instance.
struct Mirror {
  std::string repo;
  std::string url;           // https://, http://, ssh://, git@host:path or file://
  Duration every{0};         // 0: only when asked
  std::string token_secret;  // name of the secret that holds the token to fetch with; "": none
  std::optional<TimePoint> fetched_at;
  std::string problem;  // of the last time; "" if all went well
};

// An address to show: with *** in place of a user and password, which older versions took.
std::string without_secret(std::string_view url);

struct MirrorDeps {
  store::Database* db = nullptr;
  const Clock* clock = nullptr;
  Log* log = nullptr;
  Triggers* triggers = nullptr;
  std::function<Result<io::Git>(const std::string& repo)> git;  // makes the repository if it is not there
  std::function<Result<std::string>(const std::string& name)> secret;
  // Branches moved: after the triggers heard of it.
  std::function<Result<void>(const std::string& repo, const std::vector<RefUpdate>& updates,
                             const types::Identity& identity)>
      moved;
};

// Fetches what repositories follow, on a thread of its own, and fires what came as pushes. A branch moves with the one
// that it follows as long as nobody else moved it: one with commits of its own stays, and the mirror says so. Functions
// may be called from any thread.
class Mirrors {
 public:
  explicit Mirrors(MirrorDeps deps);
  ~Mirrors();

  void start();
  void stop();  // waits for a fetch that is under way, which is ended

  // Adds or changes one, and fetches it soon. kInvalidArgument for an address that git would take for something else,
  // or that holds a password: it would stand in lists and in the log.
  Result<void> set(const Mirror& mirror, const types::Identity& identity);
  Result<void> remove(const std::string& repo, const types::Identity& identity);
  Result<std::vector<Mirror>> list();
  // Asks for a fetch soon; kNotFound if the repository follows none.
  Result<void> fetch_soon(const std::string& repo);

 private:
  void work(const std::stop_token& stop);
  [[nodiscard]] std::optional<Mirror> next_due(const std::stop_token& stop);
  Result<void> fetch(const Mirror& mirror);
  void note(const std::string& repo, const Result<void>& result);

  MirrorDeps deps_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::set<std::string> asked_;
  std::jthread thread_;
};

}  // namespace weir::event
