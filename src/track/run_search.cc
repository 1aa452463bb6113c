#include <array>
#include <set>

#include "track/rows.h"
#include "track/search_sql.h"
#include "track/tracking.h"

namespace weir::track {
namespace {

constexpr std::array<std::string_view, 5> kText = {"run_id", "run_name", "status", "user_id", "artifact_uri"};
constexpr std::array<std::string_view, 2> kNumeric = {"start_time", "end_time"};
constexpr std::array<std::string_view, 1> kLists = {"run_id"};
constexpr std::array<std::string_view, 7> kOrder = {"run_id",       "run_name",   "status",  "user_id",
                                                    "artifact_uri", "start_time", "end_time"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kAliases = {{{"created", "start_time"},
                                                                                    {"Created", "start_time"},
                                                                                    {"run name", "run_name"},
                                                                                    {"Run name", "run_name"},
                                                                                    {"Run Name", "run_name"}}};
constexpr FilterGrammar kGrammar{.text_attributes = kText,
                                 .numeric_attributes = kNumeric,
                                 .list_attributes = kLists,
                                 .order_attributes = kOrder,
                                 .aliases = kAliases,
                                 .metrics = true,
                                 .params = true,
                                 .tags = true,
                                 .datasets = true};

std::string_view column_of(std::string_view attribute) {
  if (attribute == "run_id") return "r.id";
  if (attribute == "run_name") return "r.name";
  if (attribute == "user_id") return "r.user_id";
  if (attribute == "artifact_uri") return "r.artifact_uri";
  if (attribute == "start_time") return "r.start_ms";
  if (attribute == "end_time") return "r.end_ms";
  return "CASE r.status WHEN 1 THEN 'RUNNING' WHEN 2 THEN 'SCHEDULED' WHEN 3 THEN 'FINISHED' WHEN 4 THEN 'FAILED' "
         "ELSE 'KILLED' END";
}

void add_metric(Sql& sql, const Comparison& comparison) {
  sql.add(
      "EXISTS (SELECT 1 FROM track_latest_metrics l JOIN track_metric_names n ON n.metric = l.metric "
      "WHERE l.run = r.run AND n.name = ? AND (",
      comparison.key);
  add_comparison(sql, "l.value", comparison);
  // NaN equals nothing and differs from everything.
  sql.add(comparison.op == Op::kNotEqual ? " OR l.is_nan = 1))" : " AND l.is_nan = 0))");
}

void add_dataset(Sql& sql, const Comparison& comparison) {
  sql.add("EXISTS (SELECT 1 FROM track_inputs i JOIN track_datasets d ON d.dataset = i.dataset ");
  if (comparison.key == "context") {
    sql.add("JOIN track_input_tags t ON t.input = i.input AND t.key = ? ", kContextTag);
  }
  sql.add("WHERE i.run = r.run AND ");
  add_comparison(sql,
                 comparison.key == "context" ? "t.value"
                 : comparison.key == "name"  ? "d.name"
                                             : "d.digest",
                 comparison);
  sql.add(")");
}

void add_condition(Sql& sql, const Comparison& comparison) {
  sql.add(" AND ");
  switch (comparison.entity) {
    case Entity::kAttribute: add_comparison(sql, column_of(comparison.key), comparison); break;
    case Entity::kMetric: add_metric(sql, comparison); break;
    case Entity::kParam: add_key_value(sql, "track_params", "t.run = r.run", comparison); break;
    case Entity::kTag: add_key_value(sql, "track_tags", "t.run = r.run", comparison); break;
    case Entity::kDataset: add_dataset(sql, comparison); break;
  }
}

// The joins go before WHERE, so the order is built first. Runs without a value come last; NaN before them.
struct Order {
  Sql joins;
  std::string clauses;
};

Result<Order> build_order(const std::vector<std::string>& order_by) {
  Order order;
  std::set<std::pair<Entity, std::string>> seen;
  int number = 0;
  for (const auto& text : order_by) {
    const auto by = WEIR_TRY(parse_order_by(text, kGrammar));
    if (!seen.emplace(by.entity, by.key).second) {
      return fail(Code::kInvalidArgument, "order_by names \"{}\" twice", by.key);
    }
    const std::string_view direction = by.ascending ? "ASC" : "DESC";
    if (by.entity == Entity::kAttribute) {
      const auto column = column_of(by.key);
      order.clauses += fmt::format("CASE WHEN {} IS NULL THEN 1 ELSE 0 END, {} {}, ", column, column, direction);
      continue;
    }
    const std::string alias = fmt::format("o{}", number++);
    if (by.entity == Entity::kMetric) {
      order.joins.add(fmt::format(" LEFT JOIN track_latest_metrics {0} ON {0}.run = r.run AND {0}.metric = "
                                  "(SELECT metric FROM track_metric_names WHERE name = ?)",
                                  alias),
                      by.key);
      order.clauses += fmt::format("CASE WHEN {0}.value IS NULL THEN 2 ELSE {0}.is_nan END, ", alias);
    } else {
      order.joins.add(fmt::format(" LEFT JOIN {1} {0} ON {0}.run = r.run AND {0}.key = ?", alias,
                                  by.entity == Entity::kParam ? "track_params" : "track_tags"),
                      by.key);
      order.clauses += fmt::format("CASE WHEN {0}.value IS NULL THEN 1 ELSE 0 END, ", alias);
    }
    order.clauses += fmt::format("{}.value {}, ", alias, direction);
  }
  if (!seen.contains({Entity::kAttribute, "start_time"})) order.clauses += "r.start_ms DESC, ";
  order.clauses += "r.id";
  return order;
}

}  // namespace

Result<Page<Run>> Tracking::search_runs(const RunSearch& search) {
  WEIR_TRY(check_results_max(search.results_max, 50'000));
  const auto comparisons = WEIR_TRY(parse_filter(search.filter, kGrammar));
  const auto order = WEIR_TRY(build_order(search.order_by));
  if (search.experiments.empty()) return Page<Run>{};
  Sql sql;
  sql.add("SELECT ").add(kRunColumns).add(" FROM track_runs r").add(order.joins.text);
  sql.values = order.joins.values;
  sql.add(" WHERE r.experiment IN ");
  add_list(sql, search.experiments);
  if (search.view != View::kAll) sql.add(" AND r.deleted = ?", search.view == View::kDeletedOnly);
  for (const auto& comparison : comparisons) add_condition(sql, comparison);
  sql.add(" ORDER BY ").add(order.clauses);
  std::string query = sql.text + search.filter;
  for (const auto experiment : search.experiments) query += fmt::format(",{}", experiment);
  const auto offset = WEIR_TRY(read_page_token(search.page_token, query));
  sql.add(" LIMIT ?", search.results_max + 1).add(" OFFSET ?", offset);
  return db_.load<Page<Run>>([&](store::Reader& reader) -> Result<Page<Run>> {
    std::vector<std::pair<std::int64_t, RunInfo>> infos;
    WEIR_TRY(reader.query(sql.text, sql.values,
                          [&](const store::Row& row) { infos.emplace_back(row.integer(0), read_run_info(row)); }));
    Page<Run> page;
    if (std::ssize(infos) > search.results_max) {
      infos.pop_back();
      page.next_token = make_page_token(offset + search.results_max, query);
    }
    page.items = WEIR_TRY(load_runs(reader, std::move(infos)));
    return page;
  });
}

}  // namespace weir::track
