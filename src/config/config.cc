#include "config/config.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/size.h"

namespace weir::config {
namespace {

template <class T>
const T* by_name(const std::vector<T>& all, std::string T::* name, std::string_view wanted) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const T& one) { return one.*name == wanted; });
  return found == all.end() ? nullptr : &*found;
}

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// One `${{ vars.X }}` or `${{ secrets.X }}`.
struct Reference {
  std::string kind;
  std::string name;
  std::size_t begin = 0;
  std::size_t end = 0;
};

Result<std::vector<Reference>> find_references(std::string_view text) {
  std::vector<Reference> references;
  std::size_t position = 0;
  while ((position = text.find("${{", position)) != std::string_view::npos) {
    const auto close = text.find("}}", position);
    if (close == std::string_view::npos) {
      return fail(Code::kInvalidArgument, "\"{}\" opens \"${{{{\" without closing it by \"}}}}\"", text);
    }
    const std::string_view inner = trim(text.substr(position + 3, close - position - 3));
    const auto dot = inner.find('.');
    const std::string_view kind = inner.substr(0, dot);
    const std::string_view name = dot == std::string_view::npos ? std::string_view{} : inner.substr(dot + 1);
    if ((kind != "vars" && kind != "secrets") || name.empty() || !std::all_of(name.begin(), name.end(), is_name_char)) {
      return fail(Code::kInvalidArgument,
                  "\"${{{{ {} }}}}\" is not known here: ${{{{ vars.NAME }}}} and ${{{{ secrets.NAME }}}} are", inner);
    }
    references.push_back({std::string(kind), std::string(name), position, close + 2});
    position = close + 2;
  }
  return references;
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

// In the largest unit that loses nothing: "30d", "90m", "0s".
std::string duration_text(Duration duration) {
  struct Unit {
    std::string_view name;
    std::int64_t micros;
  };
  static constexpr std::array kUnits = {Unit{"d", 86'400'000'000}, Unit{"h", 3'600'000'000}, Unit{"m", 60'000'000},
                                        Unit{"s", 1'000'000}, Unit{"ms", 1'000}};
  if (duration.count() == 0) return "0s";
  for (const auto& unit : kUnits) {
    if (duration.count() % unit.micros == 0) return fmt::format("{}{}", duration.count() / unit.micros, unit.name);
  }
  return fmt::format("{}us", duration.count());
}

json::array to_json(const std::vector<std::string>& texts) {
  json::array array;
  for (const auto& text : texts) array.emplace_back(text);
  return array;
}

json::object to_json(const Capture& capture) {
  return {{"sample", capture.sample}, {"redact", to_json(capture.redact)}, {"keep", duration_text(capture.keep)}};
}

json::object to_json(const Rollout& rollout) {
  return {{"strategy", "blue-green"}, {"rollback", rollout.rollback == Rollback::kAutomatic ? "automatic" : "manual"}};
}

json::object to_json(const Endpoint& endpoint) {
  json::object environments;
  for (const auto& environment : endpoint.environments) {
    environments[environment.name] = json::object{{"model", environment.model.text()},
                                                  {"capture", to_json(environment.capture)},
                                                  {"rollout", to_json(environment.rollout)},
                                                  {"workers", environment.workers}};
  }
  return {{"environments", std::move(environments)}, {"key", endpoint.key}, {"time", endpoint.time}};
}

json::object to_json(const Environment& environment) {
  return {{"reviewers", to_json(environment.reviewers)},
          {"self_review", environment.self_review},
          {"wait", duration_text(environment.wait)},
          {"branches", to_json(environment.branches)},
          {"expires", duration_text(environment.expires)}};
}

json::object to_json(const Monitor& monitor) {
  json::array alerts;
  for (const auto& alert : monitor.alerts) {
    json::array actions;
    for ([[maybe_unused]] const auto action : alert.actions) actions.emplace_back("rollback");
    alerts.push_back(json::object{
        {"when", alert.when.text}, {"severity", severity_name(alert.severity)}, {"do", std::move(actions)}});
  }
  json::object object{{"reference", monitor.reference},
                      {"drift", json::object{{"features", monitor.drift.features},
                                             {"prediction", monitor.drift.prediction},
                                             {"window", duration_text(monitor.drift.window)},
                                             {"ignore", to_json(monitor.drift.ignore)}}}};
  if (monitor.accuracy_7d) {
    object["accuracy_7d"] = json::object{{"min", monitor.accuracy_7d->min},
                                         {"label_delay", duration_text(monitor.accuracy_7d->label_delay)}};
  }
  object["alerts"] = std::move(alerts);
  return object;
}

json::object to_json(const Retrain& retrain) {
  json::array when;
  for (const auto& rule : retrain.when) when.emplace_back(rule.text);
  return {{"when", std::move(when)}, {"cooldown", duration_text(retrain.cooldown)}, {"run", retrain.run}};
}

json::object to_json(const DataWatch& data) {
  return {{"watch", data.watch}, {"settle", duration_text(data.settle)}, {"every", duration_text(data.every)}};
}

json::array to_json(const std::vector<Severity>& severities) {
  json::array names;
  for (const auto severity : severities) names.emplace_back(severity_name(severity));
  return names;
}

std::string time_of_day(int minutes) {
  return fmt::format("{:02}:{:02}", minutes / 60, minutes % 60);
}

json::object to_json(const Notify& notify) {
  json::object object{{"to", notify.to.text},
                      {"severity", to_json(notify.severities)},
                      {"events", to_json(notify.events)},
                      {"environments", to_json(notify.environments)},
                      {"models", to_json(notify.models)},
                      {"reviewer", notify.reviewer},
                      {"template", notify.text},
                      {"format", notify.webhook_format() == NotifyFormat::kJson ? "json" : "slack"},
                      {"secret", notify.secret.text}};
  if (notify.quiet) {
    object["quiet"] = json::object{{"from", time_of_day(notify.quiet->from)},
                                   {"to", time_of_day(notify.quiet->to)},
                                   {"time_zone", notify.quiet->time_zone},
                                   {"except", to_json(notify.quiet->except)}};
  }
  return object;
}

json::object to_json(const Keep& keep) {
  const auto time = [](const std::optional<Duration>& value) { return value ? duration_text(*value) : "forever"; };
  return {{"runs", keep.runs},
          {"workspaces", time(keep.workspaces)},
          {"logs", time(keep.logs)},
          {"artifacts", time(keep.artifacts)},
          {"caches", size_text(keep.cache_bytes)}};
}

json::object to_json(const Mail& mail) {
  const bool is_v6 = mail.host.find(':') != std::string::npos;
  return {{"server", fmt::format(fmt::runtime(is_v6 ? "{}://[{}]:{}" : "{}://{}:{}"),
                                 mail.implicit_tls ? "smtps" : "smtp", mail.host, mail.port)},
          {"tls", mail.tls ? "required" : "off"},
          {"from", mail.from},
          {"user", mail.user.text},
          {"password", mail.password.text}};
}

template <class T>
json::object keyed(const std::vector<T>& all, std::string T::* name) {
  json::object object;
  for (const auto& one : all) object[one.*name] = to_json(one);
  return object;
}

using Leaves = std::vector<std::pair<std::string, std::string>>;

void collect_leaves(const json::value& value, const std::string& path, Leaves& leaves) {
  if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) {
      collect_leaves(member, path.empty() ? std::string(key) : path + "." + std::string(key), leaves);
    }
  } else if (const auto* array = value.if_array()) {
    for (std::size_t i = 0; i < array->size(); ++i) collect_leaves((*array)[i], fmt::format("{}[{}]", path, i), leaves);
  } else {
    leaves.emplace_back(path, value.is_string() ? std::string(value.get_string()) : json::serialize(value));
  }
}

}  // namespace

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::kInfo: return "info";
    case Severity::kWarning: return "warning";
    case Severity::kPage: return "page";
  }
  return "?";
}

