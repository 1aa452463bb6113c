#include "monitor/notifier.h"

#include <charconv>

#include "base/hash.h"
#include "config/mail_address.h"
#include "io/http_client.h"
#include "monitor/mail.h"
#include "monitor/slack.h"

namespace weir::monitor {
namespace {

using store::Row;
using store::Transaction;

// Persisted.
enum class State : std::int64_t { kQueued = 1, kSent = 2, kGivenUp = 3 };

constexpr Duration kPauseFirst{std::chrono::seconds{1}};
constexpr Duration kPauseMax{std::chrono::minutes{10}};
constexpr Duration kKeptFor{std::chrono::days{7}};  // once sent or given up
constexpr std::int64_t kAtOnce = 20;
constexpr std::int64_t kEventsAtOnce = 500;
constexpr std::string_view kCursor = "notify";

struct Queued {
  std::int64_t id = 0;
  std::string subject;
  std::string target;
  std::string message;
  std::int64_t attempts = 0;
  TimePoint created;
  config::Severity severity = config::Severity::kInfo;
  bool possibly_repeated = false;
  std::int64_t approval = 0;
  std::string reviewer;

  // The same for each attempt, and another one in another state folder.
  [[nodiscard]] std::string key() const {
    return "weir-" +
           sha256_hex(fmt::format("{}\n{}\n{}", subject, target, created.time_since_epoch().count())).substr(0, 32);
  }
};

// Events that somebody should hear of who asked for severities only: a request that waits for a person, and a run
// that failed.
bool concerns_people(const types::Event& event) {
  const json::value payload = event.payload;
  if (event.type == types::event_type::kApprovalRequested) {
    const auto* reviewers = json_find(payload, "reviewers");
    return reviewers != nullptr && reviewers->is_array() && !reviewers->get_array().empty();
  }
  return event.type == types::event_type::kRunCompleted && json_string_or(payload, "conclusion", "") == "failure";
}

config::Severity severity_of(const types::Event& event) {
  const bool bad = concerns_people(event) || event.type.ends_with(".refused") || event.type.ends_with(".rolled_back") ||
                   event.type.ends_with(".rejected");
  return bad ? config::Severity::kWarning : config::Severity::kInfo;
}

// "gate.refused model/flight-delay: auc is 0.51, at least 0.65 is wanted".
std::string text_of(const types::Event& event) {
  std::string text = fmt::format("{} {}", event.type, event.subject);
  const json::value payload = event.payload;
  for (const std::string_view member : {"message", "reason", "reasons", "summary", "conclusion"}) {
    const std::string said = json_string_or(payload, member, "");
    if (said.empty()) continue;
    return text + ": " + said;
  }
  return text + fmt::format(" (by {})", event.actor);
}

Attempt post_json(const Delivery& delivery) {
  bool connected = false;
  io::ClientRequest request{
      .method = "POST", .url = delivery.url, .body = delivery.body, .timeout = std::chrono::seconds{15}};
  request.connected = &connected;
  request.headers.set("Content-Type", "application/json");
  request.headers.set("Idempotency-Key", delivery.id);
  if (delivery.possibly_repeated) request.headers.set("X-Weir-Possibly-Repeated", "true");
  request.response_bytes_max = 1U << 16;
  const auto answer = io::http_exchange(request);
  if (answer) return {.status = answer->status};
  // The address may be a secret: what went wrong is told without it.
  std::string problem = answer.error().message;
  const auto address = problem.find(delivery.url.substr(0, delivery.url.find('?')));
  if (address != std::string::npos)
    problem.replace(address, delivery.url.substr(0, delivery.url.find('?')).size(), "…");
  return {.outcome = connected ? Outcome::kUnknown : Outcome::kNotTaken, .problem = std::move(problem)};
}

Result<void> insert(Transaction& tx, std::string_view target, const Message& message) {
  const std::int64_t id = WEIR_TRY(tx.next_id("monitor_notification"));
  WEIR_TRY(
      tx.execute("INSERT INTO monitor_notifications(id, subject, target, severity, message, state, attempts, "
                 "next_attempt_at, created_at, note, approval, reviewer) VALUES(?, ?, ?, ?, ?, ?, 0, ?, ?, '', ?, ?) "
                 "ON CONFLICT(subject, target) DO NOTHING",
                 {id, message.subject, target, static_cast<std::int64_t>(message.severity), message.text,
                  static_cast<std::int64_t>(State::kQueued), tx.now(), tx.now(), message.approval, message.reviewer}));
  return {};
}

}  // namespace

Result<void> queue_message_to(Transaction& tx, std::string_view target, const Message& message) {
  return insert(tx, target, message);
}

Result<std::string> target_for(std::string_view address, const std::map<std::string, std::string>& secrets) {
  constexpr std::string_view kReference = "${{";
  constexpr std::size_t kSecretBytesMin = 6;  // a shorter one is no secret worth a reference
  if (address.find(kReference) != std::string_view::npos) {
    return fail(Code::kInvalidArgument, "\"{}\" holds an expression, expected an address", address);
  }
  if (!address.starts_with("https://") && !address.starts_with("http://")) {
    const std::string_view scheme = address.substr(0, address.find(':'));
    return fail(Code::kInvalidArgument, "an address that begins with \"{}\" cannot be notified, expected https://…",
                scheme);
  }
  std::string target(address);
  for (const auto& [name, value] : secrets) {
    if (value.size() < kSecretBytesMin) continue;
    const std::string reference = fmt::format("${{{{ secrets.{} }}}}", name);
    for (auto at = target.find(value); at != std::string::npos; at = target.find(value, at + reference.size())) {
      target.replace(at, value.size(), reference);
    }
  }
  // A secret whose value is part of such a reference has broken it.
  WEIR_TRY(config::parse_template(target));
  return target;
}

Result<void> queue_message(Transaction& tx, const std::vector<config::Notify>& notify, const Message& message) {
  for (const config::Notify& entry : notify) {
    if (!entry.events.empty()) continue;
    if (std::ranges::find(entry.severities, message.severity) == entry.severities.end()) continue;
    WEIR_TRY(insert(tx, entry.to.text, message));
  }
  return {};
}

namespace {

// Gives a request for approval to the entry's reviewer to decide, if it is theirs.
void address_reviewer(Message& message, const config::Notify& entry, const types::Event& event) {
  const json::value payload = event.payload;
  const auto* reviewers = json_find(payload, "reviewers");
  if (entry.reviewer.empty() || reviewers == nullptr || !reviewers->is_array()) return;
  for (const auto& name : reviewers->get_array()) {
    if (!name.is_string() || name.get_string() != entry.reviewer) continue;
    constexpr std::string_view kSubject = "approval/";
    const std::string_view number =
        std::string_view(event.subject).substr(std::min(event.subject.size(), kSubject.size()));
    std::from_chars(number.data(), number.data() + number.size(), message.approval);
    message.reviewer = entry.reviewer;
  }
}

bool takes(const config::Notify& entry, const types::Event& event) {
  if (!entry.events.empty()) return std::ranges::find(entry.events, event.type) != entry.events.end();
  return concerns_people(event) && std::ranges::find(entry.severities, severity_of(event)) != entry.severities.end();
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

  static bool is_wanted(const config::Config* config, const types::Event& event);
  void wake();
  void round();
  Result<void> find_position();
  Result<void> keep_position(Transaction& tx) const;
  Result<void> follow_events();
  Result<std::vector<Queued>> due();
  Result<std::optional<TimePoint>> next_attempt();
  void deliver(const Queued& queued);
  Attempt send(const Queued& queued);
  Result<void> begin(const Queued& queued);
  Result<void> finish(const Queued& queued, State state, std::string_view note);
  Result<void> try_later(const Queued& queued, bool unsure, std::string_view note);
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

void Notifier::Impl::round() {
  {
    const std::lock_guard lock(mutex);
    scheduled = false;
    if (stopped) return;
  }
  if (auto followed = follow_events(); !followed) deps.log->error("notifications: {}", followed.error().message);
  auto queue = due();
  if (!queue) return deps.log->error("notifications: {}", queue.error().message);
  for (const Queued& queued : *queue) {
    {
      const std::lock_guard lock(mutex);
      if (stopped) return;
    }
    deliver(queued);
  }
  if (auto forgotten = forget_old(); !forgotten) deps.log->error("notifications: {}", forgotten.error().message);

  const auto next = next_attempt();
  if (!next || !*next) return;
  const Duration pause = std::max(Duration{0}, **next - deps.clock->now());
  deps.loop->cancel(timer);
  timer = deps.loop->after(pause, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->round();
  });
}

bool Notifier::Impl::is_wanted(const config::Config* config, const types::Event& event) {
  if (config == nullptr) return false;
  return std::ranges::any_of(config->notify, [&](const config::Notify& entry) { return takes(entry, event); });
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
  const auto config = deps.config();
  for (;;) {
    const auto events = WEIR_TRY(deps.db->load<std::vector<types::Event>>(
        [&](store::Reader& reader) { return store::read_events(reader, position, kEventsAtOnce); }));
    if (events.empty()) return {};
    const std::int64_t before = std::exchange(position, events.back().sequence);
    const bool any =
        std::ranges::any_of(events, [&](const types::Event& event) { return is_wanted(config.get(), event); });
    if (!any) continue;
    auto queued = deps.db->write([&](Transaction& tx) -> Result<void> {
      for (const types::Event& event : events) {
        for (const config::Notify& entry : config->notify) {
          if (!takes(entry, event)) continue;
          Message message{.subject = fmt::format("event/{}", event.sequence),
                          .severity = severity_of(event),
                          .text = text_of(event)};
          if (event.type == types::event_type::kApprovalRequested) address_reviewer(message, entry, event);
          WEIR_TRY(insert(tx, entry.to.text, message));
        }
      }
      return keep_position(tx);
    });
    if (!queued) {
      position = before;
      return queued;
    }
  }
}

Result<std::vector<Queued>> Notifier::Impl::due() {
  return deps.db->load<std::vector<Queued>>([&](store::Reader& reader) {
    return reader.all<Queued>(
        "SELECT id, subject, target, message, attempts, created_at, severity, sending OR unsure, approval, reviewer "
        "FROM monitor_notifications WHERE state = ? AND next_attempt_at <= ? ORDER BY next_attempt_at, id LIMIT ?",
        {static_cast<std::int64_t>(State::kQueued), deps.clock->now(), kAtOnce}, [](const Row& row) {
          return Queued{row.integer(0),
                        row.string(1),
                        row.string(2),
                        row.string(3),
                        row.integer(4),
                        row.time(5),
                        static_cast<config::Severity>(row.integer(6)),
                        row.boolean(7),
                        row.integer(8),
                        row.string(9)};
        });
  });
}

Result<std::optional<TimePoint>> Notifier::Impl::next_attempt() {
  return deps.db->load<std::optional<TimePoint>>([&](store::Reader& reader) -> Result<std::optional<TimePoint>> {
    const auto next = WEIR_TRY(reader.integer("SELECT MIN(next_attempt_at) FROM monitor_notifications WHERE state = ?",
                                              {static_cast<std::int64_t>(State::kQueued)}));
    return next ? std::optional(from_micros(*next)) : std::nullopt;
  });
}

Attempt Notifier::Impl::send(const Queued& queued) {
  const auto not_sent = [](const Error& error) { return Attempt{.problem = error.message}; };
  const auto target = config::parse_template(queued.target);
  if (!target) return not_sent(target.error());
  const auto address = deps.resolve(*target);
  if (!address) return not_sent(address.error());
  std::string text = queued.message;
  if (!queued.reviewer.empty() && deps.approval_address) {
    // Without a link, it was decided since.
    if (const auto link = deps.approval_address(queued.approval, queued.reviewer)) {
      text.append(fmt::format("\nDecide as {}: {}", queued.reviewer, *link));
    }
  }
  if (address->starts_with("mailto:")) {
    const auto to = config::mail_address(*address);
    if (!to) return not_sent(to.error());
    const auto program = deps.sendmail.empty() ? find_sendmail() : Result<std::filesystem::path>(deps.sendmail);
    if (!program) return not_sent(program.error());
    if (queued.possibly_repeated) text.append("\n\n").append(repeated_line());
    const auto sent = send_mail(*program, *to, text, queued.key());
    if (sent) return {.status = 200};
    // A program that said no has not taken it; one that was stopped may have.
    const bool unknown = sent.error().code == Code::kDeadlineExceeded;
    return {.outcome = unknown ? Outcome::kUnknown : Outcome::kNotTaken, .problem = sent.error().message};
  }
  const Delivery delivery{.url = *address,
                          .body = slack_body(text, queued.severity, queued.possibly_repeated),
                          .id = queued.key(),
                          .possibly_repeated = queued.possibly_repeated};
  return deps.post ? deps.post(delivery) : post_json(delivery);
}

void Notifier::Impl::deliver(const Queued& queued) {
  if (queued.attempts == 0) deps.log->info("notification to {}: {}", queued.target, queued.message);
  if (auto begun = begin(queued); !begun) {
    deps.log->error("notifications: {}", begun.error().message);
    return;
  }
  const Attempt attempt = send(queued);
  if (attempt.status >= 200 && attempt.status < 300) {
    if (auto done = finish(queued, State::kSent, ""); !done) deps.log->error("notifications: {}", done.error().message);
    return;
  }
  const std::string why = attempt.status != 0 ? fmt::format("the answer was {}", attempt.status) : attempt.problem;
  // A gateway that gave up waiting does not know either.
  const bool unsure = queued.possibly_repeated || attempt.outcome == Outcome::kUnknown || attempt.status == 502 ||
                      attempt.status == 504;
  const bool over = deps.clock->now() - queued.created >= kGiveUpAfter;
  auto noted = over ? finish(queued, State::kGivenUp, why) : try_later(queued, unsure, why);
  if (!noted) deps.log->error("notifications: {}", noted.error().message);
  if (over) {
    deps.log->error("notification {} to {} given up after {} attempts: {}", queued.subject, queued.target,
                    queued.attempts + 1, why);
  } else if (queued.attempts == 0) {
    deps.log->warning("notification {} to {} could not be sent, trying again: {}", queued.subject, queued.target, why);
  }
}

// On disk before the attempt: a server that is killed during it finds the row as it is now.
Result<void> Notifier::Impl::begin(const Queued& queued) {
  return deps.db->write([&](Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute("UPDATE monitor_notifications SET sending = 1 WHERE id = ?", {queued.id}));
    return {};
  });
}

Result<void> Notifier::Impl::finish(const Queued& queued, State state, std::string_view note) {
  return deps.db->write([&](Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute(
        "UPDATE monitor_notifications SET state = ?, attempts = attempts + 1, sending = 0, note = ? WHERE id = ?",
        {static_cast<std::int64_t>(state), note, queued.id}));
    return {};
  });
}

