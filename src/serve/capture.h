#pragma once

#include <string>

#include "base/clock.h"

namespace weir::serve {

enum class Protocol { kMlflow, kOpenInference };

// One answered request, as the gateway saw it.
struct Capture {
  std::string endpoint;     // "flights"
  std::string environment;  // "production"
  std::string model;        // "flight-delay"
  std::string version;      // "3"
  std::string request_id;   // X-Request-Id of the client, or the gateway's own
  TimePoint time;           // arrival
  Duration latency{0};
  int status = 200;
  Protocol protocol = Protocol::kMlflow;
  std::string request_body;
  std::string response_body;
};

// Takes captures off the gateway's hands. Any thread; never blocks: what does not fit is dropped and counted.
class CaptureSink {
 public:
  virtual ~CaptureSink() = default;
  virtual void capture(Capture capture) noexcept = 0;
};

}  // namespace weir::serve
