#include "track/filter.h"

#include <gtest/gtest.h>

#include <array>

namespace weir::track {
namespace {

constexpr std::array<std::string_view, 3> kText = {"run_id", "status", "run_name"};
constexpr std::array<std::string_view, 1> kNumeric = {"start_time"};
constexpr std::array<std::string_view, 1> kLists = {"run_id"};
constexpr std::array<std::string_view, 2> kOrder = {"start_time", "status"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kAliases = {
    {{"Created", "start_time"}, {"run name", "run_name"}}};
constexpr FilterGrammar kGrammar{.text_attributes = kText,
                                 .numeric_attributes = kNumeric,
                                 .list_attributes = kLists,
                                 .order_attributes = kOrder,
                                 .aliases = kAliases,
                                 .metrics = true,
                                 .params = true,
                                 .tags = true,
                                 .datasets = true};

Comparison only(std::string_view text) {
  const auto parsed = parse_filter(text, kGrammar);
  EXPECT_TRUE(parsed.has_value()) << text << ": " << (parsed ? "" : parsed.error().message);
  return parsed && parsed->size() == 1 ? parsed->front() : Comparison{};
}

std::string refusal(std::string_view text) {
  const auto parsed = parse_filter(text, kGrammar);
  EXPECT_FALSE(parsed.has_value()) << text;
  return parsed ? "" : parsed.error().message;
}

TEST(Filter, EmptyTextFiltersNothing) {
  EXPECT_TRUE(parse_filter("", kGrammar)->empty());
  EXPECT_TRUE(parse_filter("  \n", kGrammar)->empty());
}

TEST(Filter, MetricIsComparedWithANumber) {
  const auto comparison = only("metrics.auc >= 0.9");
  EXPECT_EQ(comparison.entity, Entity::kMetric);
  EXPECT_EQ(comparison.key, "auc");
  EXPECT_EQ(comparison.op, Op::kGreaterEqual);
  EXPECT_DOUBLE_EQ(std::get<double>(comparison.value), 0.9);
  EXPECT_EQ(std::get<std::int64_t>(only("metric.n != -5").value), -5);
  EXPECT_DOUBLE_EQ(std::get<double>(only("metrics.x<1e-3").value), 1e-3);
}

TEST(Filter, KeysMayBeQuotedOrHoldDots) {
  EXPECT_EQ(only("params.\"learning rate\" = '0.1'").key, "learning rate");
  EXPECT_EQ(only("tags.`mlflow.source.name` LIKE '%.py'").key, "mlflow.source.name");
  EXPECT_EQ(only("tags.mlflow.source.name = 'x'").key, "mlflow.source.name");
  EXPECT_EQ(only("metrics.'val/auc' > 1").key, "val/auc");
}

TEST(Filter, QuotesInValuesAreDoubled) {
  EXPECT_EQ(std::get<std::string>(only("params.a = 'it''s'").value), "it's");
  EXPECT_EQ(std::get<std::string>(only("params.a = \"it's\"").value), "it's");
}

TEST(Filter, WordsOfTheLanguageIgnoreCase) {
  const auto parsed = parse_filter("params.a ilike 'x%' and tags.b is not null AND run_id not in ('1','2',)", kGrammar);
  ASSERT_TRUE(parsed.has_value());
  ASSERT_EQ(parsed->size(), 3U);
  EXPECT_EQ((*parsed)[0].op, Op::kIlike);
  EXPECT_EQ((*parsed)[1].op, Op::kIsNotNull);
  EXPECT_EQ((*parsed)[2].op, Op::kNotIn);
  EXPECT_EQ(std::get<std::vector<std::string>>((*parsed)[2].value), (std::vector<std::string>{"1", "2"}));
}

TEST(Filter, AttributesMayStandAloneAndHaveAliases) {
  EXPECT_EQ(only("status = 'FINISHED'").entity, Entity::kAttribute);
  EXPECT_EQ(only("attributes.Created > 5").key, "start_time");
  EXPECT_EQ(only("`run name` = 'a'").key, "run_name");
  EXPECT_EQ(only("run.status = 'x'").key, "status");
}

TEST(Filter, WrongInputIsRefusedByNameOfWhatIsWrong) {
  EXPECT_NE(refusal("metrics.auc > 'x'").find("expected a number"), std::string::npos);
  EXPECT_NE(refusal("params.a > 'x'").find("invalid comparator >"), std::string::npos);
  EXPECT_NE(refusal("params.a = 5").find("expected a quoted string"), std::string::npos);
  EXPECT_NE(refusal("nonsense.a = 5").find("invalid entity type \"nonsense\""), std::string::npos);
  EXPECT_NE(refusal("speed = 'x'").find("invalid attribute key \"speed\""), std::string::npos);
  EXPECT_NE(refusal("params.a = 'x").find("not closed"), std::string::npos);
  EXPECT_NE(refusal("params.a = 'x' OR params.b = 'y'").find("OR is not part"), std::string::npos);
  EXPECT_NE(refusal("params.a = 'x' params.b = 'y'").find("expected AND"), std::string::npos);
  EXPECT_NE(refusal("params.a = 'x' AND").find("expected a comparison"), std::string::npos);
  EXPECT_NE(refusal("run_id IN ()").find("quoted string in the list"), std::string::npos);
  EXPECT_NE(refusal("status IN ('a')").find("invalid comparator IN"), std::string::npos);
  EXPECT_NE(refusal("metrics.auc > nan").find("expected a number"), std::string::npos);
  EXPECT_NE(refusal("metrics.auc IS NULL").find("invalid comparator IS NULL"), std::string::npos);
  EXPECT_NE(refusal("dataset.size = 'x'").find("invalid dataset key"), std::string::npos);
  EXPECT_NE(refusal(std::string(70'000, ' ')).find("65536"), std::string::npos);
}

TEST(OrderBy, DirectionIsOptional) {
  const auto order = parse_order_by("metrics.`my metric` DESC", kGrammar);
  ASSERT_TRUE(order.has_value());
  EXPECT_EQ(order->entity, Entity::kMetric);
  EXPECT_EQ(order->key, "my metric");
  EXPECT_FALSE(order->ascending);
  EXPECT_TRUE(parse_order_by("attributes.start_time", kGrammar)->ascending);
  EXPECT_EQ(parse_order_by("Created asc", kGrammar)->key, "start_time");
}

TEST(OrderBy, UnknownKeysAndWordsAreRefused) {
  EXPECT_FALSE(parse_order_by("run_name", kGrammar).has_value());
  EXPECT_FALSE(parse_order_by("metrics.a downwards", kGrammar).has_value());
  EXPECT_FALSE(parse_order_by("", kGrammar).has_value());
  EXPECT_FALSE(parse_order_by("dataset.name", kGrammar).has_value());
}

}  // namespace
}  // namespace weir::track
