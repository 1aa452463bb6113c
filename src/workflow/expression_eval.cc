#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "text/suggest.h"
#include "workflow/expression.h"
#include "workflow/expression_tree.h"
#include "workflow/expression_value.h"

namespace weir::workflow {
namespace {

constexpr std::size_t kBytesMax = 10'000'000;  // that one evaluation may make
constexpr std::size_t kJsonDepthMax = 64;

using Kind = ExpressionNode::Kind;
using Evaluated = std::expected<Value, ExpressionError>;

// GitHub's indentation: two spaces, "[]" and "{}" for what is empty. False if `out` would grow past the limit.
bool write_json(const json::value& value, std::string& out, std::size_t indent) {
  const auto new_line = [&out](std::size_t width) {
    out += '\n';
    out.append(width, ' ');
  };
  if (out.size() > kBytesMax) return false;
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    char separator = '{';
    for (const auto& [key, member] : *object) {
      out += separator;
      separator = ',';
      new_line(indent + 2);
      out += json::serialize(key);
      out += ": ";
      if (!write_json(member, out, indent + 2)) return false;
    }
    new_line(indent);
    out += '}';
  } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
    char separator = '[';
    for (const auto& item : *array) {
      out += separator;
      separator = ',';
      new_line(indent + 2);
      if (!write_json(item, out, indent + 2)) return false;
    }
    new_line(indent);
    out += ']';
  } else if (value.is_number()) {
    out += to_text(value);
  } else {
    out += json::serialize(value);
  }
  return true;
}

// A piece of a format: text, then perhaps an argument.
struct FormatPart {
  std::string literal;
  std::optional<std::size_t> argument;
};

