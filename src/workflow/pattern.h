#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::workflow {

// GitHub's filter patterns for branches, tags and paths:
//   *  anything but "/"    **  anything    ?  zero or one of the preceding character    +  one or more of it
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
    enum class Kind : unsigned char { kSegment, kAnything, kSet } kind = Kind::kSet;  // "*", "**", one of a set
    enum class Count : unsigned char { kOne, kOptional, kMany } count = Count::kOne;
    bool code_point = false;             // a set of one character beyond ASCII: `character`
    std::string character;
    std::vector<std::pair<unsigned char, unsigned char>> ranges;
  };

  std::string text_;
  bool negative_ = false;
  std::vector<Atom> atoms_;
};

// Whether `text` is taken: the last pattern that matches decides, "!" ones take away.
bool matches_any(std::span<const Pattern> patterns, std::string_view text);

}  // namespace weir::workflow
