#include "track/tracking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "track/test_state.h"

namespace weir::track {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TrackingTest : public testing::Test {
 protected:
  std::string new_run(const types::Identity& actor = {}, std::vector<KeyValue> tags = {}) {
    return tracking.create_run({.start_ms = 1, .tags = std::move(tags)}, actor).value().info.id;
  }

  std::vector<double> history(const std::string& run, const std::string& key) {
    std::vector<double> values;
    EXPECT_TRUE(tracking
                    .metric_history({.run_id = run, .key = key},
                                    [&](const MetricPoint& point) { values.push_back(point.value); })
                    .has_value());
    return values;
  }

  static std::string tag(const track::Run& run, std::string_view key) {
    for (const auto& entry : run.tags) {
      if (entry.key == key) return entry.value;
    }
    return "";
  }

  TestState state;
  Tracking& tracking = *state.tracking;
};

TEST_F(TrackingTest, OpeningTwiceKeepsTheDefaultExperiment) {
  ASSERT_TRUE(Tracking::open(*state.db, *state.blobs).has_value());
  EXPECT_EQ(tracking.experiment(0)->name, "Default");
  EXPECT_EQ(state.count("track_experiments"), 1);
}

TEST_F(TrackingTest, ARepeatedBatchIsStoredOnce) {
  const auto run = new_run();
  Tracking::Batch batch{.params = {{"a", "1"}}, .tags = {{"b", "2"}}};
  for (int i = 0; i < 777; ++i) {
    batch.metrics.push_back({.key = fmt::format("m{}", i % 5), .value = i / 3.0, .timestamp_ms = 10 + i, .step = i});
  }
  batch.metrics.push_back({.key = "nan", .value = std::nan(""), .timestamp_ms = 1});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(tracking.log_batch(run, batch).has_value());
  EXPECT_EQ(state.count("track_metrics"), 778);
  EXPECT_EQ(state.count("track_latest_metrics"), 6);
  EXPECT_EQ(state.count("track_metric_names"), 6);
}

TEST_F(TrackingTest, ABatchWithOneWrongPartChangesNothing) {
  const auto run = new_run();
  ASSERT_TRUE(tracking.log_batch(run, {.params = {{"taken", "1"}}}).has_value());
  const auto refused = tracking.log_batch(
      run, {.metrics = {{.key = "m", .value = 1, .timestamp_ms = 1}}, .params = {{"new", "1"}, {"taken", "2"}}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("\"taken\""));
  EXPECT_EQ(state.count("track_metrics"), 0);
  EXPECT_EQ(tracking.run(run)->params.size(), 1U);
}

TEST_F(TrackingTest, InfinityIsKeptAndNotANumberComesBack) {
  const auto run = new_run();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  ASSERT_TRUE(tracking
                  .log_batch(run, {.metrics = {{.key = "m", .value = kInfinity, .timestamp_ms = 1},
                                               {.key = "m", .value = -kInfinity, .timestamp_ms = 2},
                                               {.key = "m", .value = std::nan(""), .timestamp_ms = 3}}})
                  .has_value());
  const auto values = history(run, "m");
  ASSERT_EQ(values.size(), 3U);
  EXPECT_EQ(values[0], kInfinity);
  EXPECT_EQ(values[1], -kInfinity);
  EXPECT_TRUE(std::isnan(values[2]));
}

TEST_F(TrackingTest, TheDatasetOfAMetricStaysWithItsNewestPoint) {
  const auto run = new_run();
  ASSERT_TRUE(
      tracking
          .log_batch(
              run,
              {.metrics =
                   {{.key = "auc", .value = 0.5, .timestamp_ms = 1, .dataset_digest = "old"},
                    {.key = "auc", .value = 0.6, .timestamp_ms = 2, .dataset_name = "april", .dataset_digest = "d1"}}})
          .has_value());
  const auto loaded = tracking.run(run).value();
  ASSERT_EQ(loaded.metrics.size(), 1U);
  EXPECT_EQ(loaded.metrics[0].dataset_name, "april");
  EXPECT_EQ(loaded.metrics[0].dataset_digest, "d1");
}

TEST_F(TrackingTest, ManyThreadsLogIntoOneRun) {
  const auto run = new_run();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 25; ++i) {
        EXPECT_TRUE(tracking
                        .log_batch(run, {.metrics = {{.key = "shared",
                                                      .value = static_cast<double>(thread),
                                                      .timestamp_ms = i,
                                                      .step = thread * 100 + i}},
                                         .tags = {{fmt::format("t{}", thread), "x"}}})
                        .has_value());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(history(run, "shared").size(), 200U);
  EXPECT_EQ(tracking.run(run)->metrics[0].step, 724);
}

TEST_F(TrackingTest, RunsOfAJobNameTheirWorkflowRun) {
  const auto run = tracking.run(new_run(job_identity(42, 7))).value();
  EXPECT_EQ(run.info.workflow_run, 7);
  EXPECT_EQ(run.info.job, 42);
  EXPECT_EQ(tag(run, "weir.run_id"), "7");
  EXPECT_EQ(tag(run, "weir.job_id"), "42");
  EXPECT_EQ(tag(tracking.run(new_run()).value(), "weir.run_id"), "");
}

TEST_F(TrackingTest, ANumericIdNamesTheRunThatTheWorkflowRunMade) {
  const auto early = new_run(job_identity(1, 7));
  EXPECT_EQ(tracking.run("7")->info.id, early);
  const auto with_model = new_run(job_identity(1, 7));
  ASSERT_TRUE(tracking.create_model({.name = "model", .source_run = with_model}, {}).has_value());
  const auto nested = new_run(job_identity(1, 7), {{"mlflow.parentRunId", with_model}});
  ASSERT_TRUE(tracking.create_model({.name = "model", .source_run = nested}, {}).has_value());
  new_run(job_identity(2, 7));
  new_run(job_identity(3, 8));
  EXPECT_EQ(tracking.run_of_workflow_run(7).value(), with_model);
  EXPECT_EQ(tracking.run("7")->info.id, with_model);
  ASSERT_TRUE(tracking.log_batch("7", {.params = {{"a", "1"}}}).has_value());
  EXPECT_EQ(tracking.run(with_model)->params.size(), 1U);
  EXPECT_EQ(tracking.runs_of_workflow_run(7)->size(), 4U);

  const auto unknown = tracking.run("9");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code, Code::kNotFound);
  EXPECT_THAT(unknown.error().message, HasSubstr("workflow run 9"));
}

TEST_F(TrackingTest, AnIdOf32DigitsIsNoWorkflowRun) {
  const auto unknown = tracking.run("12345678901234567890123456789012");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_THAT(unknown.error().message, HasSubstr("run with id 1234567890"));
}

TEST_F(TrackingTest, DeletedRunsAreNotFoundByWorkflowRun) {
  const auto run = new_run(job_identity(1, 7));
  ASSERT_TRUE(tracking.set_run_deleted(run, true).has_value());
  EXPECT_FALSE(tracking.run_of_workflow_run(7).has_value());
}

TEST_F(TrackingTest, SampledHistoryHasFirstAndLastPoint) {
  const auto run = new_run();
  Tracking::Batch batch;
  for (int i = 0; i < 100; ++i) batch.metrics.push_back({.key = "m", .value = 1.0 * i, .timestamp_ms = i, .step = i});
  ASSERT_TRUE(tracking.log_batch(run, batch).has_value());
  const std::vector<std::string> runs = {run};
  const auto steps = [&](const Tracking::Interval& interval) {
    std::vector<std::int64_t> found;
    for (const auto& point : tracking.metric_history_sampled(runs, "m", interval).value()) found.push_back(point.step);
    return found;
  };
  EXPECT_THAT(steps({.results_max = 4}), ElementsAre(0, 33, 66, 99));
  EXPECT_THAT(steps({.results_max = 1}), ElementsAre(99));
  EXPECT_THAT(steps({.start_step = 10, .end_step = 12}), ElementsAre(10, 11, 12));
  EXPECT_FALSE(tracking.metric_history_sampled(runs, "m", {.start_step = 10}).has_value());
  EXPECT_FALSE(tracking.metric_history_sampled(runs, "m", {.start_step = 10, .end_step = 9}).has_value());
}

TEST_F(TrackingTest, APageTokenFitsItsOwnSearchOnly) {
  for (int i = 0; i < 3; ++i) new_run();
  const auto page = tracking.search_runs({.experiments = {0}, .results_max = 2}).value();
  EXPECT_EQ(page.items.size(), 2U);
  ASSERT_FALSE(page.next_token.empty());
  EXPECT_EQ(tracking.search_runs({.experiments = {0}, .results_max = 2, .page_token = page.next_token})->items.size(),
            1U);
  for (const std::string& token :
       {page.next_token + "x", std::string("1"), std::string("-1.00000000"), std::string("a.b")}) {
    EXPECT_FALSE(tracking.search_runs({.experiments = {0}, .page_token = token}).has_value()) << token;
  }
  EXPECT_FALSE(tracking.search_runs({.experiments = {1}, .results_max = 2, .page_token = page.next_token}).has_value());
}

TEST_F(TrackingTest, RunsWithManyDetailsComeBackInOneSearch) {
  for (int i = 0; i < 600; ++i) {
    const auto run = new_run({}, {{"number", std::to_string(i)}});
    if (i % 100 == 0) {
      ASSERT_TRUE(
          tracking.log_batch(run, {.metrics = {{.key = "m", .value = 1.0 * i, .timestamp_ms = 1}}}).has_value());
    }
  }
  const auto page = tracking.search_runs({.experiments = {0}, .filter = "metrics.m >= 300"}).value();
  EXPECT_EQ(page.items.size(), 3U);
  EXPECT_EQ(tracking.search_runs({.experiments = {0}})->items.size(), 600U);
}

TEST_F(TrackingTest, AWrongArtifactLocationIsRefused) {
  for (const char* wrong :
       {"./mlruns", "/tmp/x", "C:/x", "runs:/a/b", "mlflow-artifacts:/versions/1", "mlflow-artifacts:/../x"}) {
    EXPECT_FALSE(tracking.create_experiment("a", wrong, {}).has_value()) << wrong;
  }
  const auto id = tracking.create_experiment("a", "s3://bucket/path", {}).value();
  EXPECT_EQ(tracking.experiment(id)->artifact_location, "s3://bucket/path");
}

TEST_F(TrackingTest, MetricsOfUnknownLoggedModelsAreRefused) {
  const auto run = new_run();
  const auto refused = tracking.log_batch(
      run,
      {.metrics = {{.key = "m", .value = 1, .timestamp_ms = 1, .model_id = "m-00000000000000000000000000000000"}}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kNotFound);
  EXPECT_EQ(state.count("track_metrics"), 0);
}

}  // namespace
}  // namespace weir::track
