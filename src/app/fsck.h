#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace weir::app {

struct FsckOptions {
  bool read_blobs = false;  // read every blob; otherwise those of at most 16 MiB that something refers to
};

struct FsckReport {
  std::int64_t events = 0;
  std::int64_t blobs = 0;
  std::int64_t blobs_read = 0;
  std::int64_t references = 0;        // rows that name a blob
  std::vector<std::string> problems;  // what and where, for people; empty = sound
  std::vector<std::string> advice;    // what to do about them, each kind once
};
json::object to_json(const FsckReport& report);

// Checks a state folder without changing it, also while a server runs on it: the database's own integrity, the hash
// chain of the event log, payload hashes (an erased payload is fine), and that each blob that a row names is there and
// holds what its name says. kNotFound without a database.
Result<FsckReport> fsck(const std::filesystem::path& state, const FsckOptions& options);

}  // namespace weir::app
