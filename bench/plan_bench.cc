// How long a large plan takes: a matrix of 10,000 jobs and one that needs them all, from the moment the run is asked
// for until every job of it is recorded, durably, and waits for a machine; and what the process then holds. The floor
// beside it: inserting as many rows of the same size into the same database by hand, in one transaction with one sync.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "engine/engine.h"
#include "engine/run_artifacts.h"
#include "engine/schema.h"
#include "io/thread_loop.h"
#include "store/sqlite/sqlite_database.h"
#include "workflow/workflow.h"

namespace weir::engine {
namespace {

constexpr int kSide = 100;  // of the matrix

// A machine on which one job runs and never ends: the others queue.
class NoMachine final : public Executor {
 public:
  void listen(Listener) override {}
  Result<void> prepare(const JobLaunch&) override { return {}; }
  Result<void> start(const JobLaunch&) override { return {}; }
  Result<Adoption> adopt(std::int64_t, const std::filesystem::path&) override { return Adoption::kNeverStarted; }
  void cancel(std::int64_t) override {}
  void preempt(std::int64_t) override {}
  void kill(std::int64_t) override {}
  void detach() override {}
};

std::string workflow_text() {
  std::string numbers;
  for (int i = 0; i < kSide; ++i) numbers += fmt::format("{}{}", i == 0 ? "" : ", ", i);
  return fmt::format(
      "on: push\njobs:\n  fan:\n    runs-on: ubuntu-latest\n    strategy: {{matrix: {{a: [{0}], b: [{0}]}}}}\n"
      "    steps: [{{run: 'true'}}]\n  join: {{needs: fan, runs-on: ubuntu-latest, steps: [{{run: 'true'}}]}}\n",
      numbers);
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double resident_mib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

std::int64_t count(store::Database& db, std::string_view sql) {
  return db
      .load<std::int64_t>(
          [&](store::Reader& reader) -> Result<std::int64_t> { return WEIR_TRY(reader.integer(sql, {})).value_or(0); })
      .value_or(0);
}

int run() {
  std::string pattern = (std::filesystem::temp_directory_path() / "weir-plan-XXXXXX").string();
  const std::filesystem::path root = ::mkdtemp(pattern.data());
  SystemClock clock;
  Log log(clock, STDERR_FILENO, LogLevel::kWarning);
  std::vector<store::Migration> tables(migrations().begin(), migrations().end());
  tables.insert(tables.end(), run_artifact_migrations().begin(), run_artifact_migrations().end());
  auto db = store::open_sqlite(root / "weir.db", tables, clock, log).value();
  io::ThreadLoop loop;
  NoMachine machine;
  const double before_mib = resident_mib();
  double planned = 0;
  std::int64_t jobs = 0;
  {
    Engine engine({.db = db.get(),
                   .loop = &loop,
                   .clock = &clock,
                   .log = &log,
                   .executor = &machine,
                   .jobs_dir = root / "jobs",
                   .git = [](const std::string&) -> Result<io::Git> { return io::Git("/nowhere"); },
                   .pools = [](const std::string&) { return std::vector{local_pool(1)}; }});
    if (!engine.start()) return 1;
    event::PreparedRun prepared;
    prepared.request = {.repo = "flights",
                        .workflow_path = ".github/workflows/large.yml",
                        .workflow_text = workflow_text(),
                        .commit = std::string(40, 'a'),
                        .ref = "refs/heads/main",
                        .event_name = "push",
                        .actor = "alice"};
    const auto begin = std::chrono::steady_clock::now();
    auto parsed = workflow::parse_workflow(prepared.request.workflow_text, prepared.request.workflow_path);
    prepared.request.workflow = std::make_shared<const workflow::Workflow>(*std::move(parsed.workflow));
    if (!db->write([&](store::Transaction& tx) -> Result<void> {
          WEIR_TRY(engine.insert(tx, prepared));
          return {};
        })) {
      return 1;
    }
    while (count(*db, "SELECT COUNT(*) FROM engine_jobs WHERE state = 3") < kSide * kSide - 1 &&
           seconds_since(begin) < 60) {
      ::usleep(2'000);
    }
    planned = seconds_since(begin);
    jobs = count(*db, "SELECT COUNT(*) FROM engine_jobs");
    engine.stop();
  }
  const double after_mib = resident_mib();

  const auto begin = std::chrono::steady_clock::now();
  if (!db->write([&](store::Transaction& tx) -> Result<void> {
        for (std::int64_t i = 0; i < jobs; ++i) {
          WEIR_TRY(tx.execute("INSERT INTO engine_workflow_texts(sha256, text) VALUES(?, ?)",
                              {fmt::format("row {}", i), std::string(300, 'x')}));
        }
        return {};
      })) {
    return 1;
  }
  const double floor = seconds_since(begin);
  loop.stop();
  db->stop();
  std::error_code ignored;
  std::filesystem::remove_all(root, ignored);
  double load = 0;
  ::getloadavg(&load, 1);
  fmt::print("plans: a matrix and one job that needs all of it; load {:.1f}\n", load);
  fmt::print("  {:42} {:>10.2f} s   {:22} the same number of rows by hand {:.2f} s, {:.1f} times that\n",
             fmt::format("{} jobs recorded and queued", jobs), planned, "target 1 s", floor, planned / floor);
  fmt::print("  {:42} {:>8.0f} MiB   {:22} {:.0f} MiB before\n", "memory at most", after_mib, "target 200 MiB",
             before_mib);
  return 0;
}

}  // namespace
}  // namespace weir::engine

int main() {
  return weir::engine::run();
}
