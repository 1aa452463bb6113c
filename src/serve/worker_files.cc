#include "serve/worker_files.h"

#include "base/hash.h"
#include "io/file.h"

namespace weir::serve {

Result<std::filesystem::path> install_worker_files(const std::filesystem::path& root) {
  Sha256 hash;
  for (const auto& file : worker_files()) {
    hash.update(file.name);
    hash.update(std::string_view("\0", 1));
    hash.update(file.text);
  }
  const auto folder = root / ("worker-" + hash.finish_hex().substr(0, 16));
  std::error_code ignored;
  if (std::filesystem::is_directory(folder, ignored)) return folder;

  const auto temporary = root / (".tmp-worker-" + random_hex(8));
  for (const auto& file : worker_files()) {
    const auto path = temporary / file.name;
    WEIR_TRY(io::make_dirs(path.parent_path()));
    WEIR_TRY(io::write_file_atomic(path, file.text));
  }
  std::error_code error;
  std::filesystem::rename(temporary, folder, error);
  if (error && !std::filesystem::is_directory(folder, ignored)) {
    return fail_errno(error.value(), fmt::format("cannot move the model worker to {}", folder.string()));
  }
  if (error) WEIR_TRY(io::remove_tree(temporary));  // somebody else was quicker
  return folder;
}

}  // namespace weir::serve
