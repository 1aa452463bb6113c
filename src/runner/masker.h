#pragma once

#include <array>
#include <bitset>
#include <string>
#include <string_view>
#include <vector>

namespace weir::runner {

// Replaces secrets by "***". Masked are each value itself, each line of it, and what it becomes as base64 (plain and
// URL-safe, at all three alignments, wrapped at 76 columns), as a JSON string and percent-encoded. Not thread-safe.
class Masker {
 public:
  // A blank value is ignored. Lines of a value of several lines count from 3 characters on, so that the braces of a
  // JSON document stay readable.
  void add(std::string_view secret);

  // `text` with every secret replaced. Overlapping and touching finds become one "***".
  [[nodiscard]] std::string mask(std::string_view text) const;
  // The same without a copy where there is nothing to mask: true if `out` was filled.
  bool mask_into(std::string_view text, std::string& out) const;

  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  void add_pattern(std::string_view pattern);
  void add_encodings(std::string_view secret);

  std::array<std::vector<std::string>, 256> by_first_byte_;  // longest first
  std::array<bool, 256> single_{};                           // patterns of one byte
  std::bitset<65'536> pairs_;                                // first two bytes of the others
  std::size_t count_ = 0;
};

}  // namespace weir::runner
