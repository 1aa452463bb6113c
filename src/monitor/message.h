#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "config/config.h"
#include "store/database.h"
#include "types/event.h"

namespace weir::monitor {

// What a message is about: targets are chosen by it, and templates see it. What is not known is "".
struct About {
  std::string event;  // "gate.refused"; "message" for what people and jobs send
  std::string repository;
  std::string model;
  std::string endpoint;
  std::string environment;
  std::int64_t run = 0;
  std::string page;  // of the dashboard: "#/runs/7"

  bool operator==(const About&) const = default;
};
json::object to_json(const About& about);
About about_from_json(std::string_view text);

// What people know a run by, beside what its events say.
struct RunFacts {
  std::string title;  // "Fix the scaler"
  std::string actor;  // who started it
};
using RunFactsOf = std::function<Result<RunFacts>(store::Reader& reader, std::int64_t run)>;

// Whose run it is; "" if no event of it says so.
Result<std::string> repository_of_run(store::Reader& reader, std::int64_t run);

// What an event is about, as its subject, its payload and the events of its run say.
Result<About> about_event(store::Reader& reader, const types::Event& event);

// What people are told.
struct Message {
  std::string subject;  // what it is about, unique for each message: "alert/7/fired"; a second one of it is not sent
  config::Severity severity = config::Severity::kInfo;
  std::string text;
  std::int64_t approval = 0;  // what it asks a reviewer to decide
  std::string reviewer;       // who gets a link for that; "" = nobody
  About about;
};

// Whether the entry wants to hear of it, its severities and events aside: it belongs to the same repository, or one of
// them to none, and its environments and models fit.
bool concerns(const config::Notify& entry, const About& about);

// Queues the message to every target of `notify` that takes its severity and concerns it, in the transaction of the
// change that it tells of. Who configures the endpoint or model is whose message it is, if nobody said.
Result<void> queue_message(store::Transaction& tx, const config::Config& config, const Message& message);
// To one entry, whatever it asks for. In its quiet hours the message waits, unless `at_once`. Gives its number; 0 if
// such a message was queued before.
Result<std::int64_t> queue_message_to(store::Transaction& tx, const config::Notify& entry, const Message& message,
                                      bool at_once = false);

// Whether `address` is the address `known`, or lies below it: "https://hooks.example.com/T1" and ".../T1/x".
bool lies_below(std::string_view address, std::string_view known);

// The target for an address that a job or person gave. What of it is the value of a secret is kept as a reference to
// the secret, so that the address does not lie in the database in clear. kInvalidArgument if it is neither http:// nor
// https://, or holds a reference itself: who may send messages may not read secrets by it.
Result<std::string> target_for(std::string_view address, const std::map<std::string, std::string>& secrets);

// When quiet hours end that `now` lies in; nothing outside of them, or if the machine does not know the time zone: a
// message too early is better than one too late.
std::optional<TimePoint> quiet_until(const config::Quiet& quiet, TimePoint now);

// ---- events that targets hear of unasked, or by `events`

// Queues what `event` asks for, to all whom it concerns.
Result<void> queue_event(store::Transaction& tx, const config::Config& config, const types::Event& event,
                         const RunFactsOf& run_facts = {});
// Whether queue_event() may queue anything; it may be none in the end.
bool may_interest(const config::Config& config, const types::Event& event);

}  // namespace weir::monitor
