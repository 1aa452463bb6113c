#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <charconv>
#include <sstream>

#include "base/golden.h"
#include "engine/calls.h"
#include "engine/fake_world.h"
#include "engine/rows.h"
#include "engine/test_tables.h"
#include "io/test_folder.h"
#include "workflow/workflow.h"

// Plays the files of tests/scenario: a workflow, how its jobs go and what people do, and the timeline that follows from
// it. WEIR_UPDATE_GOLDEN=1 rewrites the timelines.
//
//   workflow:            the file, indented by two spaces
//   called NAME.yml:     a workflow that its jobs call as ./.github/workflows/NAME.yml
//   script:
//     slots 2                                 default 2
//     input version=3                         of the first run
//     job build: 2s success version=7         default 1s success; name as shown; output after the conclusion
//     job build: dies | hangs                 the runner ends without a word; it never ends by itself
//     at 4s: push | push OTHER-REPOSITORY | cancel 1 | rerun 1 | rerun 1 failed | approve 1 | reject 1 | restart
//   timeline:            of the event log
//
// The first run is made at 0s. A second `job` line for a name is for the second time that it runs.
namespace weir::engine {
namespace {

using fake::FakeApprovals;
using fake::FakeExecutor;
using fake::Fuse;
using fake::JobScript;
using fake::Machine;
using fake::SteppedDatabase;

struct Action {
  Duration at{0};
  std::vector<std::string> words;
};

struct Scenario {
  std::string head;  // everything before the timeline
  std::string workflow;
  std::map<std::string, std::string> called;  // texts, by the file's name
  int slots = 2;
  json::object inputs;
  std::map<std::string, std::vector<JobScript>> jobs;  // by name, one a time that it runs
  std::vector<Action> actions;
};

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

JobScript job_script(const std::vector<std::string>& words) {
  JobScript script;
  for (const auto& word : words) {
    if (word == "dies") {
      script.dies = true;
    } else if (word == "hangs") {
      script.takes = std::chrono::hours{1000};
      script.ignores_cancel = true;
    } else if (const auto equals = word.find('='); equals != std::string::npos) {
      script.outputs[word.substr(0, equals)] = word.substr(equals + 1);
    } else if (const auto conclusion = types::parse_conclusion(word)) {
      script.conclusion = *conclusion;
    } else if (const auto takes = parse_duration(word)) {
      script.takes = *takes;
    } else {
      ADD_FAILURE() << "unknown word \"" << word << "\" in a job's script";
    }
  }
  return script;
}

void read_script_line(Scenario& scenario, const std::string& line) {
  const auto words = words_of(line);
  if (words.empty() || words[0].starts_with('#')) return;
  if (words[0] == "slots") {
    scenario.slots = std::stoi(words.at(1));
  } else if (words[0] == "input") {
    const auto equals = words.at(1).find('=');
    scenario.inputs[words[1].substr(0, equals)] = words[1].substr(equals + 1);
  } else if (words[0] == "job") {
    const auto start = line.find("job ") + 4;
    const auto colon = line.find(": ", start);
    scenario.jobs[line.substr(start, colon - start)].push_back(job_script(words_of(line.substr(colon + 1))));
  } else if (words[0] == "at") {
    auto time = words.at(1);
    time.pop_back();
    scenario.actions.push_back({parse_duration(time).value(), {words.begin() + 2, words.end()}});
  } else {
    ADD_FAILURE() << "unknown line in a script: " << line;
  }
}

Scenario read_scenario(const std::string& text) {
  Scenario scenario;
  std::istringstream stream(text);
  std::string section;
  for (std::string line; std::getline(stream, line);) {
    scenario.head += line + "\n";
    if (line == "workflow:" || line == "script:" || line == "timeline:" || line.starts_with("called ")) {
      section = line;
    } else if (section.starts_with("called ")) {
      auto& file = scenario.called[section.substr(7, section.size() - 8)];
      file += (line.size() > 2 ? line.substr(2) : "") + "\n";
    } else if (section == "workflow:") {
      scenario.workflow += (line.size() > 2 ? line.substr(2) : "") + "\n";
    } else if (section == "script:") {
      read_script_line(scenario, line);
    }
    if (section == "timeline:") break;
  }
  return scenario;
}

class Play {
 public:
  explicit Play(Scenario scenario)
      : scenario_(std::move(scenario)),
        start_(loop_.now()),
        log_(loop_, null_file_, LogLevel::kError),
        machine_(loop_, [this](const types::JobSpec& spec) { return script_of(spec); }) {
    auto all = test_tables();
    all.push_back(FakeApprovals::migration());
    db_ = std::make_unique<SteppedDatabase>(store::open_sqlite(folder_ / "weir.db", all, loop_, log_).value());
    boot();
  }
  ~Play() {
    engine_.reset();
    executor_.reset();
    db_.reset();
    ::close(null_file_);
  }

