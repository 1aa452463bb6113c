#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace weir::event {

// Lets those who work on the same thing do so one after the other, first come, first served; those who work on
// different things do not wait for each other. Any thread. It must outlive its turns.
class Turns {
  struct Line {
    std::uint64_t last = 0;  // the number that was given out last
    std::uint64_t now = 1;   // whose turn it is
  };

 public:
  class Turn {
   public:
    Turn(Turns& turns, std::map<std::string, Line>::iterator line) : turns_(turns), line_(line) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      const std::scoped_lock lock(turns_.mutex_);
      if (line_->second.now++ == line_->second.last) turns_.lines_.erase(line_);
      turns_.changed_.notify_all();
    }

   private:
    Turns& turns_;
    std::map<std::string, Line>::iterator line_;
  };

  // Waits for its turn, which lasts as long as the result.
  [[nodiscard]] Turn take(const std::string& thing) {
    std::unique_lock lock(mutex_);
    const auto line = lines_.try_emplace(thing).first;
    const auto number = ++line->second.last;
    changed_.wait(lock, [&] { return line->second.now == number; });
    return {*this, line};
  }

  // How many work on it or wait to.
  [[nodiscard]] std::uint64_t standing(const std::string& thing) {
    const std::scoped_lock lock(mutex_);
    const auto line = lines_.find(thing);
    return line == lines_.end() ? 0 : line->second.last + 1 - line->second.now;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Line> lines_;
};

}  // namespace weir::event
