// Workflow commands in a step's output, GITHUB_OUTPUT and GITHUB_PATH files, the cutting of output into lines, masks.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "require.h"
#include "runner/command.h"
#include "runner/masker.h"
#include "runner/output.h"

namespace {

void check_lines(std::string_view text) {
  std::size_t bytes = 0;
  weir::runner::LineSplitter splitter([&](const weir::runner::LineSplitter::Line& line) {
    require(line.text.find('\n') == std::string_view::npos);
    require(line.text.find('\r') == std::string_view::npos);
    bytes += line.text.size();
  });
  // However the bytes are cut into reads, nothing is invented.
  const std::size_t half = text.empty() ? 0 : static_cast<unsigned char>(text[0]) % text.size();
  splitter.push(text.substr(0, half));
  splitter.push(text.substr(half));
  splitter.finish();
  require(bytes <= text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  if (const auto command = weir::runner::parse_command(text, [](std::string_view) { return true; })) {
    require(command->data.size() <= size);
    require(command->name.find(' ') == std::string::npos);
  }

  std::vector<std::pair<std::string, std::string>> pairs;
  static_cast<void>(weir::runner::parse_key_values(text, pairs));
  for (const auto& [name, value] : pairs) {
    require(!name.empty() && name.find('\n') == std::string::npos);
    require(text.find(value) != std::string_view::npos);
  }
  for (const auto& path : weir::runner::parse_path_lines(text)) require(!path.empty());

  check_lines(text);

  std::string readable;
  if (weir::runner::sanitize_into(text, readable)) {
    std::string again;
    require(!weir::runner::sanitize_into(readable, again));
  }

  // What is given as a secret must not be found in what was masked.
  const auto end = text.find('\n');
  if (end != std::string_view::npos && end > 3) {
    weir::runner::Masker masker;
    masker.add(text.substr(0, end));
    const std::string masked = masker.mask(text.substr(end + 1));
    if (text.substr(0, end).find('*') == std::string_view::npos && !masker.empty()) {
      require(masked.find(text.substr(0, end)) == std::string::npos);
    }
  }
  return 0;
}
