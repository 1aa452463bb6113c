#include "api/mlflow/fields.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "track/names.h"

namespace weir::api::mlflow {
namespace {

std::string shown(const json::value& value) {
  const std::string text = json::serialize(value);
  return std::string(track::first_characters(text, 80));
}

std::unexpected<Error> wrong(std::string_view name, const json::value& value, std::string_view expected) {
  return fail(Code::kInvalidArgument, "invalid value {} for parameter '{}': expected {}", shown(value), name, expected);
}

std::unexpected<Error> missing(std::string_view name) {
  return fail(Code::kInvalidArgument, "missing value for required parameter '{}'", name);
}

std::optional<std::int64_t> to_integer(const json::value& value) {
  boost::system::error_code error;
  if (value.is_number()) {
    const auto number = value.to_number<std::int64_t>(error);
    return error ? std::nullopt : std::optional(number);
  }
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_string();
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> to_double(const json::value& value) {
  if (value.is_number()) return value.to_number<double>();
  if (!value.is_string()) return std::nullopt;
  const std::string_view text = value.get_string();
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  double number = 0.0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

using Names = std::span<const std::pair<std::string_view, int>>;

// An enum's number from its name or number.
Result<std::optional<int>> parse_enum(const Fields& fields, std::string_view member, Names names) {
  if (!fields.has(member)) return std::nullopt;
  const auto number = fields.integer(member);
  const auto text = fields.text(member);
  for (const auto& [name, value] : names) {
    if ((number && *number == value) || (text && *text == name)) return value;
  }
  std::string known;
  for (const auto& [name, value] : names) known += (known.empty() ? "" : ", ") + std::string(name);
  return fail(Code::kInvalidArgument, "invalid value for parameter '{}'; there are {}", member, known);
}

}  // namespace

bool Fields::has(std::string_view name) const {
  const auto* member = json_find(message_, name);
  return member != nullptr && !member->is_null();
}

Result<std::string> Fields::text(std::string_view name) const {
  if (!has(name)) return std::string{};
  const auto& member = *json_find(message_, name);
  if (!member.is_string()) return wrong(name, member, "a string");
  return std::string(member.get_string());
}

Result<std::string> Fields::required(std::string_view name) const {
  auto value = WEIR_TRY(text(name));
  if (value.empty()) return missing(name);
  return value;
}

Result<std::optional<std::int64_t>> Fields::integer(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  const auto& member = *json_find(message_, name);
  if (const auto number = to_integer(member)) return *number;
  return wrong(name, member, "a whole number");
}

Result<std::int64_t> Fields::integer_or(std::string_view name, std::int64_t fallback) const {
  return WEIR_TRY(integer(name)).value_or(fallback);
}

Result<double> Fields::number(std::string_view name) const {
  if (!has(name)) return missing(name);
  const auto& member = *json_find(message_, name);
  if (const auto number = to_double(member)) return *number;
  return wrong(name, member, "a number");
}

Result<bool> Fields::flag(std::string_view name, bool fallback) const {
  if (!has(name)) return fallback;
  const auto& member = *json_find(message_, name);
  if (member.is_bool()) return member.get_bool();
  if (member.is_string() && (member.get_string() == "true" || member.get_string() == "True")) return true;
  if (member.is_string() && (member.get_string() == "false" || member.get_string() == "False")) return false;
  return wrong(name, member, "true or false");
}

Result<std::vector<std::string>> Fields::texts(std::string_view name) const {
  std::vector<std::string> values;
  if (!has(name)) return values;
  const auto& member = *json_find(message_, name);
  if (member.is_string()) {  // a repeated query parameter that came once
    values.emplace_back(member.get_string());
    return values;
  }
  if (!member.is_array()) return wrong(name, member, "a list of strings");
  for (const auto& element : member.get_array()) {
    if (!element.is_string()) return wrong(name, element, "a string in the list");
    values.emplace_back(element.get_string());
  }
  return values;
}

Result<std::vector<Fields>> Fields::messages(std::string_view name) const {
  std::vector<Fields> list;
  if (!has(name)) return list;
  const auto& member = *json_find(message_, name);
  if (!member.is_array()) return wrong(name, member, "a list");
  for (const auto& element : member.get_array()) {
    if (!element.is_object()) return wrong(name, element, "an object in the list");
    list.emplace_back(element);
  }
  return list;
}

Result<std::optional<Fields>> Fields::message(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  const auto& member = *json_find(message_, name);
  if (!member.is_object()) return wrong(name, member, "an object");
  return std::optional<Fields>(std::in_place, member);
}

Result<std::vector<track::KeyValue>> Fields::pairs(std::string_view name) const {
  std::vector<track::KeyValue> pairs;
  const auto list = WEIR_TRY(messages(name));
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto key = WEIR_TRY(list[i].text("key"));
    if (key.empty()) return missing(fmt::format("{}[{}].key", name, i));
    pairs.push_back({std::move(key), WEIR_TRY(list[i].text("value"))});
  }
  return pairs;
}

Result<std::string> Fields::run_id() const {
  if (!has("run_id") && has("run_uuid")) return required("run_uuid");
  return required("run_id");
}

Result<std::int64_t> Fields::experiment_id() const {
  if (has("experiment_id") && json_find(message_, "experiment_id")->is_number()) {
    return WEIR_TRY(integer_or("experiment_id", 0));
  }
  return parse_experiment_id(WEIR_TRY(required("experiment_id")));
}

Result<std::vector<std::int64_t>> Fields::experiment_ids() const {
  std::vector<std::int64_t> ids;
  for (const auto& text : WEIR_TRY(texts("experiment_ids"))) ids.push_back(WEIR_TRY(parse_experiment_id(text)));
  return ids;
}

Result<std::int64_t> parse_experiment_id(std::string_view text) {
  std::int64_t id = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), id);
  if (read.ec == std::errc() && read.ptr == text.data() + text.size()) return id;
  return fail(Code::kInvalidArgument, "invalid experiment id '{}': it must be a whole number",
              track::first_characters(text, 80));
}

