#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weir::io {

// Work trees of small commits as git wrote them, so that the next job that starts with the same commit needs no git:
// each commit one file that holds git's index and the contents of what it lists. Nothing that is lost here matters;
// what does not fit (large trees, submodules, filters such as LFS's, forms of the index that are not known) is not
// kept. Any thread, any number of processes.
class CheckoutCache {
 public:
  // `folder` is made when something is kept. No folder: nothing is ever kept.
  explicit CheckoutCache(std::filesystem::path folder = {}) : folder_(std::move(folder)) {}

  // Fills `work_tree` and writes its .git/index. False, with nothing changed, if the commit is not kept or anything
  // beside .git is in there. Errors are those of writing.
  [[nodiscard]] Result<bool> restore(std::string_view commit, const std::filesystem::path& work_tree) const;

  // Keeps what git has just checked out into `work_tree`, if it is small. Whether it does is nobody's concern.
  void keep(std::string_view commit, const std::filesystem::path& work_tree) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace weir::io