std::optional<Severity> find_severity(std::string_view name) {
  for (const auto severity : {Severity::kInfo, Severity::kWarning, Severity::kPage}) {
    if (severity_name(severity) == name) return severity;
  }
  return std::nullopt;
}

Result<Template> parse_template(std::string_view text) {
  Template result{.text = std::string(text)};
  for (const auto& reference : WEIR_TRY(find_references(text))) {
    add_once(reference.kind == "vars" ? result.variables : result.secrets, reference.name);
  }
  return result;
}

Result<std::string> Template::resolve(const std::map<std::string, std::string>& vars,
                                      const std::map<std::string, std::string>& secret_values) const {
  std::string resolved;
  std::size_t copied = 0;
  for (const auto& reference : WEIR_TRY(find_references(text))) {
    const bool is_variable = reference.kind == "vars";
    const auto& values = is_variable ? vars : secret_values;
    // GitHub's names know no case; they are kept in capitals.
    std::string name = reference.name;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    auto found = values.find(reference.name);
    if (found == values.end()) found = values.find(name);
    if (found == values.end()) {
      return fail(Code::kNotFound, "{} {} is not set, and \"{}\" refers to it", is_variable ? "variable" : "secret",
                  reference.name, text);
    }
    resolved.append(text, copied, reference.begin - copied);
    resolved += found->second;
    copied = reference.end;
  }
  resolved.append(text, copied);
  return resolved;
}

