#pragma once

#include <expected>
#include <optional>

#include "api/graphql/schema.h"

// Values that come from outside, as the types that the schema declares for them.
namespace weir::api::graphql {

// The variables of an operation: as declared, with their defaults; those that were neither given nor have one are not
// there. The first problem otherwise.
std::expected<json::object, Problem> coerce_variables(const Schema& schema, const Operation& operation,
                                                      const json::object& given);

// A value of the document, whose variables have been coerced. Nothing if it is a variable that is not there. `what`
// names it in the problem: "Argument 'first' on Field 'comments'".
std::expected<std::optional<json::value>, Problem> coerce_literal(const Schema& schema, const Value& value,
                                                                  const TypeRef& type, const json::object& variables,
                                                                  std::string_view what);

// What a field or a directive is given, as `declared`.
std::expected<json::object, Problem> coerce_arguments(const Schema& schema, const std::vector<Variable>& declared,
                                                      const std::vector<Argument>& given, const json::object& variables,
                                                      std::string_view of);

}  // namespace weir::api::graphql
