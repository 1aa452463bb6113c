#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weir {

namespace json = boost::json;

// Parses outside input: at most `depth_max` nested levels. kInvalidArgument says where it broke; `what` names the text
// ("request body", "spec.json").
Result<json::value> parse_json(std::string_view text, std::string_view what, std::size_t depth_max = 64);

// Members of an object, leniently: a member that is absent, null or of another kind gives nothing (or `fallback`).
// Integers and doubles convert into each other where no digit is lost.
const json::value* json_find(const json::value& object, std::string_view key);
// For an object as such: without this overload it would be copied into a value, and the pointer lead into the copy.
const json::value* json_find(const json::object& object, std::string_view key);
std::optional<std::string> json_string(const json::value& object, std::string_view key);
std::string json_string_or(const json::value& object, std::string_view key, std::string_view fallback);
std::optional<std::int64_t> json_int(const json::value& object, std::string_view key);
std::optional<double> json_double(const json::value& object, std::string_view key);
bool json_bool_or(const json::value& object, std::string_view key, bool fallback);

// A member that must be a string: kInvalidArgument "member \"x\" must be a string".
Result<std::string> json_require_string(const json::value& object, std::string_view key);

// Indented by two spaces, for people (`--json` and files that are looked at).
std::string pretty_json(const json::value& value);

}  // namespace weir
