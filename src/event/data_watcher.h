#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "event/data_files.h"
#include "event/data_listing.h"
#include "event/file_notices.h"
#include "io/git.h"
#include "store/database.h"

namespace weir::event {

struct DataWatcherDeps {
  store::Database* db = nullptr;
  const Clock* clock = nullptr;
  Log* log = nullptr;
  WatchRoots roots;
  std::filesystem::path listings;  // a folder of the server's own; made if it is not there
  std::function<Result<io::Git>(const std::string& repo)> git;
  std::function<std::map<std::string, std::vector<config::DataWatch>>()> watches;  // of every repository
};

// Watched data as it stands.
struct WatchedData {
  std::string repo;
  config::DataWatch data;
  json::object seen;    // as in the event's `after`; empty before the first look, or if it was never there
  bool looked = false;  // whether what is there now is known, so that changes can be told
  std::string problem;  // why it cannot be looked at; "" if all is well
  std::optional<TimePoint> looked_at;
  std::optional<TimePoint> changing_since;  // it has changed and has yet to settle
  std::optional<TimePoint> changed_at;      // when the last change was told
  std::int64_t event = 0;                   // by this event of the log
  bool noticed = false;                     // the kernel tells of changes at once
};

// Watches data outside the log and tells of complete updates by the event data.changed, which workflows listen to
// (reactions.h). What was seen last is in the database and moves in the transaction that appends the event, so that a
// change is told once, also over a crash; what changes while the server is down is told when it is back. Many changes
// within one quiet interval are one event. What is there at the first look is no change. Data that cannot be looked at
// is told by one event data.unreadable and keeps what was last seen.
//
// Files are looked at on a thread of its own, addresses on another; a big folder holds up neither server nor addresses.
// Any thread may call.
class DataWatcher {
 public:
  explicit DataWatcher(DataWatcherDeps deps);
  ~DataWatcher();

  Result<void> start();
  // Waits for a look that is under way, which is ended.
  void stop();

  // What is watched, by repository and name.
  [[nodiscard]] Result<std::vector<WatchedData>> list();

 private:
  using Steady = std::chrono::steady_clock::time_point;
  struct Item;
  struct Look;
  enum class Lane : std::uint8_t { kFiles, kAddresses };

  void work(Lane lane, const std::stop_token& stop);
  Result<void> reload();
  std::shared_ptr<Item> next_due(Lane lane, const std::stop_token& stop);
  void handle(Item& item, const std::stop_token& stop);
  Result<Look> look(const Item& item, const std::stop_token& stop);
  Result<Look> look_at_folder(const Item& item, const std::stop_token& stop);
  Result<Look> look_at_repository(const Item& item);
  Result<void> compare(Item& item, const Look& look, const std::stop_token& stop);
  Result<void> settle(Item& item, Look look, const std::stop_token& stop);
  Result<void> take_listing(const Item& item, Look& look, const std::stop_token& stop);
  Result<void> tell(Item& item, const Look& look);
  Result<bool> store(Item& item, const Look& look, bool changed);
  Result<void> has_problem(Item& item, const std::string& problem);
  void heard(const types::Event& event);
  [[nodiscard]] std::filesystem::path listing_of(const Item& item, std::string_view digest) const;

  DataWatcherDeps deps_;
  std::mutex mutex_;  // guards what follows and the items
  std::condition_variable_any changed_;
  std::map<std::string, std::shared_ptr<Item>> items_;  // by "<repo>/<name>"
  bool outdated_ = true;                                // the configuration has changed
  store::Database::Subscription subscription_;
  std::unique_ptr<FileNotices> notices_;
  std::jthread files_;
  std::jthread addresses_;
};

}  // namespace weir::event
