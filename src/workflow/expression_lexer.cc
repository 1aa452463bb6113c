#include "workflow/expression_lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "workflow/expression_value.h"

namespace weir::workflow {
namespace {

// Other blanks, \f and \v and those beyond ASCII, are no part of the language: they begin an unexpected symbol.
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool ends_token(char c) {
  return is_space(c) || std::string_view{"()[],.!><=&|"}.find(c) != std::string_view::npos;
}

constexpr const char* kNoSums = "expressions have no arithmetic: let a step compute it and give it as an output";

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::expected<std::vector<Token>, ExpressionError> run() {
    while (!failed_) {
      while (at_ < text_.size() && is_space(text_[at_])) ++at_;
      if (at_ >= text_.size()) break;
      next();
    }
    if (failed_) return std::unexpected(std::move(error_));
    add(Token::Kind::kEnd, 0);
    return std::move(tokens_);
  }

 private:
  void add(Token::Kind kind, std::size_t length) {
    tokens_.push_back({.kind = kind, .offset = at_, .length = length});
    at_ += length;
  }

  void fail_at(std::size_t offset, std::size_t length, std::string message, std::string hint = {}) {
    failed_ = true;
    error_ = {std::move(message), std::move(hint), offset, std::max<std::size_t>(1, length)};
  }

  [[nodiscard]] bool follows(char c) const { return at_ + 1 < text_.size() && text_[at_ + 1] == c; }

  // A dot belongs to a number unless it comes after something that has members.
  [[nodiscard]] bool dot_dereferences() const {
    if (tokens_.empty()) return false;
    switch (tokens_.back().kind) {
      case Token::Kind::kName:
      case Token::Kind::kRightBracket:
      case Token::Kind::kRightParen:
      case Token::Kind::kStar: return true;
      default: return false;
    }
  }

  void next() {
    const char c = text_[at_];
    switch (c) {
      case '(': return add(Token::Kind::kLeftParen, 1);
      case ')': return add(Token::Kind::kRightParen, 1);
      case '[': return add(Token::Kind::kLeftBracket, 1);
      case ']': return add(Token::Kind::kRightBracket, 1);
      case ',': return add(Token::Kind::kComma, 1);
      case '*': return add(Token::Kind::kStar, 1);
      case '!': return follows('=') ? add(Token::Kind::kNotEqual, 2) : add(Token::Kind::kNot, 1);
      case '<': return follows('=') ? add(Token::Kind::kLessOrEqual, 2) : add(Token::Kind::kLess, 1);
      case '>': return follows('=') ? add(Token::Kind::kGreaterOrEqual, 2) : add(Token::Kind::kGreater, 1);
      case '=': return pair('=', Token::Kind::kEqual);
      case '&': return pair('&', Token::Kind::kAnd);
      case '|': return pair('|', Token::Kind::kOr);
      case '\'': return string();
      case '.': return dot_dereferences() ? add(Token::Kind::kDot, 1) : number();
      default: break;
    }
    if (is_digit(c) || c == '-' || c == '+') return number();
    name();
  }

  void pair(char c, Token::Kind kind) {
    if (follows(c)) return add(kind, 2);
    fail_at(at_, 1, fmt::format("unexpected symbol \"{}\"", c), fmt::format("did you mean \"{}{}\"?", c, c));
  }

  void string() {
    std::string value;
    std::size_t at = at_ + 1;
    for (;; ++at) {
      if (at >= text_.size()) {
        fail_at(at_, text_.size() - at_, "this string has no closing quote", "a quote within a string is written ''");
        return;
      }
      if (text_[at] == '\'') {
        if (at + 1 >= text_.size() || text_[at + 1] != '\'') break;
        ++at;
      }
      value += text_[at];
    }
    const std::size_t length = at + 1 - at_;
    add(Token::Kind::kString, length);
    tokens_.back().text = std::move(value);
  }

  [[nodiscard]] std::size_t token_end(bool dots) const {
    std::size_t end = at_ + 1;
    while (end < text_.size() && (!ends_token(text_[end]) || (dots && text_[end] == '.'))) ++end;
    return end;
  }

  void number() {
    const std::size_t length = token_end(true) - at_;
    const std::string_view word = text_.substr(at_, length);
    const bool ascii = std::ranges::all_of(word, [](char c) { return c > ' ' && c < '\x7F'; });
    const double value = ascii ? parse_number(word) : std::numeric_limits<double>::quiet_NaN();
    if (std::isnan(value)) {
      if (word == "+" || word == "-") {
        return fail_at(at_, length, fmt::format("unexpected symbol \"{}\"", word), kNoSums);
      }
      return fail_at(at_, length, fmt::format("\"{}\" is not a number", word));
    }
    add(Token::Kind::kNumber, length);
    tokens_.back().number = value;
  }

  void name() {
    const std::size_t length = token_end(false) - at_;
    const std::string_view word = text_.substr(at_, length);
    bool legal = is_letter(word[0]);
    for (const char c : word) legal = legal && (is_letter(c) || is_digit(c) || c == '-');
    if (!legal) {
      if (word[0] == '"') return fail_at(at_, length, "strings stand in single quotes: 'text'");
      std::string hint;
      if (word[0] == '$') hint = "${{ }} cannot stand within an expression; leave it out";
      if (word == "/" || word == "%") hint = kNoSums;
      return fail_at(at_, length, fmt::format("unexpected symbol \"{}\"", word), std::move(hint));
    }
    add(Token::Kind::kName, length);
    tokens_.back().text = word;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Token> tokens_;
  bool failed_ = false;
  ExpressionError error_;
};

}  // namespace

std::expected<std::vector<Token>, ExpressionError> tokenize(std::string_view text) {
  return Lexer(text).run();
}

}  // namespace weir::workflow
