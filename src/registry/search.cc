#include <array>
#include <set>

#include "registry/rows.h"
#include "track/search_sql.h"

namespace weir::registry {
namespace {

using track::Comparison;
using track::Entity;
using track::FilterGrammar;
using track::Op;
using track::Sql;

constexpr std::array<std::string_view, 1> kModelText = {"name"};
constexpr std::array<std::string_view, 4> kModelOrder = {"name", "timestamp", "last_updated_timestamp",
                                                         "creation_timestamp"};
constexpr FilterGrammar kModelGrammar{
    .text_attributes = kModelText, .list_attributes = kModelText, .order_attributes = kModelOrder, .tags = true};

constexpr std::array<std::string_view, 3> kVersionText = {"name", "run_id", "source_path"};
constexpr std::array<std::string_view, 1> kVersionNumeric = {"version_number"};
constexpr std::array<std::string_view, 2> kVersionLists = {"name", "run_id"};
constexpr std::array<std::string_view, 4> kVersionOrder = {"name", "version_number", "creation_timestamp",
                                                           "last_updated_timestamp"};
constexpr FilterGrammar kVersionGrammar{.text_attributes = kVersionText,
                                        .numeric_attributes = kVersionNumeric,
                                        .list_attributes = kVersionLists,
                                        .order_attributes = kVersionOrder,
                                        .tags = true};

std::string_view model_column(std::string_view attribute) {
  if (attribute == "name") return "n.name";
  return attribute == "creation_timestamp" ? "n.created_ms" : "n.updated_ms";
}

std::string_view version_column(std::string_view attribute) {
  if (attribute == "name") return "n.name";
  if (attribute == "run_id") return "v.run_id";
  if (attribute == "source_path") return "v.source";
  if (attribute == "version_number") return "v.version";
  return attribute == "creation_timestamp" ? "v.created_ms" : "v.updated_ms";
}

// Prompts share the registry with models; they appear only where a filter asks for them by their tag.
struct Filter {
  std::vector<Comparison> comparisons;
  bool prompts = false;
};

Result<Filter> parse(std::string_view text, const FilterGrammar& grammar) {
  Filter filter;
  for (auto& comparison : WEIR_TRY(track::parse_filter(text, grammar))) {
    if (comparison.entity == Entity::kTag && comparison.key == kPromptTag) {
      const auto* value = std::get_if<std::string>(&comparison.value);
      const bool yes = value != nullptr && (*value == "true" || *value == "True");
      filter.prompts =
          (comparison.op == Op::kEqual && yes) || (comparison.op == Op::kNotEqual && value != nullptr && !yes);
    } else {
      filter.comparisons.push_back(std::move(comparison));
    }
  }
  return filter;
}

using ColumnOf = std::string_view (*)(std::string_view);

void add_conditions(Sql& sql, const Filter& filter, ColumnOf column_of, std::string_view tag_table,
                    std::string_view tag_join) {
  for (const auto& comparison : filter.comparisons) {
    sql.add(" AND ");
    if (comparison.entity == Entity::kTag) {
      track::add_key_value(sql, tag_table, tag_join, comparison);
    } else {
      track::add_comparison(sql, column_of(comparison.key), comparison);
    }
  }
  sql.add(filter.prompts ? " AND EXISTS " : " AND NOT EXISTS ");
  sql.add("(SELECT 1 FROM ").add(tag_table).add(" p WHERE ");
  std::string join(tag_join);
  join[0] = 'p';  // "t.model = n.model" for the other alias
  sql.add(join).add(" AND p.key = ? AND LOWER(p.value) = 'true')", kPromptTag);
}

Result<std::string> order_clauses(const std::vector<std::string>& order_by, const FilterGrammar& grammar,
                                  ColumnOf column_of) {
  std::string clauses;
  std::set<std::string_view> seen;
  for (const auto& text : order_by) {
    const auto by = WEIR_TRY(track::parse_order_by(text, grammar));
    if (by.entity != Entity::kAttribute) {
      return fail(Code::kInvalidArgument, "the registry is ordered by attributes, not by \"{}\"", text);
    }
    const auto column = column_of(by.key);
    if (!seen.insert(column).second) return fail(Code::kInvalidArgument, "order_by names \"{}\" twice", by.key);
    clauses += fmt::format("{} {}, ", column, by.ascending ? "ASC" : "DESC");
  }
  return clauses;
}

}  // namespace

Result<track::Page<Model>> Registry::search_models(const Search& search) {
  WEIR_TRY(track::check_results_max(search.results_max, 1000));
  Sql sql;
  sql.add("SELECT n.model FROM registry_models n WHERE 1 = 1");
  add_conditions(sql, WEIR_TRY(parse(search.filter, kModelGrammar)), model_column, "registry_model_tags",
                 "t.model = n.model");
  sql.add(" ORDER BY ").add(WEIR_TRY(order_clauses(search.order_by, kModelGrammar, model_column))).add("n.name");
  const std::string query = sql.text + search.filter;
  const auto offset = WEIR_TRY(track::read_page_token(search.page_token, query));
  sql.add(" LIMIT ?", search.results_max + 1).add(" OFFSET ?", offset);
  return db_.load<track::Page<Model>>([&](store::Reader& reader) -> Result<track::Page<Model>> {
    std::vector<std::int64_t> numbers;
    WEIR_TRY(reader.query(sql.text, sql.values, [&](const store::Row& row) { numbers.push_back(row.integer(0)); }));
    track::Page<Model> page;
    if (std::ssize(numbers) > search.results_max) {
      numbers.pop_back();
      page.next_token = track::make_page_token(offset + search.results_max, query);
    }
    for (const auto number : numbers) page.items.push_back(WEIR_TRY(load_model(reader, number)));
    return page;
  });
}

Result<track::Page<Version>> Registry::search_versions(const Search& search) {
  WEIR_TRY(track::check_results_max(search.results_max, 200'000));
  Sql sql;
  sql.add("WHERE v.deleted = 0");
  add_conditions(sql, WEIR_TRY(parse(search.filter, kVersionGrammar)), version_column, "registry_version_tags",
                 "t.version_row = v.row_id");
  auto order = WEIR_TRY(order_clauses(search.order_by, kVersionGrammar, version_column));
  if (order.empty()) order = "v.updated_ms DESC, ";
  sql.add(" ORDER BY ").add(order).add("n.name, v.version DESC");
  const std::string query = sql.text + search.filter;
  const auto offset = WEIR_TRY(track::read_page_token(search.page_token, query));
  sql.add(" LIMIT ?", search.results_max + 1).add(" OFFSET ?", offset);
  return db_.load<track::Page<Version>>([&](store::Reader& reader) -> Result<track::Page<Version>> {
    track::Page<Version> page;
    page.items = WEIR_TRY(load_versions(reader, sql.text, sql.values));
    if (std::ssize(page.items) > search.results_max) {
      page.items.pop_back();
      page.next_token = track::make_page_token(offset + search.results_max, query);
    }
    return page;
  });
}

}  // namespace weir::registry