  std::string timeline() {
    act({"push"});
    auto next = scenario_.actions.begin();
    for (int tick = 0; tick < 400'000; ++tick) {
      settle();
      while (next != scenario_.actions.end() && loop_.now() - start_ >= next->at) {
        act(next->words);
        ++next;
        settle();
      }
      if (next == scenario_.actions.end() && engine_->idle()) return describe();
      loop_.advance(std::chrono::milliseconds{100});
    }
    return describe() + "  … it never ends\n";
  }

 private:
  void boot() {
    engine_.reset();
    executor_.reset();
    executor_ = std::make_unique<FakeExecutor>(loop_, machine_, fuse_);
    engine_ = std::make_unique<Engine>(
        EngineDeps{.db = db_.get(),
                   .loop = &loop_,
                   .clock = &loop_,
                   .log = &log_,
                   .executor = executor_.get(),
                   .jobs_dir = folder_ / "jobs",
                   .git = [](const std::string&) -> Result<io::Git> { return io::Git("/nowhere"); },
                   .pools = [this](const std::string&) { return std::vector{local_pool(scenario_.slots)}; },
                   .request_approval = FakeApprovals::request,
                   .approval = [this](std::int64_t id) { return FakeApprovals::find(*db_, id); },
                   .withdraw_approval = [](store::Transaction& tx, std::int64_t id, const std::string&,
                                           std::int64_t) { return FakeApprovals::decide(tx, id, false); }});
    EXPECT_TRUE(engine_->start().has_value());
  }

  void settle() {
    do {
      loop_.run_ready();
      db_->step_all();
      loop_.run_ready();
    } while (db_->busy());
  }

  void act(const std::vector<std::string>& words) {
    const auto number = [&] { return static_cast<std::int64_t>(std::stoll(words.at(1))); };
    Result<void> done;
    if (words.at(0) == "push") {
      done = push(words.size() > 1 ? words[1] : "flights");
    } else if (words[0] == "cancel") {
      done = db_->at_once([&] { return engine_->cancel(number(), "carol"); });
    } else if (words[0] == "rerun") {
      done = db_->at_once([&] { return engine_->rerun(number(), words.size() > 2, "carol"); });
    } else if (words[0] == "approve" || words[0] == "reject") {
      done = db_->at_once([&] {
        return db_->write(
            [&](store::Transaction& tx) { return FakeApprovals::decide(tx, number(), words[0] == "approve"); });
      });
    } else if (words[0] == "restart") {
      boot();
    } else {
      ADD_FAILURE() << "unknown action " << words[0];
    }
    if (!done) notes_[loop_.now() - start_] += fmt::format("{} refused: {}\n", words[0], done.error().message);
  }

  Result<void> push(const std::string& repo) {
    auto parsed = workflow::parse_workflow(scenario_.workflow, ".github/workflows/scenario.yml");
    if (!parsed.workflow) {
      return fail(Code::kInvalidArgument, "{}", workflow::lint_text(parsed, scenario_.workflow));
    }
    event::PreparedRun prepared;
    prepared.request = {.repo = repo,
                        .workflow_path = ".github/workflows/scenario.yml",
                        .workflow_text = scenario_.workflow,
                        .workflow = std::make_shared<const workflow::Workflow>(*std::move(parsed.workflow)),
                        .commit = std::string(40, 'a'),
                        .ref = "refs/heads/main",
                        .event_name = scenario_.inputs.empty() ? "push" : "workflow_dispatch",
                        .event_payload = {{"inputs", scenario_.inputs}},
                        .inputs = scenario_.inputs,
                        .actor = "alice"};
    WorkflowCache cache;
    prepared.called = WEIR_TRY(load_called(*prepared.request.workflow, cache,
                                           [this](const CallTarget& target) { return called_workflow(target); }));
    return db_->at_once([&] {
      return db_->write([&](store::Transaction& tx) -> Result<void> {
        WEIR_TRY(engine_->insert(tx, prepared));
        return {};
      });
    });
  }

