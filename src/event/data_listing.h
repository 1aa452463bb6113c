#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "event/data_files.h"

namespace weir::event {

// Which files came, changed and went between two passes over the same folder; some are named.
struct FilesChanged {
  static constexpr std::size_t kNamesMax = 50;  // of each kind
  bool known = false;                           // false: nobody remembers what was there before
  std::int64_t added = 0;
  std::int64_t modified = 0;
  std::int64_t removed = 0;
  std::vector<std::string> added_names;
  std::vector<std::string> modified_names;
  std::vector<std::string> removed_names;

  [[nodiscard]] json::object to_json() const;
};

// A folder's files as they were, in a file of the server's own, so that a later pass can name what has changed; written
// and compared as the pass goes, in memory that does not grow with the number of files. Damaged or lost, changes are
// noticed all the same, and only their names are not known. One thread.
class ListingWriter {
 public:
  // Writes `path`.new; compares with `before` ("" for none), whose digest must be `before_digest`.
  ListingWriter(std::filesystem::path path, const std::filesystem::path& before, std::string before_digest);
  ~ListingWriter();
  ListingWriter(const ListingWriter&) = delete;
  ListingWriter& operator=(const ListingWriter&) = delete;

  void add(const WatchedFile& file);  // in the order of a pass
  // Gives what changed and puts the file in place.
  Result<FilesChanged> finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::event
