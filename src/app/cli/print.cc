#include "app/cli/print.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace weir::app {
namespace {

// Code points, leaving out escape sequences.
std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      while (i < text.size() && text[i] != 'm') ++i;
    } else if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
      ++width;
    }
  }
  return width;
}

// The lines of a cell that begins at `column`.
std::string below_each_other(std::string_view text, std::size_t column) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out.append(column, ' ');
  }
  return out;
}

}  // namespace

bool is_terminal(int fd) {
  return ::isatty(fd) == 1;
}

bool colours(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  return is_terminal(fd) && (no_color == nullptr || *no_color == '\0');
}

std::string styled(Style style, std::string_view text) {
  if (style == Style::kPlain || !colours(STDOUT_FILENO)) return std::string(text);
  static constexpr std::string_view kCodes[] = {"0", "1", "2", "32", "31", "33"};
  return fmt::format("\033[{}m{}\033[0m", kCodes[static_cast<int>(style)], text);
}

std::string state_mark(std::string_view state) {
  if (state == "success" || state == "granted" || state == "passed")
    return styled(Style::kGood, fmt::format("✓ {}", state));
  if (state == "failure" || state == "timed_out" || state == "rejected" || state == "refused") {
    return styled(Style::kBad, fmt::format("✗ {}", state));
  }
  if (state == "in_progress") return styled(Style::kWarn, "● in progress");
  if (state == "waiting" || state == "pending" || state == "queued")
    return styled(Style::kWarn, fmt::format("○ {}", state));
  if (state == "cancelled" || state == "skipped") return styled(Style::kDim, fmt::format("– {}", state));
  return std::string(state);
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  bool header = true;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool last = i + 1 == row.size();
      line += last ? below_each_other(row[i], width_of(line)) : row[i];
      if (!last) line.append(widths[i] - width_of(row[i]) + 2, ' ');
    }
    text += (header ? styled(Style::kDim, line) : line) + "\n";
    header = false;
  }
  return text;
}

std::string ago(std::string_view iso_time, TimePoint now) {
  const auto time = parse_iso8601(iso_time);
  if (!time) return std::string(iso_time);
  const auto passed = now - *time;
  if (passed < std::chrono::seconds{2}) return "just now";
  return format_duration(std::chrono::duration_cast<std::chrono::seconds>(passed)) + " ago";
}

std::string safe(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string safe_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (end != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
    out += safe(line);
    if (end != std::string_view::npos) out += '\n';
  }
  return out;
}

// A reader that went away, or a terminal, is no reason to end: fmt::print would throw.
void print_text(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_line(std::string_view text) {
  print_text(fmt::format("{}\n", text));
}

void print_note(std::string_view text) {
  const std::string line = fmt::format("{}\n", text);
  std::fflush(stdout);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void print_error(std::string_view text) {
  const bool colour = colours(STDERR_FILENO);
  std::string shown = safe_lines(text);
  while (shown.ends_with('\n')) shown.pop_back();
  print_note(fmt::format("{}error:{} {}", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "", shown));
}

void print_json(const json::value& value) {
  fmt::print(stdout, "{}\n", pretty_json(value));
}

}  // namespace weir::app
