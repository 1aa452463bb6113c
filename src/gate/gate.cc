#include "gate/gate.h"

#include <array>

#include "types/event.h"

namespace weir::gate {
namespace {

constexpr std::string_view kColumns = "id, time, model, version, run_id, workflow_run, job, passed, event, verdict";

Record read_record(const store::Row& row) {
  Record record;
  record.id = row.integer(0);
  record.time = row.time(1);
  record.model = row.string(2);
  record.version = row.string(3);
  record.run_id = row.string(4);
  record.workflow_run = row.integer_or_null(5);
  record.job = row.integer_or_null(6);
  record.passed = row.boolean(7);
  record.event = row.integer(8);
  if (auto verdict = parse_json(row.text(9), "stored verdict"); verdict && verdict->is_object()) {
    record.verdict = std::move(verdict->get_object());
  }
  return record;
}

Result<std::vector<config::GateRule>> parse_rules(const std::vector<std::string>& texts) {
  std::vector<config::GateRule> rules;
  rules.reserve(texts.size());
  for (const auto& text : texts) rules.push_back(WEIR_TRY(config::parse_gate_rule(text)));
  return rules;
}

std::string gate_names(const config::Config& config) {
  std::string names;
  for (const auto& gate : config.gates) names += (names.empty() ? "" : ", ") + gate.model;
  return names.empty() ? "none" : names;
}

// The cause of a verdict that nobody gave one for: what happened last to the job that asks.
Result<std::int64_t> cause_of(store::Reader& reader, const Request& request) {
  if (!request.job) return 0;
  const auto events = WEIR_TRY(store::events_about(reader, fmt::format("job/{}", *request.job), 1));
  return events.empty() ? 0 : events.front().sequence;
}

json::object event_payload(const Request& request, const Verdict& verdict) {
  json::object payload = to_json(verdict);
  payload.erase("markdown");
  if (request.workflow_run) payload["workflow_run"] = *request.workflow_run;
  if (request.job) payload["job"] = *request.job;
  return payload;
}

Result<void> record(store::Transaction& tx, const Request& request, const Verdict& verdict,
                    const types::Identity& actor, std::int64_t cause) {
  const auto type = verdict.passed ? types::event_type::kGatePassed : types::event_type::kGateRefused;
  const auto event = WEIR_TRY(tx.append({.type = std::string(type),
                                         .actor = actor.name,
                                         .subject = "model/" + verdict.model,
                                         .cause = cause != 0 ? cause : WEIR_TRY(cause_of(tx, request)),
                                         .payload = event_payload(request, verdict)}));
  const auto id = WEIR_TRY(tx.next_id("gate"));
  WEIR_TRY(tx.execute(
      "INSERT INTO gate_verdicts(id, time, model, version, run_id, workflow_run, job, passed, event, verdict) "
      "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {id, tx.now(), verdict.model, verdict.candidate_version, verdict.candidate_run, request.workflow_run, request.job,
       verdict.passed, event, json::serialize(to_json(verdict))}));
  return {};
}

// What judge() needs, from the sources.
class Facts {
 public:
  Facts(const GateService::Sources& sources, const Request& request)
      : sources_(sources), request_(request), config_(sources.config()) {
    if (!config_) config_ = std::make_shared<config::Config>();
  }

  Result<std::string> model() const {
    if (!request_.model.empty()) return request_.model;
    if (config_->gates.size() == 1) return config_->gates.front().model;
    return fail(Code::kInvalidArgument, "which model? weir.yaml has gates for: {}", gate_names(*config_));
  }

  Result<std::vector<config::GateRule>> rules(const std::string& model) const {
    if (!request_.rules.empty()) return parse_rules(request_.rules);
    const auto* gate = config_->gate(model);
    if (gate != nullptr && !gate->rules.empty()) return gate->rules;
    return fail(Code::kNotFound, "weir.yaml has no gate for model {} (it has: {}); add one under gates:, or give rules",
                model, gate_names(*config_));
  }

  Result<ModelFacts> candidate(const std::string& model) const {
    const std::string run_id = WEIR_TRY(candidate_run(model));
    ModelFacts facts;
    if (!run_id.empty()) facts = WEIR_TRY(sources_.run_facts(run_id));
    facts.model = model;
    facts.run_id = run_id;
    facts.version = request_.version;
    for (const auto& [name, value] : request_.metrics) facts.metrics[name] = {.value = value};
    return facts;
  }

  Result<std::optional<ModelFacts>> champion(const std::string& model, std::vector<std::string>& warnings) const {
    const auto live = WEIR_TRY(sources_.champion(model));
    if (!live) return std::optional<ModelFacts>{};
    ModelFacts facts;
    if (auto found = sources_.run_facts(live->run_id)) {
      facts = *std::move(found);
    } else if (found.error().code == Code::kNotFound) {
      warnings.push_back(
          fmt::format("the experiment run of champion version {} is gone: {}", live->version, found.error().message));
    } else {
      return std::unexpected(found.error());
    }
    facts.model = model;
    facts.version = live->version;
    facts.run_id = live->run_id;
    return std::optional(std::move(facts));
  }

 private:
  // "" where the numbers given are all there is.
  Result<std::string> candidate_run(const std::string& model) const {
    if (!request_.run_id.empty()) return request_.run_id;
    if (!request_.version.empty()) return sources_.run_of_version(model, request_.version);
    if (request_.workflow_run) {
      auto made = WEIR_TRY(sources_.run_of_workflow(*request_.workflow_run));
      if (made) return *std::move(made);
      if (request_.metrics.empty()) {
        return fail(
            Code::kNotFound,
            "workflow run {} has logged no experiment run with metrics: log them with mlflow before the gate, or name "
            "the candidate by run_id or version",
            *request_.workflow_run);
      }
    }
    if (request_.metrics.empty()) {
      return fail(Code::kInvalidArgument, "which candidate of {}? Give a version, a run_id or metrics", model);
    }
    return "";
  }

