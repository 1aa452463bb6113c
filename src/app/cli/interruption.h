#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "io/descriptor.h"

namespace weir::app {

// SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal is gone), heard in a thread of its own: the first one asks what is
// under way to end, the second to end at once, and that again until it has; one after those ends this process. A signal
// that whoever started this process had ignored (nohup) stays so.
class Interruption {
 public:
  // `force`: at once. Called in the thread of the signals, never twice at a time.
  using Action = std::function<void(bool force)>;

  // Make it before any other thread starts: they inherit that the signals are not theirs.
  static Result<std::unique_ptr<Interruption>> watch();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  // The first signal that came; 0: none.
  [[nodiscard]] int signal() const;

  // While the handle lives, `action` answers signals; dropping it waits for a call that is under way. Without an action
  // the first signal is only remembered, and the second ends this process.
  [[nodiscard]] std::shared_ptr<void> during(Action action);

 private:
  Interruption(io::Descriptor signals, io::Descriptor wake);
  void listen();
  void heard(int number);
  bool act(bool force);  // false: there is nothing to ask

  io::Descriptor signals_;
  io::Descriptor wake_;
  mutable std::mutex mutex_;  // of the members below
  int first_ = 0;
  int count_ = 0;
  std::mutex acting_;  // held during a call; of action_
  Action action_;
  std::thread thread_;
};

}  // namespace weir::app
