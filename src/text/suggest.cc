#include "text/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace weir::text {
namespace {

constexpr std::size_t kWordMax = 48;  // longer words are never suggested for
constexpr std::size_t kCandidatesMax = 200;

char fold(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c == '_' ? '-' : c;
}

// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
  using Row = std::array<std::size_t, kWordMax + 1>;
  Row before{};
  Row above{};
  Row row{};
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = fold(a[i - 1]) == fold(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0U : 1U)});
      if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1])) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before = above;
    above = row;
  }
  return above[b.size()];
}

template <class Words>
std::string_view nearest_of(std::string_view word, const Words& known) {
  if (word.empty() || word.size() > kWordMax) return {};
  std::string_view best;
  std::size_t best_distance = 0;
  std::size_t tried = 0;
  for (const std::string_view candidate : known) {
    if (++tried > kCandidatesMax) break;
    if (candidate.empty() || candidate.size() > kWordMax) continue;
    const std::size_t allowed = std::max<std::size_t>(1, std::max(word.size(), candidate.size()) / 3);
    const std::size_t difference =
        word.size() > candidate.size() ? word.size() - candidate.size() : candidate.size() - word.size();
    if (difference > allowed) continue;
    const std::size_t found = distance(word, candidate);
    if (found <= allowed && (best.empty() || found < best_distance)) {
      best = candidate;
      best_distance = found;
    }
  }
  return best;
}

template <class Words>
std::string suggestion(std::string_view word, const Words& known) {
  const auto best = nearest_of(word, known);
  return best.empty() ? std::string{} : fmt::format("did you mean \"{}\"?", best);
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  return nearest_of(word, known);
}
std::string_view nearest(std::string_view word, std::span<const std::string> known) {
  return nearest_of(word, known);
}
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  return suggestion(word, known);
}
std::string did_you_mean(std::string_view word, std::span<const std::string> known) {
  return suggestion(word, known);
}

std::string quoted_list(std::span<const std::string_view> words, std::string_view last) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? fmt::format(" {} ", last) : std::string{", "};
    out += fmt::format("\"{}\"", words[i]);
  }
  return out;
}

}  // namespace weir::text
