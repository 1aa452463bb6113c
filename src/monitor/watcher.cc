#include "monitor/watcher.h"

#include "data/table.h"

namespace weir::monitor {
namespace {

using config::Signal;
using std::chrono::days;

constexpr std::int64_t kWindowRowsMax = 20'000;  // that are compared; more are sampled
constexpr days kAccuracyDays{7};
constexpr int kDaysAtOnce = 60;            // that are judged after a gap; older ones are left out
constexpr std::int64_t kRequestsMin = 20;  // for latency and error rate

TimePoint day_start(TimePoint time) {
  return TimePoint{std::chrono::floor<days>(time)};
}

Readings readings_of(const Window& window) {
  Readings readings;
  if (window.drift) {
    readings[Signal::kDrift] = reading(*window.drift);
    readings[Signal::kDrift].columns = window.drifted_columns();
  }
  if (window.prediction_drift) readings[Signal::kPredictionDrift] = reading(*window.prediction_drift);
  return readings;
}

}  // namespace

void Watcher::saw(TimePoint event_time) {
  status_.watermark = std::max(status_.watermark.value_or(event_time), event_time);
}

Result<void> Watcher::prime(TimePoint now) {
  if (primed_) return {};
  // Rows from the future were stored without event time, so this is what was seen before the restart.
  if (const auto newest = WEIR_TRY(deps_.rows->newest(place_, now + days{1}))) saw(*newest);
  const auto windows = WEIR_TRY(
      deps_.db->load<std::vector<Window>>([&](store::Reader& reader) { return load_windows(reader, place_, 1); }));
  if (!windows.empty()) {
    windows_end_ = windows.front().end;
    status_.drift = windows.front().drift;
    status_.prediction_drift = windows.front().prediction_drift;
    status_.columns = windows.front().columns;
  }
  const auto day = WEIR_TRY(deps_.db->load<std::optional<std::int64_t>>([&](store::Reader& reader) {
    return reader.integer("SELECT MAX(day) FROM monitor_days WHERE endpoint = ? AND environment = ?",
                          {place_.endpoint, place_.environment});
  }));
  if (day) day_done_ = from_micros(*day);
  status_.place = place_;
  primed_ = true;
  return {};
}

Result<std::optional<Watcher::Look>> Watcher::begin(const config::Config& config, TimePoint now) {
  const auto* monitor = config.monitor(place_.endpoint);
  const auto* endpoint = config.endpoint(place_.endpoint);
  if (monitor == nullptr || endpoint == nullptr) return std::nullopt;
  const auto live = deps_.live(place_);
  if (!live) return std::nullopt;
  WEIR_TRY(prime(now));
  Look look{.config = config,
            .monitor = *monitor,
            .endpoint = *endpoint,
            .live = *live,
            .now = now,
            .label_delay = Duration{0}};
  if (monitor->accuracy_7d) look.label_delay = monitor->accuracy_7d->label_delay;
  if (status_.version != live->version || status_.model != live->model) {
    status_.model = live->model;
    status_.version = live->version;
    status_.accuracy.reset();
    status_.labels = 0;
    WEIR_TRY(deps_.alerts->resolve_stale(place_, watched_rules(*monitor),
                                         {.now = now, .event_time = status_.watermark, .version = live->version},
                                         config));
  }
  return look;
}

Result<void> Watcher::advance(const config::Config& config, TimePoint now) {
  const auto look = WEIR_TRY(begin(config, now));
  if (!look || !status_.watermark) return {};
  while (WEIR_TRY(close_next_window(*look))) {
  }
  WEIR_TRY(judge_days(*look));
  return decide_retraining(*look);
}

Result<void> Watcher::relabelled(const config::Config& config, TimePoint now) {
  const auto look = WEIR_TRY(begin(config, now));
  if (!look || !day_done_) return {};
  return judge_day(*look, *day_done_, true);
}

Result<bool> Watcher::close_next_window(const Look& look) {
  const Duration length = look.monitor.drift.window;
  const TimePoint from = windows_end_.value_or(TimePoint::min());
  const auto first = WEIR_TRY(deps_.rows->oldest(place_, from));
  if (!first) return false;
  const TimePoint grid = window_start(*first, length);
  Window window{.place = place_,
                .start = std::max(grid, from),
                .end = grid + length,
                .model = look.live.model,
                .version = look.live.version};
  if (*status_.watermark < window.end) return false;
  WEIR_TRY(judge(look, window));
  WEIR_TRY(deps_.db->write([&](store::Transaction& tx) { return store_window(tx, window, look.now); }));
  windows_end_ = window.end;
  status_.drift = window.drift;
  status_.prediction_drift = window.prediction_drift;
  status_.columns = window.columns;
  WEIR_TRY(raise(look, readings_of(window), window.end));
  return true;
}

Result<void> Watcher::judge(const Look& look, Window& window) {
  const auto rows = WEIR_TRY(deps_.rows->rows(place_, window.start, window.end, kWindowRowsMax));
  window.rows = static_cast<std::int64_t>(rows.size());
  const auto baseline = reference(look);
  if (baseline == nullptr) {
    window.note = status_.problem;
    return {};
  }
  const auto before = WEIR_TRY(deps_.db->load<std::vector<Window>>(
      [&](store::Reader& reader) { return load_windows(reader, place_, 1, window.start); }));
  const bool same = !before.empty() && before.front().version == window.version && before.front().model == window.model;
  judge_window(window, *baseline, rows, same ? &before.front() : nullptr);
  return {};
}

std::shared_ptr<const data::Reference> Watcher::reference(const Look& look) {
  data::ReferenceOptions options{
      .time_column = look.endpoint.time, .leave_out = look.monitor.drift.ignore, .window = look.monitor.drift.window};
  if (!look.endpoint.key.empty()) options.leave_out.push_back(look.endpoint.key);
  if (const auto* environment = look.endpoint.environment(place_.environment)) {
    const auto& redacted = environment->capture.redact;
    options.leave_out.insert(options.leave_out.end(), redacted.begin(), redacted.end());
  }
  std::string key = fmt::format("{}/{}/{}/{}/{}", look.live.model, look.live.version, look.monitor.reference,
                                options.window.count(), options.time_column);
  for (const std::string& column : options.leave_out) key += "/" + column;
  if (key == reference_key_ && reference_ != nullptr) return reference_;

  reference_.reset();
  reference_key_ = key;
  const auto load = [&]() -> Result<data::Reference> {
    const std::string text = WEIR_TRY(deps_.artifact(look.live.model, look.live.version, look.monitor.reference));
    return data::Reference::create(WEIR_TRY(data::read_table(text)), options);
  };
  auto loaded = load();
  if (!loaded) {
    status_.problem = fmt::format("reference {} of {} version {}: {}", look.monitor.reference, look.live.model,
                                  look.live.version, loaded.error().message);
    status_.reference_rows = 0;
    status_.data_end.reset();
    deps_.log->warning("{}: {}", place_.text(), status_.problem);
    return nullptr;
  }
  status_.problem.clear();
  status_.reference_rows = loaded->rows();
  status_.data_end = loaded->data_end();
  reference_ = std::make_shared<const data::Reference>(*std::move(loaded));
  return reference_;
}

Result<void> Watcher::raise(const Look& look, const Readings& readings, std::optional<TimePoint> event_time) {
  const Moment moment{.now = look.now, .event_time = event_time, .version = look.live.version};
  const auto fired = WEIR_TRY(deps_.alerts->update(place_, watched_rules(look.monitor), readings, moment, look.config));
  for (const auto& [rule, alert] : fired) {
    deps_.log->warning("alert on {}: {}", place_.text(), alert.message);
    const bool wants = std::ranges::find(rule.actions, config::AlertAction::kRollback) != rule.actions.end();
    const auto* environment = look.endpoint.environment(place_.environment);
    if (!wants || environment == nullptr || environment->rollout.rollback != config::Rollback::kAutomatic) continue;
    if (auto done = deps_.roll_back(place_, alert.message); !done) {
      deps_.log->error("{} was not rolled back on \"{}\": {}", place_.text(), alert.message, done.error().message);
    }
  }
  return {};
}

Result<std::optional<Reading>> Watcher::accuracy(const Look& look, TimePoint end) {
  const auto counts = WEIR_TRY(deps_.rows->labels(place_, look.live.version, end - kAccuracyDays, end));
  return accuracy_reading(counts.correct, counts.judged);
}

Result<void> Watcher::judge_days(const Look& look) {
  const TimePoint due = day_start(*status_.watermark - look.label_delay);
  if (!day_done_) {
    const auto first = WEIR_TRY(deps_.rows->oldest(place_, TimePoint::min()));
    if (!first) return {};
    day_done_ = day_start(*first);
  }
  TimePoint day = std::max(*day_done_, due - days{kDaysAtOnce});
  while (day + days{1} <= due) {
    day += days{1};
    // After a gap only the newest day is news.
    WEIR_TRY(judge_day(look, day, day + days{1} > due));
    day_done_ = day;
  }
  return {};
}

// `day` is the end of the day, and of the seven that are judged.
Result<void> Watcher::judge_day(const Look& look, TimePoint day, bool newest) {
  const auto counts = WEIR_TRY(deps_.rows->labels(place_, look.live.version, day - kAccuracyDays, day));
  const auto found = accuracy_reading(counts.correct, counts.judged);
  const auto value = found ? std::optional(found->value) : std::nullopt;
  status_.accuracy = value;
  status_.labels = counts.labels;
  WEIR_TRY(deps_.db->write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(
        tx.execute("INSERT INTO monitor_days(endpoint, environment, day, version, accuracy, label_count, due_count) "
                   "VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(endpoint, environment, day) DO UPDATE SET "
                   "version = excluded.version, accuracy = excluded.accuracy, label_count = excluded.label_count, "
                   "due_count = excluded.due_count",
                   {place_.endpoint, place_.environment, day, look.live.version, value, counts.labels, counts.rows}));
    return {};
  }));
  if (!found || !newest) return {};
  return raise(look, {{Signal::kAccuracy7d, *found}}, day);
}

