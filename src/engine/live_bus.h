#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/engine.h"

namespace weir::engine {

// Hands live updates to whoever listens. Any thread subscribes; updates are published on one.
class LiveBus {
 public:
  using Listener = std::function<void(const LiveUpdate&)>;

  [[nodiscard]] std::shared_ptr<void> subscribe(Listener listener) {
    auto shared = std::make_shared<Listener>(std::move(listener));
    const std::scoped_lock lock(mutex_);
    listeners_.push_back(shared);
    return shared;
  }

  [[nodiscard]] bool heard() {
    const std::scoped_lock lock(mutex_);
    std::erase_if(listeners_, [](const auto& listener) { return listener.expired(); });
    return !listeners_.empty();
  }

  void publish(const LiveUpdate& update) {
    std::vector<std::shared_ptr<Listener>> listeners;
    {
      const std::scoped_lock lock(mutex_);
      for (const auto& weak : listeners_) {
        if (auto listener = weak.lock()) listeners.push_back(std::move(listener));
      }
    }
    for (const auto& listener : listeners) (*listener)(update);
  }

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<Listener>> listeners_;
};

}  // namespace weir::engine
