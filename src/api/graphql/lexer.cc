#include "api/graphql/lexer.h"

#include <algorithm>
#include <vector>

namespace weir::api::graphql {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

void append_utf8(std::string& text, std::uint32_t point) {
  const auto add = [&](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    add(point);
  } else if (point < 0x800) {
    add(0xC0U | (point >> 6U));
    add(0x80U | (point & 0x3FU));
  } else if (point < 0x10000) {
    add(0xE0U | (point >> 12U));
    add(0x80U | ((point >> 6U) & 0x3FU));
    add(0x80U | (point & 0x3FU));
  } else {
    add(0xF0U | (point >> 18U));
    add(0x80U | ((point >> 12U) & 0x3FU));
    add(0x80U | ((point >> 6U) & 0x3FU));
    add(0x80U | (point & 0x3FU));
  }
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const auto end = text.find_first_of("\r\n");
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return lines;
    text.remove_prefix(end + (text.substr(end).starts_with("\r\n") ? 2 : 1));
  }
}

// A block string's lines without the indentation that all but the first share, and without blank ones around them.
std::string without_indentation(std::string_view raw) {
  auto lines = lines_of(raw);
  const auto indentation = [](std::string_view line) { return line.find_first_not_of(" \t"); };
  std::size_t shared = std::string_view::npos;
  for (std::size_t i = 1; i < lines.size(); ++i) shared = std::min(shared, indentation(lines[i]));
  for (std::size_t i = 1; i < lines.size() && shared != std::string_view::npos; ++i) {
    lines[i].remove_prefix(std::min(shared, lines[i].size()));
  }
  const auto blank = [&](std::string_view line) { return indentation(line) == std::string_view::npos; };
  const auto first = std::ranges::find_if_not(lines, blank);
  std::string text;
  if (first == lines.end()) return text;
  auto last = lines.end();
  while (blank(*(last - 1))) --last;
  for (auto line = first; line != last; ++line) {
    if (line != first) text += '\n';
    text += *line;
  }
  return text;
}

}  // namespace

Lexer::Lexer(std::string_view text) : text_(text) {
  if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
}

// Columns count characters, not the bytes that they take.
void Lexer::step(std::size_t count) {
  for (; count > 0 && !ended(); --count) {
    const char c = text_[at_++];
    if (c == '\n' || (c == '\r' && peek() != '\n')) {
      ++position_.line;
      position_.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
      ++position_.column;
    }
  }
}

void Lexer::skip() {
  while (!ended()) {
    const char c = peek();
    if (c == '#') {
      while (!ended() && peek() != '\n' && peek() != '\r') step();
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',') {
      step();
    } else {
      return;
    }
  }
}

std::unexpected<Problem> Lexer::problem(std::string message) const {
  return std::unexpected(
      Problem{.message = fmt::format("{} at [{}, {}]", message, position_.line, position_.column), .at = position_});
}

std::expected<Token, Problem> Lexer::next() {
  skip();
  Token token{.at = position_};
  if (ended()) return token;
  const char c = peek();
  if (is_letter(c)) return name(std::move(token));
  if (is_digit(c) || c == '-') return number(std::move(token));
  if (c == '"')
    return text_.substr(at_).starts_with("\"\"\"") ? block_string(std::move(token)) : string(std::move(token));
  token.kind = Token::Kind::kPunctuator;
  if (text_.substr(at_).starts_with("...")) {
    token.text = "...";
  } else if (std::string_view("!$&():=@[]{|}").contains(c)) {
    token.text = c;
  } else {
    return problem("Parse error: a character that GraphQL does not know");
  }
  step(token.text.size());
  return token;
}

Lexer::Taken Lexer::name(Token token) {
  token.kind = Token::Kind::kName;
  while (is_letter(peek()) || is_digit(peek())) {
    token.text += peek();
    step();
  }
  return token;
}

