#include "gate/gate.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/fake_loop.h"
#include "io/test_folder.h"
#include "store/sqlite/sqlite_database.h"

namespace weir::gate {
namespace {

constexpr const char* kRun1 = "11111111111111111111111111111111";
constexpr const char* kRun2 = "22222222222222222222222222222222";

const types::Identity kJob{.name = "job:42", .role = types::Role::kDeveloper, .job_id = 42, .run_id = 7};

class GateServiceTest : public testing::Test {
 protected:
  GateServiceTest() {
    db = store::open_sqlite(dir_ / "weir.db", migrations(), loop, log).value();
    auto made = std::make_shared<config::Config>();
    made->gates = {{.model = "flight-delay",
                    .rules = {config::parse_gate_rule("auc >= 0.65").value(),
                              config::parse_gate_rule("auc >= champion.auc - 0.01").value()}}};
    config = made;
    runs[kRun1] = {.run_id = kRun1, .metrics = {{"auc", {.value = 0.7}}}};
    runs[kRun2] = {.run_id = kRun2, .metrics = {{"auc", {.value = 0.72}}}};
  }
  ~GateServiceTest() override { db.reset(); }

  GateService service() {
    return GateService(
        *db, {.run_facts = [this](const std::string& run_id) -> Result<ModelFacts> {
                const auto found = runs.find(run_id);
                if (found == runs.end()) return fail(Code::kNotFound, "no run {}", run_id);
                return found->second;
              },
              .run_of_workflow = [this](std::int64_t run) -> Result<std::optional<std::string>> {
                return run == 7 ? made_by_run_7 : std::nullopt;
              },
              .run_of_version = [](const std::string& model, const std::string& version) -> Result<std::string> {
                if (version == "2") return kRun2;
                return fail(Code::kNotFound, "{} has no version {}", model, version);
              },
              .champion = [this](const std::string&) -> Result<std::optional<Champion>> { return champion; },
              .config = [this] { return config; }});
  }

  std::vector<types::Event> events() {
    return db->load<std::vector<types::Event>>([](store::Reader& r) { return store::read_events(r, 0, 100); }).value();
  }

  FakeLoop loop;
  Log log{loop, STDERR_FILENO, LogLevel::kError};
  std::unique_ptr<store::Database> db;
  std::shared_ptr<const config::Config> config;
  std::map<std::string, ModelFacts> runs;
  std::optional<std::string> made_by_run_7;
  std::optional<Champion> champion;

