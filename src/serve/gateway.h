#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "io/http.h"
#include "serve/backend.h"
#include "serve/capture.h"
#include "serve/feedback.h"
#include "serve/stats.h"

namespace weir::serve {

// How one environment of an endpoint is served, apart from which version is live.
struct EndpointSettings {
  std::string endpoint;  // "flights"
  std::string environment = "production";
  double capture_sample = 1.0;                 // share of requests that the capture sink gets
  std::string key_column;                      // joins labels; "" = by request id only
  std::vector<std::string> allowed_columns;    // rows may have them though the model does not (key, event time)
  Duration timeout{std::chrono::seconds{60}};  // 504 after it
};

// A model version that can take an environment's requests.
struct Deployment {
  std::string model;    // "flight-delay"
  std::string version;  // "3"
  std::shared_ptr<Backend> backend;
};

// What /metrics and the dashboard show of one version at one endpoint.
struct DeploymentSnapshot {
  std::string endpoint;
  std::string environment;
  std::string model;
  std::string version;
  bool live = false;  // else the previous one, kept warm
  BackendHealth health;
  TrafficCounts total;
  TrafficCounts recent;  // of the last five minutes
  double p50_ms = 0.0;   // over `recent`
  double p95_ms = 0.0;
};

// The data plane: takes requests of MLflow's scoring protocol and of the Open Inference Protocol v2 (REST, with its
// binary tensor extension) to the live version of an endpoint's environment.
//
//   POST /{endpoint}/invocations                      MLflow
//   POST /{endpoint}/feedback                         what turned out to be true
//   GET  /v2, /v2/health/live, /v2/health/ready
//   GET  /v2/models/{endpoint}[/versions/{v}][/ready]
//   POST /v2/models/{endpoint}[/versions/{v}]/infer
// {endpoint} is production; "{endpoint}@{environment}" names any. Answers carry X-Request-Id and X-Weir-Model-Version.
//
// Requests are routed by an immutable table that switch_to() replaces as a whole: a request ends on the version that it
// began on. No database and no disk is touched on the way. Any thread may call everything.
class Gateway {
 public:
  struct Options {
    std::string server_version;       // shown by GET /v2
    CaptureSink* captures = nullptr;  // outlive the gateway
    FeedbackSink* feedback = nullptr;
  };

  Gateway(Options options, const Clock& clock);
  ~Gateway();

  // Adds the routes above.
  void add_routes(io::Router& router);

  // Makes an environment known, or changes its settings; what is live stays.
  void configure(EndpointSettings settings);
  // Takes an environment away; requests in flight are answered.
  void remove(std::string_view endpoint, std::string_view environment);

  // From now on requests go to `live`. `warm` also answers, to those who name its version. The environment is one that
  // was configured; otherwise nothing happens.
  void switch_to(std::string_view endpoint, std::string_view environment, Deployment live,
                 std::optional<Deployment> warm);

  // Whether GET /v2/health/ready says yes: set once every live version is loaded.
  void set_ready(bool ready);

  [[nodiscard]] std::vector<DeploymentSnapshot> snapshot() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace weir::serve
