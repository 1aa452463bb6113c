#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

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

// The scalar whose node starts at `offset` of `source`.
ScalarPlace scalar_place(std::string_view source, std::size_t offset);

// The offset in `source` of byte `offset` of `value`, the text of the scalar whose node starts at `start`. Nothing if the
// two cannot be brought into line.
std::optional<std::size_t> align_scalar(std::string_view source, std::size_t start, std::string_view value,
                                        std::size_t offset);

}  // namespace weir::text
