#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "access/config_store.h"
#include "api/weir/routes.h"
#include "base/log.h"
#include "store/database.h"

namespace weir::app {

// What a server tells people: the queue, who sends it, and what the API asks of both.
class Notifications {
 public:
  struct Parts {  // all outlive this
    store::Database& db;
    access::Access& access;
    access::ConfigStore& config;
    const Clock& clock;
    Log& log;
    std::function<std::string()> public_url;  // where people reach this server
  };

  explicit Notifications(const Parts& parts);
  ~Notifications();

  // Goes on with what is queued.
  Result<void> start();
  void stop();

  // Queues a message to the targets of weir.yaml that take it, or to `to` alone.
  Result<void> send(const api::Notice& notice);
  // Queues a message for trying to every target, or to the one of weir.yaml whose `to` is given. Gives their numbers.
  Result<std::vector<std::int64_t>> test(std::string_view to, std::string_view actor);
  // Tries a message again that waits or was given up.
  Result<void> retry(std::int64_t id);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Lets the API's handlers use it; null: messages go to the log alone (`weir run`).
void bind_notifications(api::Services& services, Notifications* notifications, Log& log);

}  // namespace weir::app
