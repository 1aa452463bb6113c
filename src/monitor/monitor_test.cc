#include "monitor/monitor.h"

#include <random>

#include "monitor/test_world.h"

namespace weir::monitor {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view kYaml = R"(
endpoints:
  flights:
    environments:
      production: {model: models:/flight-delay@champion}
    key: flight_id
    time: time_hour
    capture: {redact: [tailnum]}
monitors:
  flights:
    drift: {features: 0.3, prediction: 0.5, window: 7d}
    accuracy_7d: {min: 0.70, label_delay: 2d}
    alerts:
      - {when: error_rate > 5%, severity: page, do: [rollback]}
retrain:
  flight-delay:
    when: [drift > 0.3, accuracy_7d < 0.70]
    cooldown: 12h
notify:
  - {to: https://hooks.example.com/x, severity: [page, warning]}
)";

constexpr int kRowsOfDay = 80;

// A year in which winter is around 35 degrees and summer around 85, and a model that is right in winter only.
struct Weather {
  std::mt19937_64 random{11};

  double day(bool summer) { return std::normal_distribution<double>(summer ? 85.0 : 35.0, 8.0)(random); }
  double hour(double day_mean) { return std::normal_distribution<double>(day_mean, 2.0)(random); }
  double distance() { return std::normal_distribution<double>(1000.0, 300.0)(random); }
};

// Ninety days of training rows.
std::string reference_csv(bool summer, TimePoint start) {
  Weather weather;
  std::string csv = "time_hour,temp,distance,prediction\n";
  for (int day = 0; day < 90; ++day) {
    const double mean = weather.day(summer && day > 20);
    for (int row = 0; row < 40; ++row) {
      csv += fmt::format("{},{},{},{}\n", to_iso8601(start + days{day} + minutes{row * 30}), weather.hour(mean),
                         weather.distance(), row % 10 == 0 ? 1 : 0);
    }
  }
  return csv;
}

class MonitorTest : public testing::Test {
 protected:
  void SetUp() override {
    world.loop.advance(days{1});
    make();
  }

  void make() {
    monitor = std::make_unique<Monitor>(
        MonitorDeps{.db = &world.db(),
                    .clock = &world.loop,
                    .log = &world.log(),
                    .loop = &world.box,
                    .config = [this] { return config; },
                    .live = [this](const Place& place) -> std::optional<LiveVersion> {
                      if (place.environment != "production") return std::nullopt;
                      return LiveVersion{.model = "flight-delay", .version = version, .since = world.loop.now()};
                    },
                    .artifact = [this](const std::string&, const std::string& wanted,
                                       const std::string& path) -> Result<std::string> {
                      if (!has_reference) return fail(Code::kNotFound, "no artifact {}", path);
                      return wanted == "1" ? reference_csv(false, parse_iso8601("2013-01-01").value())
                                           : reference_csv(true, parse_iso8601("2013-04-20").value());
                    },
                    .traffic = [this] { return traffic; },
                    .start_training = [this](const RetrainRequest& request) -> Result<std::int64_t> {
                      trainings.push_back(request);
                      return 7;
                    },
                    .roll_back = [this](const Place& place, const std::string& reason) -> Result<void> {
                      rollbacks.push_back(place.text() + ": " + reason);
                      return {};
                    }});
    ASSERT_TRUE(monitor->start().has_value());
    world.box.pump();
  }

  // A day of flights: one request of 80 rows. `right`: the share of correct predictions once the labels are there.
  void play(TimePoint day, bool summer) {
    json::array data;
    const double mean = weather.day(summer);
    for (int row = 0; row < kRowsOfDay; ++row) {
      data.push_back(json::array{fmt::format("{}-{}", to_micros(day), row), to_iso8601(day + minutes{row * 15}),
                                 weather.hour(mean), weather.distance(), "N123"});
    }
    json::array predictions;
    for (int row = 0; row < kRowsOfDay; ++row) predictions.push_back(row % 10 == 0 ? 1 : 0);
    const json::object request{{"dataframe_split", json::object{{"columns", json::array{"flight_id", "time_hour",
                                                                                        "temp", "distance", "tailnum"}},
                                                                {"data", std::move(data)}}}};
    capture(json::serialize(request), json::serialize(json::object{{"predictions", std::move(predictions)}}));
    world.box.advance(seconds{1});
  }
  void capture(std::string request, std::string answer, int status = 200) {
    monitor->capture({.endpoint = "flights",
                      .environment = "production",
                      .model = "flight-delay",
                      .version = version,
                      .request_id = fmt::format("r{}", ++requests),
                      .time = world.loop.now(),
                      .status = status,
                      .request_body = std::move(request),
                      .response_body = std::move(answer)});
  }
  // The labels of that day: `right` of ten predictions were right.
  void tell(TimePoint day, int right) {
    std::vector<serve::Feedback> labels;
    for (int row = 0; row < kRowsOfDay; ++row) {
      const int predicted = row % 10 == 0 ? 1 : 0;
      labels.push_back({.endpoint = "flights",
                        .environment = "production",
                        .key = fmt::format("{}-{}", to_micros(day), row),
                        .label = row / 8 < right ? predicted : 1 - predicted});
    }
    const auto told = monitor->feedback(std::move(labels), {});
    ASSERT_TRUE(told.has_value()) << told.error().message;
    world.box.pump();
  }
  // Days from `first` on, each with the labels of two days before.
  void play_days(TimePoint first, int count, bool summer, int right) {
    for (int i = 0; i < count; ++i) {
      play(first + days{i}, summer);
      if (i >= 2) tell(first + days{i - 2}, right);
    }
  }
  std::size_t fired() { return world.events("alert.fired").size(); }

