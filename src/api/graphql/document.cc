#include "api/graphql/document.h"

#include <algorithm>

#include "api/graphql/lexer.h"

namespace weir::api::graphql {
namespace {

template <class T>
using Parsed = std::expected<T, Problem>;

// Counts what it is inside of.
class Level {
 public:
  explicit Level(std::size_t& depth) : depth_(depth) { ++depth_; }
  ~Level() { --depth_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

 private:
  std::size_t& depth_;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}

  Parsed<Document> document() {
    WEIR_TRY(advance());
    Document document;
    do {
      if (token_.kind == Token::Kind::kName && token_.text == "fragment") {
        document.fragments.push_back(WEIR_TRY(fragment()));
      } else {
        document.operations.push_back(WEIR_TRY(operation()));
      }
    } while (token_.kind != Token::Kind::kEnd);
    return document;
  }

  Parsed<Signature> signature() {
    WEIR_TRY(advance());
    Signature signature{.name = WEIR_TRY(name()), .arguments = {}, .type = {}};
    if (token_.is("(")) {
      WEIR_TRY(advance());
      do {
        Variable argument{.name = {}, .type = {}, .fallback = {}, .at = token_.at};
        argument.name = WEIR_TRY(name());
        WEIR_TRY(typed(argument));
        signature.arguments.push_back(std::move(argument));
      } while (!token_.is(")"));
      WEIR_TRY(advance());
    }
    WEIR_TRY(expect(":"));
    signature.type = WEIR_TRY(type());
    if (token_.kind != Token::Kind::kEnd) return unexpected("the end");
    return signature;
  }

 private:
  Parsed<void> advance() {
    if (++tokens_ > kTokensMax) {
      return std::unexpected(
          Problem{.message = fmt::format("The document has more than {} tokens", kTokensMax), .at = token_.at});
    }
    token_ = WEIR_TRY(lexer_.next());
    return {};
  }

  [[nodiscard]] std::unexpected<Problem> unexpected(std::string_view wanted) const {
    const auto there = token_.kind == Token::Kind::kEnd      ? std::string("the end of the document")
                       : token_.kind == Token::Kind::kString ? std::string("a string")
                                                             : fmt::format("\"{}\"", token_.text.substr(0, 80));
    return std::unexpected(Problem{.message = fmt::format("Parse error: expected {}, actual: {} at [{}, {}]", wanted,
                                                          there, token_.at.line, token_.at.column),
                                   .at = token_.at});
  }

  Parsed<void> too_deep() const {
    if (depth_ <= kNestingMax) return {};
    return std::unexpected(Problem{
        .message = fmt::format("The document is nested more than {} levels deep", kNestingMax), .at = token_.at});
  }

  Parsed<void> expect(std::string_view punctuator) {
    if (!token_.is(punctuator)) return unexpected(fmt::format("\"{}\"", punctuator));
    return advance();
  }

  Parsed<std::string> name() {
    if (token_.kind != Token::Kind::kName) return unexpected("a name");
    auto text = std::move(token_.text);
    WEIR_TRY(advance());
    return text;
  }

  Parsed<Operation> operation() {
    Operation operation{.at = token_.at};
    if (!token_.is("{")) {
      if (token_.kind != Token::Kind::kName ||
          (token_.text != "query" && token_.text != "mutation" && token_.text != "subscription")) {
        return unexpected("query, mutation or fragment");
      }
      operation.kind = WEIR_TRY(name());
      if (token_.kind == Token::Kind::kName) operation.name = WEIR_TRY(name());
      if (token_.is("(")) operation.variables = WEIR_TRY(variables());
      operation.directives = WEIR_TRY(directives());
    }
    operation.selections = WEIR_TRY(selections());
    return operation;
  }

  Parsed<Fragment> fragment() {
    Fragment fragment{.name = {}, .on = {}, .directives = {}, .selections = {}, .at = token_.at};
    WEIR_TRY(advance());
    if (token_.kind == Token::Kind::kName && token_.text == "on") return unexpected("the fragment's name");
    fragment.name = WEIR_TRY(name());
    fragment.on = WEIR_TRY(condition());
    fragment.directives = WEIR_TRY(directives());
    fragment.selections = WEIR_TRY(selections());
    return fragment;
  }

  Parsed<std::string> condition() {
    if (token_.kind != Token::Kind::kName || token_.text != "on") return unexpected("\"on\"");
    WEIR_TRY(advance());
    return name();
  }

  Parsed<std::vector<Variable>> variables() {
    std::vector<Variable> all;
    WEIR_TRY(advance());
    do {
      Variable variable{.name = {}, .type = {}, .fallback = {}, .at = token_.at};
      WEIR_TRY(expect("$"));
      variable.name = WEIR_TRY(name());
      WEIR_TRY(typed(variable));
      WEIR_TRY(directives());
      all.push_back(std::move(variable));
    } while (!token_.is(")"));
    WEIR_TRY(advance());
    return all;
  }

  // ": Int! = 5"
  Parsed<void> typed(Variable& variable) {
    WEIR_TRY(expect(":"));
    variable.type = WEIR_TRY(type());
    if (!token_.is("=")) return {};
    WEIR_TRY(advance());
    variable.fallback = WEIR_TRY(value(true));
    return {};
  }

  Parsed<TypeRef> type() {
    const Level level(depth_);
    WEIR_TRY(too_deep());
    TypeRef type;
    if (token_.is("[")) {
      WEIR_TRY(advance());
      type.of.push_back(WEIR_TRY(this->type()));
      WEIR_TRY(expect("]"));
    } else {
      type.name = WEIR_TRY(name());
    }
    if (token_.is("!")) {
      type.required = true;
      WEIR_TRY(advance());
    }
    return type;
  }

