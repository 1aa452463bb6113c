#include "runner/command.h"

#include <algorithm>
#include <span>

namespace weir::runner {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

struct Escape {
  std::string_view code;  // two hex digits as GitHub writes them
  char character;
};
constexpr Escape kDataEscapes[] = {{"0D", '\r'}, {"0A", '\n'}, {"25", '%'}};
constexpr Escape kPropertyEscapes[] = {{"0D", '\r'}, {"0A", '\n'}, {"3A", ':'}, {"2C", ','}, {"25", '%'}};
constexpr Escape kBracketEscapes[] = {{"3B", ';'}, {"0D", '\r'}, {"0A", '\n'}, {"5D", ']'}, {"25", '%'}};

// One pass: what an escape yields is not looked at again. GitHub replaces "%25" last, which comes to the same.
std::string unescape(std::string_view text, std::span<const Escape> escapes) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const auto code = text.substr(i + 1, 2);
      const auto escape = std::ranges::find(escapes, code, &Escape::code);
      if (escape != escapes.end()) {
        out += escape->character;
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

void read_properties(std::string_view text, char separator, std::span<const Escape> escapes, Command& command) {
  while (!text.empty()) {
    const auto end = text.find(separator);
    std::string_view pair = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    // Leading '=' are dropped, as splitting without empty parts does.
    while (!pair.empty() && pair.front() == '=') pair.remove_prefix(1);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    std::string_view value = pair.substr(equals + 1);
    if (value.empty()) continue;
    command.properties[std::string(pair.substr(0, equals))] = unescape(value, escapes);
  }
}

std::optional<Command> parse_colons(std::string_view line, const std::function<bool(std::string_view)>& known) {
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  if (!line.starts_with("::")) return std::nullopt;
  const auto end = line.find("::", 2);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view head = line.substr(2, end - 2);
  const auto space = head.find(' ');
  Command command;
  command.name = head.substr(0, space);
  if (!known(command.name)) return std::nullopt;
  if (space != std::string_view::npos && space > 0) {
    read_properties(trim(head.substr(space + 1)), ',', kPropertyEscapes, command);
  }
  command.data = unescape(line.substr(end + 2), kDataEscapes);
  return command;
}

std::optional<Command> parse_brackets(std::string_view line, const std::function<bool(std::string_view)>& known) {
  const auto begin = line.find("##[");
  if (begin == std::string_view::npos) return std::nullopt;
  const auto end = line.find(']', begin);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view head = line.substr(begin + 3, end - begin - 3);
  const auto space = head.find(' ');
  Command command;
  command.name = head.substr(0, space);
  if (!known(command.name)) return std::nullopt;
  if (space != std::string_view::npos && space > 0) {
    read_properties(head.substr(space + 1), ';', kBracketEscapes, command);
  }
  command.data = unescape(line.substr(end + 1), kBracketEscapes);
  return command;
}

// Takes one line, without its newline, off the front of `rest`; nothing at the end.
struct Line {
  std::string_view text;
  bool ended = false;  // by a newline
};
std::optional<Line> take_line(std::string_view& rest) {
  if (rest.empty()) return std::nullopt;
  const auto end = rest.find('\n');
  Line line{rest.substr(0, end), end != std::string_view::npos};
  rest.remove_prefix(line.ended ? end + 1 : rest.size());
  return line;
}

}  // namespace

bool CaseLess::operator()(std::string_view a, std::string_view b) const {
  return std::ranges::lexicographical_compare(a, b, {}, lower, lower);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view Command::property(std::string_view key) const {
  const auto found = properties.find(key);
  return found == properties.end() ? std::string_view{} : std::string_view(found->second);
}

std::optional<Command> parse_command(std::string_view line, const std::function<bool(std::string_view)>& known) {
  if (auto command = parse_colons(line, known)) return command;
  return parse_brackets(line, known);
}

Result<void> parse_key_values(std::string_view text, std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string_view rest = text;
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  while (const auto line = take_line(rest)) {
    if (line->text.empty()) continue;
    const auto equals = line->text.find('=');
    const auto heredoc = line->text.find("<<");
    if (equals != std::string_view::npos && (heredoc == std::string_view::npos || equals < heredoc)) {
      if (equals == 0) return fail(Code::kInvalidArgument, "Invalid format '{}'. Name must not be empty", line->text);
      pairs.emplace_back(line->text.substr(0, equals), line->text.substr(equals + 1));
      continue;
    }
    if (heredoc == std::string_view::npos) return fail(Code::kInvalidArgument, "Invalid format '{}'", line->text);
    const std::string_view delimiter = line->text.substr(heredoc + 2);
    if (heredoc == 0 || delimiter.empty()) {
      return fail(Code::kInvalidArgument, "Invalid format '{}'. Name must not be empty and delimiter must not be empty",
                  line->text);
    }
    const std::string_view value_begin = rest;
    std::size_t value_size = 0;
    for (;;) {
      const std::size_t position = value_begin.size() - rest.size();
      const auto value_line = take_line(rest);
      if (!value_line) {
        return fail(Code::kInvalidArgument, "Invalid value. Matching delimiter not found '{}'", delimiter);
      }
      if (value_line->text == delimiter) break;
      if (!value_line->ended) return fail(Code::kInvalidArgument, "Invalid value. EOF marker missing new line.");
      value_size = position + value_line->text.size();
    }
    pairs.emplace_back(line->text.substr(0, heredoc), value_begin.substr(0, value_size));
  }
  return {};
}

std::vector<std::string> parse_path_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (const auto line = take_line(text)) {
    std::string_view path = line->text;
    if (path.ends_with('\r')) path.remove_suffix(1);
    if (!path.empty()) lines.emplace_back(path);
  }
  return lines;
}

}  // namespace weir::runner