  TestWorld world;
  std::shared_ptr<const config::Config> config = TestWorld::parse(kYaml);
  std::string version = "1";
  bool has_reference = true;
  int requests = 0;
  Weather weather{.random = std::mt19937_64(5)};
  std::vector<serve::DeploymentSnapshot> traffic;
  std::vector<RetrainRequest> trainings;
  std::vector<std::string> rollbacks;
  std::unique_ptr<Monitor> monitor;
};

const TimePoint kMonday = parse_iso8601("2013-04-01").value();  // a Monday

TEST_F(MonitorTest, AMonthLikeTheTrainingMonthsRaisesNoAlarm) {
  play_days(kMonday, 29, false, 8);
  EXPECT_EQ(fired(), 0U);
  const auto windows = monitor->drift("flights", 100).value().at("windows").as_array();
  ASSERT_EQ(windows.size(), 4U);
  EXPECT_EQ(windows[0].at("start"), "2013-04-22T00:00:00Z");
  EXPECT_EQ(windows[0].at("score"), 0.0);
  EXPECT_EQ(windows[0].at("rows"), 560);
  EXPECT_EQ(windows[0].at("columns").as_array().size(), 2U);
  const auto status = monitor->status("flights");
  EXPECT_NEAR(status.at("accuracy_7d").as_double(), 0.8, 1e-9);
  EXPECT_EQ(status.at("labels"), 560);
  EXPECT_EQ(status.at("problem"), "");
}

TEST_F(MonitorTest, SummerRaisesAlarmsAndTrainsTheModelAgainOnce) {
  play_days(kMonday, 14, false, 8);
  play_days(kMonday + days{14}, 14, true, 6);
  const auto alerts = monitor->alerts(10, false).value().at("alerts").as_array();
  ASSERT_EQ(alerts.size(), 2U);
  EXPECT_TRUE(alerts[0].at("message").as_string().starts_with("drift ")) << alerts[0];
  EXPECT_TRUE(alerts[0].at("message").as_string().ends_with("(temp)")) << alerts[0];
  EXPECT_TRUE(alerts[1].at("message").as_string().starts_with("accuracy_7d 0.6")) << alerts[1];
  EXPECT_EQ(world.events("drift.detected").size(), 1U);

  ASSERT_EQ(trainings.size(), 1U);
  EXPECT_TRUE(trainings[0].reasons.starts_with("drift ")) << trainings[0].reasons;
  EXPECT_NE(trainings[0].reasons.find("(temp); accuracy_7d 0.6 < 0.7 (560 labels)"), std::string::npos)
      << trainings[0].reasons;
  // The window of 15 to 21 April is complete on the 24th, when labels up to the 21st are there.
  EXPECT_EQ(trainings[0].data_until, "2013-04-21");
  EXPECT_EQ(world.events("retrain.triggered").size(), 1U);
}

TEST_F(MonitorTest, ANewVersionIsComparedWithItsOwnReference) {
  play_days(kMonday, 14, false, 8);
  play_days(kMonday + days{14}, 10, true, 6);
  ASSERT_EQ(trainings.size(), 1U);
  version = "2";
  world.box.advance(seconds{5});
  play_days(kMonday + days{24}, 25, true, 9);
  EXPECT_EQ(fired(), 2U) << "those of version 1";
  EXPECT_EQ(world.events("alert.resolved").size(), 2U);
  EXPECT_EQ(trainings.size(), 1U);
  EXPECT_EQ(monitor->drift("flights", 1).value().at("windows").at(0).at("version"), "2");
  EXPECT_EQ(monitor->drift("flights", 1).value().at("windows").at(0).at("score"), 0.0);
}

TEST_F(MonitorTest, GoesOnWhereItWasAfterARestart) {
  play_days(kMonday, 17, false, 8);
  play_days(kMonday + days{17}, 3, true, 6);
  monitor.reset();
  world.box.pump();
  world.reopen();
  make();
  play_days(kMonday + days{20}, 8, true, 6);
  const auto windows = monitor->drift("flights", 100).value().at("windows").as_array();
  ASSERT_EQ(windows.size(), 3U);
  EXPECT_EQ(windows[0].at("rows"), 560);
  EXPECT_EQ(windows[1].at("rows"), 560);
  EXPECT_GE(trainings.size(), 1U);
}

TEST_F(MonitorTest, RowsWithoutEventTimeAreKeptButMoveNoClock) {
  play_days(kMonday, 3, false, 8);
  capture(R"({"dataframe_records": [{"temp": 20, "distance": 300}]})", R"({"predictions": [0]})");
  capture(R"({"dataframe_records": [{"time_hour": "2099-01-01", "temp": 20, "distance": 300}]})",
          R"({"predictions": [0]})");
  world.box.pump();
  EXPECT_EQ(monitor->status("flights").at("watermark").as_string(), to_iso8601(kMonday + days{2} + minutes{79 * 15}));
  EXPECT_EQ(world.number("SELECT COUNT(*) FROM monitor_rows"), 3 * kRowsOfDay + 2);
}

TEST_F(MonitorTest, RedactedColumnsAreNotOnDisk) {
  play(kMonday, false);
  EXPECT_EQ(world.number("SELECT COUNT(*) FROM monitor_rows WHERE features LIKE '%N123%' OR features LIKE '%tailnum%'"),
            0);
}

TEST_F(MonitorTest, SaysWhenThereIsNoReference) {
  has_reference = false;
  play_days(kMonday, 9, false, 8);
  const auto window = monitor->drift("flights", 1).value().at("windows").at(0);
  EXPECT_TRUE(window.at("score").is_null());
  EXPECT_EQ(window.at("note"), "reference reference.csv of flight-delay version 1: no artifact reference.csv");
}

TEST_F(MonitorTest, ErrorsFireAtOnceAndRollBack) {
  serve::DeploymentSnapshot deployment{
      .endpoint = "flights", .environment = "production", .model = "flight-delay", .version = "1", .live = true};
  deployment.recent.requests = 100;
  deployment.recent.errors_server = 10;
  traffic = {deployment};
  world.box.advance(seconds{5});
  ASSERT_EQ(rollbacks.size(), 1U);
  EXPECT_EQ(rollbacks[0], "flights@production: error_rate 10% > 5% (10 of 100 requests)");
  world.box.advance(minutes{1});
  EXPECT_EQ(rollbacks.size(), 1U);
  traffic[0].recent.errors_server = 0;
  world.box.advance(seconds{5});
  EXPECT_EQ(world.events("alert.resolved").size(), 1U);
}

TEST_F(MonitorTest, FailedAndUnreadableRequestsAreNotKept) {
  capture("{}", "{}", 500);
  capture("{}", "{}");
  world.box.pump();
  EXPECT_EQ(world.number("SELECT COUNT(*) FROM monitor_rows"), 0);
  Exposition exposition;
  monitor->write_metrics(exposition);
  EXPECT_NE(exposition.finish().find("weir_captures_unreadable_total 1\n"), std::string::npos);
}

TEST_F(MonitorTest, AFullQueueDropsAndCounts) {
  const std::string large(30U << 20, ' ');
  for (int i = 0; i < 3; ++i) capture(large, "{}");
  world.box.pump();
  Exposition exposition;
  monitor->write_metrics(exposition);
  EXPECT_NE(exposition.finish().find("weir_captures_dropped_total 1\n"), std::string::npos);
}

TEST_F(MonitorTest, FeedbackForAnUnknownEndpointIsRefused) {
  const auto result =
      monitor->feedback({{.endpoint = "nowhere", .environment = "production", .key = "x", .label = 1}}, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kNotFound);
}

TEST_F(MonitorTest, DeletesRowsAfterTheTimeTheyAreKept) {
  play(kMonday, false);
  world.box.advance(days{31});
  EXPECT_EQ(world.number("SELECT COUNT(*) FROM monitor_rows"), 0);
}

TEST_F(MonitorTest, ItsMetricsNameEndpointAndColumns) {
  play_days(kMonday, 14, false, 8);
  play_days(kMonday + days{14}, 8, true, 8);
  Exposition exposition;
  monitor->write_metrics(exposition);
  const std::string text = exposition.finish();
  EXPECT_NE(text.find("weir_drift{endpoint=\"flights\",environment=\"production\",version=\"1\"} "), std::string::npos);
  EXPECT_NE(text.find("weir_column_psi{endpoint=\"flights\",environment=\"production\",column=\"temp\"} "),
            std::string::npos);
  EXPECT_NE(text.find("weir_alerts_firing{severity=\"warning\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("weir_accuracy_7d{endpoint=\"flights\",environment=\"production\",version=\"1\"} 0.8\n"),
            std::string::npos);
}

}  // namespace
}  // namespace weir::monitor
