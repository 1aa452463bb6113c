// What is taken as feedback has a label and says which row it is about.
#include <cstdint>
#include <cstdlib>

#include "serve/feedback_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto feedback = weir::serve::parse_feedback(body, "flights", "production", "flight_id");
  if (!feedback) return 0;
  for (const auto& one : *feedback) {
    if (one.endpoint != "flights" || one.environment != "production") std::abort();
    if (one.request_id.empty() == one.key.empty()) std::abort();
  }
  return 0;
}
