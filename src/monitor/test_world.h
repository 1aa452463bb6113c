#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/fake_loop.h"
#include "config/parse.h"
#include "io/test_folder.h"
#include "monitor/schema.h"
#include "store/sqlite/sqlite_database.h"

namespace weir::monitor {

// A FakeLoop that other threads may post to: what they posted runs at the next pump().
class PostBox final : public Loop {
 public:
  explicit PostBox(FakeLoop& loop) : loop_(loop) {}
  void post(Task task) override {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
  }
  TimerId after(Duration delay, Task task) override { return loop_.after(delay, std::move(task)); }
  void cancel(TimerId id) override { loop_.cancel(id); }

  // Runs what was posted, and what that posts.
  void pump() {
    for (;;) {
      std::vector<Task> tasks;
      {
        const std::lock_guard lock(mutex_);
        tasks.swap(posted_);
      }
      if (tasks.empty()) return;
      for (Task& task : tasks) loop_.post(std::move(task));
      loop_.run_ready();
    }
  }
  void advance(Duration step) {
    pump();
    loop_.advance(step);
    pump();
  }

 private:
  FakeLoop& loop_;
  std::mutex mutex_;
  std::vector<Task> posted_;
};

// A database in a folder of its own, and a clock that tests move.
class TestWorld {
 public:
  TestWorld() { open(); }
  ~TestWorld() { db_.reset(); }

  // As after a restart.
  void reopen() {
    db_.reset();
    open();
  }

  store::Database& db() { return *db_; }
  Log& log() { return log_; }

  std::vector<types::Event> events(std::string_view type = {}) {
    auto all = db_->load<std::vector<types::Event>>(
                      [](store::Reader& reader) { return store::read_events(reader, 0, 10'000); })
                   .value();
    std::erase_if(all, [&](const types::Event& event) { return !type.empty() && event.type != type; });
    return all;
  }

  std::int64_t number(std::string_view sql) {
    return db_
        ->load<std::int64_t>([&](store::Reader& reader) -> Result<std::int64_t> {
          return WEIR_TRY(reader.integer(sql, {})).value_or(0);
        })
        .value();
  }

  static std::shared_ptr<const config::Config> parse(std::string_view yaml) {
    auto parsed = config::parse_config(yaml, "weir.yaml");
    EXPECT_TRUE(parsed.config.has_value()) << (parsed.diagnostics.empty() ? "" : parsed.diagnostics.front().message);
    return std::make_shared<const config::Config>(parsed.config.value_or(config::Config{}));
  }

  FakeLoop loop;
  PostBox box{loop};

 private:
  void open() {
    auto opened = store::open_sqlite(dir_ / "weir.db", migrations(), loop, log_);
    if (!opened) throw std::runtime_error(opened.error().message);
    db_ = *std::move(opened);
  }

  io::TestFolder dir_;
  Log log_{loop, STDERR_FILENO, LogLevel::kError};
  std::unique_ptr<store::Database> db_;
};

}  // namespace weir::monitor
