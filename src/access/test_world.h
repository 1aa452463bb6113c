#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "access/access.h"
#include "access/schema.h"
#include "base/fake_loop.h"
#include "io/test_folder.h"
#include "store/sqlite/sqlite_database.h"

namespace weir::access {

// A state folder with a database and an Access on a clock that tests move.
class TestWorld {
 public:
  TestWorld() { open_database(); }
  ~TestWorld() {
    access_.reset();
    db_.reset();
  }

  Result<void> open() {
    auto opened = Access::open(*db_, loop, log_, {.keys_dir = keys_dir(), .config = [this] { return config; }});
    if (!opened) return std::unexpected(opened.error());
    access_ = *std::move(opened);
    return {};
  }
  // As after a restart.
  Result<void> reopen() {
    access_.reset();
    db_.reset();
    open_database();
    return open();
  }
  void open_database() {
    auto opened = store::open_sqlite(dir_ / "weir.db", migrations(), loop, log_);
    if (!opened) throw std::runtime_error(opened.error().message);
    db_ = *std::move(opened);
  }

  std::filesystem::path keys_dir() const { return dir_ / "keys"; }
  std::filesystem::path dir() const { return dir_; }
  store::Database& db() { return *db_; }
  Log& log() { return log_; }
  Access& access() { return *access_; }

  std::vector<types::Event> events() {
    return db_->load<std::vector<types::Event>>([](store::Reader& r) { return store::read_events(r, 0, 1000); })
        .value();
  }

  FakeLoop loop;
  std::shared_ptr<const config::Config> config = std::make_shared<config::Config>();

 private:
  io::TestFolder dir_;
  Log log_{loop, STDERR_FILENO, LogLevel::kError};
  std::unique_ptr<store::Database> db_;
  std::unique_ptr<Access> access_;
};

inline types::Identity person(std::string name, types::Role role) {
  return {.name = std::move(name), .role = role};
}

}  // namespace weir::access