Lexer::Taken Lexer::number(Token token) {
  token.kind = Token::Kind::kInt;
  const auto start = at_;
  const auto digits = [&] {
    const auto before = at_;
    while (is_digit(peek())) step();
    return at_ - before;
  };
  if (peek() == '-') step();
  const bool zero = peek() == '0';
  const auto whole = digits();
  if (whole == 0 || (zero && whole > 1)) return problem("Parse error: not a number");
  if (peek() == '.') {
    token.kind = Token::Kind::kFloat;
    step();
    if (digits() == 0) return problem("Parse error: a number ends with its point");
  }
  if (peek() == 'e' || peek() == 'E') {
    token.kind = Token::Kind::kFloat;
    step();
    if (peek() == '+' || peek() == '-') step();
    if (digits() == 0) return problem("Parse error: a number without its exponent");
  }
  if (is_letter(peek()) || peek() == '.') return problem("Parse error: a number goes on as a name");
  token.text = text_.substr(start, at_ - start);
  return token;
}

Lexer::Taken Lexer::string(Token token) {
  token.kind = Token::Kind::kString;
  step();
  while (peek() != '"') {
    const char c = peek();
    if (ended() || c == '\n' || c == '\r') return problem("Parse error: a string does not end");
    if (c == '\\') {
      if (auto done = escape(token.text); !done) return std::unexpected(std::move(done).error());
      continue;
    }
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t')
      return problem("Parse error: a control character in a string");
    token.text += c;
    step();
  }
  step();
  return token;
}

std::expected<std::uint32_t, Problem> Lexer::hexadecimal(std::size_t digits) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const char c = peek();
    const auto at = std::string_view("0123456789abcdef").find(is_letter(c) ? static_cast<char>(c | 0x20) : c);
    if (at == std::string_view::npos) return problem("Parse error: an escape that is none");
    number = number * 16 + static_cast<std::uint32_t>(at);
    step();
  }
  return number;
}

// A letter for one, four hexadecimal digits, up to six in braces, or the two halves of a character.
std::expected<void, Problem> Lexer::escape(std::string& text) {
  step();
  static constexpr std::string_view kLetters = "\"\\/bfnrt";
  static constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
  const char c = peek();
  if (const auto at = kLetters.find(c); at != std::string_view::npos && !ended()) {
    text += kMeant[at];
    step();
    return {};
  }
  if (c != 'u') return problem("Parse error: an escape that is none");
  step();
  std::uint32_t point = 0;
  if (peek() == '{') {
    step();
    std::size_t digits = 0;
    while (digits < 8 && peek(digits) != '}') ++digits;
    if (digits == 0 || digits > 6) return problem("Parse error: an escape that is none");
    const auto number = hexadecimal(digits);
    if (!number) return std::unexpected(number.error());
    point = *number;
    step();
  } else {
    const auto number = hexadecimal(4);
    if (!number) return std::unexpected(number.error());
    point = *number;
    if (point >= 0xD800 && point < 0xDC00 && peek() == '\\' && peek(1) == 'u') {
      step(2);
      const auto low = hexadecimal(4);
      if (!low) return std::unexpected(low.error());
      if (*low < 0xDC00 || *low > 0xDFFF) return problem("Parse error: half of a character");
      point = 0x10000 + ((point - 0xD800) << 10U) + (*low - 0xDC00);
    }
  }
  if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) return problem("Parse error: half of a character");
  append_utf8(text, point);
  return {};
}

Lexer::Taken Lexer::block_string(Token token) {
  token.kind = Token::Kind::kString;
  step(3);
  std::string raw;
  while (!text_.substr(at_).starts_with("\"\"\"")) {
    if (ended()) return problem("Parse error: a string does not end");
    if (text_.substr(at_).starts_with("\\\"\"\"")) {
      raw += "\"\"\"";
      step(4);
      continue;
    }
    const char c = peek();
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') {
      return problem("Parse error: a control character in a string");
    }
    raw += c;
    step();
  }
  step(3);
  token.text = without_indentation(raw);
  return token;
}

}  // namespace weir::api::graphql
