#include "base/json.h"

#include <cmath>

namespace weir {
namespace {

void write_pretty(const json::value& value, std::string& out, std::string& indent) {
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    indent += "  ";
    out += "{\n";
    bool first = true;
    for (const auto& [key, member] : *object) {
      if (!first) out += ",\n";
      first = false;
      out += indent + json::serialize(json::string_view{key}) + ": ";
      write_pretty(member, out, indent);
    }
    indent.resize(indent.size() - 2);
    out += "\n" + indent + "}";
  } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
    indent += "  ";
    out += "[\n";
    bool first = true;
    for (const auto& element : *array) {
      if (!first) out += ",\n";
      first = false;
      out += indent;
      write_pretty(element, out, indent);
    }
    indent.resize(indent.size() - 2);
    out += "\n" + indent + "]";
  } else if (const double* number = value.if_double(); number != nullptr && std::isfinite(*number)) {
    out += fmt::format("{}", *number);  // 0.3, where the compact form has 3E-1
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

Result<json::value> parse_json(std::string_view text, std::string_view what, std::size_t depth_max) {
  json::parse_options options;
  options.max_depth = depth_max;
  json::stream_parser parser({}, options);
  boost::system::error_code error;
  const std::size_t consumed = parser.write_some({text.data(), text.size()}, error);
  if (!error && consumed < text.size()) {
    const auto rest = text.find_first_not_of(" \t\r\n", consumed);
    if (rest != std::string_view::npos) error = json::error::extra_data;
  }
  if (!error) parser.finish(error);
  if (error) {
    return fail(Code::kInvalidArgument, "{} is not valid JSON at byte {}: {}", what, consumed, error.message());
  }
  return parser.release();
}

const json::value* json_find(const json::value& object, std::string_view key) {
  const auto* members = object.if_object();
  return members == nullptr ? nullptr : members->if_contains({key.data(), key.size()});
}

const json::value* json_find(const json::object& object, std::string_view key) {
  const auto* member = object.if_contains({key.data(), key.size()});
  return member == nullptr || member->is_null() ? nullptr : member;
}

std::optional<std::string> json_string(const json::value& object, std::string_view key) {
  const auto* member = json_find(object, key);
  if (member == nullptr || !member->is_string()) return std::nullopt;
  return std::string{member->get_string()};
}

std::string json_string_or(const json::value& object, std::string_view key, std::string_view fallback) {
  return json_string(object, key).value_or(std::string{fallback});
}

std::optional<std::int64_t> json_int(const json::value& object, std::string_view key) {
  const auto* member = json_find(object, key);
  if (member == nullptr || !member->is_number()) return std::nullopt;
  boost::system::error_code error;
  const auto number = member->to_number<std::int64_t>(error);
  if (error) return std::nullopt;
  return number;
}

std::optional<double> json_double(const json::value& object, std::string_view key) {
  const auto* member = json_find(object, key);
  if (member == nullptr || !member->is_number()) return std::nullopt;
  return member->to_number<double>();
}

bool json_bool_or(const json::value& object, std::string_view key, bool fallback) {
  const auto* member = json_find(object, key);
  return member != nullptr && member->is_bool() ? member->get_bool() : fallback;
}

Result<std::string> json_require_string(const json::value& object, std::string_view key) {
  if (auto text = json_string(object, key)) return *std::move(text);
  return fail(Code::kInvalidArgument, "member \"{}\" must be a string", key);
}

std::string pretty_json(const json::value& value) {
  std::string out;
  std::string indent;
  write_pretty(value, out, indent);
  return out;
}

}  // namespace weir
