// The YAML reader: never crashes, keeps its limits, and every place that it gives lies within the file.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "text/yaml.h"

namespace {

using weir::text::YamlDocument;
using weir::text::YamlNode;

void check(bool promise) {
  if (!promise) std::abort();
}

std::size_t walk(const YamlDocument& document, const YamlNode& node, int depth, int lines) {
  check(depth <= 65);
  check(node.position().line >= 0 && node.position().line < lines && node.position().column >= 0 && node.length() >= 1);
  std::size_t count = 1;
  if (node.is_scalar()) {
    for (std::size_t offset = 0; offset <= node.text().size() && offset < 64; ++offset) {
      const auto place = document.locate(node, offset);
      check(place.line >= node.position().line && place.line < lines);
    }
  }
  for (const YamlNode* item : node.items()) count += walk(document, *item, depth + 1, lines);
  for (const auto& entry : node.entries()) {
    check(node.find(entry.key) == &entry);
    count += walk(document, *entry.value, depth + 1, lines);
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const weir::text::YamlLimits limits{.size_bytes_max = 20'000, .nodes_max = 2'000};
  const auto result = weir::text::parse_yaml(text, "fuzz.yml", limits);
  check(result.document != nullptr || !result.diagnostics.empty());
  const auto shown = weir::text::render_all(result.diagnostics, text);
  check(weir::text::is_utf8(shown));
  if (result.document) {
    int lines = 1;
    for (const char c : result.document->source()) lines += c == '\n' ? 1 : 0;
    check(walk(*result.document, result.document->root(), 1, lines) <= limits.nodes_max + 1);
    (void)result.document->root().to_json();
  }
  return 0;
}
