#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "config/config.h"
#include "serve/gateway.h"

// Wish and fact. A model reference of weir.yaml ("models:/flight-delay@champion") names the version that an environment
// is wished to serve; which version does serve it is the fact. The controller brings the fact to the wish, or refuses
// the wish with a reason.
namespace weir::rollout {

struct ModelVersion {
  std::string model;
  std::int64_t version = 0;  // 0: none

  [[nodiscard]] bool exists() const { return version > 0; }
  [[nodiscard]] std::string text() const;  // "flight-delay version 3"
  bool operator==(const ModelVersion&) const = default;
};

// Persisted.
enum class WishState : std::uint8_t {
  kNone = 1,       // the reference names no version yet
  kWaiting = 2,    // for a reviewer of the environment
  kPreparing = 3,  // is being loaded and tried out
  kLive = 4,       // wish and fact agree
  kRefused = 5,    // by a reviewer, the smoke test or a rollback; traffic stayed where it was
};
std::string_view wish_state_name(WishState state);  // "none", "waiting", "preparing", "live", "refused"

struct Wish {
  ModelVersion target;
  std::string reference;  // "models:/flight-delay@champion"
  WishState state = WishState::kNone;
  std::string reason;         // why it was refused, or what it waits for
  std::string actor;          // who moved the reference
  std::int64_t cause = 0;     // event that moved it
  std::int64_t approval = 0;  // that it waits for or was granted by; 0: none
  TimePoint changed_at;
  bool operator==(const Wish&) const = default;
};

// What is stored of one environment of an endpoint.
struct Record {
  std::string endpoint;
  std::string environment;
  Wish wish;
  ModelVersion live;
  TimePoint live_since;
  std::int64_t live_event = 0;        // rollout.switched or rollout.rolled_back
  std::vector<ModelVersion> history;  // versions that were live before and good, newest last: what a rollback goes to
  bool operator==(const Record&) const = default;

  [[nodiscard]] ModelVersion previous() const { return history.empty() ? ModelVersion{} : history.back(); }
};

// One environment of an endpoint as weir.yaml has it.
struct Target {
  serve::EndpointSettings settings;
  config::ModelReference reference;
  int workers = 2;
};

// Every environment of every endpoint.
std::vector<Target> targets_of(const config::Config& config);

// "flights@production"
std::string target_name(std::string_view endpoint, std::string_view environment);
// "endpoint/flights@production", as events have it.
std::string target_subject(std::string_view endpoint, std::string_view environment);

}  // namespace weir::rollout
