#include "app/cli/secret_file.h"

#include <algorithm>
#include <string_view>

#include "io/file.h"

namespace weir::app {
namespace {

constexpr std::string_view kBlanks = " \t";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Where the quote that `text` begins with is closed: one with nothing but a comment after it on its line, since
// unquoted ones may stand within (JSON). npos: nowhere.
std::size_t closing_quote(std::string_view text) {
  const char quote = text.front();
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '\\' && quote == '"') {
      ++at;
    } else if (text[at] == quote) {
      const auto next = std::min(text.find_first_not_of(kBlanks, at + 1), text.size());
      if (next == text.size() || text[next] == '\n' || (text[next] == '#' && next > at + 1)) return at;
    }
  }
  return std::string_view::npos;
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char next = text[at] == '\\' && at + 1 < text.size() ? text[at + 1] : '\0';
    if (next == 'n' || next == 'r') {
      out += next == 'n' ? '\n' : '\r';
    } else if (next == '"' || next == '\\' || next == '$') {
      out += next;
    } else {
      out += text[at];
      continue;
    }
    ++at;
  }
  return out;
}

// Takes lines from a text, and knows their numbers.
struct Lines {
  std::string_view rest;
  int number = 1;  // of the line that `rest` begins with

  std::string_view take(std::size_t size) {
    const auto taken = rest.substr(0, size);
    rest.remove_prefix(taken.size());
    number += static_cast<int>(std::ranges::count(taken, '\n'));
    return taken;
  }
  std::string_view take_line() {
    const auto line = take(std::min(rest.find('\n'), rest.size()));
    take(1);
    return line;
  }
};

}  // namespace

Result<void> check_name(std::string_view option, std::string_view name) {
  const auto is_letter = [](char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!name.empty() && !is_digit(name.front()) &&
      std::ranges::all_of(name, [&](char c) { return is_letter(c) || is_digit(c); })) {
    return {};
  }
  return fail(Code::kInvalidArgument,
              "{}: \"{}\" cannot be a name; it takes letters, digits and \"_\", and no digit to begin with", option,
              name);
}

Result<std::map<std::string, std::string>> read_secret_file(const std::string& path) {
  std::string text = WEIR_TRY(io::read_file(path, 1 << 20));
  for (std::size_t at = 0; (at = text.find("\r\n", at)) != std::string::npos;) text.erase(at, 1);
  std::map<std::string, std::string> secrets;
  for (Lines lines{.rest = text}; !lines.rest.empty();) {
    const auto end = std::min(lines.rest.find('\n'), lines.rest.size());
    const auto line = trimmed(lines.rest.substr(0, end));
    if (line.empty() || line.starts_with('#')) {
      lines.take_line();
      continue;
    }
    const std::string place = fmt::format("{}:{}", path, lines.number);
    const auto at = lines.rest.find('=');
    if (at >= end) return fail(Code::kInvalidArgument, "{}: expected NAME=VALUE", place);
    auto name = trimmed(lines.take(at));
    if (name.starts_with("export ")) name = trimmed(name.substr(7));
    WEIR_TRY(check_name(place, name));
    lines.take(1);
    const auto value = trimmed(lines.rest.substr(0, end - at - 1));
    if (!value.starts_with('"') && !value.starts_with('\'')) {
      secrets[std::string(name)] = value;
      lines.take_line();
      continue;
    }
    lines.take(lines.rest.find(value.front()));
    const auto close = closing_quote(lines.rest);
    if (close == std::string_view::npos) {
      return fail(Code::kInvalidArgument, "{}: the value of {} begins with {} and has no such quote at its end", place,
                  name, value.front());
    }
    const auto inner = lines.take(close + 1).substr(1, close - 1);
    secrets[std::string(name)] = value.front() == '"' ? unescaped(inner) : std::string(inner);
    lines.take_line();
  }
  return secrets;
}

}  // namespace weir::app
