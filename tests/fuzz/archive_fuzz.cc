// Whatever an archive's bytes say, tar or zip, nothing is written outside the folder, and a refused archive writes
// nothing at all.
#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>

#include "runner/archive.h"

namespace fs = std::filesystem;

namespace {

std::size_t entries_of(const fs::path& folder) {
  std::error_code error;
  std::size_t count = 0;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) ++count;
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fs::path kRoot = [] {
    std::string pattern = (fs::temp_directory_path() / "weir-archive-XXXXXX").string();
    return fs::path(::mkdtemp(pattern.data()));
  }();
  const fs::path archive = kRoot / "archive";
  const fs::path outer = kRoot / "outer";
  const fs::path folder = outer / "folder";
  fs::create_directories(folder);
  std::ofstream(archive, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  const auto files = weir::runner::unpack(archive, folder);
  const std::size_t inside = entries_of(folder);
  if (entries_of(outer) != inside + 1) std::abort();
  const bool refused = !files && files.error().message.find("nothing was unpacked") != std::string::npos;
  if (refused && inside != 0) std::abort();
  // A tar is read as a whole before anything is written; a zip's bytes show only when they are unpacked.
  const bool zip = size > 0 && data[0] == 'P';
  if (!zip && !files && files.error().code == weir::Code::kCorrupt && inside != 0) std::abort();
  fs::remove_all(outer);
  return 0;
}
