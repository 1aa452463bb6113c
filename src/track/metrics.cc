#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "track/names.h"
#include "track/rows.h"
#include "track/search_sql.h"
#include "track/tracking.h"

namespace weir::track {
namespace {

constexpr std::size_t kRowsPerInsert = 50;

double stored_value(double value) {
  return std::isnan(value) ? 0.0 : value;
}

// Later by step, then time, then value: which point a run shows.
bool is_newer(const MetricPoint& a, const MetricPoint& b) {
  return std::tuple(a.step, a.timestamp_ms, stored_value(a.value)) >
         std::tuple(b.step, b.timestamp_ms, stored_value(b.value));
}

Result<void> insert_points(store::Transaction& tx, std::int64_t run, std::span<const MetricPoint> points,
                           const std::map<std::string_view, std::int64_t>& numbers) {
  static constexpr std::string_view kInsert =
      "INSERT INTO track_metrics(run, metric, step, timestamp_ms, value, is_nan) VALUES ";
  static const std::string kOne = std::string(kInsert) + "(?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
  static const std::string kMany = [] {
    std::string text(kInsert);
    for (std::size_t i = 0; i < kRowsPerInsert; ++i) text += i == 0 ? "(?, ?, ?, ?, ?, ?)" : ", (?, ?, ?, ?, ?, ?)";
    return text + " ON CONFLICT DO NOTHING";
  }();
  std::vector<store::Value> values;
  values.reserve(kRowsPerInsert * 6);
  while (!points.empty()) {
    const std::size_t rows = points.size() >= kRowsPerInsert ? kRowsPerInsert : 1;
    values.clear();
    for (const auto& point : points.first(rows)) {
      values.emplace_back(run);
      values.emplace_back(numbers.at(point.key));
      values.emplace_back(point.step);
      values.emplace_back(point.timestamp_ms);
      values.emplace_back(stored_value(point.value));
      values.emplace_back(std::isnan(point.value));
    }
    WEIR_TRY(tx.execute(rows == 1 ? kOne : kMany, values));
    points = points.subspan(rows);
  }
  return {};
}

Result<void> update_latest(store::Transaction& tx, std::int64_t run, const MetricPoint& point, std::int64_t metric) {
  WEIR_TRY(tx.execute(
      "INSERT INTO track_latest_metrics(run, metric, step, timestamp_ms, value, is_nan, dataset_name, dataset_digest, "
      "model_id) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(run, metric) DO UPDATE SET step = excluded.step, "
      "timestamp_ms = excluded.timestamp_ms, value = excluded.value, is_nan = excluded.is_nan, "
      "dataset_name = excluded.dataset_name, dataset_digest = excluded.dataset_digest, model_id = excluded.model_id "
      "WHERE (excluded.step, excluded.timestamp_ms, excluded.value) > "
      "(track_latest_metrics.step, track_latest_metrics.timestamp_ms, track_latest_metrics.value)",
      {run, metric, point.step, point.timestamp_ms, stored_value(point.value), std::isnan(point.value),
       point.dataset_name, point.dataset_digest, point.model_id}));
  return {};
}

Result<void> insert_model_point(store::Transaction& tx, const RunRow& run, const MetricPoint& point,
                                std::int64_t metric) {
  if (!WEIR_TRY(tx.integer("SELECT 1 FROM track_models WHERE id = ?", {point.model_id}))) {
    return fail(Code::kNotFound, "metric \"{}\" names logged model {}, which does not exist", point.key,
                point.model_id);
  }
  WEIR_TRY(
      tx.execute("INSERT INTO track_model_metrics(model_id, metric, timestamp_ms, step, run, dataset_name, "
                 "dataset_digest, value, is_nan) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                 {point.model_id, metric, point.timestamp_ms, point.step, run.id, point.dataset_name,
                  point.dataset_digest, stored_value(point.value), std::isnan(point.value)}));
  return {};
}

Result<void> log_points(store::Transaction& tx, const RunRow& run, std::span<const MetricPoint> points) {
  std::map<std::string_view, const MetricPoint*> newest;
  for (const auto& point : points) {
    const auto [at, fresh] = newest.emplace(point.key, &point);
    if (!fresh && is_newer(point, *at->second)) at->second = &point;
  }
  std::map<std::string_view, std::int64_t> numbers;
  for (const auto& [key, point] : newest) numbers[key] = WEIR_TRY(metric_number(tx, key));
  WEIR_TRY(insert_points(tx, run.run, points, numbers));
  for (const auto& [key, point] : newest) WEIR_TRY(update_latest(tx, run.run, *point, numbers.at(key)));
  for (const auto& point : points) {
    if (!point.model_id.empty()) WEIR_TRY(insert_model_point(tx, run, point, numbers.at(point.key)));
  }
  return {};
}

Result<void> log_param(store::Transaction& tx, const RunRow& run, const KeyValue& param) {
  const std::string value(first_characters(param.value, kParamLengthMax));
  const auto before =
      WEIR_TRY(tx.first<std::string>("SELECT value FROM track_params WHERE run = ? AND key = ?", {run.run, param.key},
                                     [](const store::Row& row) { return row.string(0); }));
  if (!before) {
    WEIR_TRY(tx.execute("INSERT INTO track_params(run, key, value) VALUES(?, ?, ?)", {run.run, param.key, value}));
    return {};
  }
  if (*before == value) return {};
  return fail(Code::kInvalidArgument,
              "parameters never change: \"{}\" of run {} is \"{}\" and cannot become \"{}\"; log another run",
              param.key, run.id, first_characters(*before, 200), first_characters(value, 200));
}

Result<void> check_batch(const Tracking::Batch& batch) {
  const auto too_many = [](std::string_view what, std::size_t count, std::size_t max) {
    return fail(Code::kInvalidArgument, "a batch can hold at most {} {}, this one has {}; send them in several batches",
                max, what, count);
  };
  if (batch.metrics.size() > kBatchMetricsMax) return too_many("metrics", batch.metrics.size(), kBatchMetricsMax);
  if (batch.params.size() > kBatchParamsMax) return too_many("params", batch.params.size(), kBatchParamsMax);
  if (batch.tags.size() > kBatchTagsMax) return too_many("tags", batch.tags.size(), kBatchTagsMax);
  const auto total = batch.metrics.size() + batch.params.size() + batch.tags.size();
  if (total > kBatchEntitiesMax) return too_many("metrics, params and tags", total, kBatchEntitiesMax);
  for (const auto& point : batch.metrics) WEIR_TRY(check_metric(point));
  std::set<std::string_view> keys;
  for (const auto& param : batch.params) {
    WEIR_TRY(check_key("param name", param.key));
    if (!keys.insert(param.key).second) {
      return fail(Code::kInvalidArgument, "the batch holds param \"{}\" twice", param.key);
    }
  }
  for (const auto& tag : batch.tags) WEIR_TRY(check_key("tag name", tag.key));
  return {};
}

MetricPoint read_point(const store::Row& row, std::string_view key) {
  return {
      .key = std::string(key), .value = value_of(row, 0, 1), .timestamp_ms = row.integer(2), .step = row.integer(3)};
}

constexpr std::string_view kPointsOfRun =
    "FROM track_metrics m WHERE m.run = ? AND m.metric = (SELECT metric FROM track_metric_names WHERE name = ?)";

}  // namespace

