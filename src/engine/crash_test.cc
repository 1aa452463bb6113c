#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "engine/engine.h"
#include "engine/local_executor.h"
#include "engine/test_tables.h"
#include "io/file.h"
#include "io/process.h"
#include "io/test_folder.h"
#include "store/sqlite/sqlite_database.h"

// A server process is killed with SIGKILL at fifty points of a pipeline of small jobs, and another one takes over.
namespace weir::engine {
namespace {

namespace fs = std::filesystem;

// Each job leaves a line in ran.txt: two lines of one job would show that it ran twice.
constexpr const char* kRunner = R"(#!/bin/sh
cd "$1"
cat > /dev/null
echo "{\"seq\":1,\"t\":1,\"type\":\"job_started\",\"pid\":$$}" >> journal.jsonl
echo "${1##*/}" >> ../../ran.txt
echo "0 1 o line" >> log.txt
echo '{"seq":2,"t":2,"type":"job_finished","conclusion":"success","outputs":{"n":"[1,2]"}}' >> journal.jsonl
)";

constexpr const char* kWorkflow = R"(
on: push
jobs:
  a: {runs-on: ubuntu-latest, outputs: {n: x}, steps: [{run: "true"}]}
  b: {runs-on: ubuntu-latest, needs: a, strategy: {matrix: {n: "${{ fromJSON(needs.a.outputs.n) }}"}}, steps: [{run: "true"}]}
  c: {runs-on: ubuntu-latest, needs: b, steps: [{run: "true"}]}
)";

class Server {
 public:
  explicit Server(const fs::path& root)
      : log_(clock_, 2, LogLevel::kError),
        db_(store::open_sqlite(root / "weir.db", test_tables(), clock_, log_).value()),
        executor_(loop_, log_, {.runner = root / "runner"}),
        engine_({.db = db_.get(),
                 .loop = &loop_,
                 .clock = &clock_,
                 .log = &log_,
                 .executor = &executor_,
                 .jobs_dir = root / "jobs",
                 .git = [root](const std::string&) -> Result<io::Git> { return io::Git(root / "repo.git"); },
                 .pools = [](const std::string&) { return std::vector{local_pool(2)}; }}) {
    EXPECT_TRUE(engine_.start().has_value());
  }
  ~Server() {
    engine_.stop();
    loop_.stop();
    db_->stop();
  }
  Engine& engine() { return engine_; }
  store::Database& db() { return *db_; }

 private:
  SystemClock clock_;
  Log log_;
  std::unique_ptr<store::Database> db_;
  io::ThreadLoop loop_;
  LocalExecutor executor_;
  Engine engine_;
};

// The life of a server in a process of its own: makes a run if there is none, and ends when all have completed.
[[noreturn]] void serve(const fs::path& root, const std::string& commit) {
  Server server(root);
  if (server.engine().runs({}).value().empty()) {
    const auto run = server.engine().create_run({.repo = "r",
                                                 .workflow_path = ".github/workflows/x.yml",
                                                 .workflow_text = kWorkflow,
                                                 .commit = commit,
                                                 .ref = "refs/heads/main",
                                                 .event_name = "push",
                                                 .actor = "alice"});
    if (!run) ::_exit(1);
    std::ofstream(root / "acknowledged") << *run;
  }
  while (!server.engine().idle()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  ::_exit(0);
}

pid_t start_server(const fs::path& root, const std::string& commit) {
  const pid_t pid = ::fork();
  if (pid == 0) serve(root, commit);
  return pid;
}

// 0 if the process ended by itself and well.
int wait_for(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

class CrashTest : public testing::Test {
 protected:
  CrashTest() {
    auto out =
        io::run_checked({.argv = {"/bin/sh", "-ec",
                                  "git init -q --bare repo.git && git init -q w && cd w && git -c user.name=a -c "
                                  "user.email=a@b commit -q --allow-empty -m x && git push -q ../repo.git "
                                  "HEAD:refs/heads/main && git rev-parse HEAD"},
                         .working_dir = template_});
    commit_ = out.value().substr(0, 40);
  }
  ~CrashTest() override {}

  fs::path fresh_state(int point) {
    const auto root = template_ / fmt::format("state-{}", point);
    fs::create_directories(root / "jobs");
    fs::copy(template_ / "repo.git", root / "repo.git", fs::copy_options::recursive);
    std::ofstream(root / "runner") << kRunner;
    ::chmod((root / "runner").c_str(), 0755);
    return root;
  }

  static void check(const fs::path& root) {
    Server server(root);
    const auto runs = server.engine().runs({}).value();
    if (fs::exists(root / "acknowledged")) EXPECT_EQ(runs.size(), 1U) << "an acknowledged run is lost";
    for (const auto& run : runs) {
      EXPECT_EQ(run.conclusion, types::Conclusion::kSuccess);
      const auto jobs = server.engine().jobs(run.id).value();
      EXPECT_EQ(jobs.size(), 4U);
      const auto ran = io::read_file(root / "ran.txt").value_or("");
      EXPECT_EQ(std::ranges::count(ran, '\n'), 4) << "jobs that ran: " << ran;
      for (const auto& job : jobs) {
        EXPECT_EQ(job.conclusion, types::Conclusion::kSuccess) << job.error;
        EXPECT_EQ(io::read_file(server.engine().job_dir(job.id).value() / "log.txt").value_or(""), "0 1 o line\n");
      }
    }
    std::string previous;
    const auto events = server.db().load<std::vector<types::Event>>(
        [](store::Reader& reader) { return store::read_events(reader, 0, 1000); });
    for (const auto& event : *events) {
      EXPECT_EQ(event.chain_hash, store::chain_hash(event, previous)) << "event " << event.sequence;
      previous = event.chain_hash;
    }
  }

  io::TestFolder template_;
  std::string commit_;
};

TEST_F(CrashTest, KilledAtFiftyPointsNoRunNoJobAndNoLogLineIsLostAndNoJobRunsTwice) {
  constexpr int kPoints = 50;
  const auto begin = std::chrono::steady_clock::now();
  const auto whole = fresh_state(-1);
  EXPECT_EQ(wait_for(start_server(whole, commit_)), 0);
  check(whole);
  const auto takes = std::chrono::steady_clock::now() - begin;
  for (int point = 0; point < kPoints && !HasFailure(); ++point) {
    SCOPED_TRACE(fmt::format("killed at {}/{} of the pipeline", point, kPoints));
    const auto root = fresh_state(point);
    const auto first = start_server(root, commit_);
    // The pauses choose the points; nothing is awaited by them.
    std::this_thread::sleep_for(takes * point / kPoints);
    ::kill(first, SIGKILL);
    wait_for(first);
    EXPECT_EQ(wait_for(start_server(root, commit_)), 0);
    check(root);
    fs::remove_all(root);
  }
}

}  // namespace
}  // namespace weir::engine
