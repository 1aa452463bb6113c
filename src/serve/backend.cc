#include "serve/backend.h"

namespace weir::serve {
namespace {

// As MLflow names its errors.
std::string_view error_code(int status) {
  switch (status) {
    case 400: return "BAD_REQUEST";
    case 404: return "RESOURCE_DOES_NOT_EXIST";
    case 429: return "REQUEST_LIMIT_EXCEEDED";
    case 503: return "TEMPORARILY_UNAVAILABLE";
    case 504: return "DEADLINE_EXCEEDED";
    default: return status < 500 ? "BAD_REQUEST" : "INTERNAL_ERROR";
  }
}

}  // namespace

InferAnswer refusal(Protocol protocol, int status, std::string_view message, std::optional<int> retry_after_s) {
  json::object body;
  if (protocol == Protocol::kMlflow) {
    body = {{"error_code", error_code(status)}, {"message", message}};
  } else {
    body = {{"error", message}};
  }
  return {.status = status, .body = json::serialize(body), .retry_after_s = retry_after_s};
}

}  // namespace weir::serve