// "{0} of {1}" for `count` arguments; "{{" and "}}" are braces.
std::expected<std::vector<FormatPart>, std::string> split_format(std::string_view format, std::size_t count) {
  std::vector<FormatPart> parts(1);
  for (std::size_t i = 0; i < format.size(); ++i) {
    const char c = format[i];
    if (c != '{' && c != '}') {
      parts.back().literal += c;
      continue;
    }
    if (i + 1 < format.size() && format[i + 1] == c) {
      parts.back().literal += c;
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    std::size_t number = 0;
    while (end < format.size() && format[end] >= '0' && format[end] <= '9' && number < 1000) {
      number = number * 10 + static_cast<std::size_t>(format[end++] - '0');
    }
    if (c == '}' || end == i + 1 || end >= format.size() || format[end] != '}') {
      return std::unexpected(
          fmt::format("the format \"{}\" is not valid: write {{0}}, or {{{{ and }}}} for braces", format));
    }
    if (number >= count) {
      return std::unexpected(
          fmt::format("the format \"{}\" names {{{}}}, but only {} value(s) follow it", format, number, count));
    }
    parts.back().argument = number;
    parts.emplace_back();
    i = end;
  }
  return parts;
}

// The code unit of the escape "\\uD83D" at `at`; nothing if there is none.
std::optional<unsigned> unit_at(std::string_view json, std::size_t at) {
  unsigned unit = 0;
  if (at + 6 > json.size() || json[at] != '\\' || json[at + 1] != 'u') return std::nullopt;
  const char* const end = json.data() + at + 6;
  const auto [stop, error] = std::from_chars(json.data() + at + 2, end, unit, 16);
  return error == std::errc{} && stop == end ? std::optional(unit) : std::nullopt;
}

// Halves of surrogate pairs that stand alone become U+FFFD, as they do when GitHub writes them out.
void mend_surrogates(std::string& json) {
  for (std::size_t at = json.find('\\'); at != std::string::npos; at = json.find('\\', at)) {
    const auto unit = unit_at(json, at);
    if (!unit || *unit < 0xD800 || *unit > 0xDFFF) {
      at += 2;
      continue;
    }
    const auto next = unit_at(json, at + 6);
    if (*unit < 0xDC00 && next && *next >= 0xDC00 && *next <= 0xDFFF) {
      at += 12;
      continue;
    }
    json.replace(at + 2, 4, "fffd");
    at += 6;
  }
}

// Members whose names differ in case only are one: the first one's place and name, the last one's value.
void merge_cases(json::value& value) {
  if (auto* array = value.if_array()) {
    for (auto& item : *array) merge_cases(item);
    return;
  }
  auto* object = value.if_object();
  if (object == nullptr) return;
  std::map<std::string, json::object::iterator> seen;
  bool doubled = false;
  for (auto member = object->begin(); member != object->end(); ++member) {
    merge_cases(member->value());
    const auto [first, added] = seen.emplace(fold_case(member->key()), member);
    if (added) continue;
    first->second->value() = member->value();
    doubled = true;
  }
  if (!doubled) return;
  json::object merged;
  for (auto& member : *object) {
    if (seen.at(fold_case(member.key()))->key() == member.key())
      merged.emplace(member.key(), std::move(member.value()));
  }
  *object = std::move(merged);
}

// Walks a tree with the contexts of one evaluation.
class Evaluator {
 public:
  explicit Evaluator(const Contexts& contexts) : contexts_(contexts) {}

  Evaluated evaluate(const ExpressionNode& node) {
    switch (node.kind) {
      case Kind::kLiteral: return Value::borrow(node.literal);
      case Kind::kContext: return context(node);
      case Kind::kIndex: return index(node);
      case Kind::kWildcard: return Value{};
      case Kind::kCall: return call(node);
      case Kind::kNot: {
        auto operand = evaluate(node.children[0]);
        if (!operand) return operand;
        return Value(!operand->truthy());
      }
      case Kind::kAnd:
      case Kind::kOr: return logical(node);
      default: return compare(node);
    }
  }

 private:
  static std::unexpected<ExpressionError> fail_at(const ExpressionNode& node, std::string message,
                                                  std::string hint = {}) {
    return std::unexpected(ExpressionError{std::move(message), std::move(hint), node.offset, node.length});
  }

  Evaluated context(const ExpressionNode& node) {
    const auto* value = contexts_.values.if_contains(node.name);
    if (value == nullptr) {
      if (std::ranges::find(context_names(), node.name) != context_names().end()) return Value{};
      return fail_at(node, fmt::format("unknown name \"{}\"", node.name),
                     text::did_you_mean(node.name, context_names()));
    }
    Value out = Value::borrow(*value);
    if (node.name == "env") out.make_case_sensitive();
    return out;
  }

  Evaluated logical(const ExpressionNode& node) {
    Evaluated result;
    for (const auto& child : node.children) {
      result = evaluate(child);
      if (!result || result->truthy() == (node.kind == Kind::kOr)) break;
    }
    return result;
  }

  Evaluated compare(const ExpressionNode& node) {
    auto left = evaluate(node.children[0]);
    if (!left) return left;
    auto right = evaluate(node.children[1]);
    if (!right) return right;
    switch (node.kind) {
      case Kind::kEqual: return Value(equal(*left, *right));
      case Kind::kNotEqual: return Value(!equal(*left, *right));
      case Kind::kLess: return Value(less(*left, *right));
      case Kind::kLessOrEqual: return Value(equal(*left, *right) || less(*left, *right));
      case Kind::kGreater: return Value(less(*right, *left));
      default: return Value(equal(*left, *right) || less(*right, *left));
    }
  }

  struct Index {
    bool wildcard = false;
    std::optional<std::string> name;
    std::optional<std::size_t> position;
  };

  static Index index_of(const Value& value) {
    Index index;
    if (value.is_primitive()) index.name = value.text();
    const double number = value.number();
    if (number >= 0 && number <= 2147483647.0) index.position = static_cast<std::size_t>(std::floor(number));
    return index;
  }

  static const json::value* pick(const json::value& from, const Index& index, bool case_sensitive) {
    if (const auto* object = from.if_object())
      return index.name ? find_member(*object, *index.name, case_sensitive) : nullptr;
    if (const auto* array = from.if_array()) {
      return index.position && *index.position < array->size() ? &(*array)[*index.position] : nullptr;
    }
    return nullptr;
  }

  static void add_all(const json::value& from, std::vector<const json::value*>& out) {
    if (const auto* object = from.if_object()) {
      for (const auto& member : *object) out.push_back(&member.value());
    } else if (const auto* array = from.if_array()) {
      for (const auto& item : *array) out.push_back(&item);
    }
  }

  Evaluated index(const ExpressionNode& node) {
    const auto base = evaluate(node.children[0]);
    if (!base) return base;
    const bool wildcard = node.children[1].kind == Kind::kWildcard;
    if (base->is_primitive()) return wildcard ? Value::filtered({}, nullptr) : Value{};
    Index index{.wildcard = wildcard};
    if (!wildcard) {
      const auto inner = evaluate(node.children[1]);
      if (!inner) return inner;
      index = index_of(*inner);
    }

    std::vector<const json::value*> items;
    if (base->kind() == Value::Kind::kFiltered) {
      for (const auto* item : base->filtered_items()) {
        if (index.wildcard) {
          add_all(*item, items);
        } else if (const auto* found = pick(*item, index, false)) {
          items.push_back(found);
        }
      }
      return Value::filtered(std::move(items), base->owner());
    }
    if (index.wildcard) {
      add_all(*base->reference(), items);
      return Value::filtered(std::move(items), base->owner());
    }
    const json::value* found = pick(*base->reference(), index, base->case_sensitive());
    return found == nullptr ? Value{} : Value::borrow(*found, base->owner());
  }

  Evaluated made(const ExpressionNode& node, std::string text) {
    bytes_ += text.size();
    if (bytes_ > kBytesMax)
      return fail_at(node, fmt::format("the expression makes more than {} MB", kBytesMax / 1'000'000));
    return Value(std::move(text));
  }

  Evaluated call(const ExpressionNode& node) {
    if (node.function == Function::kUnknown) {
      return fail_at(node, fmt::format("unknown function \"{}\"", node.name),
                     text::did_you_mean(node.name, function_names()));
    }
    const auto& info = function_info(node.function);
    if (node.children.size() < info.arguments_min || node.children.size() > info.arguments_max ||
        (node.function == Function::kCase && node.children.size() % 2 == 0)) {
      return fail_at(node, fmt::format("wrong number of arguments for {}", info.name));
    }
    if (node.function == Function::kCase) return choose(node);

    switch (node.function) {
      case Function::kContains: return contains(node);
      case Function::kStartsWith:
      case Function::kEndsWith: return affix(node);
      case Function::kFormat: return format(node);
      case Function::kJoin: return join(node);
      default: break;
    }
    std::vector<Value> arguments;
    arguments.reserve(node.children.size());
    for (const auto& child : node.children) {
      auto value = evaluate(child);
      if (!value) return value;
      arguments.push_back(std::move(*value));
    }
    return apply(node, arguments);
  }

  // As in the runner, an argument is evaluated when it is needed: one that is not cannot fail.
  Evaluated choose(const ExpressionNode& node) {
    for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
      auto condition = evaluate(node.children[i]);
      if (!condition) return condition;
      if (condition->kind() != Value::Kind::kBool) {
        return fail_at(node.children[i], "a condition of case must be true or false");
      }
      if (condition->truthy()) return evaluate(node.children[i + 1]);
    }
    return evaluate(node.children.back());
  }

  Evaluated apply(const ExpressionNode& node, const std::vector<Value>& arguments) {
    switch (node.function) {
      case Function::kAlways: return Value(true);
      case Function::kCancelled: return Value(contexts_.status.cancelled);
      case Function::kSuccess: return Value(arguments.empty() ? contexts_.status.success : all_needs_are(arguments));
      case Function::kFailure: return Value(arguments.empty() ? contexts_.status.failure : a_need_failed(arguments));
      case Function::kToJson: return to_json(node, arguments[0]);
      case Function::kFromJson: return from_json(node, arguments[0]);
      case Function::kHashFiles: return hash_files(node, arguments);
      default: return fail_at(node, fmt::format("unknown function \"{}\"", node.name));
    }
  }

  [[nodiscard]] std::string result_of_need(const Value& name) const {
    const auto* needs = contexts_.values.if_contains("needs");
    if (needs == nullptr || !needs->is_object()) return {};
    const auto* need = find_member(needs->get_object(), name.text(), false);
    return need == nullptr ? std::string{} : json_string_or(*need, "result", "");
  }
  [[nodiscard]] bool all_needs_are(const std::vector<Value>& names) const {
    return std::ranges::all_of(names, [&](const Value& name) { return result_of_need(name) == "success"; });
  }
  [[nodiscard]] bool a_need_failed(const std::vector<Value>& names) const {
    return std::ranges::any_of(names, [&](const Value& name) { return result_of_need(name) == "failure"; });
  }

  Evaluated contains(const ExpressionNode& node) {
    const auto where = evaluate(node.children[0]);
    if (!where) return where;
    const auto items = where->items();
    if (!where->is_primitive() && items.empty()) return Value(false);
    const auto what = evaluate(node.children[1]);
    if (!what) return what;
    if (where->is_primitive()) {
      return Value(what->is_primitive() && fold_case(where->text()).contains(fold_case(what->text())));
    }
    return Value(
        std::ranges::any_of(items, [&](const json::value* item) { return equal(*what, Value::borrow(*item)); }));
  }

  Evaluated affix(const ExpressionNode& node) {
    const auto where = evaluate(node.children[0]);
    if (!where) return where;
    if (!where->is_primitive()) return Value(false);
    const auto what = evaluate(node.children[1]);
    if (!what) return what;
    if (!what->is_primitive()) return Value(false);
    const std::string text = fold_case(where->text());
    const std::string part = fold_case(what->text());
    return Value(node.function == Function::kStartsWith ? text.starts_with(part) : text.ends_with(part));
  }

  Evaluated format(const ExpressionNode& node) {
    const auto pattern = evaluate(node.children[0]);
    if (!pattern) return pattern;
    auto parts = split_format(pattern->text(), node.children.size() - 1);
    if (!parts) return fail_at(node, std::move(parts).error());
    std::map<std::size_t, std::string> texts;
    std::string out;
    for (const auto& part : *parts) {
      out += part.literal;
      if (part.argument) {
        auto found = texts.find(*part.argument);
        if (found == texts.end()) {
          const auto value = evaluate(node.children[*part.argument + 1]);
          if (!value) return value;
          found = texts.emplace(*part.argument, value->text()).first;
        }
        out += found->second;
      }
      if (out.size() > kBytesMax) break;
    }
    return made(node, std::move(out));
  }

  Evaluated join(const ExpressionNode& node) {
    const auto what = evaluate(node.children[0]);
    if (!what) return what;
    if (what->is_primitive()) return made(node, what->text());
    const auto items = what->items();
    std::string separator = ",";
    if (items.size() > 1 && node.children.size() > 1) {
      const auto given = evaluate(node.children[1]);
      if (!given) return given;
      if (given->is_primitive()) separator = given->text();
    }
    std::string out;
    bool first = true;
    for (const auto* item : items) {
      if (!first) out += separator;
      first = false;
      out += to_text(*item);
      if (out.size() > kBytesMax) break;
    }
    return made(node, std::move(out));
  }

  Evaluated to_json(const ExpressionNode& node, const Value& value) {
    std::string out;
    if (value.kind() == Value::Kind::kNumber) {
      out = value.text();
    } else if (const auto* holder = value.reference()) {
      write_json(*holder, out, 0);
    } else {
      write_json(value.to_json(), out, 0);
    }
    return made(node, std::move(out));
  }

  Evaluated from_json(const ExpressionNode& node, const Value& value) {
    std::string text = value.text();
    bytes_ += text.size();
    if (bytes_ > kBytesMax) return fail_at(node, "fromJSON was given more than 10 MB");
    mend_surrogates(text);
    if (text.find_first_not_of(" \t\r\n") == std::string::npos)
      return fail_at(node, "fromJSON was given an empty text");
    auto parsed = parse_json(text, "the text given to fromJSON", kJsonDepthMax);
    if (!parsed) return fail_at(node, parsed.error().message);
    merge_cases(*parsed);
    auto owner = std::make_shared<const json::value>(std::move(*parsed));
    return Value::borrow(*owner, owner);
  }

  Evaluated hash_files(const ExpressionNode& node, const std::vector<Value>& arguments) {
    if (!contexts_.hash_files) return fail_at(node, "hashFiles can be used in steps only, where there is a workspace");
    std::vector<std::string> patterns;
    patterns.reserve(arguments.size());
    for (const auto& argument : arguments) patterns.push_back(argument.text());
    auto hash = contexts_.hash_files(patterns);
    if (!hash) return fail_at(node, hash.error().message);
    return made(node, std::move(*hash));
  }

  const Contexts& contexts_;
  std::size_t bytes_ = 0;
};

