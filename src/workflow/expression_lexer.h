#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "workflow/expression.h"

namespace weir::workflow {

struct Token {
  enum class Kind : std::uint8_t {
    kEnd,
    kName,    // `text`
    kNumber,  // `number`
    kString,  // `text`, without quotes
    kLeftParen,
    kRightParen,
    kLeftBracket,
    kRightBracket,
    kComma,
    kDot,
    kStar,
    kNot,
    kEqual,
    kNotEqual,
    kLess,
    kLessOrEqual,
    kGreater,
    kGreaterOrEqual,
    kAnd,
    kOr,
  };
  Kind kind = Kind::kEnd;
  std::size_t offset = 0;
  std::size_t length = 1;
  double number = 0;
  std::string text;
};

// The tokens of an expression, with kEnd at the end.
std::expected<std::vector<Token>, ExpressionError> tokenize(std::string_view text);

}  // namespace weir::workflow
