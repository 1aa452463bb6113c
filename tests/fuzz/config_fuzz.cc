#include "config/parse.h"
#include "require.h"

// weir.yaml comes from whoever pushes. Whatever is accepted must survive being written out and read again, since that
// is how the event log and the API show it; whatever is refused must say why.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const auto first = weir::config::parse_config(input, "weir.yaml", {.vars = {{"X", "0.5"}}});
  require(first.config.has_value() || weir::text::has_errors(first.diagnostics));
  weir::text::render_all(first.diagnostics, input);
  if (first.config) {
    const auto text = weir::json::serialize(weir::config::to_json(*first.config));
    const auto second = weir::config::parse_config(text, "weir.yaml", {.vars = {{"X", "0.5"}}});
    require(second.config == first.config);
    require(weir::config::diff(*first.config, *second.config).empty());
  }
  weir::config::parse_config(input, "weir.yaml", {.accept_unset = true});
  return 0;
}