void check_context(const ExpressionNode& node, const Scope& scope, std::vector<ExpressionError>& errors) {
  if (std::ranges::find(scope.contexts, node.name) != scope.contexts.end()) return;
  const bool known = std::ranges::find(context_names(), node.name) != context_names().end();
  std::string hint = known ? std::string{} : text::did_you_mean(node.name, scope.contexts);
  if (!known && hint.empty() && find_function(node.name) != nullptr)
    hint = fmt::format("a call is written {}(…)", node.name);
  if (hint.empty()) {
    hint = scope.contexts.empty() ? "no context can be used here"
                                  : fmt::format("here there are {}", text::quoted_list(scope.contexts, "and"));
  }
  errors.push_back({known ? fmt::format("the context \"{}\" cannot be used in {}", node.name, scope.place)
                          : fmt::format("unknown name \"{}\"", node.name),
                    std::move(hint), node.offset, node.length});
}

void check_call(const ExpressionNode& node, const Scope& scope, std::vector<ExpressionError>& errors) {
  const auto add = [&](std::string message, std::string hint = {}) {
    errors.push_back({std::move(message), std::move(hint), node.offset, node.length});
  };
  if (node.function == Function::kUnknown) {
    const auto names = function_names();
    std::string hint = text::did_you_mean(node.name, names);
    if (hint.empty()) hint = fmt::format("there are {}", text::quoted_list(names, "and"));
    add(fmt::format("unknown function \"{}\"", node.name), std::move(hint));
    return;
  }
  const auto& info = function_info(node.function);
  if (is_status(node.function) && !scope.status_functions) {
    add(fmt::format("{}() cannot be used in {}", info.name, scope.place), "it is known in `if` only");
  } else if (node.function == Function::kHashFiles && !scope.hash_files) {
    add(fmt::format("hashFiles cannot be used in {}", scope.place), "it is known within steps, which have a workspace");
  }
  const bool status_arguments = scope.status_arguments || !is_status(node.function);
  const std::size_t most = status_arguments ? info.arguments_max : 0;
  const std::size_t given = node.children.size();
  if (given < info.arguments_min) {
    add(fmt::format("{} takes {}{} argument(s), not {}", info.name, most > info.arguments_min ? "at least " : "",
                    info.arguments_min, given));
  } else if (given > most) {
    add(fmt::format("{} takes {}{} argument(s), not {}", info.name, most > info.arguments_min ? "at most " : "", most,
                    given));
  } else if (node.function == Function::kCase && given % 2 == 0) {
    add("case takes pairs of condition and value, then one more value for the rest");
  }
}

