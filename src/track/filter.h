#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

// The filter language of MLflow's searches:
//   metrics.auc > 0.9 AND params."learning rate" = '0.1' AND tags.`mlflow.user` ILIKE 'a%' AND run_id IN ('x', 'y')
// (https://mlflow.org/docs/latest/search-runs.html). Pure and re-entrant.
namespace weir::track {

enum class Entity : std::uint8_t { kAttribute, kMetric, kParam, kTag, kDataset };

enum class Op : std::uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kLike,
  kIlike,
  kIn,
  kNotIn,
  kIsNull,
  kIsNotNull
};

std::string_view op_text(Op op);  // "=", "NOT IN"

struct Comparison {
  Entity entity = Entity::kAttribute;
  std::string key;
  Op op = Op::kEqual;
  // Nothing for IS [NOT] NULL, a list for [NOT] IN.
  std::variant<std::monostate, std::int64_t, double, std::string, std::vector<std::string>> value;
};

// What one kind of search knows.
struct FilterGrammar {
  std::span<const std::string_view> text_attributes;
  std::span<const std::string_view> numeric_attributes;
  std::span<const std::string_view> list_attributes;                       // those that take IN
  std::span<const std::string_view> order_attributes;                      // those that results can be ordered by
  std::span<const std::pair<std::string_view, std::string_view>> aliases;  // "Created" -> "start_time"
  bool metrics = false;
  bool params = false;
  bool tags = false;
  bool datasets = false;
};

// The comparisons, all of which must hold; none for an empty text. kInvalidArgument quotes the part that is wrong and
// says what would be right. At most 64 KiB and 200 comparisons.
Result<std::vector<Comparison>> parse_filter(std::string_view text, const FilterGrammar& grammar);

struct OrderBy {
  Entity entity = Entity::kAttribute;
  std::string key;
  bool ascending = true;
};

// "metrics.auc DESC", "attributes.start_time", "params.`x y` ASC".
Result<OrderBy> parse_order_by(std::string_view text, const FilterGrammar& grammar);

}  // namespace weir::track
