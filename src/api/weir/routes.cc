#include "api/weir/routes.h"

#include <charconv>

namespace weir::api {

Result<json::object> body_object(const io::HttpRequest& request) {
  if (request.body.empty()) return json::object{};
  auto value = WEIR_TRY(parse_json(request.body, "the request body"));
  if (!value.is_object()) return fail(Code::kInvalidArgument, "the request body must be a JSON object");
  return std::move(value.get_object());
}

Result<std::optional<std::string>> optional_text(const json::value& body, std::string_view name) {
  const auto* member = json_find(body, name);
  if (member == nullptr || member->is_null()) return std::nullopt;
  if (!member->is_string()) return fail(Code::kInvalidArgument, "member \"{}\" must be a string", name);
  return std::string(member->get_string());
}

Result<std::optional<bool>> optional_bool(const json::value& body, std::string_view name) {
  const auto* member = json_find(body, name);
  if (member == nullptr || member->is_null()) return std::nullopt;
  if (!member->is_bool()) return fail(Code::kInvalidArgument, "member \"{}\" must be true or false", name);
  return member->get_bool();
}

Result<std::optional<bool>> optional_open(const json::value& body) {
  const auto state = WEIR_TRY(optional_text(body, "state"));
  if (!state) return std::nullopt;
  if (*state == "open" || *state == "closed") return *state == "open";
  return fail(Code::kInvalidArgument, "state must be open or closed, not \"{}\"", state->substr(0, 80));
}

Result<std::int64_t> id_param(const io::HttpRequest& request, std::string_view name) {
  const auto found = request.params.find(name);
  const std::string_view text = found == request.params.end() ? std::string_view{} : std::string_view(found->second);
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size() || id <= 0) {
    return fail(Code::kInvalidArgument, "\"{}\" in the path must be a positive number", text.substr(0, 80));
  }
  return id;
}

Result<std::int64_t> number_query(const io::HttpRequest& request, std::string_view name, std::int64_t fallback,
                                  std::int64_t least, std::int64_t most) {
  const auto text = request.query_value(name);
  if (!text || text->empty()) return fallback;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size() || number < least || number > most) {
    return fail(Code::kInvalidArgument, "?{}={} must be a number from {} to {}", name, text->substr(0, 80), least,
                most);
  }
  return number;
}

json::object event_to_json(const types::Event& event) {
  return {{"specversion", "1.0"},
          {"id", std::to_string(event.sequence)},
          {"sequence", event.sequence},
          {"source", "weir"},
          {"type", event.type},
          {"subject", event.subject},
          {"time", to_iso8601(event.time)},
          {"actor", event.actor},
          {"cause", event.cause == 0 ? json::value(nullptr) : json::value(event.cause)},
          {"data", event.payload},
          {"chain_hash", event.chain_hash}};
}

}  // namespace weir::api