  const GateService::Sources& sources_;
  const Request& request_;
  std::shared_ptr<const config::Config> config_;
};

}  // namespace

std::span<const store::Migration> migrations() {
  static constexpr std::array kMigrations = {
      store::Migration{"gate/001-verdicts", R"(
CREATE TABLE gate_verdicts(
  id BIGINT PRIMARY KEY,
  time BIGINT NOT NULL,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  run_id TEXT NOT NULL,
  workflow_run BIGINT,
  job BIGINT,
  passed BIGINT NOT NULL,
  event BIGINT NOT NULL,
  verdict TEXT NOT NULL);
CREATE INDEX gate_verdicts_model ON gate_verdicts(model, id);
CREATE INDEX gate_verdicts_run ON gate_verdicts(run_id, id);
)"},
  };
  return kMigrations;
}

Result<Request> request_from_json(const json::value& body) {
  if (!body.is_object()) return fail(Code::kInvalidArgument, "the body must be an object with \"model\"");
  Request request;
  request.model = json_string_or(body, "model", "");
  request.run_id = json_string_or(body, "run_id", "");
  // MLflow's versions are texts that look like numbers; both are taken.
  if (const auto number = json_int(body, "version"))
    request.version = std::to_string(*number);
  else
    request.version = json_string_or(body, "version", "");
  if (const auto* rules = json_find(body, "rules"); rules != nullptr && !rules->is_null()) {
    if (!rules->is_array()) return fail(Code::kInvalidArgument, "member \"rules\" must be an array of texts");
    for (const auto& rule : rules->get_array()) {
      if (!rule.is_string()) return fail(Code::kInvalidArgument, "member \"rules\" must be an array of texts");
      request.rules.emplace_back(rule.get_string());
    }
  }
  if (const auto* metrics = json_find(body, "metrics"); metrics != nullptr && !metrics->is_null()) {
    if (!metrics->is_object()) return fail(Code::kInvalidArgument, "member \"metrics\" must be an object of numbers");
    for (const auto& [name, value] : metrics->get_object()) {
      if (!value.is_number())
        return fail(Code::kInvalidArgument, "metric \"{}\" must be a number", std::string_view(name));
      request.metrics.emplace(std::string(name), value.to_number<double>());
    }
  }
  return request;
}

Result<Verdict> GateService::judge(const Request& request, const types::Identity& actor, std::int64_t cause) {
  const Facts facts(sources_, request);
  const std::string model = WEIR_TRY(facts.model());
  const auto rules = WEIR_TRY(facts.rules(model));
  const auto candidate = WEIR_TRY(facts.candidate(model));
  std::vector<std::string> warnings;
  const auto champion = WEIR_TRY(facts.champion(model, warnings));
  if (champion && !champion->run_id.empty() && champion->run_id == candidate.run_id) {
    warnings.push_back(fmt::format("the candidate serves production already, as version {}", champion->version));
  }
  Verdict verdict = evaluate(rules, candidate, champion);
  verdict.warnings.insert(verdict.warnings.end(), warnings.begin(), warnings.end());
  WEIR_TRY(db_.write([&](store::Transaction& tx) { return record(tx, request, verdict, actor, cause); }));
  return verdict;
}

Result<Comparison> GateService::compare(const Request& request, const std::string& base_run) {
  const Facts facts(sources_, request);
  const std::string model = facts.model().value_or("");
  Comparison comparison{.candidate = WEIR_TRY(facts.candidate(model))};
  std::optional<ModelFacts> champion;
  if (!model.empty()) champion = WEIR_TRY(facts.champion(model, comparison.warnings));
  if (base_run.empty()) {
    comparison.base = champion;
    comparison.base_is_champion = champion.has_value();
  } else {
    comparison.base = WEIR_TRY(sources_.run_facts(base_run));
    comparison.base->run_id = base_run;
    comparison.base_is_champion = champion && champion->run_id == base_run;
    if (comparison.base_is_champion) comparison.base->version = champion->version;
  }
  if (auto rules = facts.rules(model)) {
    comparison.rules = *std::move(rules);
    comparison.verdict = evaluate(comparison.rules, comparison.candidate, champion);
  } else if (rules.error().code != Code::kNotFound) {
    return std::unexpected(std::move(rules).error());
  }
  return comparison;
}

Result<std::optional<Record>> GateService::latest(store::Reader& reader, std::string_view model,
                                                  std::string_view version, std::string_view run_id) {
  // A verdict from before the registration knows the run only.
  return reader.first<Record>(
      fmt::format("SELECT {} FROM gate_verdicts WHERE model = ? AND ((version <> '' AND version = ?) "
                  "OR (run_id <> '' AND run_id = ?)) ORDER BY id DESC LIMIT 1",
                  kColumns),
      {model, version, run_id}, read_record);
}

Result<std::vector<Record>> GateService::history(store::Reader& reader, std::string_view model, std::int64_t limit) {
  return reader.all<Record>(
      fmt::format("SELECT {} FROM gate_verdicts WHERE model = ? ORDER BY id DESC LIMIT ?", kColumns), {model, limit},
      read_record);
}

}  // namespace weir::gate
