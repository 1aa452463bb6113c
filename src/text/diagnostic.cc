#include "text/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace weir::text {
namespace {

constexpr std::size_t kExcerptMax = 200;  // bytes of a source line that are shown

struct CodePoint {
  char32_t value = 0;
  std::size_t size = 1;
  bool valid = false;
};

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

CodePoint decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {};
  char32_t value = lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(text[i])) return {};
    value = (value << 6U) | (byte(i) & 0x3FU);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kSmallest[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, size, true};
}

// Columns of a terminal: East Asian wide characters and emoji take two, combining marks none.
int width_of(char32_t c) {
  if ((c >= 0x300 && c <= 0x36F) || c == 0x200B || c == 0x200D || (c >= 0xFE00 && c <= 0xFE0F)) return 0;
  const bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) ||
                    (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
                    (c >= 0xFFE0 && c <= 0xFFE6) || (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
  return wide ? 2 : 1;
}

std::string_view without_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string_view line_of(std::string_view source, int line) {
  std::size_t start = 0;
  for (; line > 0; --line) {
    const auto end = source.find('\n', start);
    if (end == std::string_view::npos) return {};
    start = end + 1;
  }
  return without_return(source.substr(start, source.find('\n', start) - start));
}

// A part of a line as a terminal may show it: what could move the cursor or is no UTF-8 becomes a dot.
struct Shown {
  std::string text;
  int width = 0;
};

Shown show(std::string_view part) {
  Shown shown;
  while (!part.empty()) {
    const CodePoint c = decode(part);
    if (c.valid && c.value == '\t') {
      shown.text += ' ';
      shown.width += 1;
    } else if (!c.valid || c.value < 0x20 || (c.value >= 0x7F && c.value < 0xA0) ||
               (c.value >= 0x202A && c.value <= 0x202E) || (c.value >= 0x2066 && c.value <= 0x2069)) {
      shown.text += '.';
      shown.width += 1;
    } else {
      shown.text.append(part.substr(0, c.size));
      shown.width += width_of(c.value);
    }
    part.remove_prefix(c.size);
  }
  return shown;
}

int characters(std::string_view part) {
  return static_cast<int>(std::ranges::count_if(part, [](char c) { return !is_continuation(c); }));
}

struct Colors {
  std::string_view bold, severity, caret, dim, reset;
};

Colors colors_of(Severity severity, bool color) {
  if (!color) return {};
  return {"\x1b[1m", severity == Severity::kError ? "\x1b[1;31m" : "\x1b[1;33m", "\x1b[1;32m", "\x1b[2m", "\x1b[0m"};
}

}  // namespace

bool is_utf8(std::string_view text, std::size_t* bad) {
  for (std::size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      ++i;
      continue;
    }
    const CodePoint c = decode(text.substr(i));
    if (!c.valid) {
      if (bad != nullptr) *bad = i;
      return false;
    }
    i += c.size;
  }
  return true;
}

namespace {

// `line` is the line's text; `excerpts` is false if there is no source to take it from.
std::string render_line(const Diagnostic& diagnostic, std::string_view line, bool excerpts, bool color) {
  const Colors paint = colors_of(diagnostic.severity, color);
  const std::size_t column = std::min(line.size(), static_cast<std::size_t>(std::max(0, diagnostic.column)));
  const int shown_column = !excerpts ? diagnostic.column + 1 : characters(line.substr(0, column)) + 1;
  const std::string_view severity = diagnostic.severity == Severity::kError ? "error" : "warning";

  std::string out =
      fmt::format("{}{}:{}:{}:{} {}{}:{} {}", paint.bold, diagnostic.file, diagnostic.line + 1, shown_column,
                  paint.reset, paint.severity, severity, paint.reset, show(diagnostic.message).text);
  if (!line.empty()) {
    // A long line is cut so that the place stays in view.
    std::size_t first = column > kExcerptMax / 2 && line.size() > kExcerptMax ? column - kExcerptMax / 2 : 0;
    while (first < column && is_continuation(line[first])) ++first;
    std::size_t last = std::min(line.size(), first + kExcerptMax);
    while (last < line.size() && is_continuation(line[last])) ++last;

    const std::size_t end = std::clamp(column + static_cast<std::size_t>(std::max(1, diagnostic.length)), column, last);
    const Shown before = show(line.substr(first, column - first));
    const Shown under = show(line.substr(column, end - column));
    const Shown after = show(line.substr(end, last - end));
    const std::string number = fmt::format("{:>5}", diagnostic.line + 1);
    out += fmt::format("\n{}{} |{} {}{}{}", paint.dim, number, paint.reset, before.text, under.text, after.text);
    out += fmt::format("\n{}      |{} {}{}{}{}", paint.dim, paint.reset,
                       std::string(static_cast<std::size_t>(before.width), ' '), paint.caret,
                       std::string(static_cast<std::size_t>(std::max(1, under.width)), '^'), paint.reset);
  }
  if (!diagnostic.hint.empty())
    out += fmt::format("\n{}      ={} {}", paint.dim, paint.reset, show(diagnostic.hint).text);
  return out;
}

}  // namespace

std::string render(const Diagnostic& diagnostic, std::string_view source, bool color) {
  return render_line(diagnostic, line_of(source, diagnostic.line), !source.empty(), color);
}

std::string render_all(std::span<const Diagnostic> diagnostics, std::string_view source, bool color) {
  std::string out;
  if (diagnostics.empty()) return out;
  std::vector<std::string_view> lines;
  for (auto rest = source;;) {
    const auto end = rest.find('\n');
    lines.push_back(without_return(rest.substr(0, end)));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  for (const auto& diagnostic : diagnostics) {
    const auto line = static_cast<std::size_t>(std::max(0, diagnostic.line));
    out += render_line(diagnostic, line < lines.size() ? lines[line] : std::string_view{}, !source.empty(), color);
    out += '\n';
  }
  return out;
}

json::object to_json(const Diagnostic& diagnostic) {
  json::object out{{"severity", diagnostic.severity == Severity::kError ? "error" : "warning"},
                   {"rule", diagnostic.rule.empty() ? "syntax" : diagnostic.rule},
                   {"file", diagnostic.file},
                   {"line", diagnostic.line + 1},
                   {"column", diagnostic.column + 1},
                   {"length", diagnostic.length},
                   {"message", diagnostic.message}};
  if (!diagnostic.hint.empty()) out["hint"] = diagnostic.hint;
  return out;
}

bool has_errors(std::span<const Diagnostic> diagnostics) {
  return std::ranges::any_of(diagnostics, [](const Diagnostic& d) { return d.severity == Severity::kError; });
}

void sort_and_deduplicate(std::vector<Diagnostic>& diagnostics) {
  const auto key = [](const Diagnostic& d) {
    return std::tie(d.file, d.line, d.column, d.severity, d.message, d.hint);
  };
  std::ranges::sort(diagnostics, [&](const Diagnostic& a, const Diagnostic& b) { return key(a) < key(b); });
  const auto rest =
      std::ranges::unique(diagnostics, [&](const Diagnostic& a, const Diagnostic& b) { return key(a) == key(b); });
  diagnostics.erase(rest.begin(), rest.end());
}

}  // namespace weir::text
