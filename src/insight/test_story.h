#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/fake_loop.h"
#include "insight/why.h"
#include "io/test_folder.h"
#include "store/sqlite/sqlite_database.h"

namespace weir::insight {

// A log that a test writes event by event on a clock of its own, with the facts that other parts would tell.
class Story : public testing::Test {
 protected:
  Story() {
    db = store::open_sqlite(dir_ / "weir.db", {}, loop, log_).value();
    sources = {.experiment_run = [this](const std::string& run_id) -> Result<std::optional<ExperimentRun>> {
                 const auto found = experiments.find(run_id);
                 return found == experiments.end() ? std::nullopt : std::optional(found->second);
               },
               .commit = [this](const std::string&, const std::string& id) -> Result<std::optional<Commit>> {
                 const auto found = commits.find(id);
                 return found == commits.end() ? std::nullopt : std::optional(found->second);
               }};
  }
  ~Story() override { db.reset(); }

  // Appends an event and moves the clock on by a minute.
  std::int64_t tell(std::string type, std::string actor, std::string subject, json::object payload = {},
                    std::int64_t cause = 0) {
    const auto sequence = db->write_with<std::int64_t>([&](store::Transaction& tx) {
      return tx.append({.type = type, .actor = actor, .subject = subject, .cause = cause, .payload = payload});
    });
    EXPECT_TRUE(sequence) << sequence.error().message;
    loop.advance(std::chrono::minutes{1});
    return sequence.value_or(0);
  }

  // A commit, its push, a workflow run with an experiment, a registered version and its gate. The job's event.
  std::int64_t train(int number, std::string_view model = "flight-delay", bool passed = true) {
    const std::string n = std::to_string(number);
    const std::string commit(40, static_cast<char>('a' + number));
    const std::string run_id(32, static_cast<char>('0' + number));
    commits[commit] = {.id = commit, .author = "Dan", .time = loop.now(), .message = "Change " + n + "\n\nlong story"};
    loop.advance(std::chrono::minutes{1});
    const auto push =
        tell("repo.pushed", "dan", "repo/flights", {{"ref", "refs/heads/main"}, {"before", ""}, {"after", commit}});
    const auto run = tell("run.created", "dan", "run/" + n,
                          {{"workflow", "ML Pipeline"},
                           {"repo", "flights"},
                           {"event", "push"},
                           {"commit", commit},
                           {"ref", "refs/heads/main"},
                           {"reason", "push to main by dan"}},
                          push);
    const auto job = tell("job.started", "weir", "job/" + n, {{"run", number}, {"key", "train"}}, run);
    experiments[run_id] = {.run_id = run_id,
                           .name = "train",
                           .started_at = loop.now(),
                           .workflow_run = number,
                           .metrics = {{"auc", 0.7 + 0.01 * number}},
                           .datasets = {{"april", "d0d0", "eval"}}};
    loop.advance(std::chrono::minutes{1});
    json::array findings{json::object{
        {"rule", "auc >= 0.65"}, {"passed", passed}, {"candidate", 0.7 + 0.01 * number}, {"champion", nullptr}}};
    tell(passed ? "gate.passed" : "gate.refused", "job:" + n, fmt::format("model/{}", model),
         {{"candidate", json::object{{"version", ""}, {"run_id", run_id}}},
          {"champion", nullptr},
          {"findings", findings}},
         job);
    if (passed) {
      tell("version.created", "job:" + n, fmt::format("model/{}/{}", model, number),
           {{"model", model}, {"version", number}, {"run_id", run_id}, {"workflow_run", number}, {"job", number}}, job);
    }
    return job;
  }

  // The alias moves, alice agrees, the version goes live.
  std::int64_t deploy(int number, int previous, std::int64_t job) {
    const auto alias = tell("alias.set", fmt::format("job:{}", number), "model/flight-delay",
                            {{"alias", "champion"}, {"version", number}, {"job", number}}, job);
    const auto started = tell("rollout.started", "weir", "endpoint/flights@production",
                              {{"model", "flight-delay"}, {"version", number}}, alias);
    const std::string approval = fmt::format("approval/{}", number);
    const auto asked =
        tell("approval.requested", "dan", approval,
             {{"environment", "production"}, {"summary", "flight-delay version " + std::to_string(number)}}, started);
    const auto granted = tell("approval.granted", "alice", approval,
                              {{"environment", "production"}, {"by", "alice"}, {"comment", "good"}}, asked);
    json::object payload{{"model", "flight-delay"}, {"version", number}};
    if (previous > 0) payload["previous"] = previous;
    return tell("rollout.switched", "weir", "endpoint/flights@production", std::move(payload), granted);
  }

  Result<Why> ask(std::string_view subject) {
    return db->load<Why>([&](store::Reader& reader) { return why(reader, sources, subject); });
  }

  FakeLoop loop;
  std::unique_ptr<store::Database> db;
  std::map<std::string, ExperimentRun> experiments;
  std::map<std::string, Commit> commits;
  Sources sources;

 private:
  Log log_{loop, STDERR_FILENO, LogLevel::kError};
  io::TestFolder dir_;
};

}  // namespace weir::insight
