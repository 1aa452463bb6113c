#include "monitor/monitor.h"

#include <deque>

#include "monitor/views.h"

namespace weir::monitor {
namespace {

constexpr Duration kTick{std::chrono::seconds{5}};
constexpr Duration kExpireEvery{std::chrono::hours{1}};
constexpr Duration kComplainEvery{std::chrono::minutes{1}};
constexpr std::size_t kCapturesAtOnce = 500;
constexpr std::int64_t kRowsOfDayMax = 50'000;  // that are kept in full; of more, a share
constexpr std::chrono::days kFutureMax{1};      // an event time further ahead of the clock is a mistake
constexpr std::chrono::days kEarlyLabelsKept{90};

std::size_t size_of(const serve::Capture& capture) {
  return sizeof(capture) + capture.request_body.size() + capture.response_body.size();
}

}  // namespace

struct Monitor::Impl : std::enable_shared_from_this<Monitor::Impl> {
  explicit Impl(MonitorDeps given)
      : deps(std::move(given)),
        rows(*deps.db),
        alerts(*deps.db),
        retraining(*deps.db, *deps.log, deps.start_training) {}

  MonitorDeps deps;

  // What captures pass through on their way to the loop.
  std::mutex queue_mutex;
  std::deque<serve::Capture> queue;
  std::size_t queue_bytes = 0;
  bool drain_posted = false;
  MonitorCounters counters;  // under queue_mutex

  // Everything below belongs to whoever holds work_mutex: the loop, or a caller with feedback.
  std::mutex work_mutex;
  bool stopped = false;
  RowStore rows;
  AlertBook alerts;
  RetrainPolicy retraining;
  std::map<Place, Watcher> watchers;
  struct Thinning {
    TimePoint day;
    std::int64_t seen = 0;
  };
  std::map<Place, Thinning> thinning;
  std::optional<TimePoint> expired;
  std::optional<TimePoint> complained;
  bool relabel_posted = false;
  Loop::TimerId timer = 0;

