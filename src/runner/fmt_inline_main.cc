// fmt's own functions, compiled into weir-runner. Debian ships fmt as a shared library only, and loading that (with
// libstdc++, which it needs) would take longer than starting a job. Built without the precompiled header, which holds
// fmt in its other form.
#define FMT_HEADER_ONLY
#include <fmt/format.h>

#include <iterator>
#include <string>

namespace weir::runner {

// The compiler emits what is used. Were something missing, the shared library would be linked after all: slower, not
// wrong.
std::string use_fmt(double real, float small, const char* text, char character) {
  try {
    std::string out = fmt::vformat("{:L}{}{:?}{:?}", fmt::make_format_args(real, small, text, character));
    fmt::format_to(std::back_inserter(out), "{:.3f}", real);
    return out;
  } catch (const fmt::format_error& error) {
    return error.what();
  }
}

}  // namespace weir::runner
