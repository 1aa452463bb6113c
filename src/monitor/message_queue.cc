#include "monitor/message_queue.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "base/hash.h"

namespace weir::monitor {
namespace {

using store::Row;
using store::Transaction;

// When a message is due that a person wants sent now: before others to a target that may not answer them.
constexpr TimePoint kFirstOfAll{};
constexpr std::size_t kDigestLinesMax = 100;
constexpr std::size_t kDigestLineBytesMax = 500;

constexpr std::string_view kColumns =
    "id, subject, target, message, severity, attempts, created_at, patience_from, sending OR unsure, approval, "
    "reviewer, about, template, format, secret";

std::int64_t number(MessageState state) {
  return static_cast<std::int64_t>(state);
}

Queued read_queued(const Row& row) {
  return {.id = row.integer(0),
          .subject = row.string(1),
          .target = row.string(2),
          .text = row.string(3),
          .severity = static_cast<config::Severity>(row.integer(4)),
          .attempts = row.integer(5),
          .created = row.time(6),
          .patience_from = std::max(row.time(6), row.time(7)),
          .possibly_repeated = row.boolean(8),
          .approval = row.integer(9),
          .reviewer = row.string(10),
          .about = about_from_json(row.text(11)),
          .text_template = row.string(12),
          .format = static_cast<config::NotifyFormat>(row.integer(13)),
          .secret = row.string(14)};
}

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  if (line.size() <= kDigestLineBytesMax) return line;
  std::size_t end = kDigestLineBytesMax;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U) --end;
  return line.substr(0, end) + "…";
}

Message digest_of(const std::vector<Queued>& waited) {
  Message digest{.subject = fmt::format("digest/{}", waited.front().id),
                 .text = fmt::format("{} messages came in quiet hours", waited.size()),
                 .about = {.event = "digest", .repository = waited.front().about.repository}};
  for (std::size_t i = 0; i < waited.size(); ++i) {
    digest.severity = std::max(digest.severity, waited[i].severity);
    if (i < kDigestLinesMax) digest.text += fmt::format("\n- {}", first_line(waited[i].text));
  }
  if (waited.size() > kDigestLinesMax) digest.text += fmt::format("\n… and {} more", waited.size() - kDigestLinesMax);
  return digest;
}

constexpr std::array<std::string_view, 6> kStates = {"waiting", "held", "retrying", "sent", "given_up", "merged"};

// Which of kStates a row is in, as SQL: 0 to 5.
constexpr std::string_view kStateSql =
    "CASE WHEN state = 1 AND held = 1 THEN 1 WHEN state = 1 AND attempts > 0 THEN 2 WHEN state = 1 THEN 0 ELSE state + "
    "1 END";

json::object read_view(const Row& row) {
  const auto time_or_null = [&](int column) {
    return row.integer(column) == 0 ? json::value(nullptr) : json::value(to_iso8601(row.time(column)));
  };
  json::object view{{"id", row.integer(0)},
                    {"subject", row.text(1)},
                    {"target", row.text(2)},
                    {"text", row.text(3)},
                    {"severity", config::severity_name(static_cast<config::Severity>(row.integer(4)))},
                    {"state", kStates.at(static_cast<std::size_t>(row.integer(5)))},
                    {"attempts", row.integer(6)},
                    {"possibly_repeated", row.boolean(7)},
                    {"problem", row.text(8)},
                    {"created_at", to_iso8601(row.time(9))},
                    {"last_attempt_at", time_or_null(10)}};
  // When it is tried next, or the end of the quiet hours.
  const TimePoint next = std::max(row.time(9), row.time(11));
  view["next_attempt_at"] = row.integer(5) <= 2 ? json::value(to_iso8601(next)) : json::value(nullptr);
  view["digest"] = row.integer(12) == 0 ? json::value(nullptr) : json::value(row.integer(12));
  const About about = about_from_json(row.text(13));
  view["event"] = about.event;
  view["repo"] = about.repository;
  return view;
}

std::string view_sql(std::string_view where) {
  return fmt::format(
      "SELECT id, subject, target, message, severity, {}, attempts, unsure, note, created_at, last_attempt_at, "
      "next_attempt_at, digest, about FROM monitor_notifications WHERE {}",
      kStateSql, where);
}

}  // namespace

