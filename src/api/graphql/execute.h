#pragma once

#include <chrono>
#include <string>

#include "api/graphql/schema.h"

namespace weir::api::graphql {

// What a client sends.
struct Request {
  std::string query;
  std::string operation;  // which of the document's; "": the only one
  json::object variables;
};

// What an answer may cost; beyond it there is none.
struct Limits {
  std::size_t fields = 200'000;   // that are resolved
  std::size_t bytes = 32U << 20;  // of the texts in it
  std::chrono::milliseconds time{30'000};
};

// {"data": …, "errors": […]}, as GraphQL has it: no data at all if the document does not fit the schema. Resolvers get
// `context`. Any thread; blocks as they do.
json::object execute(const Schema& schema, const Request& request, void* context, const Limits& limits = {});

}  // namespace weir::api::graphql
