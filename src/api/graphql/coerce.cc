#include "api/graphql/coerce.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace weir::api::graphql {
namespace {

constexpr std::int64_t kIntMin = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t kIntMax = std::numeric_limits<std::int32_t>::max();

// Why a value is not of its type, and where in it.
struct Misfit {
  std::string why;
  json::array path;
};
using Coerced = std::expected<json::value, Misfit>;

std::unexpected<Misfit> misfit(std::string why) {
  return std::unexpected(Misfit{std::move(why), {}});
}

Coerced coerce_leaf(const Type& type, const json::value& given) {
  if (type.kind == Type::Kind::kEnum) {
    const bool known =
        given.is_string() && std::ranges::find(type.values, std::string_view(given.get_string())) != type.values.end();
    if (!known) {
      return misfit(fmt::format("Expected {} to be one of: {}", json::serialize(given).substr(0, 200),
                                fmt::join(type.values, ", ")));
    }
    return given;
  }
  if (type.name == "Int") {
    const auto number = given.is_int64() ? given.get_int64() : kIntMax + 1;
    if (number >= kIntMin && number <= kIntMax) return given;
  } else if (type.name == "Float") {
    if (given.is_number()) return given;
  } else if (type.name == "Boolean") {
    if (given.is_bool()) return given;
  } else if (given.is_string()) {
    return given;
  } else if (type.name == "ID" && given.is_int64()) {
    return json::value(std::to_string(given.get_int64()));
  }
  return misfit(fmt::format("Could not coerce value {} to {}", json::serialize(given).substr(0, 200), type.name));
}

Coerced coerce_json(const Schema& schema, const TypeRef& type, const json::value& given);

Coerced coerce_input(const Schema& schema, const Type& type, const json::value& given) {
  if (!given.is_object()) return misfit(fmt::format("Expected value to be an object of {}", type.name));
  json::object made;
  for (const auto& [name, value] : given.get_object()) {
    const auto declared = std::ranges::find(type.inputs, std::string_view(name), &Variable::name);
    if (declared == type.inputs.end()) {
      return std::unexpected(Misfit{fmt::format("Field is not defined on {}", type.name), {name}});
    }
    auto one = coerce_json(schema, declared->type, value);
    if (!one) {
      one.error().path.insert(one.error().path.begin(), json::value(name));
      return one;
    }
    made[name] = *std::move(one);
  }
  for (const auto& declared : type.inputs) {
    if (declared.type.required && !made.contains(declared.name)) {
      return std::unexpected(Misfit{"Expected value to not be null", {declared.name}});
    }
  }
  return made;
}

Coerced coerce_json(const Schema& schema, const TypeRef& type, const json::value& given) {
  if (given.is_null()) {
    if (type.required) return misfit("Expected value to not be null");
    return given;
  }
  if (type.is_list()) {
    json::array made;
    if (!given.is_array()) {
      made.push_back(WEIR_TRY(coerce_json(schema, type.of.front(), given)));
      return made;
    }
    for (const auto& item : given.get_array()) {
      auto one = coerce_json(schema, type.of.front(), item);
      if (!one) {
        one.error().path.insert(one.error().path.begin(), json::value(made.size()));
        return one;
      }
      made.push_back(*std::move(one));
    }
    return made;
  }
  const auto* named = schema.find(type.name);
  if (named == nullptr) return misfit(fmt::format("{} isn't a defined input type", type.name));
  return named->kind == Type::Kind::kInput ? coerce_input(schema, *named, given) : coerce_leaf(*named, given);
}

// Numbers that JSON's are not become strings, which no number's type takes.
json::value number_of(const Value& value) {
  const auto* end = value.text.data() + value.text.size();
  if (value.kind == Value::Kind::kInt) {
    std::int64_t number = 0;
    if (std::from_chars(value.text.data(), end, number).ptr == end) return number;
  }
  double number = 0;
  const auto read = std::from_chars(value.text.data(), end, number);
  if (read.ec == std::errc() && read.ptr == end) return number;
  return json::value(value.text);
}

std::string shown(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kString: return json::serialize(json::value(value.text));
    case Value::Kind::kVariable: return "$" + value.text;
    case Value::Kind::kList: return "[…]";
    case Value::Kind::kObject: return "{…}";
    default: return value.text;
  }
}

class Literals {
 public:
  Literals(const Schema& schema, const json::object& variables, std::string_view what)
      : schema_(schema), variables_(variables), what_(what) {}

  using Made = std::expected<std::optional<json::value>, Problem>;

  Made coerce(const Value& value, const TypeRef& type) const {
    if (value.kind == Value::Kind::kVariable) {
      const auto* given = variables_.if_contains(value.text);
      if (given == nullptr) return std::nullopt;
      if (given->is_null() && type.required) return invalid(value, type);
      return *given;
    }
    if (value.kind == Value::Kind::kNull) {
      if (type.required) return invalid(value, type);
      return json::value();
    }
    if (type.is_list()) return list(value, type);
    const auto* named = schema_.find(type.name);
    if (named == nullptr) return invalid(value, type);
    if (named->kind == Type::Kind::kInput) return object(value, type, *named);
    return leaf(value, type, *named);
  }

