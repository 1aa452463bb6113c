#include "types/cache_mode.h"

#include <array>

namespace weir::types {
namespace {

constexpr auto kNames = std::to_array<std::string_view>({"none", "read", "write-only", "write"});

}  // namespace

std::string_view cache_mode_name(CacheMode mode) {
  return kNames.at(static_cast<std::size_t>(mode));
}

std::optional<CacheMode> parse_cache_mode(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames.at(i) == name) return static_cast<CacheMode>(i);
  }
  return std::nullopt;
}

}  // namespace weir::types