std::string Queued::key() const {
  return "weir-" +
         sha256_hex(fmt::format("{}\n{}\n{}", subject, target, created.time_since_epoch().count())).substr(0, 32);
}

Result<std::int64_t> insert_message(Transaction& tx, const config::Notify& entry, const Message& message,
                                    std::optional<TimePoint> until) {
  const std::int64_t id = WEIR_TRY(tx.next_id("monitor_notification"));
  // Whoever is asked to decide gets a message of their own, with its link.
  const bool held = until && message.approval == 0;
  const auto inserted = WEIR_TRY(
      tx.execute("INSERT INTO monitor_notifications(id, subject, target, severity, message, state, attempts, "
                 "next_attempt_at, created_at, note, approval, reviewer, about, template, format, secret, held) "
                 "VALUES(?, ?, ?, ?, ?, ?, 0, ?, ?, '', ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(subject, target) DO NOTHING",
                 {id, message.subject, entry.to.text, static_cast<std::int64_t>(message.severity), message.text,
                  number(MessageState::kQueued), until.value_or(tx.now()), tx.now(), message.approval, message.reviewer,
                  json::serialize(to_json(message.about)), entry.text,
                  static_cast<std::int64_t>(entry.webhook_format()), entry.secret.text, held}));
  return inserted > 0 ? id : 0;
}

Result<std::vector<Queued>> due_messages(store::Reader& reader, TimePoint now, std::int64_t limit) {
  return reader.all<Queued>(fmt::format("SELECT {} FROM monitor_notifications WHERE state = ? AND held = 0 AND "
                                        "next_attempt_at <= ? ORDER BY next_attempt_at, id LIMIT ?",
                                        kColumns),
                            {number(MessageState::kQueued), now, limit}, read_queued);
}

Result<std::optional<TimePoint>> next_due(store::Reader& reader) {
  const auto next = WEIR_TRY(reader.integer("SELECT MIN(next_attempt_at) FROM monitor_notifications WHERE state = ?",
                                            {number(MessageState::kQueued)}));
  return next ? std::optional(from_micros(*next)) : std::nullopt;
}

Result<bool> any_quiet_over(store::Reader& reader, TimePoint now) {
  return WEIR_TRY(reader.integer("SELECT 1 FROM monitor_notifications WHERE state = ? AND next_attempt_at <= ? AND "
                                 "held = 1 LIMIT 1",
                                 {number(MessageState::kQueued), now}))
      .has_value();
}

Result<void> merge_quiet(Transaction& tx) {
  const auto waited =
      WEIR_TRY(tx.all<Queued>(fmt::format("SELECT {} FROM monitor_notifications WHERE state = ? AND next_attempt_at <= "
                                          "? AND held = 1 ORDER BY id",
                                          kColumns),
                              {number(MessageState::kQueued), tx.now()}, read_queued));
  std::map<std::tuple<std::string, std::string, config::NotifyFormat>, std::vector<Queued>> targets;
  for (const Queued& one : waited) targets[{one.target, one.secret, one.format}].push_back(one);
  for (const auto& [target, messages] : targets) {
    if (messages.size() == 1) {
      WEIR_TRY(tx.execute("UPDATE monitor_notifications SET held = 0 WHERE id = ?", {messages.front().id}));
      continue;
    }
    const config::Notify entry{
        .to = {.text = std::get<0>(target)}, .format = std::get<2>(target), .secret = {.text = std::get<1>(target)}};
    const auto digest = WEIR_TRY(insert_message(tx, entry, digest_of(messages), std::nullopt));
    for (const Queued& one : messages) {
      WEIR_TRY(tx.execute("UPDATE monitor_notifications SET state = ?, held = 0, digest = ? WHERE id = ?",
                          {number(MessageState::kMerged), digest, one.id}));
    }
  }
  return {};
}

Result<void> begin_attempt(Transaction& tx, std::int64_t id) {
  WEIR_TRY(
      tx.execute("UPDATE monitor_notifications SET sending = 1, last_attempt_at = ? WHERE id = ?", {tx.now(), id}));
  return {};
}

