#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

// Amounts of memory and disk as people write them: "512M", "8G", "1T", with or without "B" or "iB" behind the unit,
// each 1024 of the one before; a bare number is bytes. Nothing for anything else, or beyond 2^60.
std::optional<std::int64_t> parse_size(std::string_view text);

// The shortest such text that is exact: "8G", "1536M", "1000".
std::string size_text(std::int64_t bytes);

}  // namespace weir
