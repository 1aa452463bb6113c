#include "monitor/notifier.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>

namespace weir::monitor {
namespace {

using store::Transaction;

constexpr Duration kPauseFirst{std::chrono::seconds{1}};
constexpr Duration kPauseMax{std::chrono::minutes{10}};
constexpr Duration kTroubleMax{std::chrono::minutes{1}};  // between two tries to use a database that fails
constexpr Duration kKeptFor{std::chrono::days{7}};        // once sent or given up
constexpr std::int64_t kAtOnce = 20;
constexpr std::int64_t kEventsAtOnce = 500;
constexpr std::string_view kCursor = "notify";

Duration growing(Duration first, std::int64_t times, Duration most) {
  return std::min(most, Duration{first.count() << std::min<std::int64_t>(times, 20)});
}

}  // namespace

struct Notifier::Impl : std::enable_shared_from_this<Notifier::Impl> {
  explicit Impl(NotifierDeps given) : deps(std::move(given)) {}

  NotifierDeps deps;
  store::Database::Subscription subscription;
  std::mutex mutex;
  bool stopped = false;     // under mutex
  bool scheduled = false;   // a round is posted; under mutex
  Loop::TimerId timer = 0;  // of the next attempt; loop only

  std::int64_t position = -1;  // of the last event looked at; loop only, after start()

  std::int64_t troubles = 0;  // rounds in a row in which the database failed; loop only
  TimePoint patient_until;    // after such a one, whoever wakes it; loop only
  // How messages ended of which the database could not be told yet; loop only. They must not be sent again.
  std::map<std::int64_t, std::function<Result<void>(Transaction&)>> unrecorded;

  void wake();
  void round();
  void plan_next();
  bool stopping();
  Result<void> work();
  Result<void> find_position();
  Result<void> keep_position(Transaction& tx) const;
  Result<void> follow_events();
  Result<void> end_quiet();
  // Gives until when to leave the target alone, if it did not answer.
  struct Silence {
    TimePoint next;
    std::string why;
  };
  Result<std::optional<Silence>> send(const Queued& queued);
  Result<void> record(std::int64_t id, std::function<Result<void>(Transaction&)> how);
  Result<void> record_earlier();
  Result<void> forget_old();
};

void Notifier::Impl::wake() {
  {
    const std::lock_guard lock(mutex);
    if (stopped || std::exchange(scheduled, true)) return;
  }
  deps.loop->post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->round();
  });
}

bool Notifier::Impl::stopping() {
  const std::lock_guard lock(mutex);
  return stopped;
}

void Notifier::Impl::round() {
  {
    const std::lock_guard lock(mutex);
    scheduled = false;
    if (stopped) return;
  }
  if (troubles > 0 && deps.clock->now() < patient_until) return;  // the timer is set
  if (auto worked = work(); !worked) {
    // A full disk, say: it is not tried on and on at once.
    deps.log->error("notifications: {}", worked.error().message);
    patient_until = deps.clock->now() + growing(kPauseFirst, troubles++, kTroubleMax);
  } else {
    troubles = 0;
  }
  plan_next();
}

void Notifier::Impl::plan_next() {
  const TimePoint now = deps.clock->now();
  std::optional<TimePoint> next;
  if (troubles > 0) {
    next = patient_until;
  } else {
    const auto due = deps.db->load<std::optional<TimePoint>>([](store::Reader& reader) { return next_due(reader); });
    next = due ? *due : now + kTroubleMax;
  }
  if (!next) return;
  deps.loop->cancel(timer);
  timer = deps.loop->after(std::max(Duration{0}, *next - now), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->round();
  });
}

Result<void> Notifier::Impl::work() {
  WEIR_TRY(record_earlier());
  WEIR_TRY(follow_events());
  WEIR_TRY(end_quiet());
  const auto queue = WEIR_TRY(deps.db->load<std::vector<Queued>>(
      [&](store::Reader& reader) { return due_messages(reader, deps.clock->now(), kAtOnce); }));
  // A target that does not answer takes its time once a round, or it would keep all others waiting.
  std::map<std::string, Silence> silent;
  for (const Queued& queued : queue) {
    if (stopping()) return {};
    const auto found = silent.find(queued.target);
    if (found == silent.end()) {
      if (auto silence = WEIR_TRY(send(queued))) silent[queued.target] = *std::move(silence);
      continue;
    }
    WEIR_TRY(deps.db->write(
        [&](Transaction& tx) { return wait_for_target(tx, queued.id, found->second.next, found->second.why); }));
  }
  return forget_old();
}

Result<void> Notifier::Impl::find_position() {
  if (position >= 0) return {};
  return deps.db->write([&](Transaction& tx) -> Result<void> {
    const auto cursor = WEIR_TRY(tx.integer("SELECT sequence FROM monitor_cursors WHERE name = ?", {kCursor}));
    // At the first start what happened before is history.
    const auto newest = WEIR_TRY(tx.integer("SELECT MAX(sequence) FROM events", {}));
    position = cursor.value_or(newest.value_or(0));
    return keep_position(tx);
  });
}

Result<void> Notifier::Impl::keep_position(Transaction& tx) const {
  WEIR_TRY(
      tx.execute("INSERT INTO monitor_cursors(name, sequence) VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET "
                 "sequence = excluded.sequence",
                 {kCursor, position}));
  return {};
}

