#include "api/mlflow/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "api/mlflow/answers.h"

namespace weir::api::mlflow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

json::value message(std::string_view text) {
  return parse_json(text, "test").value();
}

TEST(MlflowFields, NumbersMayBeTextAsProtobufWritesThem) {
  const auto value =
      message(R"({"a": 5, "b": "6", "c": 7.0, "d": null, "e": "x", "f": 1.5, "g": "NaN", "h": "-Infinity"})");
  const Fields fields(value);
  EXPECT_EQ(fields.integer("a").value(), 5);
  EXPECT_EQ(fields.integer("b").value(), 6);
  EXPECT_EQ(fields.integer("c").value(), 7);
  EXPECT_EQ(fields.integer("d").value(), std::nullopt);
  EXPECT_EQ(fields.integer_or("missing", 9).value(), 9);
  EXPECT_THAT(fields.integer("e").error().message, HasSubstr("'e'"));
  EXPECT_FALSE(fields.integer("f").has_value());
  EXPECT_TRUE(std::isnan(fields.number("g").value()));
  EXPECT_TRUE(std::isinf(fields.number("h").value()));
  EXPECT_FALSE(fields.number("d").has_value());
}

TEST(MlflowFields, AbsentAndNullMembersHaveTheirDefaults) {
  const auto value = message(R"({"text": null, "list": null, "flag": null})");
  const Fields fields(value);
  EXPECT_EQ(fields.text("text").value(), "");
  EXPECT_TRUE(fields.texts("list")->empty());
  EXPECT_TRUE(fields.flag("flag", true).value());
  EXPECT_THAT(fields.required("text").error().message, HasSubstr("required parameter 'text'"));
}

TEST(MlflowFields, EnumsAreNamesOrNumbers) {
  const auto by_name = message(R"({"status": "FAILED", "view_type": "ALL"})");
  const auto by_number = message(R"({"status": 4, "view_type": "3"})");
  for (const auto* value : {&by_name, &by_number}) {
    EXPECT_EQ(parse_run_status(Fields(*value)).value(), track::RunStatus::kFailed);
    EXPECT_EQ(parse_view(Fields(*value), "view_type").value(), track::View::kAll);
  }
  const auto wrong = message(R"({"status": "DONE"})");
  EXPECT_THAT(parse_run_status(Fields(wrong)).error().message, HasSubstr("RUNNING, SCHEDULED"));
}

TEST(MlflowFields, QueriesBecomeMessages) {
  io::HttpRequest request;
  request.method = "GET";
  request.query = {{"run_ids", "a"}, {"metric_key", "m"}, {"run_ids", "b"}, {"max_results", "5"}};
  const auto value = read_message(request).value();
  const Fields fields(value);
  EXPECT_THAT(fields.texts("run_ids").value(), ElementsAre("a", "b"));
  EXPECT_THAT(fields.texts("metric_key").value(), ElementsAre("m"));
  EXPECT_EQ(fields.integer("max_results").value(), 5);
}

TEST(MlflowFields, BodiesEncodedTwiceAreRead) {
  io::HttpRequest request;
  request.method = "POST";
  request.body = R"("{\"name\": \"x\"}")";
  const auto value = read_message(request).value();
  EXPECT_EQ(Fields(value).text("name").value(), "x");
  request.body = "[1]";
  EXPECT_FALSE(read_message(request).has_value());
}

TEST(MlflowAnswers, ErrorsHaveTheClientsCodes) {
  const auto answer = error_answer(Error{Code::kNotFound, "no run"});
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(message(answer.body), message(R"({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no run"})"));
  // 429 and 5xx make the client repeat a request, which helps nobody here.
  EXPECT_EQ(error_answer(Error{Code::kFailedPrecondition, ""}).status, 400);
  EXPECT_EQ(error_answer(Error{Code::kResourceExhausted, ""}).status, 507);
}

TEST(MlflowAnswers, NumbersThatJsonLacksAreText) {
  EXPECT_EQ(to_json_number(std::nan("")), json::value("NaN"));
  EXPECT_EQ(to_json_number(HUGE_VAL), json::value("Infinity"));
  EXPECT_EQ(to_json_number(-HUGE_VAL), json::value("-Infinity"));
  EXPECT_EQ(to_json_number(0.5), json::value(0.5));
}

}  // namespace
}  // namespace weir::api::mlflow
