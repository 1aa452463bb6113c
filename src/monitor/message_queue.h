#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "monitor/message.h"

// The rows of monitor_notifications: what is to be sent to whom, and how far that got.
namespace weir::monitor {

// Persisted.
enum class MessageState : std::int64_t {
  kQueued = 1,
  kSent = 2,
  kGivenUp = 3,
  kMerged = 4,  // it went into the one message of the quiet hours that it came in
};

// One message to one target.
struct Queued {
  std::int64_t id = 0;
  std::string subject;
  std::string target;  // a template: secrets are filled in when it is sent
  std::string text;
  config::Severity severity = config::Severity::kInfo;
  std::int64_t attempts = 0;
  TimePoint created;
  TimePoint patience_from;  // a day after this it is given up
  bool possibly_repeated = false;
  std::int64_t approval = 0;
  std::string reviewer;
  About about;
  std::string text_template;
  config::NotifyFormat format = config::NotifyFormat::kSlack;
  std::string secret;  // a template

  // The same for each attempt, and another one in another state folder.
  [[nodiscard]] std::string key() const;
};

// Gives the message's number; 0 if one of its subject is there for the target. With `until` it waits for that time and
// is then sent together with others that waited.
Result<std::int64_t> insert_message(store::Transaction& tx, const config::Notify& entry, const Message& message,
                                    std::optional<TimePoint> until);

// What is to be sent now, the longest due first.
Result<std::vector<Queued>> due_messages(store::Reader& reader, TimePoint now, std::int64_t limit);
// When the next one is due.
Result<std::optional<TimePoint>> next_due(store::Reader& reader);

// Of what waited for the end of quiet hours that are over: several to one target become one message. False if there was
// nothing to do.
Result<bool> any_quiet_over(store::Reader& reader, TimePoint now);
Result<void> merge_quiet(store::Transaction& tx);

// That an attempt begins, before it does: a server that is killed during it finds the row so.
Result<void> begin_attempt(store::Transaction& tx, std::int64_t id);
// How it ended. `unsure`: this attempt or an earlier one may have arrived besides. `note`: why not, without secrets.
Result<void> end_attempt(store::Transaction& tx, std::int64_t id, MessageState state, bool unsure,
                         std::string_view note);
// To be tried again at `next`.
Result<void> postpone(store::Transaction& tx, std::int64_t id, TimePoint next, bool unsure, std::string_view note);

// Not tried now, as its target did not answer for another message.
Result<void> wait_for_target(store::Transaction& tx, std::int64_t id, TimePoint next, std::string_view note);

// Removes what was sent or given up before.
Result<void> forget_messages(store::Transaction& tx, TimePoint before);
Result<bool> any_to_forget(store::Reader& reader, TimePoint before);

// ---- for people

struct MessageFilter {
  std::string state;        // as message_state_names(); "" = all
  std::int64_t before = 0;  // numbers below this
  std::int64_t limit = 100;
};
// "waiting", "held", "retrying", "sent", "given_up", "merged".
std::span<const std::string_view> message_state_names();
// {"notifications": […], "counts": {"waiting": 1, …}}, newest first. kInvalidArgument for an unknown state.
Result<json::object> notifications_view(store::Reader& reader, const MessageFilter& filter);
// kNotFound without it.
Result<json::object> notification_view(store::Reader& reader, std::int64_t id);
// Tries a message again now that waits or was given up. kFailedPrecondition if it was sent.
Result<void> retry_message(store::Transaction& tx, std::int64_t id);

}  // namespace weir::monitor
