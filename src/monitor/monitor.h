#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "config/config.h"
#include "monitor/exposition.h"
#include "monitor/retraining.h"
#include "monitor/watcher.h"
#include "serve/capture.h"
#include "serve/feedback.h"
#include "serve/gateway.h"
#include "store/database.h"

namespace weir::monitor {

struct MonitorDeps {
  store::Database* db = nullptr;
  const Clock* clock = nullptr;
  Log* log = nullptr;
  Loop* loop = nullptr;  // the monitor's own: it reads and writes the database there
  std::function<std::shared_ptr<const config::Config>()> config;
  // The version that is live in a place; nothing if none is.
  std::function<std::optional<LiveVersion>(const Place&)> live;
  // Text of an artifact of the run that trained a version, e.g. "reference.csv".
  std::function<Result<std::string>(const std::string& model, const std::string& version, const std::string& path)>
      artifact;
  // What the gateway counted.
  std::function<std::vector<serve::DeploymentSnapshot>()> traffic;
  // Starts a retraining workflow; gives the run.
  RetrainPolicy::Start start_training;
  // Rolls a place back because of an alert.
  std::function<Result<void>(const Place&, const std::string& reason)> roll_back;
  std::size_t queue_bytes_max = 64U << 20;  // captures that wait; more are dropped and counted
};

// Watches live models: keeps captured rows, joins labels, measures drift and accuracy by event time, fires alerts and
// starts retraining (Watcher, AlertBook and RetrainPolicy say how). Captures go through a bounded queue, so the gateway
// never waits; feedback is stored when the call returns. A row is lost only if the server is killed before its batch is
// written.
//
// Any thread may call the public functions; start() and stop() once each.
class Monitor final : public serve::CaptureSink, public serve::FeedbackSink {
 public:
  explicit Monitor(MonitorDeps deps);
  ~Monitor() override;

  // Begins to watch; soon makes up for what was due when the server stopped, a retraining that was decided but not
  // started among it.
  Result<void> start();
  // Stores what waits; no alert fires and no training starts afterwards.
  void stop();

  void capture(serve::Capture capture) noexcept override;
  Result<void> feedback(std::vector<serve::Feedback> feedback, const types::Identity& actor) override;

  // Waits until what was captured before is stored and judged. For tests and orderly demos.
  void flush();

  // --- for the API; newest first
  // {"windows":
  // [{"start","end","version","rows","score","columns":[…],"prediction_psi","accuracy_7d","labels","note"}]} of the
  // production environment. kNotFound if weir.yaml has no such endpoint.
  Result<json::object> drift(std::string_view endpoint, std::int64_t limit);
  // {"alerts": [{"id","endpoint","environment","alert","severity","message","state","fired_at","resolved_at",…}]}
  Result<json::object> alerts(std::int64_t limit, bool open_only);
  // {"retrainings": [{"model","reasons","data_until","state","run",…}]}
  Result<json::object> retrainings(std::int64_t limit);
  // What is known of an endpoint now, for its "monitor" member; null if nothing watches it.
  json::value status(std::string_view endpoint);

  // The families of gateway, drift, accuracy and alerts. Call it once for an exposition.
  void write_metrics(Exposition& exposition);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Requests, errors, latencies and workers of the gateway's deployments.
void write_traffic(Exposition& exposition, const std::vector<serve::DeploymentSnapshot>& deployments);

}  // namespace weir::monitor
