#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/fake_loop.h"
#include "event/payload.h"
#include "event/triggers.h"
#include "io/file.h"
#include "io/process.h"
#include "io/test_folder.h"
#include "store/sqlite/sqlite_database.h"

// For tests of what starts runs.
namespace weir::event {

// Keeps what it is asked to start; a run's id counts from 1.
class KeepingStarter final : public RunStarter {
 public:
  Result<PreparedRun> prepare(RunRequest request) override { return PreparedRun{.request = std::move(request)}; }
  Result<std::int64_t> insert(store::Transaction& tx, const PreparedRun& run) override {
    const auto id = WEIR_TRY(tx.next_id("run"));
    if (fails_next) {
      fails_next = false;
      return fail(Code::kResourceExhausted, "no room on the disk");
    }
    runs.push_back(run.request);
    return id;
  }
  std::vector<RunRequest> runs;
  bool fails_next = false;
};

// A database, a loop that the test moves, and bare repositories in a folder. Fixtures derive from it.
class TestWorld {
 protected:
  explicit TestWorld(std::span<const store::Migration> tables)
      : db_(store::open_sqlite(root_ / "weir.db", tables, loop_, log_).value()) {}
  ~TestWorld() {
    db_->stop();
    ::close(null_file_);
  }

  // A bare repository "flights" and a work tree, "work", that is pushed to it.
  void make_repository() {
    EXPECT_TRUE(io::Git::init_bare(root_ / "flights.git").has_value());
    shell(
        "git init -q -b main work && cd work && git remote add origin ../flights.git && git config user.name alice && "
        "git config user.email alice@example.com");
  }
  std::function<Result<io::Git>(const std::string&)> git() {
    return [this](const std::string& repo) -> Result<io::Git> { return io::Git(root_ / (repo + ".git")); };
  }
  // Triggers that start nothing before a repository is there.
  TriggerDeps trigger_deps() {
    return {.db = db_.get(), .clock = &loop_, .log = &log_, .loop = &loop_, .starter = &starter_, .git = git()};
  }

  std::string shell(const std::string& command) {
    auto out = io::run_checked({.argv = {"/bin/sh", "-ec", command}, .working_dir = root_});
    if (!out) {
      ADD_FAILURE() << out.error().message;
      return {};
    }
    while (out->ends_with('\n')) out->pop_back();
    return *out;
  }
  void write(const std::string& path, const std::string& text) { root_.write("work/" + path, text); }
  // Commits everything and moves the ref of the bare repository, as git receive-pack does.
  RefUpdate push(const std::string& ref = "refs/heads/main", const std::string& message = "Change things") {
    shell("cd work && git add -A && git commit -q --allow-empty -m '" + message + "'");
    const auto before = shell("git --git-dir=flights.git rev-parse -q --verify " + ref + " || true");
    shell("cd work && git push -q --force origin HEAD:" + ref);
    return {ref, before.empty() ? std::string(kNoObject) : before, shell("git --git-dir=flights.git rev-parse " + ref)};
  }

  FakeLoop loop_;
  int null_file_ = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  Log log_{loop_, null_file_, LogLevel::kError};
  io::TestFolder root_;
  std::unique_ptr<store::Database> db_;
  KeepingStarter starter_;
};

}  // namespace weir::event
