#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

// Documents of GraphQL, as far as they are asked of a server: operations and fragments, no type definitions.
// https://spec.graphql.org/October2021/
namespace weir::api::graphql {

struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
  bool operator==(const Position&) const = default;
};

// One element of "errors" in an answer.
struct Problem {
  std::string message;
  Position at;
  std::string type;         // "NOT_FOUND", "FORBIDDEN", …; "": none
  json::array path;         // of the answer's member that it made null
  json::object extensions;  // "code" and what goes with it, of documents that do not fit the schema
};
json::object to_json(const Problem& problem);

struct Member;

// A value as the document has it.
struct Value {
  enum class Kind : std::uint8_t { kNull, kInt, kFloat, kString, kBoolean, kEnum, kVariable, kList, kObject };
  Kind kind = Kind::kNull;
  std::string text;             // of a number as it is written, of a string what it says, of others the name
  std::vector<Value> items;     // of a list
  std::vector<Member> members;  // of an object
  Position at;
};

struct Member {
  std::string name;
  Value value;
};

// "[ID!]!": `of` has one element for a list.
struct TypeRef {
  std::string name;
  bool required = false;
  std::vector<TypeRef> of;

  [[nodiscard]] bool is_list() const { return !of.empty(); }
  // What it is about, without lists.
  [[nodiscard]] const std::string& leaf() const { return of.empty() ? name : of.front().leaf(); }
  [[nodiscard]] std::string text() const;
};

struct Argument {
  std::string name;
  Value value;
  Position at;
};

struct Directive {
  std::string name;
  std::vector<Argument> arguments;
  Position at;
};

struct Selection {
  enum class Kind : std::uint8_t { kField, kSpread, kInline };
  Kind kind = Kind::kField;
  std::string name;   // of the field, or of the fragment that is spread
  std::string alias;  // the answer's member; of a field without one its name
  std::string on;     // the type condition of an inline fragment; "": none
  std::vector<Argument> arguments;
  std::vector<Directive> directives;
  std::vector<Selection> selections;
  Position at;
};

struct Variable {
  std::string name;
  TypeRef type;
  std::optional<Value> fallback;
  Position at;
};

struct Operation {
  std::string kind = "query";  // or "mutation", "subscription"
  std::string name;
  std::vector<Variable> variables;
  std::vector<Directive> directives;
  std::vector<Selection> selections;
  Position at;
};

struct Fragment {
  std::string name;
  std::string on;
  std::vector<Directive> directives;
  std::vector<Selection> selections;
  Position at;
};

struct Document {
  std::vector<Operation> operations;
  std::vector<Fragment> fragments;

  [[nodiscard]] const Fragment* fragment(std::string_view name) const;
};

// Bounds of a document; beyond them it is refused.
inline constexpr std::size_t kDocumentBytesMax = 256U << 10;
inline constexpr std::size_t kTokensMax = 20'000;
inline constexpr std::size_t kNestingMax = 40;  // of selections and values

std::expected<Document, Problem> parse_document(std::string_view text);

// "comments(first: Int, after: String = null): IssueCommentConnection!" of a schema's field, and "id: ID!".
struct Signature {
  std::string name;
  std::vector<Variable> arguments;
  TypeRef type;
};
std::expected<Signature, Problem> parse_signature(std::string_view text);

}  // namespace weir::api::graphql
