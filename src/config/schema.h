#pragma once

#include <string>

namespace weir::config {

// The JSON Schema (draft 2020-12) of weir.yaml, for editors: made from the same table of keys that the parser reads by,
// so that the two cannot differ.
std::string json_schema();

}  // namespace weir::config
