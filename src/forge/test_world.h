#pragma once

#include "event/schema.h"
#include "event/test_world.h"
#include "forge/pulls.h"
#include "forge/schema.h"

// For tests: the tables of pull requests and issues, and triggers that they start runs by.
namespace weir::forge {

class TestWorld : protected event::TestWorld {
 protected:
  TestWorld() : event::TestWorld(tables()), triggers_(std::make_unique<event::Triggers>(trigger_deps())) {}

  static std::vector<store::Migration> tables() {
    std::vector<store::Migration> all(event::migrations().begin(), event::migrations().end());
    all.insert(all.end(), migrations().begin(), migrations().end());
    return all;
  }

  // Pull requests of its repositories, whose base branches ask for nothing.
  PullDeps pull_deps() {
    return {.db = db_.get(), .clock = &loop_, .log = &log_, .triggers = triggers_.get(), .git = git()};
  }

  std::unique_ptr<event::Triggers> triggers_;
};

}  // namespace weir::forge
