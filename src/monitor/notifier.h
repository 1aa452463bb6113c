#pragma once

#include <memory>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "monitor/delivery.h"
#include "monitor/message.h"
#include "store/database.h"

namespace weir::monitor {

struct NotifierDeps {
  store::Database* db = nullptr;
  const Clock* clock = nullptr;
  Log* log = nullptr;
  Loop* loop = nullptr;  // deliveries block: a loop of its own
  DeliveryDeps delivery;
  RunFactsOf run_facts;  // what messages about runs say beside what the log knows; default: nothing
};

// Delivers queued messages to webhooks, as {"text": …, "blocks": …}, which Slack's incoming webhooks and relatives
// take, or as JSON with a signature, and to mailto: addresses by the server of `mail:` or the machine's sendmail; and
// follows the event log for what targets want to hear of. A message that was queued is delivered once, also after kill
// -9: that an attempt begins is on disk before it does. When it is not known whether one arrived (a crash, or no answer
// to what was sent), the next is marked as possibly repeated (header X-Weir-Possibly-Repeated, a line in the text) and
// has the same Idempotency-Key, webhook-id or Message-ID; refused or unreachable targets are tried again with growing
// pauses for a day, then given up with an error in the log. Every message goes to the log too. Secrets are filled in
// when it is sent and never stored.
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
