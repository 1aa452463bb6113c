#include <fmt/format.h>

#include <array>
#include <cmath>

#include "require.h"
#include "track/filter.h"
#include "track/names.h"
#include "track/search_sql.h"

// Filters, orders and page tokens come from clients. What is accepted means the same when it is written down again, and
// gives as many values as its SQL has placeholders; what is refused has a reason of bounded length.
namespace {

using namespace weir::track;

constexpr std::array<std::string_view, 3> kText = {"name", "run_id", "status"};
constexpr std::array<std::string_view, 1> kNumeric = {"start_time"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 1> kAliases = {{{"run name", "name"}}};
constexpr FilterGrammar kGrammar{.text_attributes = kText,
                                 .numeric_attributes = kNumeric,
                                 .list_attributes = kText,
                                 .order_attributes = kText,
                                 .aliases = kAliases,
                                 .metrics = true,
                                 .params = true,
                                 .tags = true,
                                 .datasets = true};

std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out += c;
    out += c;
  }
  return out + quote;
}

std::string_view entity_name(Entity entity) {
  switch (entity) {
    case Entity::kAttribute: return "attributes";
    case Entity::kMetric: return "metrics";
    case Entity::kParam: return "params";
    case Entity::kTag: return "tags";
    case Entity::kDataset: return "datasets";
  }
  return "";
}

std::string written(const Comparison& comparison) {
  std::string text =
      fmt::format("{}.{} {}", entity_name(comparison.entity), quoted(comparison.key, '`'), op_text(comparison.op));
  if (const auto* whole = std::get_if<std::int64_t>(&comparison.value)) text += fmt::format(" {}", *whole);
  if (const auto* real = std::get_if<double>(&comparison.value)) text += fmt::format(" {:.17e}", *real);
  if (const auto* one = std::get_if<std::string>(&comparison.value)) text += " " + quoted(*one, '\'');
  if (const auto* list = std::get_if<std::vector<std::string>>(&comparison.value)) {
    text += " (";
    for (const auto& element : *list) text += quoted(element, '"') + ",";
    text += ")";
  }
  return text;
}

bool same(const Comparison& a, const Comparison& b) {
  return a.entity == b.entity && a.key == b.key && a.op == b.op && a.value == b.value;
}

void check_filter(std::string_view input) {
  const auto parsed = parse_filter(input, kGrammar);
  if (!parsed) {
    require(!parsed.error().message.empty() && parsed.error().message.size() < 2000);
    return;
  }
  std::string text;
  for (const auto& comparison : *parsed) {
    if (const auto* real = std::get_if<double>(&comparison.value)) require(std::isfinite(*real));
    text += (text.empty() ? "" : " AND ") + written(comparison);
    Sql sql;
    if (comparison.op != Op::kIsNull && comparison.op != Op::kIsNotNull) {
      add_comparison(sql, "c", comparison);
      require(static_cast<std::size_t>(std::count(sql.text.begin(), sql.text.end(), '?')) == sql.values.size());
    }
  }
  if (text.size() > 60'000) return;
  const auto again = parse_filter(text, kGrammar);
  require(again && again->size() == parsed->size());
  for (std::size_t i = 0; i < parsed->size(); ++i) require(same((*parsed)[i], (*again)[i]));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  check_filter(input);
  if (const auto order = parse_order_by(input, kGrammar)) require(order->entity != Entity::kDataset);
  if (const auto offset = read_page_token(input, "query")) require(*offset >= 0);
  require(first_characters(input, 10).size() <= size && length(input) <= size);
  if (check_artifact_path(input) && !input.empty()) {
    require(input.front() != '/' && input.find("..") != 0 && input.find("/../") == std::string_view::npos);
  }
  return 0;
}
