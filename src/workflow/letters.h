#pragma once

#include <compare>
#include <string>
#include <string_view>

// Letters of every script, as GitHub compares them without regard to case: one to one, so that ß stays ß.
namespace weir::workflow {

// Upper case for comparison. Bytes that are no UTF-8 stay as they are.
std::string fold_case(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);

// The order of the UTF-16 forms, by which GitHub compares: characters above U+FFFF come before U+E000.
std::strong_ordering compare_utf16(std::string_view a, std::string_view b);

// Without the blanks at both ends that JavaScript's trim() takes away.
std::string_view trim_blanks(std::string_view text);

}  // namespace weir::workflow