  Result<event::CalledWorkflow> called_workflow(const CallTarget& target) {
    const auto found = scenario_.called.find(std::filesystem::path(target.path).filename().string());
    if (found == scenario_.called.end()) return fail(Code::kInvalidArgument, "there is no such file");
    return event::CalledWorkflow{.text = found->second, .commit = std::string(40, 'a')};
  }

  JobScript script_of(const types::JobSpec& spec) {
    const auto found = scenario_.jobs.find(spec.job_name);
    if (found == scenario_.jobs.end()) return {};
    const auto time = static_cast<std::size_t>(times_run_[spec.job_name]++);
    return found->second[std::min(time, found->second.size() - 1)];
  }

  // The event log in words.
  std::string describe() {
    std::map<Duration, std::string> lines = notes_;
    const auto events = db_->load<std::vector<types::Event>>(
        [](store::Reader& reader) { return store::read_events(reader, 0, 100'000); });
    for (const auto& event : *events) lines[event.time - start_] += sentence(event) + "\n";
    std::string text;
    for (const auto& [time, sentences] : lines) {
      std::istringstream stream(sentences);
      for (std::string one; std::getline(stream, one);) {
        text += fmt::format("  {:>6}  {}\n", fmt::format("{:.1f}s", static_cast<double>(time.count()) / 1e6), one);
      }
    }
    return text;
  }

  std::string sentence(const types::Event& event) {
    const auto verb = event.type.substr(event.type.find('.') + 1);
    const auto* conclusion = event.payload.if_contains("conclusion");
    const std::string what = conclusion != nullptr ? std::string(conclusion->get_string()) : verb;
    if (event.subject.starts_with("run/")) {
      const auto attempt = event.payload.if_contains("attempt")->to_number<int>();
      return fmt::format("run {}{} {}", event.subject.substr(4), attempt > 1 ? fmt::format(".{}", attempt) : "", what);
    }
    if (event.subject.starts_with("approval/")) {
      return fmt::format("approval {} {}", event.subject.substr(9), verb);
    }
    std::string text = fmt::format("  {} {}", std::string_view(event.payload.at("name").get_string()), what);
    const auto job = std::stoll(event.subject.substr(4));
    if (verb == "started") text += seen_by(job);
    if (verb == "completed") {
      const auto row = engine_->job(job);
      if (row && !row->error.empty()) text += fmt::format(" ({})", row->error.substr(0, row->error.find('\n')));
    }
    return text;
  }

  // The variables that its runner got.
  std::string seen_by(std::int64_t job) {
    const auto found = machine_.jobs.find(job);
    if (found == machine_.jobs.end() || found->second.spec.env.empty()) return {};
    std::string text;
    for (const auto& variable : found->second.spec.env) {
      if (variable.key() == "WEIR_RESUME_DIR") {
        text += " resumable";
        continue;
      }
      text += fmt::format(" {}={}", std::string_view(variable.key()), std::string_view(variable.value().get_string()));
    }
    return text;
  }

  Scenario scenario_;
  FakeLoop loop_;
  TimePoint start_;
  int null_file_ = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  Log log_;
  io::TestFolder folder_;
  std::unique_ptr<SteppedDatabase> db_;
  Machine machine_;
  Fuse fuse_;
  std::unique_ptr<FakeExecutor> executor_;
  std::unique_ptr<Engine> engine_;
  std::map<std::string, int> times_run_;
  std::map<Duration, std::string> notes_;
};

TEST(Scenario, EveryFilePlaysAsItsTimelineSays) {
  const auto folder = golden::folder("..") / "scenario";
  const auto files = golden::files(folder, ".scenario");
  EXPECT_FALSE(files.empty());
  for (const auto& file : files) {
    SCOPED_TRACE(file.filename().string());
    auto scenario = read_scenario(golden::read(file));
    const auto head = scenario.head;
    golden::expect(file, head + Play(std::move(scenario)).timeline());
  }
  if (golden::updating()) GTEST_SKIP() << "golden files were rewritten";
}

}  // namespace
}  // namespace weir::engine
