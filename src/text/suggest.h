#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::text {

// The word of `known` that `word` was most likely meant to be, by Damerau-Levenshtein distance without regard to case,
// '-' and '_'; empty if none is near enough. Of equally near ones the first.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);
std::string_view nearest(std::string_view word, std::span<const std::string> known);

// "did you mean \"needs\"?", or "" if none is near.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);
std::string did_you_mean(std::string_view word, std::span<const std::string> known);

// "a", "a and b", "a, b and c" with `last` between the last two; each word in quotes.
std::string quoted_list(std::span<const std::string_view> words, std::string_view last = "or");

}  // namespace weir::text
