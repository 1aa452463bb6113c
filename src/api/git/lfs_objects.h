#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "io/http.h"

namespace weir::api {

// The Git LFS objects of one bare repository, where git-lfs itself keeps them: <git_dir>/lfs/objects/ab/cd/abcd…. Each
// repository has its own, so that whoever may read one gets nothing of another. None is ever removed: any commit, also
// one that no branch holds any more, may need it. Functions block; any thread.
class LfsObjects {
 public:
  explicit LfsObjects(const std::filesystem::path& git_dir) : root_(git_dir / "lfs") {}

  [[nodiscard]] std::filesystem::path path_of(std::string_view oid) const;
  // How many bytes an object has; nothing if it is not there.
  [[nodiscard]] std::optional<std::int64_t> size_of(std::string_view oid) const;

  // Takes an object in. It is on disk when this returns. kInvalidArgument, and nothing kept, if what comes is not
  // `size_bytes` long or has another SHA-256 than `oid` says.
  [[nodiscard]] Result<void> put(io::ByteSource& source, std::string_view oid, std::int64_t size_bytes) const;

  // Removes what uploads left that a killed server was taking. Only before others are taken.
  void remove_drafts() const;

 private:
  std::filesystem::path root_;
};

}  // namespace weir::api