  Watcher& watcher(const Place& place);
  void complain(const Error& error);
  void drain();
  void store_captures(std::vector<serve::Capture> captures);
  std::optional<RowBatch> read(const serve::Capture& capture, const config::Config& config);
  void thin(const Place& place, std::vector<CapturedRow>& batch);
  void advance(const Place& place);
  void catch_up();
  void relabel();
  void tick();
  void arm();
  void expire(const config::Config& config);
};

Watcher& Monitor::Impl::watcher(const Place& place) {
  const Watcher::Deps shared{.db = deps.db,
                             .rows = &rows,
                             .alerts = &alerts,
                             .retraining = &retraining,
                             .log = deps.log,
                             .live = deps.live,
                             .artifact = deps.artifact,
                             .roll_back = deps.roll_back};
  return watchers.try_emplace(place, place, shared).first->second;
}

// A failing disk must not fill the log.
void Monitor::Impl::complain(const Error& error) {
  const TimePoint now = deps.clock->now();
  if (complained && now - *complained < kComplainEvery) return;
  complained = now;
  deps.log->error("monitor: {}", error.message);
}

void Monitor::Impl::drain() {
  for (;;) {
    std::vector<serve::Capture> captures;
    {
      const std::lock_guard lock(queue_mutex);
      drain_posted = false;
      while (!queue.empty() && captures.size() < kCapturesAtOnce) {
        queue_bytes -= size_of(queue.front());
        captures.push_back(std::move(queue.front()));
        queue.pop_front();
      }
    }
    if (captures.empty()) return;
    store_captures(std::move(captures));
  }
}

std::optional<RowBatch> Monitor::Impl::read(const serve::Capture& capture, const config::Config& config) {
  const auto* endpoint = config.endpoint(capture.endpoint);
  if (endpoint == nullptr) return std::nullopt;
  RowSettings settings{.key_column = endpoint->key, .time_column = endpoint->time};
  if (const auto* environment = endpoint->environment(capture.environment))
    settings.redact = environment->capture.redact;
  auto batch_rows = read_rows(capture, settings);
  const std::lock_guard lock(queue_mutex);
  if (!batch_rows) {
    ++counters.unreadable;
    return std::nullopt;
  }
  for (CapturedRow& row : *batch_rows) {
    if (row.event_time && *row.event_time > capture.time + kFutureMax) row.event_time.reset();
    if (!row.event_time) ++counters.untimed_rows;
  }
  return RowBatch{.place = {capture.endpoint, capture.environment},
                  .model = capture.model,
                  .version = capture.version,
                  .request_id = capture.request_id,
                  .arrival = capture.time,
                  .rows = *std::move(batch_rows)};
}

// Keeps all rows of a day up to a limit, every second of the next as many, every third of those after them, and so on.
void Monitor::Impl::thin(const Place& place, std::vector<CapturedRow>& batch) {
  std::erase_if(batch, [&](const CapturedRow& row) {
    if (!row.event_time) return false;
    const TimePoint day{std::chrono::floor<std::chrono::days>(*row.event_time)};
    Thinning& state = thinning[place];
    if (state.day != day) state = {.day = day};
    ++state.seen;
    return state.seen % (1 + state.seen / kRowsOfDayMax) != 0;
  });
}

void Monitor::Impl::store_captures(std::vector<serve::Capture> captures) {
  const auto config = deps.config();
  if (config == nullptr) return;
  std::vector<RowBatch> batches;
  std::int64_t count = 0;
  for (const serve::Capture& capture : captures) {
    if (capture.status != 200) continue;
    auto batch = read(capture, *config);
    if (!batch) continue;
    thin(batch->place, batch->rows);
    if (batch->rows.empty()) continue;
    count += static_cast<std::int64_t>(batch->rows.size());
    batches.push_back(*std::move(batch));
  }
  if (batches.empty()) return;
  const auto stored = rows.add(batches);
  {
    const std::lock_guard lock(queue_mutex);
    (stored ? counters.rows : counters.rows_lost) += count;
  }
  if (!stored) return complain(stored.error());
  // A batch may hold several days, and a day's window must not see the rows that close it twice: one look for all.
  std::map<Place, bool> touched;
  for (const RowBatch& batch : batches) {
    for (const CapturedRow& row : batch.rows) {
      if (row.event_time) watcher(batch.place).saw(*row.event_time);
    }
    touched[batch.place] = true;
  }
  for (const auto& [place, yes] : touched) advance(place);
}

void Monitor::Impl::advance(const Place& place) {
  const auto config = deps.config();
  if (config == nullptr || stopped) return;
  if (auto advanced = watcher(place).advance(*config, deps.clock->now()); !advanced) complain(advanced.error());
}

// What was due when the server stopped.
void Monitor::Impl::catch_up() {
  const auto config = deps.config();
  if (config == nullptr) return;
  auto resumed = retraining.resume([&](const std::string& model) {
    const auto* rules = config->retrain_of(model);
    return rules != nullptr ? rules->run : config::Retrain{}.run;
  });
  if (!resumed) complain(resumed.error());
  for (const auto& monitor : config->monitors) advance({monitor.endpoint, "production"});
}

void Monitor::Impl::relabel() {
  relabel_posted = false;
  const auto config = deps.config();
  if (config == nullptr || stopped) return;
  for (auto& [place, watcher_of_place] : watchers) {
    if (auto done = watcher_of_place.relabelled(*config, deps.clock->now()); !done) complain(done.error());
  }
}

void Monitor::Impl::tick() {
  const auto config = deps.config();
  if (config == nullptr || stopped) return;
  const TimePoint now = deps.clock->now();
  for (const auto& deployment : deps.traffic()) {
    if (!deployment.live) continue;
    const Place place{deployment.endpoint, deployment.environment};
    if (auto done = watcher(place).tick(*config, deployment, now); !done) complain(done.error());
    advance(place);
  }
  if (!expired || now - *expired >= kExpireEvery) {
    expired = now;
    expire(*config);
  }
}

void Monitor::Impl::expire(const config::Config& config) {
  const TimePoint now = deps.clock->now();
  const auto all = [&](const std::function<Result<bool>()>& some) {
    for (;;) {
      const auto more = some();
      if (!more) return complain(more.error());
      if (!*more) return;
    }
  };
  for (const auto& endpoint : config.endpoints) {
    for (const auto& environment : endpoint.environments) {
      const Place place{endpoint.name, environment.name};
      all([&] { return rows.expire(place, now - environment.capture.keep); });
    }
  }
  all([&] { return rows.expire_early_labels(now - kEarlyLabelsKept); });
}

void Monitor::Impl::arm() {
  timer = deps.loop->after(kTick, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    const std::lock_guard lock(self->work_mutex);
    if (self->stopped) return;
    self->tick();
    self->arm();
  });
}

Monitor::Monitor(MonitorDeps deps) : impl_(std::make_shared<Impl>(std::move(deps))) {}

Monitor::~Monitor() {
  stop();
}

Result<void> Monitor::start() {
  // On the loop: references are read and a workflow may be started, which a server that starts must not wait for.
  impl_->deps.loop->post([weak = std::weak_ptr(impl_)] {
    const auto impl = weak.lock();
    if (!impl) return;
    const std::lock_guard lock(impl->work_mutex);
    if (!impl->stopped) impl->catch_up();
  });
  const std::lock_guard lock(impl_->work_mutex);
  impl_->arm();
  return {};
}

