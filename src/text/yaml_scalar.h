#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/yaml.h"

// How scalars are written in YAML: kinds by the core schema, and where their text stands in the source.
namespace weir::text {

struct CoreScalar {
  YamlKind kind = YamlKind::kString;
  bool boolean = false;
  std::int64_t integer = 0;
  double number = 0;
};

// The kind of a plain scalar, by the core schema of YAML 1.2 (10.3.2): null, true and false in three spellings each,
// 12, 0o14, 0xC, 1.2e3, .inf, .nan; else a string. An integer beyond 64 bits is a float.
CoreScalar resolve_core(std::string_view text);

struct ScalarPlace {
  std::size_t start = 0;  // after anchor and tag
  int length = 0;         // up to the end of the line at most
};

// The scalar with the text `value` whose node starts at `offset` of `source`. Takes time in proportion to `value`.
ScalarPlace scalar_place(std::string_view source, std::size_t offset, std::string_view value);

// For each byte of `value`, the text of the scalar whose node starts at `start`, its offset in `source`; one more for
// the end. Shorter, from where on the two cannot be brought into line; of the first `count` bytes only.
std::vector<std::uint32_t> align_scalar(std::string_view source, std::size_t start, std::string_view value,
                                        std::size_t count);

}  // namespace weir::text
