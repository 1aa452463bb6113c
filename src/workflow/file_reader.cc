#include "workflow/file_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/suggest.h"
#include "workflow/expression_tree.h"
#include "workflow/scopes.h"
#include "workflow/support.h"

namespace weir::workflow {

using text::YamlKind;
using text::YamlNode;

namespace {

constexpr std::size_t kMentionsMax = 10'000;  // a file with more gets no warnings about the rest

// "${{ 'text' }}" is the text itself, also where no expression may stand.
std::optional<std::string> literal_of(const YamlNode& node) {
  if (!node.is_string() || !node.text().starts_with("${{")) return std::nullopt;
  const auto parts = split_text(node.text());
  if (!parts || parts->size() != 1 || !(*parts)[0].expression) return std::nullopt;
  return (*parts)[0].expression->literal_text();
}

}  // namespace

bool is_identifier(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

text::Position FileReader::locate(const YamlNode& node, std::size_t offset) {
  if (placed_ != &node) {
    placed_ = &node;
    places_ = document_.places(node);
  }
  return places_.at(offset);
}

void FileReader::report(const YamlNode& node, const ExpressionError& error, std::size_t offset) {
  const text::Position start = locate(node, offset + error.offset);
  const text::Position end = locate(node, offset + error.offset + error.length);
  const bool same_line = end.line == start.line && end.column > start.column;
  // In another line the caret runs to the end of this one.
  const int length = same_line ? end.column - start.column : static_cast<int>(error.length);
  schema_.report(text::Severity::kError, start, length, error.message, error.hint);
}

void FileReader::check_expression(const YamlNode& node, const Expression& expression, std::size_t offset,
                                  const Scope& scope) {
  for (const auto& error : expression.check(scope)) report(node, error, offset);
  for (auto& reference : expression.references()) {
    if (std::ranges::find(scope.contexts, reference.path[0]) == scope.contexts.end()) continue;
    if (mentions_.size() >= kMentionsMax) return;
    mentions_.push_back({.path = std::move(reference.path),
                         .position = locate(node, offset + reference.offset),
                         .length = static_cast<int>(reference.length),
                         .job = job_,
                         .step = step_});
  }
}

void FileReader::check_text(const YamlNode& node, std::string_view what, const Scope* scope) {
  if (!has_expression(node.text())) return;
  if (scope == nullptr) {
    schema_.error(node, fmt::format("{} cannot hold expressions", what));
    return;
  }
  std::vector<ExpressionError> errors;
  const auto parts = split_all(node.text(), errors);
  for (const auto& error : errors) report(node, error, 0);
  for (const auto& part : parts) {
    if (part.expression) check_expression(node, *part.expression, part.offset, *scope);
  }
}

void FileReader::warn_changed_number(const YamlNode& node, const std::string& shown) {
  if (shown == node.text()) return;
  schema_.warning(node, fmt::format("{} is a number here and becomes {}", node.text(), shown),
                  fmt::format("write '{}' to keep it as it stands", node.text()));
}

std::string FileReader::text(const YamlNode& node, std::string_view what, const Scope* scope) {
  if (auto literal = literal_of(node)) return std::move(*literal);
  if (!node.is_scalar()) {
    schema_.error(node, fmt::format("{} must be a string, not {}", what, node.kind_name()));
    return {};
  }
  if (node.is_string()) {
    check_text(node, what, scope);
    return node.text();
  }
  std::string shown = to_text(node.to_json());
  if (node.kind() == YamlKind::kInt || node.kind() == YamlKind::kFloat) warn_changed_number(node, shown);
  return shown;
}

std::string FileReader::required_text(const YamlNode& node, std::string_view what, const Scope* scope) {
  std::string out = text(node, what, scope);
  if (node.is_scalar() && out.empty()) schema_.error(node, fmt::format("{} must not be empty", what));
  return out;
}

std::vector<std::string> FileReader::texts(const YamlNode& node, std::string_view what, const Scope* scope) {
  std::vector<std::string> out;
  if (!node.is_sequence()) {
    if (node.is_map()) {
      schema_.error(node, fmt::format("{} must be a string or a list of strings, not a map", what));
    } else {
      out.push_back(required_text(node, what, scope));
    }
    return out;
  }
  for (const YamlNode* item : node.items())
    out.push_back(required_text(*item, fmt::format("an item of {}", what), scope));
  return out;
}

void FileReader::needs(bool built, const text::YamlEntry& entry, std::string_view what) {
  if (built || !options_.refuse_unbuilt) return;
  schema_.report(text::Severity::kError, entry.position, static_cast<int>(entry.key.size()),
                 fmt::format("\"{}\" is known, but {} are not supported yet", entry.key, what), {},
                 std::string(support::kRule));
}

void FileReader::refuse(const text::YamlEntry& entry, std::string why) {
  if (!options_.refuse_unbuilt) return;
  schema_.report(text::Severity::kError, entry.position, static_cast<int>(entry.key.size()), std::move(why), {},
                 std::string(support::kRule));
}

bool FileReader::is_one_expression(const YamlNode& node) {
  if (!node.is_string() || !has_expression(node.text())) return false;
  const auto parts = split_text(node.text());
  return !parts || (parts->size() == 1 && (*parts)[0].expression && !(*parts)[0].expression->literal_text());
}

json::value FileReader::boolean(const YamlNode& node, std::string_view what, const Scope& scope) {
  if (node.kind() == YamlKind::kBool) return node.as_bool();
  if (is_one_expression(node)) return json::string(text(node, what, &scope));
  schema_.error(node, fmt::format("{} must be true, false or an expression, not {}", what, node.kind_name()),
                node.text() == "true" || node.text() == "false" ? "leave out the quotes" : "");
  return nullptr;
}

json::value FileReader::number(const YamlNode& node, std::string_view what, const Scope& scope) {
  if (node.kind() == YamlKind::kInt || node.kind() == YamlKind::kFloat) {
    if (!(node.as_double() > 0)) schema_.error(node, fmt::format("{} must be above 0", what));
    return node.to_json();
  }
  if (is_one_expression(node)) return json::string(text(node, what, &scope));
  schema_.error(node, fmt::format("{} must be a number or an expression, not {}", what, node.kind_name()));
  return nullptr;
}

json::value FileReader::tree(const YamlNode& node, const Scope& scope) {
  if (node.is_sequence()) {
    json::array out;
    for (const YamlNode* item : node.items()) out.push_back(tree(*item, scope));
    return out;
  }
  if (node.is_map()) {
    check_keys(node);
    json::object out;
    for (const auto& entry : node.entries()) out.emplace(entry.key, tree(*entry.value, scope));
    return out;
  }
  if (auto literal = literal_of(node)) return json::string(*literal);
  if (node.is_string()) {
    check_text(node, "a value", &scope);
  } else if (node.kind() == YamlKind::kInt || node.kind() == YamlKind::kFloat) {
    warn_changed_number(node, to_text(node.to_json()));
  }
  return node.to_json();
}

void FileReader::check_keys(const YamlNode& map) {
  for (const auto& entry : map.entries()) {
    if (has_expression(entry.key)) schema_.error(entry, "expressions in keys are not supported");
  }
}

json::object FileReader::text_map(const YamlNode& node, std::string_view what, const Scope& scope) {
  json::object out;
  if (!node.is_map()) {
    schema_.error(node, fmt::format("{} must be a map, not {}", what, node.kind_name()));
    return out;
  }
  check_keys(node);
  for (const auto& entry : node.entries()) {
    out.emplace(entry.key, text(*entry.value, fmt::format("\"{}\" in {}", entry.key, what), &scope));
  }
  return out;
}

json::value FileReader::env(const YamlNode& node, std::string_view what, const Scope& scope) {
  if (is_one_expression(node)) return json::string(text(node, what, &scope));
  return text_map(node, what, scope);
}

std::string FileReader::condition(const YamlNode& node, std::string_view what, const Scope& scope) {
  if (!node.is_scalar()) {
    schema_.error(node, fmt::format("{} must be an expression, not {}", what, node.kind_name()));
    return {};
  }
  if (!node.is_string()) return node.is_null() ? std::string{} : to_text(node.to_json());
  std::string code = literal_of(node).value_or(node.text());
  if (has_expression(code)) {
    check_text(node, what, &scope);
    const auto parts = split_text(code);
    const auto is_literal = [](const TextPart& part) {
      return !part.expression && part.literal.find_first_not_of(" \t\r\n") != std::string::npos;
    };
    if (parts && std::ranges::any_of(*parts, is_literal)) {
      schema_.warning(node, fmt::format("{} is always true: text around ${{{{ }}}} makes it a string", what),
                      "put the whole condition between ${{ and }}, or leave the braces out");
    }
    return code;
  }
  if (code.find_first_not_of(" \t\r\n") == std::string::npos) return {};
  const auto expression = Expression::parse(code);
  if (expression) {
    check_expression(node, *expression, 0, scope);
  } else {
    report(node, expression.error(), 0);
  }
  return code;
}

// ---- small maps that stand at more than one place

std::string read_shell(FileReader& reader, const YamlNode& node, std::string_view what, const Scope* scope) {
  std::string shell = reader.required_text(node, what, scope);
  if (shell.empty() || has_expression(shell)) return shell;
  static constexpr std::string_view kShells[] = {"bash", "sh", "python", "pwsh"};
  if (std::ranges::find(kShells, shell) != std::end(kShells) || shell.find("{0}") != std::string::npos) return shell;
  if (shell == "cmd" || shell == "powershell") {
    // Workflows for several systems leave such steps out by `if: runner.os == 'Windows'`.
    reader.schema().warning(
        node,
        fmt::format("the shell \"{}\" is there on Windows only: a step with it fails unless its \"if\" leaves it out",
                    shell));
    return shell;
  }
  std::string hint = text::did_you_mean(shell, kShells);
  if (hint.empty()) hint = "a command line of your own has {0} where the script's path goes";
  reader.schema().error(node,
                        fmt::format("unknown shell \"{}\"; there are {}", shell, text::quoted_list(kShells, "and")),
                        std::move(hint));
  return shell;
}

RunDefaults read_defaults(FileReader& reader, const YamlNode& node, std::string_view what, const Scope* scope) {
  RunDefaults out;
  text::MapReader map(reader.schema(), node, std::string{what});
  if (const YamlNode* run = map.find("run")) {
    const std::string where = fmt::format("run of {}", what);
    text::MapReader inner(reader.schema(), *run, where);
    if (const YamlNode* shell = inner.find("shell"))
      out.shell = read_shell(reader, *shell, "\"shell\" of " + where, scope);
    if (const YamlNode* folder = inner.find("working-directory")) {
      out.working_directory = reader.required_text(*folder, "\"working-directory\" of " + where, scope);
    }
    inner.finish();
  }
  map.finish();
  return out;
}

std::optional<ConcurrencyRule> read_concurrency(FileReader& reader, const YamlNode& node, std::string_view what,
                                                const Scope& scope) {
  ConcurrencyRule out;
  if (!node.is_map()) {
    // The workflow's group may be empty, which is none; a job's may not.
    const bool of_workflow = &scope == &scopes::kWorkflowConcurrency;
    out.group = of_workflow ? reader.text(node, what, &scope) : reader.required_text(node, what, &scope);
    return out;
  }
  text::MapReader map(reader.schema(), node, std::string{what});
  if (const YamlNode* group = map.require("group")) {
    out.group = reader.required_text(*group, fmt::format("\"group\" of {}", what), &scope);
  }
  if (const YamlNode* cancel = map.find("cancel-in-progress")) {
    out.cancel_in_progress = reader.boolean(*cancel, "\"cancel-in-progress\"", scope);
  }
  if (const text::YamlEntry* queue = map.find_entry("queue")) {
    out.queue = reader.required_text(*queue->value, "\"queue\" of concurrency", &scope);
    static constexpr std::string_view kQueues[] = {"single", "max"};
    if (!has_expression(out.queue) && !out.queue.empty() &&
        std::ranges::find(kQueues, out.queue) == std::end(kQueues)) {
      reader.schema().error(
          *queue->value, fmt::format("\"queue\" of concurrency must be \"single\" or \"max\", not \"{}\"", out.queue),
          text::did_you_mean(out.queue, kQueues));
    }
    if (out.queue == "max" && out.cancel_in_progress.is_bool() && out.cancel_in_progress.get_bool()) {
      reader.schema().error(*queue, "a group that cancels what is in progress has no queue",
                            "GitHub refuses queue: max together with cancel-in-progress: true; take one of them out");
    }
    reader.needs(support::kQueue, *queue, "queues of concurrency groups");
  }
  map.finish();
  return out;
}

}  // namespace weir::workflow
