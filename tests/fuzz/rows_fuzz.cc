// Captured requests of any shape are read within the promised limits, or refused; nothing of a redacted column is kept.
#include <cstdint>
#include <cstdlib>

#include "monitor/captured_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  // The first byte cuts the rest into request and answer.
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = text.size() * data[0] / 255;
  const weir::serve::Capture capture{
      .endpoint = "e",
      .environment = "production",
      .protocol = data[0] % 2 == 0 ? weir::serve::Protocol::kMlflow : weir::serve::Protocol::kOpenInference,
      .request_body = std::string(text.substr(0, cut)),
      .response_body = std::string(text.substr(cut))};
  const auto rows = weir::monitor::read_rows(capture, {.key_column = "k", .time_column = "t", .redact = {"secret"}});
  if (!rows) return 0;
  if (rows->size() > weir::monitor::kRowsMax) std::abort();
  for (const auto& row : *rows) {
    if (row.features.contains("secret")) std::abort();
    for (const auto& [name, value] : row.features) {
      if (value.is_object() || value.is_array()) std::abort();
      if (value.is_string() && value.get_string().size() > 256) std::abort();
    }
    (void)weir::monitor::is_correct(row.prediction, row.prediction);
  }
  return 0;
}
