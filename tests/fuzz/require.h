#pragma once

#include <cstdlib>

// Stops the process, which the fuzzer reports with its input, where a promise of the parser is broken.
inline void require(bool condition) {
  if (!condition) std::abort();
}
