#include "base/size.h"

#include <fmt/format.h>

#include <charconv>

namespace weir {
namespace {

constexpr std::string_view kUnits = "KMGT";
constexpr std::int64_t kMax = std::int64_t{1} << 60;

}  // namespace

std::optional<std::int64_t> parse_size(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  std::size_t power = 0;
  if (!text.empty()) {
    const char upper = text.front() >= 'a' && text.front() <= 'z' ? static_cast<char>(text.front() - 32) : text.front();
    const auto unit = kUnits.find(upper);
    if (unit != std::string_view::npos) {
      power = unit + 1;
      text.remove_prefix(1);
      if (text.starts_with('i') && text.size() == 2) text.remove_prefix(1);
    }
    if (text == "B" || text == "b") text.remove_prefix(1);
    if (!text.empty()) return std::nullopt;
  }
  if (number > (kMax >> (10 * power))) return std::nullopt;
  return number << (10 * power);
}

std::string size_text(std::int64_t bytes) {
  std::size_t power = 0;
  while (bytes > 0 && bytes % 1024 == 0 && power < kUnits.size()) {
    bytes /= 1024;
    ++power;
  }
  return power == 0 ? fmt::format("{}", bytes) : fmt::format("{}{}", bytes, kUnits[power - 1]);
}

}  // namespace weir
