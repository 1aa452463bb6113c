#include "rollout/smoke.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/fake_backend.h"

namespace weir::rollout {
namespace {

using testing::HasSubstr;

serve::InferAnswer answer(std::string body, int status = 200) {
  return {.status = status, .body = std::move(body)};
}

TEST(JudgeExample, CountsRowsOfEveryForm) {
  for (const std::string example :
       {R"({"dataframe_split":{"columns":["a"],"data":[[1],[2]]}})", R"({"dataframe_records":[{"a":1},{"a":2}]})",
        R"({"instances":[1,2]})", R"({"inputs":{"a":[1,2]}})"}) {
    EXPECT_EQ(judge_example(example, answer(R"({"predictions":[0,1]})")).value(), 2U) << example;
    const auto fewer = judge_example(example, answer(R"({"predictions":[0]})"));
    ASSERT_FALSE(fewer.has_value()) << example;
    EXPECT_THAT(fewer.error().message, HasSubstr("1 predictions for the 2 rows"));
  }
}

TEST(JudgeExample, RefusesWhatIsNoFiniteNumberAnywhereInARow) {
  const std::string example = R"({"instances":[1,2]})";
  EXPECT_THAT(judge_example(example, answer(R"({"predictions":[0,null]})")).error().message, HasSubstr("row 1"));
  EXPECT_FALSE(judge_example(example, answer(R"({"predictions":[{"p":0.1},{"p":null}]})")).has_value());
  EXPECT_FALSE(judge_example(example, answer(R"({"predictions":{"p":null}})")).has_value());
  EXPECT_TRUE(judge_example(example, answer(R"({"predictions":[[0.1,0.9],[0.5,0.5]]})")).has_value());
}

TEST(JudgeExample, TellsWhatTheModelSaid) {
  const auto judged =
      judge_example("{}", answer(R"({"error_code":"BAD_REQUEST","message":"missing column \"x\""})", 400));
  ASSERT_FALSE(judged.has_value());
  EXPECT_THAT(judged.error().message, HasSubstr(R"(400: missing column "x")"));
  EXPECT_FALSE(judge_example("{}", answer("[]")).has_value());
}

TEST(SmokeTest, ReportsRowsAndLatencyOfAModelThatPasses) {
  auto backend = std::make_shared<serve::FakeBackend>(answer(R"({"predictions":[0.5]})"));
  std::optional<Result<json::object>> report;
  smoke_test(backend, R"({"instances":[1]})", [&](auto result) { report = std::move(result); });
  ASSERT_TRUE(report && report->has_value());
  EXPECT_EQ((**report).at("rows").to_number<int>(), 1);
  EXPECT_GE((**report).at("latency_ms").to_number<double>(), 0.0);
  EXPECT_EQ(backend->requests().size(), 2U);
}

TEST(SmokeTest, PassesAModelWithoutAnExampleThatLoads) {
  std::optional<Result<json::object>> report;
  smoke_test(std::make_shared<serve::FakeBackend>(), "", [&](auto result) { report = std::move(result); });
  ASSERT_TRUE(report && report->has_value());
  EXPECT_TRUE((*report)->empty());
}

}  // namespace
}  // namespace weir::rollout