Result<void> Watcher::decide_retraining(const Look& look) {
  const auto* rules = look.config.retrain_of(look.live.model);
  if (rules == nullptr || place_.environment != "production") return {};
  const auto complete = WEIR_TRY(deps_.db->load<std::vector<Window>>(
      [&](store::Reader& reader) { return load_windows(reader, place_, 1, *status_.watermark - look.label_delay); }));
  if (complete.empty() || (decided_ && complete.front().end <= *decided_)) return {};
  const Window& window = complete.front();
  decided_ = window.end;

  // What an earlier version was drifting from says nothing about this one.
  Readings readings =
      window.version == look.live.version && window.model == look.live.model ? readings_of(window) : Readings{};
  if (const auto found = WEIR_TRY(accuracy(look, day_start(window.end)))) readings[Signal::kAccuracy7d] = *found;
  reference(look);
  const TimePoint trained = status_.data_end.value_or(look.live.since);
  const double age = std::chrono::duration<double, days::period>(window.end - trained).count();
  if (status_.data_end || look.endpoint.time.empty()) readings[Signal::kAge] = reading(std::max(0.0, age));

  const RetrainPolicy::Facts facts{
      .place = place_, .version = look.live.version, .watermark = *status_.watermark, .label_delay = look.label_delay};
  WEIR_TRY(deps_.retraining->decide(*rules, readings, facts, look.config));
  return {};
}

Result<void> Watcher::tick(const config::Config& config, const serve::DeploymentSnapshot& traffic, TimePoint now) {
  const auto look = WEIR_TRY(begin(config, now));
  if (!look) return {};
  const auto& recent = traffic.recent;
  if (recent.requests < kRequestsMin) return {};
  constexpr double kMillis = 1000.0;
  Readings readings;
  readings[Signal::kLatencyP50] = reading(serve::latency_quantile(recent.latency, 0.50) * kMillis);
  readings[Signal::kLatencyP95] = reading(serve::latency_quantile(recent.latency, 0.95) * kMillis);
  readings[Signal::kLatencyP99] = reading(serve::latency_quantile(recent.latency, 0.99) * kMillis);
  readings[Signal::kErrorRate] =
      reading(static_cast<double>(recent.errors_server) / static_cast<double>(recent.requests),
              fmt::format("{} of {} requests", recent.errors_server, recent.requests));
  return raise(*look, readings, status_.watermark);
}

}  // namespace weir::monitor
