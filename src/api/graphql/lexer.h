#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "api/graphql/document.h"

namespace weir::api::graphql {

struct Token {
  enum class Kind : std::uint8_t { kEnd, kPunctuator, kName, kInt, kFloat, kString };
  Kind kind = Kind::kEnd;
  std::string text;  // of a string what it says, of others as written
  Position at;

  [[nodiscard]] bool is(std::string_view punctuator) const { return kind == Kind::kPunctuator && text == punctuator; }
};

// The tokens of a text, one after the other; what is skipped is skipped.
class Lexer {
 public:
  explicit Lexer(std::string_view text);
  std::expected<Token, Problem> next();

 private:
  using Taken = std::expected<Token, Problem>;
  [[nodiscard]] bool ended() const { return at_ == text_.size(); }
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  void step(std::size_t count = 1);
  void skip();
  [[nodiscard]] std::unexpected<Problem> problem(std::string message) const;
  Taken name(Token token);
  Taken number(Token token);
  Taken string(Token token);
  Taken block_string(Token token);
  std::expected<void, Problem> escape(std::string& text);
  std::expected<std::uint32_t, Problem> hexadecimal(std::size_t digits);

  std::string_view text_;
  std::size_t at_ = 0;
  Position position_;
};

}  // namespace weir::api::graphql
