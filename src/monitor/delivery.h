#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "monitor/message_queue.h"

namespace weir::monitor {

// One attempt to give a message to a webhook.
struct Delivery {
  std::string url;
  std::string body;
  std::string id;                                            // of the message at this target, the same for each attempt
  bool possibly_repeated = false;                            // an earlier attempt may have arrived
  std::vector<std::pair<std::string, std::string>> headers;  // besides those that every attempt has
};

// How an attempt ended that brought no status.
enum class Outcome : std::uint8_t { kNotTaken = 1, kUnknown = 2 };
struct Attempt {
  int status = 0;  // of the answer; 0 if there was none
  Outcome outcome = Outcome::kNotTaken;
  std::string problem;
};

// Posts JSON to an address by io::http_exchange. The problem does not hold the address, which may be a secret.
Attempt post_json(const Delivery& delivery);

// The headers by which a receiver knows that weir sent the body, and when (https://www.standardwebhooks.com): `secret`
// is "whsec_" and base64 of 24 to 64 bytes. kInvalidArgument otherwise.
Result<std::vector<std::pair<std::string, std::string>>> signature_headers(std::string_view secret, std::string_view id,
                                                                           TimePoint now, std::string_view body);

// What is needed to send.
struct DeliveryDeps {
  const Clock* clock = nullptr;
  std::function<std::shared_ptr<const config::Config>()> config;
  // A template with secrets filled in.
  std::function<Result<std::string>(const config::Template& target)> resolve;
  // Default: post_json.
  std::function<Attempt(const Delivery& delivery)> post;
  // The address by which `reviewer` decides an approval; it is made when a message is sent, and kept nowhere. Default:
  // messages bring none.
  std::function<Result<std::string>(std::int64_t approval, const std::string& reviewer)> approval_address;
  std::function<std::string()> server_url;  // where people reach this server; default: messages bring no links
  std::filesystem::path sendmail;           // takes mail where `mail:` names no server; default: the machine's
};

// Sends one message once. Blocks until that is over: half a minute at most.
Attempt deliver(const DeliveryDeps& deps, const Queued& message);

}  // namespace weir::monitor