Result<void> Notifier::Impl::try_later(const Queued& queued, bool unsure, std::string_view note) {
  const Duration pause =
      std::min(kPauseMax, Duration{kPauseFirst.count() << std::min<std::int64_t>(queued.attempts, 20)});
  return deps.db->write([&](Transaction& tx) -> Result<void> {
    WEIR_TRY(
        tx.execute("UPDATE monitor_notifications SET attempts = attempts + 1, sending = 0, unsure = ?, next_attempt_at "
                   "= ?, note = ? "
                   "WHERE id = ?",
                   {unsure, deps.clock->now() + pause, note, queued.id}));
    return {};
  });
}

Result<void> Notifier::Impl::forget_old() {
  const TimePoint before = deps.clock->now() - kKeptFor;
  const auto old = WEIR_TRY(deps.db->load<std::optional<std::int64_t>>([&](store::Reader& reader) {
    return reader.integer("SELECT id FROM monitor_notifications WHERE state > ? AND next_attempt_at < ? LIMIT 1",
                          {static_cast<std::int64_t>(State::kQueued), before});
  }));
  if (!old) return {};
  return deps.db->write([&](Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute("DELETE FROM monitor_notifications WHERE state > ? AND next_attempt_at < ?",
                        {static_cast<std::int64_t>(State::kQueued), before}));
    return {};
  });
}

Notifier::Notifier(NotifierDeps deps) : impl_(std::make_shared<Impl>(std::move(deps))) {}

Notifier::~Notifier() {
  stop();
}

Result<void> Notifier::start() {
  WEIR_TRY(impl_->find_position());
  impl_->subscription = impl_->deps.db->subscribe([weak = std::weak_ptr(impl_)](const types::Event& event) {
    const auto impl = weak.lock();
    if (impl && Impl::is_wanted(impl->deps.config().get(), event)) impl->wake();
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