 private:
  io::TestFolder dir_;
};

TEST_F(GateServiceTest, JudgesTheRunThatTheWorkflowMadeAgainstTheLiveVersion) {
  made_by_run_7 = kRun2;
  champion = Champion{.version = "1", .run_id = kRun1};
  const auto verdict = service().judge({.model = "flight-delay", .workflow_run = 7, .job = 42}, kJob, 0);
  ASSERT_TRUE(verdict) << verdict.error().message;
  EXPECT_TRUE(verdict->passed);
  EXPECT_EQ(verdict->candidate_run, kRun2);
  EXPECT_EQ(verdict->champion_version, "1");
}

TEST_F(GateServiceTest, RecordsEveryVerdictWithItsEvent) {
  runs[kRun2].metrics["auc"].value = 0.5;
  const auto verdict =
      service().judge({.model = "flight-delay", .run_id = kRun2, .workflow_run = 7, .job = 42}, kJob, 3);
  ASSERT_TRUE(verdict) << verdict.error().message;
  EXPECT_FALSE(verdict->passed);
  ASSERT_EQ(events().size(), 1U);
  const auto event = events().front();
  EXPECT_EQ(event.type, "gate.refused");
  EXPECT_EQ(event.subject, "model/flight-delay");
  EXPECT_EQ(event.actor, "job:42");
  EXPECT_EQ(event.cause, 3);
  EXPECT_EQ(event.payload.at("workflow_run"), 7);
  EXPECT_EQ(event.payload.at("candidate").at("run_id"), kRun2);
  EXPECT_NE(std::string(event.payload.at("text").as_string()).find("refused"), std::string::npos);

  const auto record = db->load<std::optional<Record>>(
      [](store::Reader& reader) { return GateService::latest(reader, "flight-delay", "2", kRun2); });
  ASSERT_TRUE(record && *record);
  EXPECT_FALSE((*record)->passed);
  EXPECT_EQ((*record)->event, event.sequence);
  EXPECT_EQ((*record)->workflow_run, 7);
  const auto history = db->load<std::vector<Record>>(
      [](store::Reader& reader) { return GateService::history(reader, "flight-delay", 10); });
  EXPECT_EQ(history->size(), 1U);
  const auto none = db->load<std::optional<Record>>(
      [](store::Reader& reader) { return GateService::latest(reader, "flight-delay", "9", ""); });
  EXPECT_FALSE(*none);
}

TEST_F(GateServiceTest, AVerdictThatAJobAskedForIsCausedByThatJob) {
  ASSERT_TRUE(db->write([](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.append({.type = "job.queued", .actor = "weir", .subject = "job/42"}));
    WEIR_TRY(tx.append({.type = "job.started", .actor = "weir", .subject = "job/42"}));
    return {};
  }));
  ASSERT_TRUE(service().judge({.model = "flight-delay", .run_id = kRun1, .job = 42}, kJob));
  EXPECT_EQ(events().back().cause, 2);
}

TEST_F(GateServiceTest, NumbersAndRulesOfTheCallerWin) {
  const auto verdict =
      service().judge({.model = "other", .rules = {"accuracy > 85%"}, .metrics = {{"accuracy", 0.9}}}, kJob, 0);
  ASSERT_TRUE(verdict) << verdict.error().message;
  EXPECT_TRUE(verdict->passed);
  const auto lowered = service().judge({.model = "flight-delay", .run_id = kRun1, .metrics = {{"auc", 0.1}}}, kJob, 0);
  EXPECT_FALSE(lowered->passed);
}

TEST_F(GateServiceTest, TheOnlyGateNeedsNoName) {
  EXPECT_EQ(service().judge({.version = "2"}, kJob, 0)->model, "flight-delay");
}

TEST_F(GateServiceTest, WhatItCannotFindItNames) {
  auto gate = service();
  EXPECT_NE(gate.judge({.model = "spam"}, kJob, 0)
                .error()
                .message.find("weir.yaml has no gate for model spam (it has: "
                              "flight-delay)"),
            std::string::npos);
  EXPECT_EQ(gate.judge({.model = "flight-delay", .version = "9"}, kJob, 0).error().code, Code::kNotFound);
  EXPECT_EQ(gate.judge({.model = "flight-delay", .run_id = "nope"}, kJob, 0).error().code, Code::kNotFound);
  EXPECT_EQ(gate.judge({.model = "flight-delay"}, kJob, 0).error().code, Code::kInvalidArgument);
  EXPECT_NE(gate.judge({.model = "flight-delay", .workflow_run = 8}, kJob, 0).error().message.find("workflow run 8"),
            std::string::npos);
  EXPECT_EQ(gate.judge({.model = "flight-delay", .rules = {"auc"}}, kJob, 0).error().code, Code::kInvalidArgument);
  EXPECT_TRUE(events().empty());
}

TEST_F(GateServiceTest, AChampionWhoseRunIsGoneIsSaidSo) {
  champion = Champion{.version = "1", .run_id = "gone"};
  const auto verdict = service().judge({.model = "flight-delay", .run_id = kRun2}, kJob, 0);
  ASSERT_TRUE(verdict) << verdict.error().message;
  EXPECT_FALSE(verdict->passed);
  ASSERT_EQ(verdict->warnings.size(), 1U);
  EXPECT_NE(verdict->warnings[0].find("champion version 1 is gone"), std::string::npos);
}

TEST(GateRequest, IsReadFromJson) {
  const auto request = request_from_json(
      *parse_json(R"({"model": "m", "version": 3, "rules": ["auc > 0.5"], "metrics": {"auc": 1, "f1": 0.5}})", "body"));
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->version, "3");
  EXPECT_EQ(request->metrics.at("auc"), 1.0);
  for (const char* bad :
       {"[]", R"({"rules": "auc > 1"})", R"({"rules": [1]})", R"({"metrics": {"a": "b"}})", R"({"metrics": []})"}) {
    EXPECT_FALSE(request_from_json(*parse_json(bad, "body"))) << bad;
  }
}

}  // namespace
}  // namespace weir::gate
