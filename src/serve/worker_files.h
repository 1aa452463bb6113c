#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "base/error.h"

namespace weir::serve {

struct EmbeddedFile {
  std::string_view name;  // "weir_worker/main.py"
  std::string_view text;
};

// The Python files of the model worker, as they were when this was built.
std::span<const EmbeddedFile> worker_files();

// Writes them to a folder below `root` that is named after their contents, unless it is there, and gives that folder.
// Blocks.
Result<std::filesystem::path> install_worker_files(const std::filesystem::path& root);

}  // namespace weir::serve
