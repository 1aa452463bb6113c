#include <cmath>
#include <iterator>

#include "api/mlflow/answers.h"
#include "api/mlflow/table.h"

namespace weir::api::mlflow {
namespace {

using access::Permission;

constexpr std::int64_t kBulkPointsMax = 25'000;
constexpr std::size_t kBulkRunsMax = 100;

Result<track::MetricPoint> read_point(const Fields& fields) {
  track::MetricPoint point{.key = WEIR_TRY(fields.required("key")), .value = WEIR_TRY(fields.number("value"))};
  const auto timestamp = WEIR_TRY(fields.integer("timestamp"));
  if (!timestamp) return fail(Code::kInvalidArgument, "metric '{}' needs a timestamp", point.key);
  point.timestamp_ms = *timestamp;
  point.step = WEIR_TRY(fields.integer_or("step", 0));
  point.model_id = WEIR_TRY(fields.text("model_id"));
  point.dataset_name = WEIR_TRY(fields.text("dataset_name"));
  point.dataset_digest = WEIR_TRY(fields.text("dataset_digest"));
  return point;
}

Result<json::value> log_metric(const Call& call) {
  track::Tracking::Batch batch;
  batch.metrics.push_back(WEIR_TRY(read_point(call.fields)));
  WEIR_TRY(call.deps.tracking.log_batch(WEIR_TRY(call.fields.run_id()), batch));
  return empty_answer();
}

Result<json::value> log_batch(const Call& call) {
  track::Tracking::Batch batch;
  const auto points = WEIR_TRY(call.fields.messages("metrics"));
  batch.metrics.reserve(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    auto point = read_point(points[i]);
    if (!point) return fail(point.error().code, "metrics[{}]: {}", i, point.error().message);
    batch.metrics.push_back(*std::move(point));
  }
  batch.params = WEIR_TRY(call.fields.pairs("params"));
  batch.tags = WEIR_TRY(call.fields.pairs("tags"));
  WEIR_TRY(call.deps.tracking.log_batch(WEIR_TRY(call.fields.required("run_id")), batch));
  return empty_answer();
}

// Written by hand: a run may have millions of points, and a tree of them would take many times the room of the text.
Result<io::HttpResponse> get_history(const Call& call) {
  const track::Tracking::History history{.run_id = WEIR_TRY(call.fields.run_id()),
                                         .key = WEIR_TRY(call.fields.required("metric_key")),
                                         .results_max = WEIR_TRY(call.fields.integer("max_results")),
                                         .page_token = WEIR_TRY(call.fields.text("page_token"))};
  const std::string key = json::serialize(json::string_view(history.key));
  std::string text = "{\"metrics\":[";
  const std::size_t start = text.size();
  const auto next = WEIR_TRY(call.deps.tracking.metric_history(history, [&](const track::MetricPoint& point) {
    if (text.size() > start) text += ',';
    fmt::format_to(std::back_inserter(text), "{{\"key\":{},\"value\":", key);
    if (std::isfinite(point.value)) {
      fmt::format_to(std::back_inserter(text), "{}", point.value);
    } else {
      text += json::serialize(to_json_number(point.value));
    }
    fmt::format_to(std::back_inserter(text), ",\"timestamp\":{},\"step\":{}}}", point.timestamp_ms, point.step);
  }));
  text += ']';
  if (!next.empty()) text += fmt::format(",\"next_page_token\":\"{}\"", next);
  text += '}';
  return io::text_response(200, std::move(text), "application/json");
}

Result<json::value> get_history_bulk(const Call& call) {
  const auto runs = WEIR_TRY(call.fields.texts("run_id"));
  if (runs.empty() || runs.size() > kBulkRunsMax) {
    return fail(Code::kInvalidArgument, "give from 1 to {} run_id parameters; these are {}", kBulkRunsMax, runs.size());
  }
  const auto wanted = std::min(WEIR_TRY(call.fields.integer_or("max_results", kBulkPointsMax)), kBulkPointsMax);
  const auto points =
      WEIR_TRY(call.deps.tracking.metric_history_bulk(runs, WEIR_TRY(call.fields.required("metric_key")), wanted));
  return json::value{{"metrics", to_json_array(points)}};
}

Result<json::value> get_history_sampled(const Call& call) {
  const auto runs = WEIR_TRY(call.fields.texts("run_ids"));
  if (runs.empty() || runs.size() > kBulkRunsMax) {
    return fail(Code::kInvalidArgument, "give from 1 to {} run_ids; these are {}", kBulkRunsMax, runs.size());
  }
  const track::Tracking::Interval interval{.start_step = WEIR_TRY(call.fields.integer("start_step")),
                                           .end_step = WEIR_TRY(call.fields.integer("end_step")),
                                           .results_max = WEIR_TRY(call.fields.integer_or("max_results", 2500))};
  const auto points =
      WEIR_TRY(call.deps.tracking.metric_history_sampled(runs, WEIR_TRY(call.fields.required("metric_key")), interval));
  return json::value{{"metrics", to_json_array(points)}};
}

}  // namespace

void add_metric_routes(RouteTable& table) {
  table.add("POST", "/mlflow/runs/log-metric", Permission::kLogExperiments, log_metric);
  table.add("POST", "/mlflow/runs/log-batch", Permission::kLogExperiments, log_batch);
  table.add_raw("GET", "/mlflow/metrics/get-history", Permission::kRead, get_history);
  table.add("GET", "/mlflow/metrics/get-history-bulk", Permission::kRead, get_history_bulk);
  table.add("GET", "/mlflow/metrics/get-history-bulk-interval", Permission::kRead, get_history_sampled);
}

}  // namespace weir::api::mlflow