Result<void> end_attempt(Transaction& tx, std::int64_t id, MessageState state, bool unsure, std::string_view note) {
  WEIR_TRY(tx.execute(
      "UPDATE monitor_notifications SET state = ?, attempts = attempts + 1, sending = 0, unsure = ?, note = ?, "
      "next_attempt_at = ? WHERE id = ?",
      {number(state), unsure, note, tx.now(), id}));
  return {};
}

Result<void> postpone(Transaction& tx, std::int64_t id, TimePoint next, bool unsure, std::string_view note) {
  WEIR_TRY(
      tx.execute("UPDATE monitor_notifications SET attempts = attempts + 1, sending = 0, unsure = ?, "
                 "next_attempt_at = ?, note = ? WHERE id = ?",
                 {unsure, next, note, id}));
  return {};
}

Result<void> wait_for_target(Transaction& tx, std::int64_t id, TimePoint next, std::string_view note) {
  WEIR_TRY(tx.execute("UPDATE monitor_notifications SET next_attempt_at = ?, note = ? WHERE id = ?", {next, note, id}));
  return {};
}

Result<bool> any_to_forget(store::Reader& reader, TimePoint before) {
  return WEIR_TRY(reader.integer("SELECT id FROM monitor_notifications WHERE state > ? AND next_attempt_at < ? LIMIT 1",
                                 {number(MessageState::kQueued), before}))
      .has_value();
}

Result<void> forget_messages(Transaction& tx, TimePoint before) {
  WEIR_TRY(tx.execute("DELETE FROM monitor_notifications WHERE state > ? AND next_attempt_at < ?",
                      {number(MessageState::kQueued), before}));
  return {};
}

std::span<const std::string_view> message_state_names() {
  return kStates;
}

Result<json::object> notifications_view(store::Reader& reader, const MessageFilter& filter) {
  std::int64_t wanted = -1;
  if (!filter.state.empty()) {
    const auto found = std::ranges::find(kStates, filter.state);
    if (found == kStates.end()) {
      return fail(Code::kInvalidArgument,
                  "\"{}\" is no state of a notification; there are waiting, held, retrying, sent, given_up and merged",
                  filter.state);
    }
    wanted = found - kStates.begin();
  }
  json::array list;
  for (auto& one : WEIR_TRY(reader.all<json::object>(
           view_sql(fmt::format("(? < 0 OR {} = ?) AND (? = 0 OR id < ?) ORDER BY id DESC LIMIT ?", kStateSql)),
           {wanted, wanted, filter.before, filter.before, filter.limit}, read_view))) {
    list.push_back(std::move(one));
  }
  json::object counts;
  for (const auto name : kStates) counts[name] = 0;
  WEIR_TRY(reader.query(
      fmt::format("SELECT {}, COUNT(*) FROM monitor_notifications GROUP BY 1", kStateSql), {},
      [&](const Row& row) { counts[kStates.at(static_cast<std::size_t>(row.integer(0)))] = row.integer(1); }));
  return json::object{{"notifications", std::move(list)}, {"counts", std::move(counts)}};
}

Result<json::object> notification_view(store::Reader& reader, std::int64_t id) {
  auto found = WEIR_TRY(reader.first<json::object>(view_sql("id = ?"), {id}, read_view));
  if (!found) return fail(Code::kNotFound, "there is no notification {}; sent ones are kept for a week", id);
  return *std::move(found);
}

Result<void> retry_message(Transaction& tx, std::int64_t id) {
  const auto view = WEIR_TRY(notification_view(tx, id));
  const std::string state = json_string_or(view, "state", "");
  if (state == "sent" || state == "merged") {
    return fail(Code::kFailedPrecondition, "notification {} was sent{}; it is not sent again", id,
                state == "merged" ? " with others, as one message" : "");
  }
  WEIR_TRY(
      tx.execute("UPDATE monitor_notifications SET state = ?, held = 0, next_attempt_at = ?, patience_from = ? "
                 "WHERE id = ?",
                 {number(MessageState::kQueued), kFirstOfAll, tx.now(), id}));
  return {};
}

}  // namespace weir::monitor
