#pragma once

#include <string_view>
#include <vector>

#include "serve/feedback.h"

namespace weir::serve {

// Reads the body of POST /{endpoint}/feedback: one object, a list of them, or {"feedback": [...]}. Each has a "label"
// and either "request_id" (with "row" where the request had several) or "key" (the value of the endpoint's key column,
// or an object with that column), and may have "time" (ISO 8601). kInvalidArgument names the entry and the member.
Result<std::vector<Feedback>> parse_feedback(std::string_view body, std::string_view endpoint,
                                             std::string_view environment, std::string_view key_column);

}  // namespace weir::serve
