#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::types {

// What a job may do with caches: `cache-mode` of a workflow or job. The values are sets of two bits and are persisted.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#cache-mode
enum class CacheMode : std::uint8_t { kNone = 0, kRead = 1, kWriteOnly = 2, kWrite = 3 };

constexpr bool may_restore(CacheMode mode) {
  return (static_cast<unsigned>(mode) & 1U) != 0;
}
constexpr bool may_save(CacheMode mode) {
  return (static_cast<unsigned>(mode) & 2U) != 0;
}
// What both allow.
constexpr CacheMode common(CacheMode a, CacheMode b) {
  return static_cast<CacheMode>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}

// "none", "read", "write-only", "write"
std::string_view cache_mode_name(CacheMode mode);
// Nothing for another word.
std::optional<CacheMode> parse_cache_mode(std::string_view name);

}  // namespace weir::types