Result<void> Tracking::log_batch(std::string_view run_id, const Batch& batch) {
  WEIR_TRY(check_batch(batch));
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto run = WEIR_TRY(find_active_run(tx, run_id));
    for (const auto& param : batch.params) WEIR_TRY(log_param(tx, run, param));
    if (!batch.metrics.empty()) WEIR_TRY(log_points(tx, run, batch.metrics));
    for (const auto& tag : batch.tags) {
      WEIR_TRY(set_run_tag(tx, run.run, {tag.key, std::string(first_characters(tag.value, kTagLengthMax))}));
    }
    return {};
  });
}

Result<std::string> Tracking::metric_history(const History& history,
                                             const std::function<void(const MetricPoint&)>& each) {
  const std::string query = history.run_id + "\n" + history.key;
  const auto offset = WEIR_TRY(read_page_token(history.page_token, query));
  if (history.results_max && *history.results_max < 1) {
    return fail(Code::kInvalidArgument, "max_results is {}; it must be positive", *history.results_max);
  }
  return db_.load<std::string>([&](store::Reader& reader) -> Result<std::string> {
    const auto run = WEIR_TRY(find_run(reader, history.run_id));
    std::int64_t seen = 0;
    const std::int64_t wanted = history.results_max.value_or(0);
    Sql sql;
    sql.add("SELECT m.value, m.is_nan, m.timestamp_ms, m.step ").add(kPointsOfRun);
    sql.values = {run.run, history.key};
    sql.add(" ORDER BY m.timestamp_ms, m.step, m.value");
    if (history.results_max) sql.add(" LIMIT ?", wanted + 1).add(" OFFSET ?", offset);
    WEIR_TRY(reader.query(sql.text, sql.values, [&](const store::Row& row) {
      ++seen;
      if (!history.results_max || seen <= wanted) each(read_point(row, history.key));
    }));
    return history.results_max && seen > wanted ? make_page_token(offset + wanted, query) : std::string{};
  });
}

