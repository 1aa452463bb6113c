#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "workflow/expression.h"
#include "workflow/expression_lexer.h"
#include "workflow/expression_tree.h"

namespace weir::workflow {
namespace {

constexpr std::size_t kLengthMax = 21'000;
constexpr int kDepthMax = 50;
constexpr std::size_t kArgumentsMax = 255;

using Kind = ExpressionNode::Kind;

constexpr std::array kFunctions{
    FunctionInfo{Function::kAlways, "always", 0, 0},
    FunctionInfo{Function::kCancelled, "cancelled", 0, 0},
    FunctionInfo{Function::kCase, "case", 3, kArgumentsMax},
    FunctionInfo{Function::kContains, "contains", 2, 2},
    FunctionInfo{Function::kEndsWith, "endsWith", 2, 2},
    FunctionInfo{Function::kFailure, "failure", 0, kArgumentsMax},
    FunctionInfo{Function::kFormat, "format", 1, kArgumentsMax},
    FunctionInfo{Function::kFromJson, "fromJSON", 1, 1},
    FunctionInfo{Function::kHashFiles, "hashFiles", 1, kArgumentsMax},
    FunctionInfo{Function::kJoin, "join", 1, 2},
    FunctionInfo{Function::kStartsWith, "startsWith", 2, 2},
    FunctionInfo{Function::kSuccess, "success", 0, kArgumentsMax},
    FunctionInfo{Function::kToJson, "toJSON", 1, 1},
};

constexpr std::array<std::string_view, 12> kContexts{"github", "env",     "vars",     "job",    "jobs",  "steps",
                                                     "runner", "secrets", "strategy", "matrix", "needs", "inputs"};

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

const FunctionInfo* find_function(std::string_view name) {
  const std::string wanted = lower_case(name);
  const auto found =
      std::ranges::find_if(kFunctions, [&](const FunctionInfo& f) { return lower_case(f.name) == wanted; });
  return found == kFunctions.end() ? nullptr : &*found;
}

const FunctionInfo& function_info(Function function) {
  return *std::ranges::find(kFunctions, function, &FunctionInfo::function);
}

std::vector<std::string_view> function_names() {
  std::vector<std::string_view> names;
  names.reserve(std::size(kFunctions));
  for (const auto& function : kFunctions) names.push_back(function.name);
  return names;
}

std::span<const std::string_view> context_names() {
  return kContexts;
}

// Recursive descent over the tokens:  or > and > equality > comparison > not > member access > primary.
class ExpressionParser {
 public:
  using Parsed = std::expected<ExpressionNode, ExpressionError>;

  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  static std::expected<Expression, ExpressionError> parse(std::string_view text) {
    if (text.size() > kLengthMax) {
      return std::unexpected(
          ExpressionError{.message = fmt::format("the expression is longer than {} bytes", kLengthMax)});
    }
    auto tokens = tokenize(text);
    if (!tokens) return std::unexpected(std::move(tokens).error());
    ExpressionParser parser(std::move(*tokens));
    auto root = parser.expression();
    if (!root) return std::unexpected(std::move(root).error());
    if (parser.peek().kind != Token::Kind::kEnd) return std::unexpected(parser.unexpected_token());
    auto tree = std::make_shared<Expression::Tree>();
    tree->text = text;
    tree->root = std::move(*root);
    tree->unknown = find_unknown(tree->root);
    return Expression(std::move(tree));
  }

 private:
  [[nodiscard]] const Token& peek() const { return tokens_[at_]; }
  const Token& next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool take(Token::Kind kind) {
    if (peek().kind != kind) return false;
    next();
    return true;
  }

  [[nodiscard]] ExpressionError unexpected_token() const {
    const Token& token = peek();
    if (token.kind == Token::Kind::kEnd) {
      return {.message = tokens_.size() == 1 ? "an expression is missing" : "the expression ends too early",
              .offset = token.offset > 0 ? token.offset - 1 : 0};
    }
    return {.message = "this cannot stand here", .offset = token.offset, .length = token.length};
  }

  [[nodiscard]] ExpressionError too_deep() const {
    return {.message = fmt::format("the expression is nested deeper than {} levels", kDepthMax),
            .offset = peek().offset,
            .length = std::max<std::size_t>(1, peek().length)};
  }

