#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "engine/fake_world.h"
#include "engine/rows.h"
#include "engine/test_tables.h"
#include "io/test_folder.h"
#include "workflow/workflow.h"

// Who owns what between the engine's memory and its database: writes outlive the engine, and what is told is durable.
namespace weir::engine {
namespace {

using fake::FakeExecutor;
using fake::Fuse;
using fake::JobScript;
using fake::Machine;
using fake::SteppedDatabase;

constexpr const char* kTwoJobs =
    "on: push\njobs:\n  a: {runs-on: ubuntu-latest, steps: [{run: echo}]}\n"
    "  b: {runs-on: ubuntu-latest, steps: [{run: echo}]}\n";

class OwnershipTest : public testing::Test {
 protected:
  OwnershipTest()
      : log_(loop_, null_file_, LogLevel::kError),
        machine_(loop_, [](const types::JobSpec&) { return JobScript{}; }),
        executor_(loop_, machine_, fuse_) {
    db_ =
        std::make_unique<SteppedDatabase>(store::open_sqlite(folder_ / "weir.db", test_tables(), loop_, log_).value());
    engine_ = std::make_unique<Engine>(
        EngineDeps{.db = db_.get(),
                   .loop = &loop_,
                   .clock = &loop_,
                   .log = &log_,
                   .executor = &executor_,
                   .jobs_dir = folder_ / "jobs",
                   .git = [](const std::string&) -> Result<io::Git> { return io::Git("/nowhere"); },
                   .pools = [](const std::string&) { return std::vector{local_pool(2)}; },
                   .issue_job_token = [tokens = tokens_](store::Transaction&,
                                                         const types::JobGrant& grant) -> Result<std::string> {
                     tokens->push_back(grant.job_id);
                     return fmt::format("token-{}", grant.job_id);
                   }});
    EXPECT_TRUE(engine_->start().has_value());
  }
  ~OwnershipTest() override {
    engine_.reset();
    db_.reset();
    ::close(null_file_);
  }

  std::int64_t create() {
    return db_
        ->at_once([&] {
          event::PreparedRun prepared;
          prepared.request = {.repo = "flights",
                              .workflow_path = ".github/workflows/x.yml",
                              .workflow_text = kTwoJobs,
                              .commit = "0123456789012345678901234567890123456789",
                              .ref = "refs/heads/main",
                              .event_name = "push",
                              .actor = "alice"};
          prepared.request.workflow = std::make_shared<const workflow::Workflow>(
              *workflow::parse_workflow(kTwoJobs, prepared.request.workflow_path).workflow);
          return db_->write_with<std::int64_t>([&](store::Transaction& tx) { return engine_->insert(tx, prepared); });
        })
        .value();
  }

  FakeLoop loop_;
  int null_file_ = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  Log log_;
  io::TestFolder folder_;
  std::unique_ptr<SteppedDatabase> db_;
  Machine machine_;
  Fuse fuse_;
  FakeExecutor executor_;
  std::shared_ptr<std::vector<std::int64_t>> tokens_ = std::make_shared<std::vector<std::int64_t>>();
  std::unique_ptr<Engine> engine_;
};

TEST_F(OwnershipTest, AWriteThatIsUnderWayIsDoneAfterTheEngineHasGone) {
  const auto run = create();
  loop_.run_ready();
  ASSERT_TRUE(db_->busy()) << "the start of both jobs is on its way to the database";
  ASSERT_TRUE(tokens_->empty());

  engine_.reset();
  db_->step_all();
  loop_.run_ready();

  EXPECT_EQ(tokens_->size(), 2U);
  const auto jobs = db_->load<std::vector<JobRow>>([&](store::Reader& reader) { return load_jobs(reader, run, 1); });
  ASSERT_EQ(jobs->size(), 2U);
  EXPECT_EQ(jobs->front().state, JobState::kInProgress);
  EXPECT_TRUE(machine_.starts.empty()) << "what follows a write is the next engine's to do";
}

TEST_F(OwnershipTest, AWriteThatFailedIsNotTriedAgainForAnEngineThatHasGone) {
  create();
  loop_.run_ready();
  db_->step(true);
  loop_.run_ready();
  engine_.reset();
  loop_.advance(std::chrono::minutes{1});
  EXPECT_FALSE(db_->busy());
}

TEST_F(OwnershipTest, LiveUpdatesSayWhatIsDurableThoughMemoryIsFurtherOn) {
  int updates = 0;
  const auto subscription = engine_->subscribe([&](const LiveUpdate& update) {
    ++updates;
    if (update.kind == LiveUpdate::Kind::kRun) {
      EXPECT_EQ(update.state, run_state_name(engine_->run(update.run)->state));
    } else if (update.kind == LiveUpdate::Kind::kJob) {
      EXPECT_EQ(update.state, job_state_name(engine_->job(update.job)->state));
    }
  });
  create();
  // A disk so slow that jobs end while their start is still being written.
  for (int round = 0; round < 100 && !engine_->idle(); ++round) {
    loop_.advance(std::chrono::seconds{5});
    if (db_->busy()) db_->step();
    loop_.run_ready();
  }
  EXPECT_TRUE(engine_->idle());
  EXPECT_GE(updates, 4);
}

}  // namespace
}  // namespace weir::engine
