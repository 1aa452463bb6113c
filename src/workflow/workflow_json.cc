#include "workflow/workflow.h"

// A workflow as JSON, with the file's own key names. What is not given is left out.
namespace weir::workflow {
namespace {

void add(json::object& out, std::string_view key, json::value value) {
  const bool empty = value.is_null() || (value.is_string() && value.get_string().empty()) ||
                     (value.is_object() && value.get_object().empty()) ||
                     (value.is_array() && value.get_array().empty());
  if (!empty) out.emplace(json::string_view{key.data(), key.size()}, std::move(value));
}

json::array texts(const std::vector<std::string>& items) {
  json::array out;
  for (const auto& item : items) out.push_back(json::string(item));
  return out;
}

json::array patterns(const std::vector<Pattern>& items) {
  json::array out;
  for (const auto& item : items) out.push_back(json::string(item.text()));
  return out;
}

void add_filter(json::object& out, const std::string& key, const Filter& filter) {
  add(out, key, patterns(filter.include));
  add(out, key + "-ignore", patterns(filter.exclude));
}

json::object to_json(const Input& input) {
  json::object out{{"type", input_type_name(input.type)}, {"required", input.required}};
  add(out, "description", json::string(input.description));
  if (input.default_value) out["default"] = *input.default_value;
  add(out, "options", texts(input.options));
  add(out, "deprecationMessage", json::string(input.deprecation));
  return out;
}

json::object to_json(const EventTrigger& event) {
  json::object out;
  add_filter(out, "branches", event.branches);
  add_filter(out, "tags", event.tags);
  add_filter(out, "paths", event.paths);
  add(out, "types", texts(event.types));
  add(out, "workflows", texts(event.workflows));
  add(out, "names", texts(event.names));
  add(out, "versions", texts(event.versions));
  return out;
}

json::object to_json(const CallTrigger& call) {
  json::object out;
  json::object inputs;
  for (const auto& input : call.inputs) inputs.emplace(input.name, to_json(input));
  add(out, "inputs", std::move(inputs));
  json::object secrets;
  for (const auto& secret : call.secrets) {
    json::object value{{"required", secret.required}};
    add(value, "description", json::string(secret.description));
    secrets.emplace(secret.name, std::move(value));
  }
  add(out, "secrets", std::move(secrets));
  json::object outputs;
  for (const auto& output : call.outputs) {
    json::object value{{"value", output.value}};
    add(value, "description", json::string(output.description));
    outputs.emplace(output.name, std::move(value));
  }
  add(out, "outputs", std::move(outputs));
  return out;
}

json::object to_json(const On& on) {
  json::object out;
  for (const auto& event : on.events) out.emplace(event.name, to_json(event));
  if (on.dispatch) {
    auto& inputs = out["workflow_dispatch"].emplace_object()["inputs"].emplace_object();
    for (const auto& input : on.dispatch->inputs) inputs.emplace(input.name, to_json(input));
  }
  if (on.call) out["workflow_call"] = to_json(*on.call);
  json::array schedule;
  for (const auto& item : on.schedule) {
    json::object line{{"cron", item.cron.text()}};
    add(line, "timezone", json::string(item.timezone));
    schedule.push_back(std::move(line));
  }
  add(out, "schedule", std::move(schedule));
  return out;
}

json::object to_json(const RunDefaults& defaults) {
  json::object run;
  add(run, "shell", json::string(defaults.shell));
  add(run, "working-directory", json::string(defaults.working_directory));
  json::object out;
  add(out, "run", std::move(run));
  return out;
}

json::object to_json(const ConcurrencyRule& rule) {
  json::object out{{"group", rule.group}};
  add(out, "cancel-in-progress", rule.cancel_in_progress);
  add(out, "queue", json::string(rule.queue));
  return out;
}

json::object to_json(const std::map<std::string, std::string>& permissions) {
  json::object out;
  for (const auto& [name, level] : permissions) out.emplace(name, level);
  return out;
}

json::object to_json(const Job& job) {
  json::object out;
  add(out, "name", json::string(job.name));
  add(out, "needs", texts(job.needs));
  add(out, "if", json::string(job.condition));
  add(out, "runs-on", job.runs_on);
  add(out, "strategy", job.strategy);
  if (job.environment) {
    json::object environment{{"name", job.environment->name}};
    add(environment, "url", json::string(job.environment->url));
    add(environment, "deployment", job.environment->deployment);
    out["environment"] = std::move(environment);
  }
  if (job.concurrency) out["concurrency"] = to_json(*job.concurrency);
  if (job.permissions) out["permissions"] = to_json(*job.permissions);
  if (job.cache_mode) out["cache-mode"] = types::cache_mode_name(*job.cache_mode);
  add(out, "env", job.env);
  add(out, "outputs", job.outputs);
  add(out, "defaults", to_json(job.defaults));
  add(out, "timeout-minutes", job.timeout_minutes);
  add(out, "continue-on-error", job.continue_on_error);
  add(out, "cancel-timeout-minutes", job.cancel_timeout_minutes);
  add(out, "container", job.container);
  add(out, "services", job.services);
  add(out, "snapshot", job.snapshot);
  add(out, "uses", json::string(job.uses));
  add(out, "with", job.with);
  add(out, "secrets", job.inherit_secrets ? json::value("inherit") : json::value(job.secrets));
  if (!job.calls_workflow()) out["steps"] = steps_to_json(job.steps);
  return out;
}

}  // namespace

json::value to_json(const Workflow& workflow) {
  json::object out{{"file", workflow.file}, {"name", workflow.name}};
  add(out, "description", json::string(workflow.description));
  add(out, "run-name", json::string(workflow.run_name));
  out["on"] = to_json(workflow.on);
  add(out, "env", workflow.env);
  add(out, "defaults", to_json(workflow.defaults));
  if (workflow.concurrency) out["concurrency"] = to_json(*workflow.concurrency);
  if (workflow.permissions) out["permissions"] = to_json(*workflow.permissions);
  if (workflow.cache_mode) out["cache-mode"] = types::cache_mode_name(*workflow.cache_mode);
  auto& jobs = out["jobs"].emplace_object();
  for (const auto& job : workflow.jobs) jobs.emplace(job.key, to_json(job));
  return out;
}

}  // namespace weir::workflow