void check_node(const ExpressionNode& node, const Scope& scope, std::vector<ExpressionError>& errors) {
  if (node.kind == Kind::kContext) check_context(node, scope, errors);
  if (node.kind == Kind::kCall) check_call(node, scope, errors);
  for (const auto& child : node.children) check_node(child, scope, errors);
}

bool has_status_call(const ExpressionNode& node) {
  return (node.kind == Kind::kCall && is_status(node.function)) || std::ranges::any_of(node.children, has_status_call);
}

void collect_references(const ExpressionNode& node, std::vector<Expression::Reference>& out) {
  const ExpressionNode* base = &node;
  std::vector<std::string> path;
  while (base->kind == Kind::kIndex) {
    const ExpressionNode& index = base->children[1];
    if (index.kind == Kind::kLiteral && index.literal.is_string()) {
      path.push_back(lower_case(index.literal.get_string()));
    } else {
      path.clear();
      collect_references(index, out);
    }
    base = &base->children[0];
  }
  if (base->kind == Kind::kContext) {
    path.push_back(base->name);
    std::ranges::reverse(path);
    out.push_back({std::move(path), node.offset, node.length});
    return;
  }
  for (const auto& child : base->children) collect_references(child, out);
}

}  // namespace

std::vector<ExpressionError> Expression::check(const Scope& scope) const {
  std::vector<ExpressionError> errors;
  check_node(tree_->root, scope, errors);
  return errors;
}

