#pragma once

#include <vector>

#include "api/graphql/schema.h"

namespace weir::api::graphql {

// Fields that a document may select, each spread of a fragment counted.
inline constexpr std::size_t kSelectedMax = 5'000;

// What of an operation does not fit the schema; nothing of it is to be executed then.
std::vector<Problem> check_variables(const Schema& schema, const Operation& operation);
// Once its variables have been coerced.
std::vector<Problem> check_selections(const Schema& schema, const Document& document, const Operation& operation,
                                      const json::object& variables);

// "Query" of "query".
std::string_view root_type(const Operation& operation);

// @include(if:) and @skip(if:).
const std::vector<Variable>& condition_arguments();

}  // namespace weir::api::graphql
