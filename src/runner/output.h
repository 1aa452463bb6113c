#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace weir::runner {

// Cuts a stream of bytes into lines as a terminal would show them: "\r\n" ends a line, and a carriage return inside one
// starts it over, so that a progress bar leaves only its last state. Lines longer than `line_bytes_max` are cut; the
// number of bytes lost is handed over with them. One thread at a time.
class LineSplitter {
 public:
  static constexpr std::size_t kLineBytesMax = 4U << 20;

  struct Line {
    std::string_view text;
    std::size_t bytes_cut = 0;
  };
  using Use = std::function<void(const Line&)>;

  explicit LineSplitter(Use use) : use_(std::move(use)) {}

  void push(std::string_view bytes);
  // Hands over what came after the last newline.
  void finish();

 private:
  void append(std::string_view bytes);
  void emit(std::string_view text);

  Use use_;
  std::string pending_;
  std::size_t bytes_cut_ = 0;
};

// `text` with every byte that is no valid UTF-8, and every control character but tab and escape, replaced by U+FFFD.
// True if `out` was filled; false if the text is fine as it is.
bool sanitize_into(std::string_view text, std::string& out);

// The same for a text of several lines, whose ends stay ("\r\n" becomes "\n").
std::string readable_lines(std::string_view text);

// At most `bytes_max` of `text`, without breaking a character.
std::string_view cut_text(std::string_view text, std::size_t bytes_max);

}  // namespace weir::runner