bool Expression::calls_status_function() const {
  return has_status_call(tree_->root);
}

std::vector<Expression::Reference> Expression::references() const {
  std::vector<Reference> out;
  collect_references(tree_->root, out);
  return out;
}

std::optional<ExpressionError> find_unknown(const ExpressionNode& node, const json::object* given) {
  static constexpr Scope kAnywhere{
      .place = "an expression", .status_functions = true, .status_arguments = true, .hash_files = true};
  Scope scope = kAnywhere;
  std::vector<std::string_view> names(context_names().begin(), context_names().end());
  if (given != nullptr) {
    for (const auto& member : *given) names.emplace_back(member.key());
  }
  scope.contexts = names;
  std::vector<ExpressionError> errors;
  check_node(node, scope, errors);
  if (errors.empty()) return std::nullopt;
  return std::move(errors.front());
}

Result<TypedValue> Expression::evaluate_typed(const Contexts& contexts) const {
  if (tree_->unknown) {
    // Texts outside of workflows have contexts of their own.
    const auto unknown = find_unknown(tree_->root, &contexts.values);
    if (unknown) return std::unexpected(Error{Code::kInvalidArgument, describe(*unknown, tree_->text)});
  }
  const auto value = Evaluator(contexts).evaluate(tree_->root);
  if (!value) return std::unexpected(Error{Code::kInvalidArgument, describe(value.error(), tree_->text)});
  return TypedValue{.kind = value->kind_name(), .value = value->to_json()};
}

Result<json::value> Expression::evaluate(const Contexts& contexts) const {
  return WEIR_TRY(evaluate_typed(contexts)).value;
}

}  // namespace weir::workflow
