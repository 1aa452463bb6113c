#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "config/config.h"
#include "store/database.h"

namespace weir::monitor {

// What people are told.
struct Message {
  std::string subject;  // what it is about, unique for each message: "alert/7/fired"; a second one of it is not sent
  config::Severity severity = config::Severity::kInfo;
  std::string text;
  std::int64_t approval = 0;  // what it asks a reviewer to decide
  std::string reviewer;       // who gets a link for that; "" = nobody
};

// Queues the message to every target of `notify` that takes its severity, in the transaction of the change that it
// tells of.
Result<void> queue_message(store::Transaction& tx, const std::vector<config::Notify>& notify, const Message& message);
// To one target: a template, of weir.yaml or of target_for().
Result<void> queue_message_to(store::Transaction& tx, std::string_view target, const Message& message);

// The target for an address that a job or person gave. What of it is the value of a secret is kept as a reference to
// the secret, so that the address does not lie in the database in clear. kInvalidArgument if it is neither http:// nor
// https://, or holds a reference itself: who may send messages may not read secrets by it.
Result<std::string> target_for(std::string_view address, const std::map<std::string, std::string>& secrets);

// One attempt to give a message to a webhook.
struct Delivery {
  std::string url;
  std::string body;
  std::string id;                  // of the message at this target, the same for each attempt
  bool possibly_repeated = false;  // an earlier attempt may have arrived
};

// How an attempt ended that brought no status.
enum class Outcome : std::uint8_t { kNotTaken = 1, kUnknown = 2 };
struct Attempt {
  int status = 0;  // of the answer; 0 if there was none
  Outcome outcome = Outcome::kNotTaken;
  std::string problem;
};

struct NotifierDeps {
  store::Database* db = nullptr;
  const Clock* clock = nullptr;
  Log* log = nullptr;
  Loop* loop = nullptr;  // deliveries block: a loop of its own
  std::function<std::shared_ptr<const config::Config>()> config;
  // "https://…" of a target's template, with secrets filled in.
  std::function<Result<std::string>(const config::Template& target)> resolve;
  // Sends JSON to an address. Default: io::http_exchange.
  std::function<Attempt(const Delivery& delivery)> post;
  // The address by which `reviewer` decides an approval; it is made when a message is sent, and kept nowhere. Default:
  // messages bring none.
  std::function<Result<std::string>(std::int64_t approval, const std::string& reviewer)> approval_address;
  std::filesystem::path sendmail;  // takes mail; default: the machine's
};

// Delivers queued messages to webhooks as {"text": …, "blocks": …}, which Slack's incoming webhooks and relatives take,
// to mailto: addresses by the machine's sendmail, and follows the event log for `notify` entries with `events`. A
// message that was queued is delivered once, also after kill -9: that an attempt begins is on disk before it does. When
// it is not known whether one arrived (a crash, or no answer to what was sent), the next is marked as possibly repeated
// (header X-Weir-Possibly-Repeated, a line in the text) and has the same Idempotency-Key or Message-ID; refused or
// unreachable targets are tried again with growing pauses for a day, then given up with an error in the log. Every
// message goes to the log too. Secrets are filled in when it is sent and never stored.
class Notifier {
 public:
  explicit Notifier(NotifierDeps deps);
  ~Notifier();

  // Goes on with what is queued, and hears of new events from now on (and of those since the last start).
  Result<void> start();
  // Looks at the queue soon. Any thread, also the writer's.
  void wake();
  // Nothing is sent afterwards.
  void stop();

  static constexpr Duration kGiveUpAfter{std::chrono::hours{24}};

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace weir::monitor
