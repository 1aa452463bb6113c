#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::workflow {

// GitHub's filter patterns for branches, tags and paths:
//   *  anything but "/"    **  anything; "**/" also nothing    ?  zero or one of the preceding character    +  one or
//   more of it
//   []  one of the characters or ranges    !  at the start: takes away what earlier patterns took    \  escapes
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#filter-pattern-cheat-sheet
//
// Matching takes time in proportion to pattern times text, whatever the pattern. Immutable; any thread.
class Pattern {
 public:
  // The error says what is wrong: an open bracket, an empty range, a ? or + with nothing before it.
  static std::expected<Pattern, std::string> parse(std::string_view text);

  // Whether the whole of `text` matches; a leading "!" is not part of it.
  [[nodiscard]] bool matches(std::string_view text) const;
  [[nodiscard]] bool negative() const { return negative_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  struct Atom {
    // "*", "**", "**/" at the start of a part (no folder or any), one character of a set
    enum class Kind : unsigned char { kSegment, kAnything, kFolders, kSet } kind = Kind::kSet;
    enum class Count : unsigned char { kOne, kOptional, kMany } count = Count::kOne;
    std::string character;  // of a set without ranges: one character, in UTF-8
    std::vector<std::pair<unsigned char, unsigned char>> ranges;
  };
  static std::expected<Atom, std::string> parse_set(std::string_view& rest);
  static std::size_t take_one(const Atom& atom, std::string_view text);

  std::string text_;
  bool negative_ = false;
  std::vector<Atom> atoms_;
};

// Whether `text` is taken: the last pattern that matches decides, "!" ones take away.
bool matches_any(std::span<const Pattern> patterns, std::string_view text);

}  // namespace weir::workflow
