#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/git.h"

namespace weir::app {

// What jobs of `weir run` know as their repository: a bare one in the state that borrows the objects of the user's, and
// starts with its refs. They push, force and delete there as they do at a server; the user's own stays as it is.
//
//   <state>/pushes/<number>    HEAD, config, packed-refs, objects/info/alternates
//     weir-source              the git directory of the user's repository (runner/checkout.h)
//     weir-refs                the refs that it started with, in the form of packed-refs
//     weir-runs                the runs that it is for, by number, one a line
class PushCopy {
 public:
  // `head`: the branch of the user's work tree, "refs/heads/main"; "" for none.
  static Result<PushCopy> make(const std::filesystem::path& state, const io::Git& source, std::string_view head);

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  // It stays for as long as the folders of these runs do.
  Result<void> serve(const std::vector<std::int64_t>& runs) const;

  struct Change {
    std::string ref;
    bool is_new = false;
    bool is_forced = false;  // what it led to before is no part of it now
    bool is_gone = false;
  };
  // What jobs have pushed, by the refs' names.
  [[nodiscard]] Result<std::vector<Change>> changes() const;

 private:
  explicit PushCopy(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path folder_;
};

// "<state>/pushes"
std::filesystem::path push_copies(const std::filesystem::path& state);
// The runs that one of the folders there is for; none if that cannot be told.
std::vector<std::int64_t> runs_of_push_copy(const std::filesystem::path& folder);

}  // namespace weir::app
