#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"

// What commands print. Colours only on a terminal, and not with NO_COLOR.
namespace weir::app {

bool is_terminal(int fd);
// Whether what is printed there is to be coloured: it is a terminal, and NO_COLOR is not set.
bool colours(int fd);

enum class Style { kPlain, kBold, kDim, kGood, kBad, kWarn };
std::string styled(Style style, std::string_view text);

// "✓ success", "✗ failure", "● in_progress", … coloured by meaning.
std::string state_mark(std::string_view state);

// Rows as aligned columns; the first row is the header. Widths count code points.
// The last cell of a row may have several lines.
std::string table(const std::vector<std::vector<std::string>>& rows);

// "3m ago", "2h ago", "just now".
std::string ago(std::string_view iso_time, TimePoint now);

// Control characters of outside text are made harmless: for what must stay in its line.
std::string safe(std::string_view text);
// The same for a text of its own, such as an error, whose lines stay lines: nothing in it can move the cursor or colour
// what follows.
std::string safe_lines(std::string_view text);

void print_text(std::string_view text);     // to standard output, as it is
void print_line(std::string_view text);     // to standard output
void print_note(std::string_view text);     // a line to standard error
void print_error(std::string_view text);    // "error: …" to standard error
void print_json(const json::value& value);  // pretty, to standard output

}  // namespace weir::app
