#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "access/access.h"
#include "access/config_store.h"
#include "api/weir/route_table.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/run_artifacts.h"
#include "event/data_watcher.h"
#include "event/mirrors.h"
#include "event/triggers.h"
#include "forge/attachments.h"
#include "forge/checks.h"
#include "forge/issues.h"
#include "forge/pulls.h"
#include "gate/gate.h"
#include "insight/why.h"
#include "io/http.h"
#include "store/blob_store.h"
#include "store/database.h"

// weir's own REST API below /api/v1. Handlers are thin: they read the request, ask one service, write JSON.
namespace weir::api {

// A message of a job or person.
struct Notice {
  std::string severity = "info";
  std::string title;
  std::string message;
  std::string to;        // an address that weir.yaml, a secret or a variable holds; "" = the targets of weir.yaml
  std::int64_t run = 0;  // the workflow run that sends it
  std::vector<std::string> environments;  // whose secrets and variables the job that sends it has
};

// What the handlers work on. Pointers outlive the router.
struct Services {
  const Clock* clock = nullptr;
  Log* log = nullptr;
  store::Database* db = nullptr;
  store::BlobStore* blobs = nullptr;
  std::filesystem::path exchange_dir;  // what runners hand over, on the blobs' disk; "": nothing
  access::Access* access = nullptr;
  access::ConfigStore* config = nullptr;
  engine::Engine* engine = nullptr;
  engine::RunArtifacts* artifacts = nullptr;
  event::Triggers* triggers = nullptr;
  event::Mirrors* mirrors = nullptr;
  event::DataWatcher* data = nullptr;  // null where no data is watched
  forge::Issues* issues = nullptr;
  forge::Pulls* pulls = nullptr;
  forge::Checks* checks = nullptr;
  forge::Attachments* attachments = nullptr;
  gate::GateService* gate = nullptr;
  insight::Sources insight;
  std::function<Result<io::Git>(const std::string& repo)> git;
  // Sends a message to the targets that weir.yaml names (or to `to`), durably queued before it returns.
  std::function<Result<void>(const Notice& notice)> notify;
  // Queues a test message to each target, or to the one of weir.yaml whose `to` is given: their numbers.
  std::function<Result<std::vector<std::int64_t>>(std::string_view to, std::string_view actor)> test_notification;
  // Tries a message again now.
  std::function<Result<void>(std::int64_t id)> retry_notification;
};

// The request's body as a JSON object ({} for an empty body). kInvalidArgument otherwise.
Result<json::object> body_object(const io::HttpRequest& request);
// A member that need not be there, or is null. kInvalidArgument if it is something else than a text, or neither true
// nor false.
Result<std::optional<std::string>> optional_text(const json::value& body, std::string_view name);
Result<std::optional<bool>> optional_bool(const json::value& body, std::string_view name);
// Whether a "state" asks for something open; kInvalidArgument unless it is "open" or "closed".
Result<std::optional<bool>> optional_open(const json::value& body);
// A path parameter as a positive number.
Result<std::int64_t> id_param(const io::HttpRequest& request, std::string_view name);
// A query value as a number within [least, most]; `fallback` when absent.
Result<std::int64_t> number_query(const io::HttpRequest& request, std::string_view name, std::int64_t fallback,
                                  std::int64_t least, std::int64_t most);
json::object event_to_json(const types::Event& event);
// Media type and file name of the answer that brings an artifact's bytes.
void describe_download(const engine::Artifact& artifact, io::HttpResponse& response);

void add_run_routes(RouteTable& table, const Services& services);       // runs, jobs, dispatches, and the next
void add_log_routes(RouteTable& table, const Services& services);       // a job's log by place, and what is in it
void add_artifact_routes(RouteTable& table, const Services& services);  // blobs, artifacts, caches
void add_access_routes(RouteTable& table, const Services& services);    // approvals, tokens, secrets, variables, config
void add_pull_routes(RouteTable& table, const Services& services);      // pull requests, issues, their comments
void add_attachment_routes(RouteTable& table, const Services& services);    // pictures and files of comments
void add_repo_routes(RouteTable& table, const Services& services);          // repositories that follow others
void add_trigger_routes(RouteTable& table, const Services& services);       // schedules, watched data
void add_insight_routes(RouteTable& table, const Services& services);       // events, why, dora, gate
void add_notification_routes(RouteTable& table, const Services& services);  // what people are told

}  // namespace weir::api
