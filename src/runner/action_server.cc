// Actions that are one call to the server: slack/notify-action and weir/gate.
#include "io/file.h"
#include "runner/action.h"

namespace weir::runner {
namespace {

Result<ActionResult> notify(const ActionRequest& request) {
  std::string message = request.input("message");
  if (message.empty()) message = request.input("text");
  if (message.empty()) return fail(Code::kInvalidArgument, "Input required and not supplied: message");
  const std::string severity = request.input_or("severity", "info");
  if (severity != "info" && severity != "warning" && severity != "page") {
    return fail(Code::kInvalidArgument, "Input \"severity\" is \"{}\"; it must be info, warning or page", severity);
  }
  json::object body{
      {"severity", severity},
      {"title", request.input_or("title", fmt::format("{} / {}", request.spec->workflow_name, request.spec->job_name))},
      {"message", message}};
  std::string to = request.input("to");
  for (const char* key : {"webhook", "webhook-url", "webhook_url"}) {
    if (to.empty()) to = request.input(key);
  }
  if (!to.empty()) body["to"] = to;
  const auto answer = WEIR_TRY(request.server().post("/notifications", body));
  if (answer.status < 200 || answer.status > 299) {
    return std::unexpected(answer_error(answer, "the notification was not taken"));
  }
  request.reporter->line(fmt::format("Sent: {}", message));
  return ActionResult{};
}

Result<json::object> gate_question(const ActionRequest& request) {
  json::object body{{"model", WEIR_TRY(request.required("model"))}};
  if (const auto run = request.input("run-id"); !run.empty()) body["run_id"] = run;
  if (const auto version = request.input("version"); !version.empty()) body["version"] = version;
  if (const auto rules = request.input_lines("rules"); !rules.empty()) {
    auto& list = body["rules"].emplace_array();
    for (std::string_view rule : rules) {
      if (rule.starts_with("- ")) rule.remove_prefix(2);  // pasted from a list
      list.emplace_back(rule);
    }
  }
  if (const auto file = request.input("metrics"); !file.empty()) {
    const auto text = WEIR_TRY(io::read_file(request.resolve(file), 16U << 20));
    body["metrics"] = WEIR_TRY(parse_json(text, file));
    if (!body["metrics"].is_object()) {
      return fail(Code::kInvalidArgument, "{} must hold an object of metrics, {{\"auc\": 0.71}}", file);
    }
  }
  return body;
}

Result<ActionResult> ask_gate(const ActionRequest& request) {
  const json::object body = WEIR_TRY(gate_question(request));
  const auto answer = WEIR_TRY(request.server().post("/gate", body));
  if (answer.status != 200) return std::unexpected(answer_error(answer, "the gate gave no verdict"));
  const bool passed = json_bool_or(answer.body, "passed", false);
  request.reporter->line(json_string_or(answer.body, "text", passed ? "passed" : "refused"));
  if (const auto* warnings = json_find(answer.body, "warnings"); warnings != nullptr && warnings->is_array()) {
    for (const auto& warning : warnings->get_array()) {
      if (warning.is_string()) request.reporter->annotate("warning", std::string(warning.get_string()));
    }
  }
  ActionResult result;
  result.summary = json_string_or(answer.body, "markdown", "");
  result.outputs = {{"passed", passed ? "true" : "false"},
                    {"verdict", passed ? "passed" : "refused"},
                    {"result", json::serialize(answer.body)}};
  if (passed) return result;
  result.failed = true;
  std::string reasons;
  if (const auto* findings = json_find(answer.body, "findings"); findings != nullptr && findings->is_array()) {
    for (const auto& finding : findings->get_array()) {
      if (json_bool_or(finding, "passed", true)) continue;
      reasons += fmt::format("{}{}", reasons.empty() ? "" : "; ", json_string_or(finding, "reason", ""));
    }
  }
  request.reporter->annotate("error", fmt::format("The gate refused {}: {}", request.input("model"),
                                                  reasons.empty() ? "see the table" : reasons));
  return result;
}

}  // namespace

BuiltinAction notify_action() {
  return {"slack/notify-action",
          {"message", "text", "title", "severity", "to", "webhook", "webhook-url", "webhook_url"},
          notify};
}

BuiltinAction gate_action() {
  return {"weir/gate", {"model", "run-id", "version", "rules", "metrics"}, ask_gate};
}

}  // namespace weir::runner