  Parsed<std::vector<Directive>> directives() {
    std::vector<Directive> all;
    while (token_.is("@")) {
      Directive directive{.name = {}, .arguments = {}, .at = token_.at};
      WEIR_TRY(advance());
      directive.name = WEIR_TRY(name());
      if (token_.is("(")) directive.arguments = WEIR_TRY(arguments());
      all.push_back(std::move(directive));
    }
    return all;
  }

  Parsed<std::vector<Argument>> arguments() {
    std::vector<Argument> all;
    WEIR_TRY(advance());
    do {
      Argument argument{.name = {}, .value = {}, .at = token_.at};
      argument.name = WEIR_TRY(name());
      WEIR_TRY(expect(":"));
      argument.value = WEIR_TRY(value(false));
      all.push_back(std::move(argument));
    } while (!token_.is(")"));
    WEIR_TRY(advance());
    return all;
  }

  Parsed<std::vector<Selection>> selections() {
    const Level level(depth_);
    WEIR_TRY(too_deep());
    std::vector<Selection> all;
    WEIR_TRY(expect("{"));
    do {
      all.push_back(WEIR_TRY(selection()));
    } while (!token_.is("}"));
    WEIR_TRY(advance());
    return all;
  }

  Parsed<Selection> selection() {
    Selection selection{.at = token_.at};
    if (token_.is("...")) {
      WEIR_TRY(advance());
      const bool is_name = token_.kind == Token::Kind::kName;
      if (is_name && token_.text != "on") {
        selection.kind = Selection::Kind::kSpread;
        selection.name = WEIR_TRY(name());
        selection.directives = WEIR_TRY(directives());
        return selection;
      }
      selection.kind = Selection::Kind::kInline;
      if (is_name) selection.on = WEIR_TRY(condition());
      selection.directives = WEIR_TRY(directives());
      selection.selections = WEIR_TRY(selections());
      return selection;
    }
    selection.name = WEIR_TRY(name());
    selection.alias = selection.name;
    if (token_.is(":")) {
      WEIR_TRY(advance());
      selection.name = WEIR_TRY(name());
    }
    if (token_.is("(")) selection.arguments = WEIR_TRY(arguments());
    selection.directives = WEIR_TRY(directives());
    if (token_.is("{")) selection.selections = WEIR_TRY(selections());
    return selection;
  }

  Parsed<Value> value(bool is_constant) {
    const Level level(depth_);
    WEIR_TRY(too_deep());
    if (token_.is("[")) return list(is_constant);
    if (token_.is("{")) return object(is_constant);
    Value value{.at = token_.at};
    if (token_.is("$")) {
      if (is_constant) return unexpected("a value without variables");
      WEIR_TRY(advance());
      value.kind = Value::Kind::kVariable;
      value.text = WEIR_TRY(name());
      return value;
    }
    switch (token_.kind) {
      case Token::Kind::kInt: value.kind = Value::Kind::kInt; break;
      case Token::Kind::kFloat: value.kind = Value::Kind::kFloat; break;
      case Token::Kind::kString: value.kind = Value::Kind::kString; break;
      case Token::Kind::kName:
        value.kind = token_.text == "null"                             ? Value::Kind::kNull
                     : token_.text == "true" || token_.text == "false" ? Value::Kind::kBoolean
                                                                       : Value::Kind::kEnum;
        break;
      default: return unexpected("a value");
    }
    value.text = std::move(token_.text);
    WEIR_TRY(advance());
    return value;
  }

  Parsed<Value> list(bool is_constant) {
    Value value{.kind = Value::Kind::kList, .text = {}, .items = {}, .members = {}, .at = token_.at};
    WEIR_TRY(advance());
    while (!token_.is("]")) value.items.push_back(WEIR_TRY(this->value(is_constant)));
    WEIR_TRY(advance());
    return value;
  }

  Parsed<Value> object(bool is_constant) {
    Value value{.kind = Value::Kind::kObject, .text = {}, .items = {}, .members = {}, .at = token_.at};
    WEIR_TRY(advance());
    while (!token_.is("}")) {
      auto member = WEIR_TRY(name());
      WEIR_TRY(expect(":"));
      value.members.push_back({std::move(member), WEIR_TRY(this->value(is_constant))});
    }
    WEIR_TRY(advance());
    return value;
  }

  Lexer lexer_;
  Token token_;
  std::size_t tokens_ = 0;
  std::size_t depth_ = 0;
};

}  // namespace

json::object to_json(const Problem& problem) {
  json::object object{{"message", problem.message}};
  if (!problem.type.empty()) object["type"] = problem.type;
  if (!problem.path.empty()) object["path"] = problem.path;
  if (!problem.extensions.empty()) object["extensions"] = problem.extensions;
  object["locations"] = json::array{json::object{{"line", problem.at.line}, {"column", problem.at.column}}};
  return object;
}

std::string TypeRef::text() const {
  return fmt::format("{}{}", of.empty() ? name : "[" + of.front().text() + "]", required ? "!" : "");
}

const Fragment* Document::fragment(std::string_view name) const {
  const auto found = std::ranges::find(fragments, name, &Fragment::name);
  return found == fragments.end() ? nullptr : &*found;
}

std::expected<Document, Problem> parse_document(std::string_view text) {
  if (text.size() > kDocumentBytesMax) {
    return std::unexpected(Problem{.message = fmt::format("The document has more than {} bytes", kDocumentBytesMax)});
  }
  return Parser(text).document();
}

std::expected<Signature, Problem> parse_signature(std::string_view text) {
  return Parser(text).signature();
}

}  // namespace weir::api::graphql