// Queues what the events since the last time ask for. The position is written with the messages alone: events that
// nobody wants are read again after a restart, which is cheaper than a write for each.
Result<void> Notifier::Impl::follow_events() {
  WEIR_TRY(find_position());
  const auto config = deps.delivery.config();
  for (;;) {
    const auto events = WEIR_TRY(deps.db->load<std::vector<types::Event>>(
        [&](store::Reader& reader) { return store::read_events(reader, position, kEventsAtOnce); }));
    if (events.empty()) return {};
    const std::int64_t before = std::exchange(position, events.back().sequence);
    const auto wanted = [&](const types::Event& event) { return config != nullptr && may_interest(*config, event); };
    if (!std::ranges::any_of(events, wanted)) continue;
    auto queued = deps.db->write([&](Transaction& tx) -> Result<void> {
      for (const types::Event& event : events) WEIR_TRY(queue_event(tx, *config, event, deps.run_facts));
      return keep_position(tx);
    });
    if (!queued) {
      position = before;
      return queued;
    }
  }
}

Result<void> Notifier::Impl::end_quiet() {
  const bool any =
      WEIR_TRY(deps.db->load<bool>([&](store::Reader& reader) { return any_quiet_over(reader, deps.clock->now()); }));
  if (!any) return {};
  return deps.db->write([](Transaction& tx) { return merge_quiet(tx); });
}

Result<std::optional<Notifier::Impl::Silence>> Notifier::Impl::send(const Queued& queued) {
  if (queued.attempts == 0) deps.log->info("notification to {}: {}", queued.target, queued.text);
  WEIR_TRY(deps.db->write([&](Transaction& tx) { return begin_attempt(tx, queued.id); }));
  const Attempt attempt = deliver(deps.delivery, queued);
  if (attempt.status >= 200 && attempt.status < 300) {
    WEIR_TRY(record(queued.id, [id = queued.id, repeated = queued.possibly_repeated](Transaction& tx) {
      return end_attempt(tx, id, MessageState::kSent, repeated, "");
    }));
    return std::nullopt;
  }
  const std::string why = attempt.status != 0 ? fmt::format("the answer was {}", attempt.status) : attempt.problem;
  // A gateway that gave up waiting does not know either.
  const bool unsure = queued.possibly_repeated || attempt.outcome == Outcome::kUnknown || attempt.status == 502 ||
                      attempt.status == 504;
  const TimePoint now = deps.clock->now();
  if (now - queued.patience_from >= kGiveUpAfter) {
    deps.log->error("notification {} to {} given up after {} attempts: {}", queued.subject, queued.target,
                    queued.attempts + 1, why);
    WEIR_TRY(record(queued.id, [id = queued.id, unsure, why](Transaction& tx) {
      return end_attempt(tx, id, MessageState::kGivenUp, unsure, why);
    }));
    return std::nullopt;
  }
  if (queued.attempts == 0) {
    deps.log->warning("notification {} to {} could not be sent, trying again: {}", queued.subject, queued.target, why);
  }
  const TimePoint next = now + growing(kPauseFirst, queued.attempts, kPauseMax);
  WEIR_TRY(record(
      queued.id, [id = queued.id, next, unsure, why](Transaction& tx) { return postpone(tx, id, next, unsure, why); }));
  return attempt.status == 0 ? std::optional(Silence{next, why}) : std::nullopt;
}

// What the database does not take now is kept, and told before anything else is sent.
Result<void> Notifier::Impl::record(std::int64_t id, std::function<Result<void>(Transaction&)> how) {
  auto recorded = deps.db->write(how);
  if (!recorded) unrecorded[id] = std::move(how);
  return recorded;
}

Result<void> Notifier::Impl::record_earlier() {
  while (!unrecorded.empty()) {
    WEIR_TRY(deps.db->write(unrecorded.begin()->second));
    unrecorded.erase(unrecorded.begin());
  }
  return {};
}

Result<void> Notifier::Impl::forget_old() {
  const TimePoint before = deps.clock->now() - kKeptFor;
  const bool any = WEIR_TRY(deps.db->load<bool>([&](store::Reader& reader) { return any_to_forget(reader, before); }));
  if (!any) return {};
  return deps.db->write([&](Transaction& tx) { return forget_messages(tx, before); });
}

Notifier::Notifier(NotifierDeps deps) : impl_(std::make_shared<Impl>(std::move(deps))) {}

Notifier::~Notifier() {
  stop();
}

Result<void> Notifier::start() {
  WEIR_TRY(impl_->find_position());
  impl_->subscription = impl_->deps.db->subscribe([weak = std::weak_ptr(impl_)](const types::Event& event) {
    const auto impl = weak.lock();
    const auto config = impl ? impl->deps.delivery.config() : nullptr;
    if (config != nullptr && may_interest(*config, event)) impl->wake();
  });
  impl_->wake();
  return {};
}

void Notifier::wake() {
  impl_->wake();
}

void Notifier::stop() {
  impl_->subscription.reset();
  const std::lock_guard lock(impl_->mutex);
  impl_->stopped = true;
}

}  // namespace weir::monitor
