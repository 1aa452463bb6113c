#include "monitor/captured_rows.h"

#include <gtest/gtest.h>

#include "base/hash.h"

namespace weir::monitor {
namespace {

using serve::Protocol;

const TimePoint kArrival = parse_iso8601("2026-03-01T12:00:00Z").value();

serve::Capture capture(std::string request, std::string answer, Protocol protocol = Protocol::kMlflow) {
  return {
      .time = kArrival, .protocol = protocol, .request_body = std::move(request), .response_body = std::move(answer)};
}

std::vector<CapturedRow> rows_of(const serve::Capture& captured, const RowSettings& settings = {}) {
  auto rows = read_rows(captured, settings);
  EXPECT_TRUE(rows.has_value()) << rows.error().message;
  return rows.value_or(std::vector<CapturedRow>{});
}

std::string features(const CapturedRow& row) {
  return json::serialize(row.features);
}

TEST(CapturedRows, ReadsEveryFormOfMlflowsRequests) {
  const std::string answer = R"({"predictions": [0, 1]})";
  const std::vector<std::string> requests = {
      R"({"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [2.5, null]]}})",
      R"({"dataframe_records": [{"a": 1, "b": "x"}, {"a": 2.5, "b": null}]})",
      R"({"instances": [{"a": 1, "b": "x"}, {"a": 2.5, "b": null}]})",
      R"({"inputs": {"a": [1, 2.5], "b": ["x", null]}})",
      "a,b\n1,x\n2.5,\n",
  };
  for (const std::string& request : requests) {
    const auto rows = rows_of(capture(request, answer));
    ASSERT_EQ(rows.size(), 2U) << request;
    EXPECT_EQ(comparable_text(rows[0].features.at("a")), "1") << request;
    EXPECT_EQ(rows[0].features.at("b"), "x") << request;
    EXPECT_EQ(features(rows[1]), R"({"a":2.5E0,"b":null})") << request;
    EXPECT_EQ(rows[1].score, 1.0);
    EXPECT_EQ(rows[0].event_time, kArrival);
  }
}

TEST(CapturedRows, NumbersColumnsWithoutNames) {
  const auto rows = rows_of(capture(R"({"instances": [[1, 2], [3, 4]]})", R"({"predictions": ["a", "b"]})"));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(features(rows[1]), R"({"0":3,"1":4})");
  EXPECT_EQ(rows[0].prediction, "a");
  EXPECT_FALSE(rows[0].score.has_value());
}

TEST(CapturedRows, ReadsOpenInferenceTensors) {
  const auto rows = rows_of(capture(
      R"({"inputs": [{"name": "temp", "shape": [2, 1], "datatype": "FP64", "data": [1.5, 2.5]},
                     {"name": "carrier", "shape": [2], "datatype": "BYTES", "data": ["UA", "AA"]}]})",
      R"({"outputs": [{"name": "p", "shape": [2, 2], "datatype": "FP64", "data": [0.9, 0.1, 0.3, 0.7]}]})",
      Protocol::kOpenInference));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(features(rows[0]), R"({"temp":1.5E0,"carrier":"UA"})");
  EXPECT_EQ(json::serialize(rows[1].prediction), "[3E-1,7E-1]");
  EXPECT_EQ(rows[1].score, 0.7);
}

TEST(CapturedRows, SplitsTheOnlyTensorIntoColumns) {
  const auto rows = rows_of(capture(
      R"({"inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP64", "data": [[1, 2], [3, 4]]}]})",
      R"({"outputs": [{"name": "y", "shape": [2], "datatype": "INT64", "data": [0, 1]}]})", Protocol::kOpenInference));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(features(rows[1]), R"({"0":3,"1":4})");
}

TEST(CapturedRows, FindsKeyAndEventTimeAndDropsRedactedColumns) {
  const RowSettings settings{.key_column = "id", .time_column = "when", .redact = {"name"}};
  const auto rows =
      rows_of(capture(R"({"dataframe_records": [{"id": 12.0, "when": "2013-07-04T05:00:00Z", "name": "Ann", "x": 1},
                                        {"id": "f2", "when": "soon", "x": 2}]})",
                      R"({"predictions": [0, 1]})"),
              settings);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].key, "12");
  EXPECT_EQ(rows[0].event_time, parse_iso8601("2013-07-04T05:00:00Z").value());
  EXPECT_FALSE(rows[0].features.contains("name"));
  EXPECT_EQ(rows[1].key, "f2");
  EXPECT_FALSE(rows[1].event_time.has_value()) << "no arrival time in place of an event time";
}

TEST(CapturedRows, ARedactedKeyIsKeptAsItsHash) {
  const RowSettings settings{.key_column = "id", .redact = {"id"}};
  const auto rows =
      rows_of(capture(R"({"instances": [{"id": "secret", "x": 1}]})", R"({"predictions": [0]})"), settings);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].key, sha256_hex("secret"));
  EXPECT_EQ(rows[0].key, join_key("secret", true));
  EXPECT_EQ(features(rows[0]), R"({"x":1})");
}

TEST(CapturedRows, KeepsNoListsAndNoLongTexts) {
  const auto rows =
      rows_of(capture(R"({"instances": [{"list": [1], "text": ")" + std::string(300, 'x') + R"(", "x": 1}]})",
                      R"({"predictions": [0]})"));
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(features(rows[0]), R"({"x":1})");
}

TEST(CapturedRows, RefusesWhatItCannotRead) {
  const std::string answer = R"({"predictions": [0]})";
  EXPECT_FALSE(read_rows(capture(R"({"rows": []})", answer), {}).has_value());
  EXPECT_FALSE(read_rows(capture(R"({"instances": [1, 2]})", answer), {}).has_value()) << "two rows, one prediction";
  EXPECT_FALSE(read_rows(capture(R"({"instances": [1]})", "{}"), {}).has_value());
  EXPECT_FALSE(read_rows(capture("{", answer), {}).has_value());
  EXPECT_FALSE(read_rows(capture("", answer), {}).has_value());
  EXPECT_FALSE(
      read_rows(
          capture(R"({"inputs": [{"name": "x", "shape": [3], "data": [1, 2]}]})", answer, Protocol::kOpenInference), {})
          .has_value());
}

TEST(IsCorrect, ComparesLabelsWithPredictionsOfEveryKind) {
  const auto correct = [](std::string_view prediction, std::string_view label) {
    return is_correct(json::parse(prediction), json::parse(label));
  };
  EXPECT_EQ(correct("1", "1"), true);
  EXPECT_EQ(correct("1", "true"), true);
  EXPECT_EQ(correct("1.0", "\"1\""), true);
  EXPECT_EQ(correct("0", "1"), false);
  EXPECT_EQ(correct("\"cat\"", "\"cat\""), true);
  EXPECT_EQ(correct("0.7", "1"), true);
  EXPECT_EQ(correct("0.3", "1"), false);
  EXPECT_EQ(correct("[0.2, 0.8]", "1"), true);
  EXPECT_EQ(correct("[0.2, 0.5, 0.3]", "2"), false);
  EXPECT_EQ(correct("[0.2, 0.8]", "\"cat\""), std::nullopt) << "whose index is the cat?";
  EXPECT_EQ(correct(R"({"probability": 0.1, "label": "late"})", "\"late\""), true);
  EXPECT_EQ(correct("12.7", "13.1"), std::nullopt) << "a regression";
  EXPECT_EQ(correct("12.7", "13"), std::nullopt);
  EXPECT_EQ(correct("1", "null"), std::nullopt);
}

}  // namespace
}  // namespace weir::monitor
