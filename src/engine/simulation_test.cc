#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <random>

#include "engine/fake_world.h"
#include "engine/pools.h"
#include "engine/rows.h"
#include "engine/test_tables.h"
#include "io/test_folder.h"
#include "workflow/workflow.h"

// The engine under random workflows and random faults: servers die between any two effects, commits fail, runners die,
// people cancel, approve and reject at any time. Whatever happens, what is promised below holds.
namespace weir::engine {
namespace {

using fake::FakeApprovals;
using fake::FakeExecutor;
using fake::Fuse;
using fake::JobScript;
using fake::Machine;
using fake::SteppedDatabase;

constexpr int kSlots = 3;

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  int below(int end) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(end)); }
  bool chance(int percent) { return below(100) < percent; }
  template <class T>
  const T& pick(const std::vector<T>& values) {
    return values[static_cast<std::size_t>(below(static_cast<int>(values.size())))];
  }

 private:
  std::mt19937_64 engine_;
};

std::string random_machine(Random& random) {
  if (random.chance(60)) return "ubuntu-latest";
  return fmt::format("[linux, cpu={}, priority={}{}]", 1 + random.below(kSlots),
                     random.pick(std::vector<std::string>{"low", "normal", "high"}),
                     random.chance(60) ? ", preemptible" : "");
}

std::string random_concurrency(Random& random, std::string_view group, std::string_view indent) {
  const auto rule =
      random.chance(30) ? std::string("queue: max") : fmt::format("cancel-in-progress: {}", random.chance(50));
  return fmt::format("{0}concurrency:\n{0}  group: {1}\n{0}  {2}\n", indent, group, rule);
}

// A workflow of up to seven jobs that need earlier ones, with what may be said of a job said now and then. Those of a
// file that is called at `level` 1 may call the one of level 2.
std::string random_workflow(Random& random, int level = 0) {
  std::string text = level == 0 ? "name: Random\non: push\n" : "name: Called\non: workflow_call\n";
  if (random.chance(level == 0 ? 30 : 10)) {
    text += random_concurrency(random, level == 0 ? "whole" : fmt::format("level{}", level), "");
  }
  text += "jobs:\n";
  const int jobs = 1 + random.below(level == 0 ? 7 : 3);
  for (int job = 0; job < jobs; ++job) {
    const bool calls = level < 2 && random.chance(20);
    text += fmt::format("  j{}:\n", job);
    text += calls ? fmt::format("    uses: ./.github/workflows/level{}.yml\n", level + 1)
                  : fmt::format("    runs-on: {}\n", random_machine(random));
    std::string needs;
    for (int other = 0; other < job; ++other) {
      if (random.chance(35)) needs += fmt::format("{}j{}", needs.empty() ? "" : ", ", other);
    }
    if (!needs.empty()) text += fmt::format("    needs: [{}]\n", needs);
    if (random.chance(35)) {
      text += fmt::format("    if: {}\n", random.pick(std::vector<std::string>{"always()", "failure()", "success()",
                                                                               "\"!cancelled()\"", "cancelled()"}));
    }
    if (random.chance(30)) {
      text += fmt::format("    strategy:\n      fail-fast: {}\n", random.chance(50));
      if (random.chance(50)) text += fmt::format("      max-parallel: {}\n", 1 + random.below(2));
      text += fmt::format("      matrix:\n        n: [{}]\n", random.chance(50) ? "1, 2, 3" : "1, 2, 3, 4, 5");
    }
    if (calls) continue;
    if (random.chance(20)) text += "    continue-on-error: true\n";
    if (random.chance(20)) {
      text += fmt::format("    environment: {}\n",
                          random.pick(std::vector<std::string>{"production", "production", "open", "forbidden"}));
    }
    if (random.chance(15)) text += random_concurrency(random, "part", "    ");
    text += "    steps:\n      - run: \"true\"\n";
  }
  return text;
}

