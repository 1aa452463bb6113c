#include <array>

#include "track/model_rows.h"
#include "track/search_sql.h"
#include "track/tracking.h"

namespace weir::track {
namespace {

constexpr std::array<std::string_view, 5> kText = {"name", "model_id", "model_type", "status", "source_run_id"};
constexpr std::array<std::string_view, 2> kNumeric = {"creation_timestamp", "last_updated_timestamp"};
constexpr std::array<std::string_view, 7> kOrder = {
    "name", "model_id", "model_type", "status", "source_run_id", "creation_timestamp", "last_updated_timestamp"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kAliases = {
    {{"creation_time", "creation_timestamp"},
     {"creation_timestamp_ms", "creation_timestamp"},
     {"last_updated_time", "last_updated_timestamp"},
     {"last_updated_timestamp_ms", "last_updated_timestamp"}}};
constexpr FilterGrammar kGrammar{.text_attributes = kText,
                                 .numeric_attributes = kNumeric,
                                 .list_attributes = kText,
                                 .order_attributes = kOrder,
                                 .aliases = kAliases,
                                 .metrics = true,
                                 .params = true,
                                 .tags = true};

std::string_view column_of(std::string_view attribute) {
  if (attribute == "name") return "m.name";
  if (attribute == "model_id") return "m.id";
  if (attribute == "model_type") return "m.type";
  if (attribute == "source_run_id") return "m.source_run";
  if (attribute == "creation_timestamp") return "m.created_ms";
  if (attribute == "last_updated_timestamp") return "m.updated_ms";
  return "CASE m.status WHEN 1 THEN 'PENDING' WHEN 2 THEN 'READY' WHEN 3 THEN 'FAILED' ELSE 'UNSPECIFIED' END";
}

// " AND ((dataset_name = ? AND dataset_digest = ?) OR …)" for metrics `x`.
void add_datasets(Sql& sql, const std::vector<Tracking::MetricDataset>& datasets) {
  if (datasets.empty()) return;
  sql.add(" AND (");
  for (std::size_t i = 0; i < datasets.size(); ++i) {
    sql.add(i == 0 ? "(x.dataset_name = ?" : " OR (x.dataset_name = ?", datasets[i].name);
    if (!datasets[i].digest.empty()) sql.add(" AND x.dataset_digest = ?", datasets[i].digest);
    sql.add(")");
  }
  sql.add(")");
}

constexpr std::string_view kMetricsOfModel =
    "FROM track_model_metrics x WHERE x.model_id = m.id AND x.metric = "
    "(SELECT metric FROM track_metric_names WHERE name = ?)";

void add_condition(Sql& sql, const Comparison& comparison, const std::vector<Tracking::MetricDataset>& datasets) {
  sql.add(" AND ");
  switch (comparison.entity) {
    case Entity::kAttribute: add_comparison(sql, column_of(comparison.key), comparison); break;
    case Entity::kParam: add_key_value(sql, "track_model_params", "t.model = m.model", comparison); break;
    case Entity::kTag: add_key_value(sql, "track_model_tags", "t.model = m.model", comparison); break;
    default:
      sql.add("EXISTS (SELECT 1 ").add(kMetricsOfModel, comparison.key).add(" AND (");
      add_comparison(sql, "x.value", comparison);
      sql.add(comparison.op == Op::kNotEqual ? " OR x.is_nan = 1)" : " AND x.is_nan = 0)");
      add_datasets(sql, datasets);
      sql.add(")");
  }
}

// A metric orders by its newest point; models without one come last.
Result<void> add_order(Sql& sql, const std::vector<Tracking::ModelOrder>& order_by) {
  sql.add(" ORDER BY ");
  bool by_creation = false;
  for (const auto& order : order_by) {
    auto by = WEIR_TRY(parse_order_by(order.field, kGrammar));
    const std::string_view direction = order.ascending ? " ASC, " : " DESC, ";
    if (by.entity == Entity::kAttribute) {
      by_creation = by_creation || by.key == "creation_timestamp";
      sql.add(column_of(by.key)).add(direction);
      continue;
    }
    if (by.entity != Entity::kMetric) {
      return fail(Code::kInvalidArgument, "logged models are ordered by attributes or metrics, not by \"{}\"",
                  order.field);
    }
    for (const std::string_view part : {std::string_view("value"), std::string_view("order")}) {
      sql.add(part == "value" ? "CASE WHEN " : "");
      sql.add("(SELECT x.value ").add(kMetricsOfModel, by.key);
      if (!order.dataset.name.empty()) add_datasets(sql, {order.dataset});
      sql.add(" ORDER BY x.timestamp_ms DESC, x.step DESC, x.run LIMIT 1)");
      sql.add(part == "value" ? std::string_view(" IS NULL THEN 1 ELSE 0 END, ") : direction);
    }
  }
  if (!by_creation) sql.add("m.created_ms DESC, ");
  sql.add("m.id");
  return {};
}

}  // namespace

Result<Page<LoggedModel>> Tracking::search_models(const ModelSearch& search) {
  WEIR_TRY(check_results_max(search.results_max, 50'000));
  for (const auto& dataset : search.datasets) {
    if (dataset.name.empty()) return fail(Code::kInvalidArgument, "each of `datasets` needs a dataset_name");
  }
  const auto comparisons = WEIR_TRY(parse_filter(search.filter, kGrammar));
  if (search.experiments.empty()) return Page<LoggedModel>{};
  Sql sql;
  sql.add("SELECT ").add(kModelColumns).add(" FROM track_models m WHERE m.deleted = 0 AND m.experiment IN ");
  add_list(sql, search.experiments);
  bool by_metric = false;
  for (const auto& comparison : comparisons) {
    add_condition(sql, comparison, search.datasets);
    by_metric = by_metric || comparison.entity == Entity::kMetric;
  }
  if (!search.datasets.empty() && !by_metric) {
    sql.add(" AND EXISTS (SELECT 1 FROM track_model_metrics x WHERE x.model_id = m.id");
    add_datasets(sql, search.datasets);
    sql.add(")");
  }
  WEIR_TRY(add_order(sql, search.order_by));
  std::string query = sql.text + search.filter;
  for (const auto experiment : search.experiments) query += fmt::format(",{}", experiment);
  for (const auto& order : search.order_by) query += order.field + order.dataset.name + order.dataset.digest;
  const auto offset = WEIR_TRY(read_page_token(search.page_token, query));
  sql.add(" LIMIT ?", search.results_max + 1).add(" OFFSET ?", offset);
  return db_.load<Page<LoggedModel>>([&](store::Reader& reader) -> Result<Page<LoggedModel>> {
    Page<LoggedModel> page;
    std::vector<std::int64_t> numbers;
    WEIR_TRY(reader.query(sql.text, sql.values, [&](const store::Row& row) {
      numbers.push_back(row.integer(0));
      page.items.push_back(read_model(row));
    }));
    if (std::ssize(page.items) > search.results_max) {
      page.items.pop_back();
      page.next_token = make_page_token(offset + search.results_max, query);
    }
    for (std::size_t i = 0; i < page.items.size(); ++i) {
      WEIR_TRY(load_model_data(reader, numbers[i], page.items[i]));
    }
    return page;
  });
}

}  // namespace weir::track