void Monitor::stop() {
  const std::lock_guard lock(impl_->work_mutex);
  if (std::exchange(impl_->stopped, true)) return;
  impl_->deps.loop->cancel(impl_->timer);
  impl_->drain();
}

void Monitor::capture(serve::Capture capture) noexcept {
  const std::lock_guard lock(impl_->queue_mutex);
  ++impl_->counters.captures;
  const std::size_t size = size_of(capture);
  if (impl_->queue_bytes + size > impl_->deps.queue_bytes_max) {
    ++impl_->counters.captures_dropped;
    return;
  }
  impl_->queue_bytes += size;
  impl_->queue.push_back(std::move(capture));
  if (std::exchange(impl_->drain_posted, true)) return;
  impl_->deps.loop->post([weak = std::weak_ptr(impl_)] {
    const auto impl = weak.lock();
    if (!impl) return;
    const std::lock_guard work(impl->work_mutex);
    impl->drain();
  });
}

Result<void> Monitor::feedback(std::vector<serve::Feedback> feedback, const types::Identity& actor) {
  (void)actor;
  const auto config = impl_->deps.config();
  for (serve::Feedback& one : feedback) {
    const auto* endpoint = config != nullptr ? config->endpoint(one.endpoint) : nullptr;
    if (endpoint == nullptr) return fail(Code::kNotFound, "there is no endpoint {}", one.endpoint);
    const auto* environment = endpoint->environment(one.environment);
    const bool redacted = environment != nullptr && std::ranges::find(environment->capture.redact, endpoint->key) !=
                                                        environment->capture.redact.end();
    one.key = join_key(one.key, redacted);
  }
  const std::lock_guard lock(impl_->work_mutex);
  if (impl_->stopped) return fail(Code::kUnavailable, "the server is stopping, try again");
  // A label may be about a request that has only just been answered.
  impl_->drain();
  const auto labelled = WEIR_TRY(impl_->rows.label(feedback, impl_->deps.clock->now()));
  {
    const std::lock_guard counting(impl_->queue_mutex);
    impl_->counters.labels += labelled.joined;
    impl_->counters.labels_waiting += labelled.waiting;
  }
  if (labelled.joined > 0 && !std::exchange(impl_->relabel_posted, true)) {
    impl_->deps.loop->post([weak = std::weak_ptr(impl_)] {
      const auto impl = weak.lock();
      if (!impl) return;
      const std::lock_guard work(impl->work_mutex);
      impl->relabel();
    });
  }
  return {};
}

void Monitor::flush() {
  const std::lock_guard lock(impl_->work_mutex);
  impl_->drain();
  if (impl_->relabel_posted) impl_->relabel();
}

Result<json::object> Monitor::drift(std::string_view endpoint, std::int64_t limit) {
  const auto config = impl_->deps.config();
  if (config == nullptr || config->endpoint(endpoint) == nullptr) {
    return fail(Code::kNotFound, "there is no endpoint {}; weir.yaml names them below endpoints:", endpoint);
  }
  return impl_->deps.db->load<json::object>(
      [&](store::Reader& reader) { return drift_view(reader, {std::string(endpoint), "production"}, limit); });
}

Result<json::object> Monitor::alerts(std::int64_t limit, bool open_only) {
  return impl_->deps.db->load<json::object>(
      [&](store::Reader& reader) { return alerts_view(reader, limit, open_only); });
}

Result<json::object> Monitor::retrainings(std::int64_t limit) {
  return impl_->deps.db->load<json::object>([&](store::Reader& reader) { return retrainings_view(reader, limit); });
}

json::value Monitor::status(std::string_view endpoint) {
  const std::lock_guard lock(impl_->work_mutex);
  const auto found = impl_->watchers.find(Place{std::string(endpoint), "production"});
  if (found == impl_->watchers.end() || found->second.status().version.empty()) return nullptr;
  return status_view(found->second.status());
}

void Monitor::write_metrics(Exposition& exposition) {
  write_traffic(exposition, impl_->deps.traffic());
  std::vector<WatchStatus> statuses;
  {
    const std::lock_guard lock(impl_->work_mutex);
    for (const auto& [place, watcher] : impl_->watchers) {
      if (!watcher.status().version.empty()) statuses.push_back(watcher.status());
    }
  }
  MonitorCounters counters;
  {
    const std::lock_guard lock(impl_->queue_mutex);
    counters = impl_->counters;
    counters.captures_waiting = static_cast<std::int64_t>(impl_->queue.size());
  }
  write_watch(exposition, statuses, counters);
  (void)impl_->deps.db->read([&](store::Reader& reader) { return write_alerts(reader, exposition); });
}

}  // namespace weir::monitor
