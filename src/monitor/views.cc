#include "monitor/views.h"

#include "data/table.h"
#include "monitor/monitor.h"

namespace weir::monitor {
namespace {

json::value or_null(const std::optional<double>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}
json::value or_null(const std::optional<TimePoint>& time) {
  return time ? json::value(to_iso8601(*time)) : json::value(nullptr);
}

struct Day {
  std::optional<double> accuracy;
  std::int64_t labels = 0;
  std::int64_t due = 0;
};

using Type = Exposition::Type;

}  // namespace

Result<json::object> drift_view(store::Reader& reader, const Place& place, std::int64_t limit) {
  const auto windows = WEIR_TRY(load_windows(reader, place, limit));
  std::map<std::int64_t, Day> days;
  if (!windows.empty()) {
    WEIR_TRY(
        reader.query("SELECT day, accuracy, label_count, due_count FROM monitor_days WHERE endpoint = ? AND "
                     "environment = ? AND day >= ?",
                     {place.endpoint, place.environment, windows.back().start}, [&](const store::Row& row) {
                       Day& day = days[row.integer(0)];
                       if (!row.is_null(1)) day.accuracy = row.real(1);
                       day.labels = row.integer(2);
                       day.due = row.integer(3);
                     }));
  }
  json::array list;
  for (const Window& window : windows) {
    const Day& day = days[to_micros(TimePoint{std::chrono::floor<std::chrono::days>(window.end)})];
    json::object detail = detail_to_json(window);
    json::object object{{"start", to_iso8601(window.start)},
                        {"end", to_iso8601(window.end)},
                        {"model", window.model},
                        {"version", window.version},
                        {"rows", window.rows},
                        {"labels", day.labels},
                        {"labels_due", day.due},
                        {"columns", std::move(detail["columns"])},
                        {"prediction", std::move(detail["prediction"])},
                        {"note", window.note}};
    object["score"] = or_null(window.drift);
    object["prediction_psi"] = or_null(window.prediction_drift);
    object["accuracy_7d"] = or_null(day.accuracy);
    list.push_back(std::move(object));
  }
  return json::object{{"endpoint", place.endpoint}, {"environment", place.environment}, {"windows", std::move(list)}};
}

Result<json::object> alerts_view(store::Reader& reader, std::int64_t limit, bool open_only) {
  const auto alerts = WEIR_TRY(AlertBook::load(reader, limit));
  json::array list;
  for (const Alert& alert : alerts) {
    if (!open_only || !alert.resolved_at) list.push_back(to_json(alert));
  }
  return json::object{{"alerts", std::move(list)}};
}

Result<json::object> retrainings_view(store::Reader& reader, std::int64_t limit) {
  json::array list;
  for (const Retraining& retraining : WEIR_TRY(RetrainPolicy::load(reader, limit))) list.push_back(to_json(retraining));
  return json::object{{"retrainings", std::move(list)}};
}

json::object status_view(const WatchStatus& status) {
  json::object object{{"environment", status.place.environment},
                      {"model", status.model},
                      {"version", status.version},
                      {"labels", status.labels},
                      {"reference_rows", status.reference_rows},
                      {"problem", status.problem}};
  object["watermark"] = or_null(status.watermark);
  object["drift"] = or_null(status.drift);
  object["prediction_drift"] = or_null(status.prediction_drift);
  object["accuracy_7d"] = or_null(status.accuracy);
  object["data_end"] = or_null(status.data_end);
  return object;
}

void write_traffic(Exposition& exposition, const std::vector<serve::DeploymentSnapshot>& deployments) {
  const auto each = [&](std::string_view name, Type type, std::string_view help, const auto& value) {
    exposition.family(name, type, help);
    for (const auto& one : deployments) {
      exposition.sample({{"endpoint", one.endpoint},
                         {"environment", one.environment},
                         {"model", one.model},
                         {"version", one.version}},
                        static_cast<double>(value(one)));
    }
  };
  each("weir_endpoint_live", Type::kGauge, "1 for the live version, 0 for the one before, which is kept warm.",
       [](const auto& one) { return one.live ? 1 : 0; });
  each("weir_endpoint_requests_total", Type::kCounter, "Requests answered.",
       [](const auto& one) { return one.total.requests; });
  each("weir_endpoint_client_errors_total", Type::kCounter, "Requests answered with a status of 400 to 499.",
       [](const auto& one) { return one.total.errors_client; });
  each("weir_endpoint_server_errors_total", Type::kCounter, "Requests answered with a status of 500 or more.",
       [](const auto& one) { return one.total.errors_server; });
  each("weir_endpoint_workers_ready", Type::kGauge, "Worker processes that take requests.",
       [](const auto& one) { return one.health.workers_ready; });
  each("weir_endpoint_worker_restarts_total", Type::kCounter, "Worker processes started anew after a crash.",
       [](const auto& one) { return one.health.restarts; });
  each("weir_endpoint_requests_waiting", Type::kGauge, "Requests not yet answered.",
       [](const auto& one) { return one.health.waiting; });

  exposition.family("weir_endpoint_latency_seconds", Type::kHistogram, "Time from a request's arrival to its answer.");
  for (const auto& one : deployments) {
    Exposition::Labels labels{
        {"endpoint", one.endpoint}, {"environment", one.environment}, {"model", one.model}, {"version", one.version}};
    std::int64_t below = 0;
    labels.emplace_back("le", "");
    for (std::size_t i = 0; i < one.total.latency.size(); ++i) {
      below += one.total.latency[i];
      const bool last = i == serve::kLatencyBounds.size();
      const std::string bound = last ? "+Inf" : data::number_text(serve::kLatencyBounds[i]);
      labels.back().second = bound;
      exposition.sample(labels, static_cast<double>(below), "_bucket");
    }
    labels.pop_back();
    exposition.sample(labels, one.total.latency_sum_s, "_sum");
    exposition.sample(labels, static_cast<double>(below), "_count");
  }
}

void write_watch(Exposition& exposition, const std::vector<WatchStatus>& statuses, const MonitorCounters& counters) {
  const auto count = [&](std::string_view name, Type type, std::string_view help, std::int64_t value) {
    exposition.family(name, type, help);
    exposition.sample({}, static_cast<double>(value));
  };
  count("weir_captures_total", Type::kCounter, "Requests given to the monitor.", counters.captures);
  count("weir_captures_dropped_total", Type::kCounter, "Of them, dropped because the queue was full.",
        counters.captures_dropped);
  count("weir_captures_unreadable_total", Type::kCounter, "Of them, with rows that could not be read.",
        counters.unreadable);
  count("weir_captures_waiting", Type::kGauge, "Requests waiting to be stored.", counters.captures_waiting);
  count("weir_rows_stored_total", Type::kCounter, "Rows stored.", counters.rows);
  count("weir_rows_lost_total", Type::kCounter, "Rows that could not be stored.", counters.rows_lost);
  count("weir_rows_untimed_total", Type::kCounter, "Rows without a usable event time, which are in no window.",
        counters.untimed_rows);
  count("weir_labels_joined_total", Type::kCounter, "Labels joined to their row.", counters.labels);
  count("weir_labels_waiting_total", Type::kCounter, "Labels that came without their row.", counters.labels_waiting);

  const auto each = [&](std::string_view name, std::string_view help, const auto& value) {
    exposition.family(name, Type::kGauge, help);
    for (const WatchStatus& status : statuses) {
      const std::optional<double> number = value(status);
      if (!number) continue;
      exposition.sample(
          {{"endpoint", status.place.endpoint}, {"environment", status.place.environment}, {"version", status.version}},
          *number);
    }
  };
  each("weir_drift", "Largest population stability index of the features that drifted, newest window.",
       [](const WatchStatus& status) { return status.drift; });
  each("weir_prediction_drift", "Population stability index of the predictions if they drifted, newest window.",
       [](const WatchStatus& status) { return status.prediction_drift; });
  each("weir_accuracy_7d", "Share of right predictions among the labelled rows of seven days.",
       [](const WatchStatus& status) { return status.accuracy; });
  each("weir_labels_7d", "Labelled rows behind weir_accuracy_7d.",
       [](const WatchStatus& status) { return std::optional(static_cast<double>(status.labels)); });
  each("weir_watermark_timestamp_seconds", "Newest event time seen.", [](const WatchStatus& status) {
    return status.watermark ? std::optional(static_cast<double>(to_micros(*status.watermark)) / 1e6) : std::nullopt;
  });
  exposition.family("weir_column_psi", Type::kGauge,
                    "Population stability index of a feature beyond chance, newest window.");
  for (const WatchStatus& status : statuses) {
    for (const WindowColumn& column : status.columns) {
      exposition.sample({{"endpoint", status.place.endpoint},
                         {"environment", status.place.environment},
                         {"column", column.drift.name}},
                        column.drift.psi);
    }
  }
}

Result<void> write_alerts(store::Reader& reader, Exposition& exposition) {
  exposition.family("weir_alerts_firing", Type::kGauge, "Alerts that fire now.");
  for (const auto severity : {config::Severity::kInfo, config::Severity::kWarning, config::Severity::kPage}) {
    const auto count =
        WEIR_TRY(reader.integer("SELECT COUNT(*) FROM monitor_alerts WHERE resolved_at IS NULL AND severity = ?",
                                {static_cast<std::int64_t>(severity)}));
    exposition.sample({{"severity", config::severity_name(severity)}}, static_cast<double>(count.value_or(0)));
  }
  const auto queued = WEIR_TRY(reader.integer("SELECT COUNT(*) FROM monitor_notifications WHERE state = 1", {}));
  exposition.family("weir_notifications_waiting", Type::kGauge, "Notifications not yet delivered.");
  exposition.sample({}, static_cast<double>(queued.value_or(0)));
  exposition.family("weir_retrainings_total", Type::kCounter, "Trainings that the monitor started, by model.");
  return reader.query(
      "SELECT model, COUNT(*) FROM monitor_retrainings GROUP BY model ORDER BY model", {},
      [&](const store::Row& row) { exposition.sample({{"model", row.text(0)}}, static_cast<double>(row.integer(1))); });
}

}  // namespace weir::monitor