std::string ModelReference::text() const {
  if (!alias.empty()) return fmt::format("models:/{}@{}", model, alias);
  if (version) return fmt::format("models:/{}/{}", model, *version);
  return fmt::format("models:/{}/{}", model, stage);
}

Result<ModelReference> parse_model_reference(std::string_view text) {
  static constexpr std::string_view kForms =
      "models:/<name>@<alias>, models:/<name>/<version> or models:/<name>/<stage>";
  static constexpr std::array<std::string_view, 3> kStages = {"Staging", "Production", "Archived"};
  std::string_view rest = text;
  if (!rest.starts_with("models:/")) return fail(Code::kInvalidArgument, "\"{}\" is not {}", text, kForms);
  rest.remove_prefix(std::string_view("models:/").size());
  const auto separator = rest.find_last_of("@/");
  if (separator == std::string_view::npos || separator == 0 || separator + 1 == rest.size()) {
    return fail(Code::kInvalidArgument, "\"{}\" is not {}", text, kForms);
  }
  ModelReference reference{.model = std::string(rest.substr(0, separator))};
  const std::string_view selector = rest.substr(separator + 1);
  if (reference.model.find_first_of("/@:") != std::string::npos) {
    return fail(Code::kInvalidArgument, "\"{}\" is not {}: a model's name holds no \"/\", \":\" or \"@\"", text,
                kForms);
  }
  if (rest[separator] == '@') {
    reference.alias = selector;
    return reference;
  }
  std::int64_t version = 0;
  const auto [end, error] = std::from_chars(selector.data(), selector.data() + selector.size(), version);
  if (error == std::errc{} && end == selector.data() + selector.size() && version > 0) {
    reference.version = version;
    return reference;
  }
  if (std::find(kStages.begin(), kStages.end(), selector) == kStages.end()) {
    return fail(
        Code::kInvalidArgument,
        "\"{}\": \"{}\" is neither a version nor a stage (Staging, Production, Archived); an alias follows \"@\"", text,
        selector);
  }
  reference.stage = selector;
  return reference;
}

const EndpointEnvironment* Endpoint::environment(std::string_view wanted) const {
  return by_name(environments, &EndpointEnvironment::name, wanted);
}

const Endpoint* Config::endpoint(std::string_view name) const {
  return by_name(endpoints, &Endpoint::name, name);
}
const Environment* Config::environment_of(std::string_view repository, std::string_view name) const {
  if (environments_of.empty() || repository.empty()) return environment(name);
  const auto own = environments_of.find(repository);
  if (own == environments_of.end()) return nullptr;
  const auto found = std::ranges::find(own->second, name, &Environment::name);
  return found == own->second.end() ? nullptr : &*found;
}

