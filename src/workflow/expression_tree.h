#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "workflow/expression.h"

// The parsed form of an expression, shared by parser, checker and evaluator.
namespace weir::workflow {

enum class Function : std::uint8_t {
  kUnknown,
  kAlways,
  kCancelled,
  kCase,
  kContains,
  kEndsWith,
  kFailure,
  kFormat,
  kFromJson,
  kHashFiles,
  kJoin,
  kStartsWith,
  kSuccess,
  kToJson,
};

struct FunctionInfo {
  Function function = Function::kUnknown;
  std::string_view name;  // as GitHub writes it
  std::size_t arguments_min = 0;
  std::size_t arguments_max = 0;
};

// By name, without regard to case; null if there is none.
const FunctionInfo* find_function(std::string_view name);
const FunctionInfo& function_info(Function function);
std::vector<std::string_view> function_names();
inline bool is_status(Function function) {
  return function == Function::kAlways || function == Function::kCancelled || function == Function::kFailure ||
         function == Function::kSuccess;
}

// Every context there is, lower case.
std::span<const std::string_view> context_names();

std::string lower_case(std::string_view text);  // ASCII letters

// split_text() that goes on after a mistake: the parts that could be read, and every error.
std::vector<TextPart> split_all(std::string_view text, std::vector<ExpressionError>& errors);

struct ExpressionNode {
  enum class Kind : std::uint8_t {
    kLiteral,   // `literal`
    kContext,   // `name`, lower case
    kIndex,     // children: what is indexed, index
    kWildcard,  // the index of `.*` and `[*]`
    kCall,      // `function` (or `name`, unknown) of children
    kNot,
    kAnd,  // two or more children
    kOr,
    kEqual,
    kNotEqual,
    kLess,
    kLessOrEqual,
    kGreater,
    kGreaterOrEqual,
  };
  Kind kind = Kind::kLiteral;
  Function function = Function::kUnknown;
  bool property = false;    // of a literal: it was written as ".name"
  std::uint16_t depth = 1;  // levels of this node and below
  std::uint32_t offset = 0;
  std::uint32_t length = 1;
  json::value literal;
  std::string name;
  std::vector<ExpressionNode> children;
};

struct Expression::Tree {
  std::string text;
  ExpressionNode root;
  std::optional<ExpressionError> unknown;
};

// The first name or function that is known nowhere, or call with a wrong number of arguments: such an expression gives
// no value, even where it would not get as far. The members of `given` are contexts too.
std::optional<ExpressionError> find_unknown(const ExpressionNode& node, const json::object* given = nullptr);

}  // namespace weir::workflow
