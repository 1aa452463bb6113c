#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace weir {

// Tells a value to whoever listens. Any thread may subscribe; publish on one at a time, so that all hear the same
// order.
template <class Value>
class Broadcast {
 public:
  using Listener = std::function<void(const Value&)>;

  // The listener is called on the publisher's thread while the handle lives. Whoever drops the handle waits for a call
  // that is under way, so what the listener uses may go next: drop it without a lock that the listener takes. A
  // listener may drop its own.
  [[nodiscard]] std::shared_ptr<void> subscribe(Listener listener) {
    auto entry = std::make_shared<Entry>();
    entry->listener = std::move(listener);
    const std::scoped_lock lock(mutex_);
    entries_.push_back(entry);
    return std::make_shared<Handle>(std::move(entry));
  }

  // Whether anybody listens: spares making a value that nobody hears.
  [[nodiscard]] bool heard() {
    const std::scoped_lock lock(mutex_);
    std::erase_if(entries_, [](const auto& entry) { return entry.expired(); });
    return !entries_.empty();
  }

  void publish(const Value& value) {
    std::vector<std::shared_ptr<Entry>> entries;
    {
      const std::scoped_lock lock(mutex_);
      std::erase_if(entries_, [](const auto& entry) { return entry.expired(); });
      for (const auto& weak : entries_) {
        if (auto entry = weak.lock()) entries.push_back(std::move(entry));
      }
    }
    for (const auto& entry : entries) {
      const std::scoped_lock calling(entry->calling);
      if (!entry->dropped) entry->listener(value);
    }
  }

 private:
  struct Entry {
    std::recursive_mutex calling;  // held while the listener runs, which may drop its own handle
    bool dropped = false;
    Listener listener;
  };
  struct Handle {
    explicit Handle(std::shared_ptr<Entry> the_entry) : entry(std::move(the_entry)) {}
    ~Handle() {
      const std::scoped_lock calling(entry->calling);
      entry->dropped = true;
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    std::shared_ptr<Entry> entry;
  };

  std::mutex mutex_;
  std::vector<std::weak_ptr<Entry>> entries_;
};

}  // namespace weir