Result<std::vector<MetricPoint>> Tracking::metric_history_bulk(std::span<const std::string> run_ids,
                                                               std::string_view key, std::int64_t results_max) {
  std::vector<std::string> ordered(run_ids.begin(), run_ids.end());
  std::ranges::sort(ordered);
  return db_.load<std::vector<MetricPoint>>([&](store::Reader& reader) -> Result<std::vector<MetricPoint>> {
    std::vector<MetricPoint> points;
    for (const auto& id : ordered) {
      const auto left = results_max - std::ssize(points);
      if (left <= 0) break;
      const auto run = find_run(reader, id);
      if (!run && run.error().code == Code::kNotFound) continue;
      if (!run) return std::unexpected(run.error());
      WEIR_TRY(reader.query(fmt::format("SELECT m.value, m.is_nan, m.timestamp_ms, m.step {} "
                                        "ORDER BY m.timestamp_ms, m.step, m.value LIMIT ?",
                                        kPointsOfRun),
                            {run->run, key, left}, [&](const store::Row& row) {
                              points.push_back(read_point(row, key));
                              points.back().run_id = run->id;
                            }));
    }
    return points;
  });
}

Result<std::vector<MetricPoint>> Tracking::metric_history_sampled(std::span<const std::string> run_ids,
                                                                  std::string_view key, const Interval& interval) {
  WEIR_TRY(check_results_max(interval.results_max, 25'000));
  if (interval.start_step.has_value() != interval.end_step.has_value()) {
    return fail(Code::kInvalidArgument, "give both start_step and end_step, or neither");
  }
  if (interval.start_step && *interval.start_step > *interval.end_step) {
    return fail(Code::kInvalidArgument, "start_step {} is beyond end_step {}", *interval.start_step,
                *interval.end_step);
  }
  return db_.load<std::vector<MetricPoint>>([&](store::Reader& reader) -> Result<std::vector<MetricPoint>> {
    std::vector<MetricPoint> points;
    for (const auto& id : run_ids) {
      const auto run = WEIR_TRY(find_run(reader, id));
      Sql from;
      from.add(kPointsOfRun);
      from.values = {run.run, std::string(key)};
      if (interval.start_step) {
        from.add(" AND m.step >= ?", *interval.start_step).add(" AND m.step <= ?", *interval.end_step);
      }
      std::int64_t count = 0;
      WEIR_TRY(reader.query("SELECT COUNT(*) " + from.text, from.values,
                            [&](const store::Row& row) { count = row.integer(0); }));
      const std::int64_t kept = std::min(count, interval.results_max);
      // The place of the i-th kept point; a single one is the last.
      const auto place = [&](std::int64_t i) { return kept == 1 ? count - 1 : i * (count - 1) / (kept - 1); };
      std::int64_t at = 0;
      std::int64_t next = 0;
      WEIR_TRY(reader.query(
          "SELECT m.value, m.is_nan, m.timestamp_ms, m.step " + from.text + " ORDER BY m.step, m.timestamp_ms, m.value",
          from.values, [&](const store::Row& row) {
            if (next < kept && at == place(next)) {
              points.push_back(read_point(row, key));
              points.back().run_id = run.id;
              ++next;
            }
            ++at;
          }));
    }
    return points;
  });
}

}  // namespace weir::track
