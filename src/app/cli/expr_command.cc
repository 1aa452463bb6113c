#include <CLI/CLI.hpp>
#include <iostream>

#include "app/cli/command.h"
#include "app/cli/print.h"
#include "io/file.h"
#include "workflow/expression.h"

// weir expr: what an expression of a workflow comes to, over contexts that the user gives.
namespace weir::app {
namespace {

struct Options {
  std::string contexts_file;
  std::string expression;
  bool condition = false;
  bool text = false;
  bool batch = false;
};

// success(), failure() and cancelled() speak of `job.status`, else of the results in `needs`.
workflow::Status status_of(const json::object& contexts) {
  workflow::Status status;
  if (const auto* job = json_find(contexts, "job")) {
    if (const auto given = json_string(*job, "status")) {
      return {.success = *given == "success", .failure = *given == "failure", .cancelled = *given == "cancelled"};
    }
  }
  const auto* needs = json_find(contexts, "needs");
  if (needs == nullptr || !needs->is_object()) return status;
  for (const auto& need : needs->get_object()) {
    const std::string result = json_string_or(need.value(), "result", "success");
    if (result != "success") status.success = false;
    if (result == "failure") status.failure = true;
  }
  return status;
}

workflow::Contexts contexts_of(const json::object& values) {
  return {.values = values, .status = status_of(values), .hash_files = {}};
}

Result<workflow::TypedValue> typed(std::string_view expression, const workflow::Contexts& contexts) {
  const auto parsed = workflow::Expression::parse(expression);
  if (!parsed) {
    return std::unexpected(Error{Code::kInvalidArgument, workflow::describe(parsed.error(), expression)});
  }
  return parsed->evaluate_typed(contexts);
}

// "${{ x }}" as people copy it from a file means x.
std::string_view without_braces(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return text;
  const auto trimmed = text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
  const bool whole = trimmed.starts_with("${{") && trimmed.find("}}") + 2 == trimmed.size();
  return whole ? trimmed.substr(3, trimmed.size() - 5) : text;
}

Result<workflow::TypedValue> evaluate(const Options& options, std::string_view expression, const json::object& values) {
  const auto contexts = contexts_of(values);
  if (options.condition) {
    return workflow::TypedValue{.kind = "boolean",
                                .value = WEIR_TRY(workflow::evaluate_condition(expression, contexts))};
  }
  if (options.text) {
    return workflow::TypedValue{.kind = "string",
                                .value = json::string(WEIR_TRY(workflow::interpolate(expression, contexts)))};
  }
  return typed(without_braces(expression), contexts);
}

// One line of a batch: {"expr": …, "contexts": {…}}.
json::object answer(const Options& options, std::string_view line) {
  const auto request = parse_json(line, "this line", 1'000);
  if (!request) return {{"error", request.error().message}};
  const auto* expression = json_find(*request, "expr");
  if (expression == nullptr || !expression->is_string()) return {{"error", "a line needs \"expr\", a string"}};
  const auto* contexts = json_find(*request, "contexts");
  if (contexts != nullptr && !contexts->is_object()) return {{"error", "\"contexts\" must be an object"}};
  const auto& text = expression->get_string();
  const auto value =
      evaluate(options, {text.data(), text.size()}, contexts == nullptr ? json::object{} : contexts->get_object());
  if (!value) return {{"error", value.error().message}};
  return {{"kind", json::string_view(value->kind.data(), value->kind.size())}, {"value", value->value}};
}

int run_batch(const Options& options) {
  std::string line;
  while (std::getline(std::cin, line)) {
    // An empty line gets its answer too, so that the n-th answer is the n-th line's.
    const bool empty = line.find_first_not_of(" \t\r") == std::string::npos;
    print_line(json::serialize(empty ? json::object{{"error", "the line is empty"}} : answer(options, line)));
    std::fflush(stdout);
  }
  return 0;
}

Result<int> run(Cli& cli, const Options& options) {
  if (options.batch) return run_batch(options);
  if (options.expression.empty()) return fail(Code::kInvalidArgument, "name an expression, or use --batch");
  json::object contexts;
  if (!options.contexts_file.empty()) {
    const auto text = WEIR_TRY(io::read_file(options.contexts_file, 64U << 20));
    auto value = WEIR_TRY(parse_json(text, options.contexts_file, 1'000));
    if (!value.is_object()) return fail(Code::kInvalidArgument, "{} must hold an object", options.contexts_file);
    contexts = std::move(value.get_object());
  }
  const auto value = WEIR_TRY(evaluate(options, options.expression, contexts));
  if (cli.json) {
    print_json(json::object{{"kind", json::string_view(value.kind.data(), value.kind.size())}, {"value", value.value}});
  } else {
    const bool tree = value.kind == "array" || value.kind == "object";
    print_line(tree ? pretty_json(value.value) : workflow::to_text(value.value));
    if (is_terminal(1)) print_line(styled(Style::kDim, fmt::format("({})", value.kind)));
  }
  return 0;
}

}  // namespace

void add_expr(CLI::App& app, Cli& cli) {
  const auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("expr", "Evaluate an expression as workflows do");
  command->add_option("EXPR", options->expression, "the expression; ${{ }} around it is allowed");
  command->add_option("--contexts", options->contexts_file,
                      "JSON file: {\"github\": {…}, \"env\": {…}, \"job\": {\"status\": …}, …}");
  auto* condition =
      command->add_flag("--if", options->condition, "evaluate it as an `if`: success() && (…) is implied");
  command->add_flag("--text", options->text, "replace each ${{ }} of a text")->excludes(condition);
  command->add_flag("--batch", options->batch,
                    "read JSON lines {expr, contexts}, write {kind, value} or {error} for each, in order");
  command->add_flag("--json", cli.json, "print JSON");
  set_examples(*command,
               "weir expr \"contains('main dev', 'dev')\"\n"
               "weir expr --contexts contexts.json \"github.ref == 'refs/heads/main'\"\n"
               "weir expr --if --contexts contexts.json \"needs.train.outputs.accuracy > 0.9\"");
  command->callback([&cli, options] { cli.action = [&cli, options] { return run(cli, *options); }; });
}

}  // namespace weir::app