 private:
  [[nodiscard]] std::unexpected<Problem> invalid(const Value& value, const TypeRef& type) const {
    return std::unexpected(Problem{.message = fmt::format("{} has an invalid value ({}). Expected type '{}'.", what_,
                                                          shown(value).substr(0, 200), type.text()),
                                   .at = value.at,
                                   .type = {},
                                   .path = {},
                                   .extensions = {{"code", "argumentLiteralsIncompatible"}}});
  }

  [[nodiscard]] Made list(const Value& value, const TypeRef& type) const {
    json::array made;
    if (value.kind != Value::Kind::kList) {
      if (auto one = WEIR_TRY(coerce(value, type.of.front()))) made.push_back(*std::move(one));
      return made;
    }
    for (const auto& item : value.items) {
      made.push_back(WEIR_TRY(coerce(item, type.of.front())).value_or(json::value()));
    }
    return made;
  }

  [[nodiscard]] Made object(const Value& value, const TypeRef& type, const Type& named) const {
    if (value.kind != Value::Kind::kObject) return invalid(value, type);
    json::object made;
    for (const auto& [name, member] : value.members) {
      const auto declared = std::ranges::find(named.inputs, name, &Variable::name);
      if (declared == named.inputs.end()) {
        return std::unexpected(
            Problem{.message = fmt::format("InputObject '{}' doesn't accept argument '{}'", named.name, name),
                    .at = member.at,
                    .type = {},
                    .path = {},
                    .extensions = {{"code", "argumentNotAccepted"}, {"name", named.name}, {"argumentName", name}}});
      }
      if (auto one = WEIR_TRY(coerce(member, declared->type))) made[name] = *std::move(one);
    }
    for (const auto& declared : named.inputs) {
      if (!declared.type.required || made.contains(declared.name)) continue;
      return std::unexpected(
          Problem{.message = fmt::format("Argument '{}' on InputObject '{}' is required. Expected type {}",
                                         declared.name, named.name, declared.type.text()),
                  .at = value.at,
                  .type = {},
                  .path = {},
                  .extensions = {{"code", "missingRequiredInputObjectAttribute"}}});
    }
    return made;
  }

  [[nodiscard]] Made leaf(const Value& value, const TypeRef& type, const Type& named) const {
    json::value plain;
    const bool is_enum = named.kind == Type::Kind::kEnum;
    switch (value.kind) {
      case Value::Kind::kInt:
      case Value::Kind::kFloat: plain = number_of(value); break;
      case Value::Kind::kBoolean: plain = value.text == "true"; break;
      case Value::Kind::kString:
        if (is_enum) return invalid(value, type);
        plain = value.text;
        break;
      case Value::Kind::kEnum:
        if (!is_enum) return invalid(value, type);
        plain = value.text;
        break;
      default: return invalid(value, type);
    }
    auto made = coerce_leaf(named, plain);
    if (!made) return invalid(value, type);
    return *std::move(made);
  }

  const Schema& schema_;
  const json::object& variables_;
  std::string_view what_;
};

}  // namespace

std::expected<json::object, Problem> coerce_variables(const Schema& schema, const Operation& operation,
                                                      const json::object& given) {
  json::object made;
  for (const auto& variable : operation.variables) {
    const auto* value = given.if_contains(variable.name);
    if (value == nullptr && variable.fallback) {
      auto fallback = WEIR_TRY(coerce_literal(schema, *variable.fallback, variable.type, {},
                                              fmt::format("The default of variable ${}", variable.name)));
      made[variable.name] = std::move(fallback).value_or(json::value());
      continue;
    }
    if (value == nullptr && !variable.type.required) continue;
    auto one = coerce_json(schema, variable.type, value == nullptr ? json::value() : *value);
    if (!one) {
      const auto path = json::serialize(one.error().path);
      return std::unexpected(Problem{
          .message = fmt::format("Variable ${} of type {} was provided invalid value{}: {}", variable.name,
                                 variable.type.text(), one.error().path.empty() ? "" : " for " + path, one.error().why),
          .at = variable.at,
          .type = {},
          .path = {},
          .extensions = {
              {"value", value == nullptr ? json::value() : *value},
              {"problems", json::array{json::object{{"path", one.error().path}, {"explanation", one.error().why}}}}}});
    }
    made[variable.name] = *std::move(one);
  }
  return made;
}

std::expected<std::optional<json::value>, Problem> coerce_literal(const Schema& schema, const Value& value,
                                                                  const TypeRef& type, const json::object& variables,
                                                                  std::string_view what) {
  return Literals(schema, variables, what).coerce(value, type);
}

std::expected<json::object, Problem> coerce_arguments(const Schema& schema, const std::vector<Variable>& declared,
                                                      const std::vector<Argument>& given, const json::object& variables,
                                                      std::string_view of) {
  json::object made;
  for (const auto& one : declared) {
    const auto what = fmt::format("Argument '{}' on {}", one.name, of);
    const auto found = std::ranges::find(given, one.name, &Argument::name);
    std::optional<json::value> value;
    if (found != given.end()) value = WEIR_TRY(coerce_literal(schema, found->value, one.type, variables, what));
    if (!value && one.fallback) value = WEIR_TRY(coerce_literal(schema, *one.fallback, one.type, variables, what));
    if (value) made[one.name] = *std::move(value);
  }
  return made;
}

}  // namespace weir::api::graphql
