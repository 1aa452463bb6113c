#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// git's index, versions 2 and 3 (gitformat-index(5)): numbers in network order; a header of "DIRC", version and number
// of entries; entries of ten numbers of stat data, an object id, flags and a path, padded with NUL bytes to a multiple
// of eight; extensions; SHA-1 of all that. Pure.
namespace weir::io {

struct GitIndexEntry {
  std::size_t at = 0;  // in the index
  std::uint32_t mode = 0;
  std::uint32_t size = 0;   // of its file when git last looked
  std::uint32_t flags = 0;  // the first sixteen
  std::string path;
};

struct GitIndex {
  std::vector<GitIndexEntry> entries;
  std::size_t extensions_at = 0;
  std::size_t end = 0;  // of the extensions; the checksum follows
};

// Nothing if it is of another form or has more than `entries_max`.
std::optional<GitIndex> read_git_index(std::string_view index, std::size_t entries_max);

// Says of the entry at `at` that its file is as `info` has it: git takes it for unchanged while it is.
void put_git_index_stat(std::string& index, std::size_t at, const struct stat& info);

// Renews the checksum after a change.
void seal_git_index(std::string& index);

// 20 bytes.
std::string sha1(std::string_view bytes);

std::uint32_t number_at(std::string_view bytes, std::size_t at);
void put_number(std::string& bytes, std::size_t at, std::uint64_t number);

}  // namespace weir::io
