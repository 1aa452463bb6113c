#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/weir/routes.h"
#include "engine/engine.h"
#include "io/http.h"
#include "store/database.h"

namespace weir::api {

// Sends what happens to everybody who watches (GET /api/v1/events/stream): "event" for rows of the event log, with
// their sequence as id, and "live" for what is not durable (steps and logs that move). Any thread; never blocks.
class LiveFeed {
 public:
  LiveFeed(store::Database& db, engine::Engine& engine);

  void add(std::shared_ptr<io::EventStream> stream);
  // Ends all streams, for an orderly stop.
  void close();

 private:
  void broadcast(std::string_view kind, std::string_view data, std::string_view id);

  std::mutex mutex_;
  bool closed_ = false;
  std::vector<std::shared_ptr<io::EventStream>> streams_;
  store::Database::Subscription events_;
  engine::Engine::Subscription updates_;
};

// GET /api/v1/events/stream. The feed outlives the router.
void add_live_route(RouteTable& table, LiveFeed* feed);

}  // namespace weir::api
