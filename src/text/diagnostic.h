#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace weir::text {

enum class Severity : std::uint8_t { kError = 1, kWarning = 2 };

// A place in a text. `column` counts bytes of UTF-8 from the start of the line.
struct Position {
  int line = 0;    // from 0
  int column = 0;  // from 0

  friend bool operator==(const Position&, const Position&) = default;
};

// One problem in a user's file.
struct Diagnostic {
  Severity severity = Severity::kError;
  std::string file;     // as the user knows it: ".github/workflows/ml-pipeline.yml"
  int line = 0;         // from 0
  int column = 0;       // from 0, in bytes
  int length = 1;       // bytes to underline; cut at the end of the line
  std::string message;  // one line, without a full stop
  std::string hint;     // what to do: "did you mean \"needs\"?"; may be empty
  std::string rule;     // a stable name, "script-injection"; "" for what is simply wrong
};

// For terminals and logs, without a newline at the end:
//   ml.yml:7:5: error: unknown key "nedds" in job "train"
//     7 |     nedds: lint
//       |     ^^^^^
//       = did you mean "needs"?
// Lines and columns are shown from 1, columns in characters. `source` is the whole text of the file; with an empty one
// the excerpt is left out. `color` adds ANSI colours.
std::string render(const Diagnostic& diagnostic, std::string_view source, bool color = false);

// All of them, each followed by a newline. They all are of the file whose text is `source`.
std::string render_all(std::span<const Diagnostic> diagnostics, std::string_view source, bool color = false);

// {"severity":"error","rule":…,"file":…,"line":7,"column":5,"length":5,"message":…,"hint":…}: line from 1; column from
// 1, in bytes. The rule of what is simply wrong is "syntax".
json::object to_json(const Diagnostic& diagnostic);

[[nodiscard]] bool has_errors(std::span<const Diagnostic> diagnostics);

// In order of appearance: by file, line, column; equal ones once.
void sort_and_deduplicate(std::vector<Diagnostic>& diagnostics);

// Whether `text` is well-formed UTF-8 (RFC 3629); `bad` becomes the offset of the first byte that is not.
bool is_utf8(std::string_view text, std::size_t* bad = nullptr);

}  // namespace weir::text
