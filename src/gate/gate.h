#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "config/config.h"
#include "gate/schema.h"
#include "gate/verdict.h"
#include "store/database.h"
#include "types/identity.h"

namespace weir::gate {

// Who is judged, by what.
struct Request {
  std::string model;
  std::string run_id;  // experiment run; "" = by version, or the one that workflow run `workflow_run` made
  std::string version;
  std::vector<std::string> rules;  // instead of the gate of weir.yaml, if not empty
  // Numbers given by the caller instead of logged ones (`weir gate --metrics metrics.json`); they win over logged ones.
  std::map<std::string, double> metrics;
  std::optional<std::int64_t> workflow_run;
  std::optional<std::int64_t> job;
};

// Body of POST /api/v1/gate. kInvalidArgument names the member.
Result<Request> request_from_json(const json::value& body);

// A verdict as it was recorded.
struct Record {
  std::int64_t id = 0;
  TimePoint time;
  std::string model;
  std::string version;  // "" if it was judged before it was registered
  std::string run_id;
  std::optional<std::int64_t> workflow_run;
  std::optional<std::int64_t> job;
  bool passed = false;
  std::int64_t event = 0;  // sequence of gate.passed or gate.refused
  json::object verdict;    // to_json(Verdict)
};

// The live version that serves production.
struct Champion {
  std::string version;
  std::string run_id;
};

// A candidate beside what it is compared with. Nothing of it is recorded.
struct Comparison {
  ModelFacts candidate;
  std::optional<ModelFacts> base;       // none: there is nothing to compare with
  bool base_is_champion = false;        // it serves production
  std::vector<config::GateRule> rules;  // of weir.yaml, or the request's; none where nobody wrote any
  std::optional<Verdict> verdict;       // by these rules, against the champion; none without rules
  std::vector<std::string> warnings;
};

// Fetches facts, judges and records. Any thread; not from inside a write.
class GateService {
 public:
  // How the gate learns of what other parts store. All must be set; each may be called from any thread.
  struct Sources {
    // Metrics and datasets of an experiment run. kNotFound names it.
    std::function<Result<ModelFacts>(const std::string& run_id)> run_facts;
    // The newest experiment run that holds metrics and was made by a workflow run; none if it made none.
    std::function<Result<std::optional<std::string>>(std::int64_t workflow_run)> run_of_workflow;
    // The experiment run behind a registered version. kNotFound names model and version.
    std::function<Result<std::string>(const std::string& model, const std::string& version)> run_of_version;
    // What serves production of the endpoint whose environments refer to `model`; none = first release.
    std::function<Result<std::optional<Champion>>(const std::string& model)> champion;
    std::function<std::shared_ptr<const config::Config>()> config;
  };

  GateService(store::Database& db, Sources sources) : db_(db), sources_(std::move(sources)) {}

  // Judges, and records the verdict with event gate.passed or gate.refused (subject model/<name>) before it returns.
  // kInvalidArgument for a rule that cannot be read; kNotFound if neither weir.yaml nor the request has rules, or there
  // is no such run or version.
  Result<Verdict> judge(const Request& request, const types::Identity& actor, std::int64_t cause = 0);

  // The candidate beside the champion, or beside the experiment run `base_run` if that is not "". Without `model` in
  // the request, and without a gate that tells it, there is no champion. Errors as of judge(), but rules need not be
  // there.
  Result<Comparison> compare(const Request& request, const std::string& base_run);

  // The newest experiment run with metrics that a workflow run made, and the one behind a version.
  Result<std::optional<std::string>> made_by(std::int64_t workflow_run) {
    return sources_.run_of_workflow(workflow_run);
  }
  Result<std::string> run_of_version(const std::string& model, const std::string& version) {
    return sources_.run_of_version(model, version);
  }

  // The newest record about a version, or about the experiment run it came from.
  static Result<std::optional<Record>> latest(store::Reader& reader, std::string_view model, std::string_view version,
                                              std::string_view run_id);
  // The newest first.
  static Result<std::vector<Record>> history(store::Reader& reader, std::string_view model, std::int64_t limit);

 private:
  store::Database& db_;
  Sources sources_;
};

}  // namespace weir::gate
