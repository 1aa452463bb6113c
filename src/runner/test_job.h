// For tests: runs real jobs with the weir-runner that lies beside the test program.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "io/process.h"
#include "io/test_folder.h"
#include "types/job_spec.h"

namespace weir::runner {

// A job that has ended, or a look at one that runs.
struct JobRecord {
  std::vector<types::JournalRecord> journal;
  std::vector<types::LogLine> log;

  [[nodiscard]] std::vector<const json::object*> all(std::string_view type) const {
    std::vector<const json::object*> found;
    for (const auto& record : journal) {
      if (record.type == type) found.push_back(&record.fields);
    }
    return found;
  }
  [[nodiscard]] std::string conclusion() const {
    const auto ends = all("job_finished");
    return ends.empty() ? "unfinished" : json_string_or(*ends.front(), "conclusion", "");
  }
  [[nodiscard]] std::string step(int index, std::string_view member = "conclusion") const {
    for (const auto* end : all("step_finished")) {
      if (json_int(*end, "step") == index) return json_string_or(*end, member, "");
    }
    return "none";
  }
  [[nodiscard]] std::string output(std::string_view name) const {
    const auto ends = all("job_finished");
    return ends.empty() ? "" : json_string_or(ends.front()->at("outputs"), name, "<none>");
  }
  // A text that the job's last record holds; "" if it does not.
  [[nodiscard]] std::string finished(std::string_view name) const {
    const auto ends = all("job_finished");
    return ends.empty() ? "" : json_string_or(*ends.front(), name, "");
  }
  // Text of the log's lines, joined by newlines; of one step, and one stream, if asked for.
  [[nodiscard]] std::string text(std::optional<int> step_index = std::nullopt, std::string_view streams = "oce") const {
    std::string joined;
    for (const auto& line : log) {
      if ((!step_index || line.step == *step_index) && streams.contains(line.stream)) joined += line.text + "\n";
    }
    return joined;
  }
  [[nodiscard]] std::string output_of(int step_index) const { return text(step_index, "o"); }
  [[nodiscard]] std::vector<std::string> annotations(std::string_view level) const {
    std::vector<std::string> messages;
    for (const auto* note : all("annotation")) {
      if (json_string_or(*note, "level", "") == level) messages.push_back(json_string_or(*note, "message", ""));
    }
    return messages;
  }
};

class TestJob {
 public:
  TestJob() {
    spec.job_id = 42;
    spec.run_id = 7;
    spec.run_number = 3;
    spec.job_key = "train";
    spec.job_name = "train";
    spec.workflow_name = "ML";
    spec.workspace = (folder / "job/work").string();
    spec.repository = "local/flights";
    spec.commit = "0123456789012345678901234567890123456789";
    spec.ref = "refs/heads/main";
    spec.server_url = "http://127.0.0.1:9";
    spec.envs_dir = (folder / "envs").string();
    spec.tool_dir = (folder / "tools").string();
    spec.strict = true;
  }
  ~TestJob() {
    if (input_ >= 0) ::close(input_);
    if (process_ && !process_->wait(Duration{0})) {
      process_->kill_group(SIGKILL);
      process_->wait();
    }
  }
  TestJob(const TestJob&) = delete;
  TestJob& operator=(const TestJob&) = delete;

  // Adds a `run` step; `more` are further members.
  void run_step(std::string_view script, json::object more = {}) {
    more["run"] = script;
    spec.steps.push_back(std::move(more));
  }
  void uses_step(std::string_view uses, json::object with = {}, json::object more = {}) {
    more["uses"] = uses;
    more["with"] = std::move(with);
    spec.steps.push_back(std::move(more));
  }

  void start() {
    begin();
    send_input();
  }

  // Starts the runner, which waits for its secrets until send_input().
  void begin() {
    std::filesystem::create_directories(dir());
    folder.write("job/spec.json", json::serialize(types::to_json(spec)));
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    input_ = ends[1];
    io::ProcessOptions options;
    options.argv = {(std::filesystem::read_symlink("/proc/self/exe").parent_path() / "weir-runner").string(),
                    dir().string()};
    if (!prelude.empty())
      options.argv.insert(options.argv.begin(), {"/bin/sh", "-ec", prelude + "\nexec \"$0\" \"$1\""});
    if (nice != 0) options.argv.push_back(fmt::format("--nice={}", nice));
    options.stdin_fd = ends[0];
    options.new_session = true;
    auto process = io::Process::start(options);
    ::close(ends[0]);
    ASSERT_TRUE(process.has_value()) << process.error().message;
    process_.emplace(*std::move(process));
  }

  void send_input() {
    const std::string input =
        json::serialize(json::value{{"secrets", secrets}, {"token", token}, {"actions", actions}});
    ASSERT_EQ(::write(input_, input.data(), input.size()), static_cast<ssize_t>(input.size()));
    ::close(std::exchange(input_, -1));
  }

  // Waits for the job's end and gives what it left.
  JobRecord finish() {
    const auto status = process_->wait(std::chrono::seconds{60});
    EXPECT_TRUE(status.has_value()) << "the job hangs";
    if (status) exit_code = status->code;
    return look();
  }

  JobRecord run() {
    start();
    return finish();
  }

  [[nodiscard]] JobRecord look() const {
    JobRecord record;
    std::size_t consumed = 0;
    record.journal = types::read_journal(folder.read("job/journal.jsonl"), consumed);
    record.log = types::read_log(folder.read("job/log.txt"), consumed);
    return record;
  }

  // Waits until the log holds `text`.
  void wait_for(std::string_view text) const {
    wait_until([&] { return look().text().find(text) != std::string::npos; }, text);
  }
  static void wait_until(const std::function<bool()>& condition, std::string_view what) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "never came: " << what;
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
  }

  void signal(int number) const { ::kill(process_->pid(), number); }
  [[nodiscard]] pid_t pid() const { return process_->pid(); }
  [[nodiscard]] std::filesystem::path dir() const { return folder / "job"; }

  io::TestFolder folder;
  types::JobSpec spec;
  json::object secrets;
  json::object actions;
  std::string token;
  std::string prelude;  // shell commands before the runner takes the shell's place
  int nice = 0;
  int exit_code = -1;

 private:
  int input_ = -1;  // the runner's, to write to
  std::optional<io::Process> process_;
};

}  // namespace weir::runner