// In memory where the machine has such a place: the play commits for each step.
std::filesystem::path temporary_folder() {
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : random_(seed),
        folder_(temporary_folder()),
        log_(loop_, null_file_, LogLevel::kError),
        machine_(loop_, [this](const types::JobSpec& spec) { return script_of(spec); }) {
    auto all = test_tables();
    all.push_back(FakeApprovals::migration());
    auto opened = store::open_sqlite(folder_ / "weir.db", all, loop_, log_);
    if (!opened) ADD_FAILURE() << opened.error().message;
    db_ = std::make_unique<SteppedDatabase>(*std::move(opened));
    machine_.on_start = [this](const types::JobSpec& spec) { check_start(spec); };
  }

  ~Simulation() {
    shut_down();
    db_.reset();
    ::close(null_file_);
  }

  void play() {
    boot(20 + random_.below(60));
    for (int step = 0; step < 120 && !testing::Test::HasFailure(); ++step) {
      act();
      if (fuse_->dead()) reboot(random_.chance(85) ? 1 + random_.below(60) : -1);
    }
    if (fuse_->crash_at >= 0) {
      fuse_->crash_at = fuse_->effects;  // the last crash, at rest
      reboot(-1);
    }
    calm_ = true;
    for (int round = 0; round < 400 && !all_completed(); ++round) {
      settle();
      decide_all();
      loop_.advance(std::chrono::seconds{20});
    }
    settle();
    check_end();
  }

 private:
  void boot(std::int64_t crash_after) {
    fuse_ = std::make_unique<Fuse>();
    fuse_->crash_at = crash_after;
    db_->use(fuse_.get());
    executor_ = std::make_unique<FakeExecutor>(loop_, machine_, *fuse_);
    executor_->start_fails = [this] { return !calm_ && random_.chance(2); };
    engine_ = std::make_unique<Engine>(
        EngineDeps{.db = db_.get(),
                   .loop = &loop_,
                   .clock = &loop_,
                   .log = &log_,
                   .executor = executor_.get(),
                   .jobs_dir = folder_ / "jobs",
                   .git = [](const std::string&) -> Result<io::Git> { return io::Git("/nowhere"); },
                   .pools = [](const std::string&) { return std::vector{local_pool(kSlots)}; },
                   .request_approval = FakeApprovals::request,
                   .approval = [this](std::int64_t id) { return FakeApprovals::find(*db_, id); },
                   .issue_job_token = [](store::Transaction&, const types::JobGrant& grant) -> Result<std::string> {
                     return fmt::format("token-{}", grant.job_id);
                   }});
    const auto started = engine_->start();
    EXPECT_TRUE(started.has_value()) << started.error().message;
  }

  void shut_down() {
    engine_.reset();
    executor_.reset();
  }

  void reboot(std::int64_t crash_after) {
    shut_down();
    // What was on its way to the disk either arrived or did not.
    db_->use(nullptr);
    if (random_.chance(50)) {
      db_->step_all();
    } else {
      db_->forget_queue();
    }
    // Jobs go on while no server is there.
    if (random_.chance(50)) loop_.advance(std::chrono::seconds{random_.below(8)});
    boot(crash_after);
  }

  void act() {
    // At times the world moves before the server has looked at what happened last.
    if (random_.chance(70)) loop_.run_ready();
    const int what = random_.below(100);
    if (what < 30) {
      if (db_->busy()) db_->step(random_.chance(10));
    } else if (what < 70) {
      loop_.advance(std::chrono::milliseconds{random_.below(1'500)});
    } else if (what < 76 && runs_ < 5) {
      create_run();
    } else if (what < 80 && runs_ > 0) {
      const auto run = 1 + random_.below(runs_);
      [[maybe_unused]] const auto done =
          db_->at_once([&] { return engine_->cancel(run, "carol", "", random_.chance(20)); });
    } else if (what < 83 && runs_ > 0) {
      const auto run = 1 + random_.below(runs_);
      [[maybe_unused]] const auto done = db_->at_once([&] { return engine_->rerun(run, random_.chance(50), "carol"); });
    } else if (what < 90) {
      decide_one();
    } else {
      settle();
    }
  }

  void create_run() {
    const auto text = random_workflow(random_);
    auto parsed = workflow::parse_workflow(text, ".github/workflows/random.yml");
    ASSERT_TRUE(parsed.workflow.has_value()) << workflow::lint_text(parsed, text);
    event::PreparedRun prepared;
    prepared.request = {.repo = "flights",
                        .workflow_path = ".github/workflows/random.yml",
                        .workflow_text = text,
                        .workflow = std::make_shared<const workflow::Workflow>(*std::move(parsed.workflow)),
                        .commit = std::string(40, 'a'),
                        .ref = "refs/heads/main",
                        .event_name = "push",
                        .actor = "alice"};
    for (int level = 1; level <= 2; ++level) {
      prepared.called[fmt::format("./.github/workflows/level{}.yml", level)] = {.text = random_workflow(random_, level),
                                                                                .commit = std::string(40, 'b')};
    }
    const auto made = db_->at_once([&] {
      return db_->write_with<std::int64_t>([&](store::Transaction& tx) { return engine_->insert(tx, prepared); });
    });
    if (made) ++runs_;
  }

  void decide_one() {
    const auto pending = FakeApprovals::pending(*db_);
    if (pending.empty()) return;
    const auto id = random_.pick(pending);
    [[maybe_unused]] const auto done = db_->at_once([&] {
      return db_->write([&](store::Transaction& tx) { return FakeApprovals::decide(tx, id, random_.chance(75)); });
    });
  }

  void decide_all() {
    for (const auto id : FakeApprovals::pending(*db_)) {
      [[maybe_unused]] const auto done = db_->at_once(
          [&] { return db_->write([&](store::Transaction& tx) { return FakeApprovals::decide(tx, id, true); }); });
    }
    settle();
  }

  void settle() {
    for (int i = 0; i < 50; ++i) {
      loop_.run_ready();
      if (!db_->busy()) return;
      db_->step();
    }
  }

  JobScript script_of(const types::JobSpec& spec) {
    JobScript script;
    script.takes = std::chrono::milliseconds{100 + random_.below(4'000)};
    script.dies = random_.chance(6);
    if (random_.chance(25)) script.conclusion = types::Conclusion::kFailure;
    script.ignores_cancel = random_.chance(5);
    script.outputs = {{"made_by", spec.job_id}};
    return script;
  }

  template <class T>
  T load(const std::function<Result<T>(store::Reader&)>& work) {
    auto loaded = db_->inner().load<T>(work);
    if (!loaded) {
      ADD_FAILURE() << loaded.error().message;
      return T{};
    }
    return *std::move(loaded);
  }

  // What must hold in the database, and on the machine, at the moment a runner starts.
  void check_start(const types::JobSpec& spec) {
    const auto jobs = load<std::vector<JobRow>>(
        [&](store::Reader& reader) { return load_jobs(reader, spec.run_id, spec.run_attempt); });
    const auto self = std::ranges::find(jobs, spec.job_id, &JobRow::id);
    ASSERT_NE(self, jobs.end()) << "job " << spec.job_id << " is not in the database";
    EXPECT_EQ(self->state, JobState::kInProgress);
    EXPECT_LE(machine_.starts[spec.job_id], machine_.asked_for_room[spec.job_id])
        << "job " << spec.job_id << " ran twice";
    if (const auto before = machine_.jobs.find(spec.job_id); before != machine_.jobs.end()) {
      EXPECT_TRUE(before->second.ended && !before->second.end.report.finished) << "job " << spec.job_id;
    }
    for (const auto& job : jobs) {
      if (std::ranges::find(self->needs, job.key) != self->needs.end()) {
        EXPECT_EQ(job.state, JobState::kCompleted) << self->key << " started before " << job.name << " ended";
      }
    }
    int total = parse_demand(self->labels)->resources.cpus - 1;
    int same_key = 0;
    int same_group = 0;
    for (const auto* other : machine_.alive()) {
      total += parse_demand(row_of(other->spec.job_id).labels)->resources.cpus;
      const auto row = row_of(other->spec.job_id);
      if (row.run == self->run && row.attempt == self->attempt && row.key == self->key) ++same_key;
      if (!self->group_name.empty() && row.group_name == self->group_name) ++same_group;
    }
    EXPECT_LT(total, kSlots) << "more jobs than slots";
    if (self->max_parallel > 0) EXPECT_LT(same_key, self->max_parallel) << "max-parallel of " << self->key;
    EXPECT_EQ(same_group, 0) << "two jobs at a time in group " << self->group_name;
    if (self->environment == "production") {
      const auto granted = load<std::optional<std::int64_t>>([&](store::Reader& reader) {
        return reader.integer("SELECT id FROM test_approvals WHERE job = ? AND state = 1", {spec.job_id});
      });
      EXPECT_TRUE(granted.has_value()) << "job " << spec.job_id << " has no approval";
    }
    EXPECT_NE(self->environment, "forbidden");
  }

  JobRow row_of(std::int64_t job) {
    return load<JobRow>([&](store::Reader& reader) { return load_job(reader, job); });
  }

  bool all_completed() { return load<std::vector<std::int64_t>>(unfinished_runs).empty() && !db_->busy(); }

  void check_end() {
    EXPECT_TRUE(load<std::vector<std::int64_t>>(unfinished_runs).empty()) << "a run never completed";
    EXPECT_TRUE(machine_.alive().empty()) << "a job still runs";
    for (std::int64_t run = 1; run <= runs_; ++run) {
      const auto row = load<Run>([&](store::Reader& reader) { return load_run(reader, run); });
      EXPECT_TRUE(row.conclusion.has_value());
      EXPECT_EQ(count_events(fmt::format("run/{}", run), "run.completed"), row.attempt);
      for (std::int64_t attempt = 1; attempt <= row.attempt; ++attempt) check_jobs(run, attempt);
    }
  }

  void check_jobs(std::int64_t run, std::int64_t attempt) {
    for (const auto& job :
         load<std::vector<JobRow>>([&](store::Reader& reader) { return load_jobs(reader, run, attempt); })) {
      EXPECT_EQ(job.state, JobState::kCompleted) << "run " << run << " job " << job.name;
      const auto subject = fmt::format("job/{}", job.id);
      const int started = count_events(subject, "job.started");
      EXPECT_EQ(count_events(subject, "job.completed"), job.origin == 0 ? 1 : 0) << "job " << job.id;
      if (machine_.asked_for_room[job.id] == 0) EXPECT_LE(started, 1) << "job " << job.id;
      EXPECT_LE(machine_.starts[job.id], 1 + machine_.asked_for_room[job.id]) << "job " << job.id;
      // A server that dies after it set an earlier turn aside starts the next one by the record of the first.
      EXPECT_LE(machine_.starts[job.id], started + machine_.asked_for_room[job.id])
          << "job " << job.id << " ran, but that was not recorded";
      if (!job.calls.empty()) {
        EXPECT_EQ(machine_.starts[job.id], 0) << "the call " << job.id << " was started as a job";
      } else if (job.conclusion == types::Conclusion::kSuccess && job.origin == 0) {
        EXPECT_GE(machine_.starts[job.id], 1) << "job " << job.id << " succeeded without having run";
      }
    }
  }

  int count_events(const std::string& subject, const std::string& type) {
    return static_cast<int>(load<std::optional<std::int64_t>>([&](store::Reader& reader) {
                              return reader.integer("SELECT COUNT(*) FROM events WHERE subject = ? AND type = ?",
                                                    {subject, type});
                            }).value_or(0));
  }

  Random random_;
  FakeLoop loop_;
  io::TestFolder folder_;
  int null_file_ = ::open("/dev/null", O_WRONLY | O_CLOEXEC);  // failed commits are part of the play
  Log log_;
  std::unique_ptr<SteppedDatabase> db_;
  Machine machine_;
  std::unique_ptr<Fuse> fuse_;
  std::unique_ptr<FakeExecutor> executor_;
  std::unique_ptr<Engine> engine_;
  int runs_ = 0;
  bool calm_ = false;
};

TEST(EngineSimulation, EveryRunCompletesAndNothingRunsTwiceWhateverFails) {
  const char* only = std::getenv("WEIR_SIMULATION_SEED");
  const std::uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 1;
  const char* many = std::getenv("WEIR_SIMULATION_SEEDS");
  const std::uint64_t last = only != nullptr ? first : many != nullptr ? std::strtoull(many, nullptr, 10) : 150;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(fmt::format("WEIR_SIMULATION_SEED={}", seed));
    Simulation(seed).play();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace weir::engine