const Environment* Config::environment(std::string_view name) const {
  return by_name(environments, &Environment::name, name);
}
const Gate* Config::gate(std::string_view model) const {
  return by_name(gates, &Gate::model, model);
}
const Monitor* Config::monitor(std::string_view endpoint) const {
  return by_name(monitors, &Monitor::endpoint, endpoint);
}
const Retrain* Config::retrain_of(std::string_view model) const {
  return by_name(retrain, &Retrain::model, model);
}
const Runner* Config::runner(std::string_view label) const {
  return by_name(runners, &Runner::label, label);
}

const Branch* Config::branch(std::string_view name) const {
  return by_name(branches, &Branch::name, name);
}

DataWatch::Kind DataWatch::kind() const {
  if (watch.starts_with('/')) return Kind::kFiles;
  return watch.find("://") == std::string::npos ? Kind::kDvc : Kind::kAddress;
}

json::object to_json(const Config& config) {
  json::object gates;
  for (const auto& gate : config.gates) {
    json::array rules;
    for (const auto& rule : gate.rules) rules.emplace_back(rule.text);
    gates[gate.model] = std::move(rules);
  }
  json::array notify;
  for (const auto& one : config.notify) notify.push_back(to_json(one));
  json::object runners;
  for (const auto& runner : config.runners) {
    runners[runner.label] = json::object{{"executor", "local"},
                                         {"slots", runner.slots},
                                         {"gpus", runner.gpus},
                                         {"memory", size_text(runner.memory_bytes)},
                                         {"grace", duration_text(runner.grace)}};
  }
  json::object branches;
  for (const auto& branch : config.branches) {
    branches[branch.name] = json::object{{"checks", to_json(branch.checks)}, {"reviews", branch.reviews}};
  }
  json::object object = {{"endpoints", keyed(config.endpoints, &Endpoint::name)},
                         {"environments", keyed(config.environments, &Environment::name)},
                         {"gates", std::move(gates)},
                         {"monitors", keyed(config.monitors, &Monitor::endpoint)},
                         {"retrain", keyed(config.retrain, &Retrain::model)},
                         {"notify", std::move(notify)},
                         {"runners", std::move(runners)},
                         {"branches", std::move(branches)},
                         {"data", keyed(config.data, &DataWatch::name)},
                         {"schedules", json::object{{"missed", config.schedules.missed},
                                                    {"jitter", duration_text(config.schedules.jitter)}}},
                         {"keep", to_json(config.keep)},
                         {"strict", config.strict}};
  if (config.mail) object["mail"] = to_json(*config.mail);
  return object;
}

std::vector<Change> diff(const Config& before, const Config& after) {
  Leaves old_leaves;
  Leaves new_leaves;
  collect_leaves(to_json(before), "", old_leaves);
  collect_leaves(to_json(after), "", new_leaves);
  const std::map<std::string, std::string> old_values(old_leaves.begin(), old_leaves.end());
  const std::map<std::string, std::string> new_values(new_leaves.begin(), new_leaves.end());

  std::vector<Change> changes;
  for (const auto& [path, value] : old_leaves) {
    const auto found = new_values.find(path);
    if (found == new_values.end())
      changes.push_back({path, value, ""});
    else if (found->second != value)
      changes.push_back({path, value, found->second});
  }
  for (const auto& [path, value] : new_leaves) {
    if (!old_values.contains(path)) changes.push_back({path, "", value});
  }
  return changes;
}

bool is_reserved_endpoint_name(std::string_view name) {
  static constexpr std::array<std::string_view, 22> kReserved = {
      "api",    "v1",         "v2",           "v3",          "health",        "version", "metrics", "ping",
      "static", "assets",     "ajax-api",     "graphql",     "git",           "twirp",   "_apis",   "apis",
      "login",  "index.html", "get-artifact", "favicon.ico", "approval-link", "weir"};
  return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

}  // namespace weir::config
