#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace weir::app {

struct FsckOptions {
  // Read every blob and object; otherwise those of at most 16 MiB, of blobs those that something refers to.
  bool read_blobs = false;
};

struct FsckReport {
  std::int64_t events = 0;
  std::int64_t blobs = 0;
  std::int64_t blobs_read = 0;
  std::int64_t references = 0;   // rows that name a blob
  std::int64_t lfs_objects = 0;  // of Git LFS
  std::int64_t lfs_objects_read = 0;
  std::vector<std::string> problems;  // what and where, for people; empty = sound
  std::vector<std::string> advice;    // what to do about them, each kind once
};
json::object to_json(const FsckReport& report);

// Checks a state folder without changing it, also while a server runs on it: the database's own integrity, the hash
// chain of the event log, payload hashes (an erased payload is fine), and that each blob that a row names, and each
// object of Git LFS that a file on a branch names, is there and holds what its name says. kNotFound without a database.
Result<FsckReport> fsck(const std::filesystem::path& state, const FsckOptions& options);

}  // namespace weir::app
