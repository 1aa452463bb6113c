#include "serve/feedback_request.h"

#include "base/json.h"

namespace weir::serve {
namespace {

// Text of a key: strings as they are, numbers as JSON writes them.
Result<std::string> key_text(const json::value& value, std::string_view key_column, std::string_view where) {
  if (key_column.empty()) {
    return fail(Code::kInvalidArgument,
                "{}\"key\" needs an endpoint with `key: <column>` in weir.yaml; this one has "
                "none, so send \"request_id\"",
                where);
  }
  if (value.is_object()) {
    const auto* member = json_find(value, key_column);
    if (member == nullptr || member->is_object()) {
      return fail(Code::kInvalidArgument, "{}\"key\" must hold the column \"{}\"", where, key_column);
    }
    return key_text(*member, key_column, where);
  }
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_number()) return json::serialize(value);
  return fail(Code::kInvalidArgument, "{}\"key\" must be text or a number", where);
}

Result<Feedback> parse_one(const json::value& entry, std::string_view key_column, std::string_view where) {
  if (!entry.is_object()) return fail(Code::kInvalidArgument, "{}feedback must be an object", where);
  for (const auto& member : entry.get_object()) {
    const std::string_view name = member.key();
    if (name != "request_id" && name != "key" && name != "label" && name != "row" && name != "time") {
      return fail(Code::kInvalidArgument, "{}unknown member \"{}\"; feedback has request_id, row, key, label, time",
                  where, name);
    }
  }
  Feedback feedback;
  const auto* label = json_find(entry, "label");
  if (label == nullptr || label->is_null() || label->is_object()) {
    return fail(Code::kInvalidArgument, "{}\"label\" must be a number, text, a boolean or a list of them", where);
  }
  feedback.label = *label;
  feedback.request_id = json_string_or(entry, "request_id", "");
  const auto* key = json_find(entry, "key");
  if (feedback.request_id.empty() == (key == nullptr)) {
    return fail(Code::kInvalidArgument, "{}either \"request_id\" (text) or \"key\" must name what the label is for",
                where);
  }
  if (key != nullptr) {
    feedback.key = WEIR_TRY(key_text(*key, key_column, where));
    if (label->is_array()) return fail(Code::kInvalidArgument, "{}with \"key\" the label is a single value", where);
  }
  if (const auto* row = json_find(entry, "row")) {
    feedback.row = json_int(entry, "row");
    if (!feedback.row || *feedback.row < 0 || key != nullptr || label->is_array()) {
      return fail(Code::kInvalidArgument,
                  "{}\"row\" ({}) must be the number of a row, from 0, of the request with that "
                  "\"request_id\"",
                  where, json::serialize(*row));
    }
  }
  if (const auto* time = json_find(entry, "time")) {
    if (!time->is_string()) return fail(Code::kInvalidArgument, "{}\"time\" must be ISO 8601 text", where);
    feedback.time = WEIR_TRY(parse_iso8601(time->get_string()));
  }
  return feedback;
}

}  // namespace

Result<std::vector<Feedback>> parse_feedback(std::string_view body, std::string_view endpoint,
                                             std::string_view environment, std::string_view key_column) {
  const auto document = WEIR_TRY(parse_json(body, "feedback"));
  const json::value* entries = &document;
  if (const auto* list = json_find(document, "feedback")) entries = list;
  std::vector<Feedback> all;
  const auto add = [&](const json::value& entry, std::string_view where) -> Result<void> {
    auto feedback = WEIR_TRY(parse_one(entry, key_column, where));
    feedback.endpoint = endpoint;
    feedback.environment = environment;
    all.push_back(std::move(feedback));
    return {};
  };
  if (!entries->is_array()) {
    WEIR_TRY(add(*entries, ""));
    return all;
  }
  for (std::size_t i = 0; i < entries->get_array().size(); ++i) {
    WEIR_TRY(add(entries->get_array()[i], fmt::format("entry {}: ", i)));
  }
  return all;
}

}  // namespace weir::serve