  // Counts levels of recursion while it lives.
  struct Level {
    explicit Level(int& levels) : depth(levels) { ++depth; }
    ~Level() { --depth; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    int& depth;
  };

  // A node over `children`, from the first one's start to the last token read.
  Parsed node(Kind kind, std::size_t offset, std::vector<ExpressionNode> children) {
    int depth = 0;
    for (const auto& child : children) {
      // A chain within a chain of the same operator is one level, as on GitHub.
      const bool flat = child.kind == kind && (kind == Kind::kAnd || kind == Kind::kOr);
      depth = std::max<int>(depth, child.depth - (flat ? 1 : 0));
    }
    if (depth >= kDepthMax) return std::unexpected(too_deep());
    const Token& last = tokens_[at_ > 0 ? at_ - 1 : 0];
    return ExpressionNode{.kind = kind,
                          .depth = static_cast<std::uint16_t>(depth + 1),
                          .offset = static_cast<std::uint32_t>(offset),
                          .length = static_cast<std::uint32_t>(last.offset + last.length - offset),
                          .children = std::move(children)};
  }

  Parsed expression() {
    const Level level(depth_);
    if (depth_ > kDepthMax) return std::unexpected(too_deep());
    return chain(Token::Kind::kOr, Kind::kOr,
                 [this] { return chain(Token::Kind::kAnd, Kind::kAnd, [this] { return equality(); }); });
  }

  template <class Operand>
  Parsed chain(Token::Kind token, Kind kind, const Operand& operand) {
    auto first = operand();
    if (!first || peek().kind != token) return first;
    const Level level(depth_);
    if (depth_ > kDepthMax) return std::unexpected(too_deep());
    const std::size_t offset = first->offset;
    std::vector<ExpressionNode> children;
    children.push_back(std::move(*first));
    while (take(token)) {
      auto more = operand();
      if (!more) return more;
      children.push_back(std::move(*more));
    }
    return node(kind, offset, std::move(children));
  }

  Parsed binary(Kind kind, ExpressionNode left, ExpressionNode right) {
    const std::size_t offset = left.offset;
    std::vector<ExpressionNode> children;
    children.push_back(std::move(left));
    children.push_back(std::move(right));
    return node(kind, offset, std::move(children));
  }

  Parsed equality() {
    auto left = comparison();
    while (left) {
      const Token::Kind token = peek().kind;
      if (token != Token::Kind::kEqual && token != Token::Kind::kNotEqual) break;
      next();
      auto right = comparison();
      if (!right) return right;
      left = binary(token == Token::Kind::kEqual ? Kind::kEqual : Kind::kNotEqual, std::move(*left), std::move(*right));
    }
    return left;
  }

  static std::optional<Kind> comparison_kind(Token::Kind token) {
    switch (token) {
      case Token::Kind::kLess: return Kind::kLess;
      case Token::Kind::kLessOrEqual: return Kind::kLessOrEqual;
      case Token::Kind::kGreater: return Kind::kGreater;
      case Token::Kind::kGreaterOrEqual: return Kind::kGreaterOrEqual;
      default: return std::nullopt;
    }
  }

  Parsed comparison() {
    auto left = unary();
    while (left) {
      const auto kind = comparison_kind(peek().kind);
      if (!kind) break;
      next();
      auto right = unary();
      if (!right) return right;
      left = binary(*kind, std::move(*left), std::move(*right));
    }
    return left;
  }

  Parsed unary() {
    if (peek().kind != Token::Kind::kNot) return access();
    const Level level(depth_);
    if (depth_ > kDepthMax) return std::unexpected(too_deep());
    const std::size_t offset = next().offset;
    auto operand = unary();
    if (!operand) return operand;
    std::vector<ExpressionNode> children;
    children.push_back(std::move(*operand));
    return node(Kind::kNot, offset, std::move(children));
  }

