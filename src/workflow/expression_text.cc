#include <fmt/format.h>

#include "text/diagnostic.h"
#include "workflow/expression.h"
#include "workflow/expression_tree.h"

namespace weir::workflow {
namespace {

Error to_error(const ExpressionError& error, std::string_view text) {
  return {Code::kInvalidArgument, describe(error, text)};
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// Where the expression that begins at `from` ends: the "}}" outside of strings. npos if there is none.
std::size_t find_end(std::string_view text, std::size_t from) {
  bool quoted = false;
  for (std::size_t i = from; i + 1 < text.size(); ++i) {
    if (text[i] == '\'') quoted = !quoted;
    if (!quoted && text[i] == '}' && text[i + 1] == '}') return i;
  }
  return std::string_view::npos;
}

Result<json::value> evaluate_part(const TextPart& part, const Contexts& contexts) {
  if (!part.expression) return json::value(json::string(part.literal));
  return part.expression->evaluate(contexts);
}

Result<std::vector<TextPart>> parts_of(std::string_view text) {
  auto parts = split_text(text);
  if (!parts) return std::unexpected(to_error(parts.error(), text));
  return std::move(*parts);
}

}  // namespace

std::string describe(const ExpressionError& error, std::string_view text) {
  // The line that holds the place, without what stands around it.
  const std::size_t offset = std::min(error.offset, text.size());
  const std::size_t line_start = text.rfind('\n', offset == 0 ? 0 : offset - 1) + 1;
  const int line = static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
  const text::Diagnostic diagnostic{.line = line,
                                    .column = static_cast<int>(offset - (line == 0 ? 0 : line_start)),
                                    .length = static_cast<int>(error.length),
                                    .message = error.message,
                                    .hint = error.hint};
  // Without the position, which counts within the expression and would be taken for one in the file.
  const std::string rendered = text::render(diagnostic, text);
  const auto excerpt = rendered.find('\n');
  std::string out = error.message;
  if (excerpt != std::string::npos) out += rendered.substr(excerpt);
  return out;
}

std::vector<TextPart> split_all(std::string_view text, std::vector<ExpressionError>& errors) {
  std::vector<TextPart> parts;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t open = text.find("${{", at);
    if (open != at) {
      parts.push_back(
          {.literal = std::string{text.substr(at, open == std::string_view::npos ? open : open - at)}, .offset = at});
      if (open == std::string_view::npos) break;
    }
    const std::size_t inner = open + 3;
    const std::size_t close = find_end(text, inner);
    if (close == std::string_view::npos) {
      errors.push_back({"this ${{ is not closed by }}", "", open, 3});
      break;
    }
    at = close + 2;
    const std::string_view code = text.substr(inner, close - inner);
    if (is_blank(code)) {
      errors.push_back({"an expression is missing between ${{ and }}", "", open, at - open});
      continue;
    }
    auto expression = Expression::parse(code);
    if (expression) {
      parts.push_back({.expression = std::move(*expression), .offset = inner});
    } else {
      errors.push_back(std::move(expression).error());
      errors.back().offset += inner;
    }
  }
  return parts;
}

std::expected<std::vector<TextPart>, ExpressionError> split_text(std::string_view text) {
  std::vector<ExpressionError> errors;
  auto parts = split_all(text, errors);
  if (!errors.empty()) return std::unexpected(std::move(errors.front()));
  return parts;
}

Result<json::value> evaluate(std::string_view expression, const Contexts& contexts) {
  const auto first = expression.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && expression.substr(first).starts_with("${{")) {
    const auto text = expression.substr(first, expression.find_last_not_of(" \t\r\n") - first + 1);
    return evaluate_text(text, contexts);
  }
  const auto parsed = Expression::parse(expression);
  if (!parsed) return std::unexpected(to_error(parsed.error(), expression));
  return parsed->evaluate(contexts);
}

Result<std::string> interpolate(std::string_view text, const Contexts& contexts) {
  if (!has_expression(text)) return std::string{text};
  std::string out;
  for (const auto& part : WEIR_TRY(parts_of(text))) {
    if (part.expression) {
      out += to_text(WEIR_TRY(evaluate_part(part, contexts)));
    } else {
      out += part.literal;
    }
  }
  return out;
}

Result<json::value> evaluate_text(std::string_view text, const Contexts& contexts) {
  if (!has_expression(text)) return json::value(json::string(text));
  const auto parts = WEIR_TRY(parts_of(text));
  if (parts.size() == 1) return evaluate_part(parts[0], contexts);
  return json::value(json::string(WEIR_TRY(interpolate(text, contexts))));
}

Result<json::value> evaluate_tree(const json::value& tree, const Contexts& contexts) {
  if (const auto* text = tree.if_string()) return evaluate_text({text->data(), text->size()}, contexts);
  if (const auto* array = tree.if_array()) {
    json::array out;
    for (const auto& item : *array) out.push_back(WEIR_TRY(evaluate_tree(item, contexts)));
    return json::value(std::move(out));
  }
  if (const auto* object = tree.if_object()) {
    json::object out;
    for (const auto& [key, value] : *object) out.emplace(key, WEIR_TRY(evaluate_tree(value, contexts)));
    return json::value(std::move(out));
  }
  return tree;
}

Result<bool> evaluate_condition(std::string_view text, const Contexts& contexts) {
  if (is_blank(text)) return contexts.status.success;
  bool asks_status = false;
  Result<json::value> value;
  if (has_expression(text)) {
    const auto trimmed = text.substr(text.find_first_not_of(" \t\r\n"),
                                     text.find_last_not_of(" \t\r\n") - text.find_first_not_of(" \t\r\n") + 1);
    for (const auto& part : WEIR_TRY(parts_of(trimmed))) {
      asks_status = asks_status || (part.expression && part.expression->calls_status_function());
    }
    if (!asks_status && !contexts.status.success) return false;
    value = evaluate_text(trimmed, contexts);
  } else {
    const auto parsed = Expression::parse(text);
    if (!parsed) return std::unexpected(to_error(parsed.error(), text));
    asks_status = parsed->calls_status_function();
    if (!asks_status && !contexts.status.success) return false;
    value = parsed->evaluate(contexts);
  }
  if (!value) return std::unexpected(value.error());
  return is_truthy(*value);
}

}  // namespace weir::workflow