Result<track::View> parse_view(const Fields& fields, std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, int>, 3> kNames = {
      {{"ACTIVE_ONLY", 1}, {"DELETED_ONLY", 2}, {"ALL", 3}}};
  return static_cast<track::View>(WEIR_TRY(parse_enum(fields, name, kNames)).value_or(1));
}

Result<std::optional<track::RunStatus>> parse_run_status(const Fields& fields) {
  static constexpr std::array<std::pair<std::string_view, int>, 5> kNames = {
      {{"RUNNING", 1}, {"SCHEDULED", 2}, {"FINISHED", 3}, {"FAILED", 4}, {"KILLED", 5}}};
  const auto number = WEIR_TRY(parse_enum(fields, "status", kNames));
  if (!number) return std::nullopt;
  return static_cast<track::RunStatus>(*number);
}

Result<track::ModelStatus> parse_model_status(const Fields& fields) {
  static constexpr std::array<std::pair<std::string_view, int>, 4> kNames = {{{"LOGGED_MODEL_STATUS_UNSPECIFIED", 0},
                                                                              {"LOGGED_MODEL_PENDING", 1},
                                                                              {"LOGGED_MODEL_READY", 2},
                                                                              {"LOGGED_MODEL_UPLOAD_FAILED", 3}}};
  const auto number = WEIR_TRY(parse_enum(fields, "status", kNames));
  if (!number) return missing("status");
  return static_cast<track::ModelStatus>(*number);
}

Result<json::value> read_message(const io::HttpRequest& request) {
  const bool in_query =
      request.method == "GET" || request.method == "HEAD" || (request.body.empty() && !request.query.empty());
  if (!in_query) {
    if (request.body.empty()) return json::object{};
    auto body = WEIR_TRY(parse_json(request.body, "the request's body"));
    // Old clients encode their JSON twice.
    if (body.is_string()) body = WEIR_TRY(parse_json(std::string(body.get_string()), "the request's body"));
    if (body.is_null()) return json::object{};
    if (!body.is_object()) return fail(Code::kInvalidArgument, "the request's body must be a JSON object");
    return body;
  }
  json::object message;
  for (const auto& [key, value] : request.query) {
    auto [member, fresh] = message.emplace(key, value);
    if (fresh) continue;
    if (!member->value().is_array()) member->value() = json::array{member->value()};
    member->value().get_array().emplace_back(value);
  }
  return message;
}

}  // namespace weir::api::mlflow