  Parsed access() {
    const bool grouped = peek().kind == Token::Kind::kLeftParen;
    auto value = primary();
    if (!value || !(grouped || value->kind == Kind::kContext || value->kind == Kind::kCall)) return value;
    const int outer = depth_;
    while (value) {
      if (take(Token::Kind::kDot)) {
        ++depth_;
        value = depth_ > kDepthMax ? Parsed(std::unexpected(too_deep())) : property(std::move(*value));
      } else if (take(Token::Kind::kLeftBracket)) {
        value = index(std::move(*value));
        if (++depth_ > kDepthMax && value) value = std::unexpected(too_deep());
      } else {
        break;
      }
    }
    depth_ = outer;
    return value;
  }

  Parsed property(ExpressionNode value) {
    const Token token = peek();
    ExpressionNode member{.offset = static_cast<std::uint32_t>(token.offset),
                          .length = static_cast<std::uint32_t>(token.length)};
    if (take(Token::Kind::kStar)) {
      member.kind = Kind::kWildcard;
    } else if (take(Token::Kind::kName)) {
      member.literal = json::string(token.text);
      member.property = true;
    } else {
      return std::unexpected(unexpected_token());
    }
    return binary(Kind::kIndex, std::move(value), std::move(member));
  }

  Parsed index(ExpressionNode value) {
    const Token token = peek();
    Parsed inner;
    if (take(Token::Kind::kStar)) {
      inner = ExpressionNode{.kind = Kind::kWildcard, .offset = static_cast<std::uint32_t>(token.offset)};
    } else {
      inner = expression();
      if (!inner) return inner;
    }
    if (!take(Token::Kind::kRightBracket)) return std::unexpected(unexpected_token());
    return binary(Kind::kIndex, std::move(value), std::move(*inner));
  }

  Parsed literal(json::value value) {
    const Token& token = tokens_[at_ - 1];
    return ExpressionNode{.offset = static_cast<std::uint32_t>(token.offset),
                          .length = static_cast<std::uint32_t>(token.length),
                          .literal = std::move(value)};
  }

  Parsed primary() {
    const Token token = peek();
    switch (token.kind) {
      case Token::Kind::kNumber: next(); return literal(token.number);
      case Token::Kind::kString: next(); return literal(json::string(token.text));
      case Token::Kind::kName: next(); return named(token);
      case Token::Kind::kLeftParen: {
        next();
        auto inner = expression();
        if (!inner) return inner;
        if (!take(Token::Kind::kRightParen)) return std::unexpected(unexpected_token());
        return inner;
      }
      default: return std::unexpected(unexpected_token());
    }
  }

  Parsed named(const Token& token) {
    if (token.text == "true") return literal(true);
    if (token.text == "false") return literal(false);
    if (token.text == "null") return literal(nullptr);
    if (token.text == "NaN") return literal(std::numeric_limits<double>::quiet_NaN());
    if (token.text == "Infinity") return literal(std::numeric_limits<double>::infinity());
    if (!take(Token::Kind::kLeftParen)) {
      return ExpressionNode{.kind = Kind::kContext,
                            .offset = static_cast<std::uint32_t>(token.offset),
                            .length = static_cast<std::uint32_t>(token.length),
                            .name = lower_case(token.text)};
    }
    std::vector<ExpressionNode> arguments;
    while (!take(Token::Kind::kRightParen)) {
      if (!arguments.empty() && !take(Token::Kind::kComma)) return std::unexpected(unexpected_token());
      auto argument = expression();
      if (!argument) return argument;
      arguments.push_back(std::move(*argument));
    }
    auto call = node(Kind::kCall, token.offset, std::move(arguments));
    if (!call) return call;
    call->name = token.text;
    call->length = static_cast<std::uint32_t>(token.length);
    if (const auto* info = find_function(token.text)) call->function = info->function;
    return call;
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

std::expected<Expression, ExpressionError> Expression::parse(std::string_view text) {
  return ExpressionParser::parse(text);
}

std::optional<std::string> Expression::literal_text() const {
  const ExpressionNode& root = tree_->root;
  const bool bare = root.kind == ExpressionNode::Kind::kLiteral && root.literal.is_string() &&
                    tree_->text.find_first_not_of(" \t\r\n") == root.offset;
  return bare ? std::optional(std::string(root.literal.get_string())) : std::nullopt;
}

const std::string& Expression::text() const {
  return tree_->text;
}

}  // namespace weir::workflow
