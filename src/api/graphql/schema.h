#pragma once

#include <any>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/graphql/document.h"
#include "base/error.h"
#include "base/json.h"

// What can be asked: types, their fields, and how each field's value is found.
namespace weir::api::graphql {

// Something with fields, which the resolvers of its type know.
struct Object {
  std::string_view type;  // of the schema, never an interface or a union
  std::any value;
};

// What a field's resolver gives: a leaf's value (null too), an object, or several.
struct Outcome {
  std::variant<json::value, Object, std::vector<Outcome>> value;

  Outcome() = default;
  template <class T>
    requires std::is_constructible_v<json::value, T>
  Outcome(T&& leaf) : value(json::value(std::forward<T>(leaf))) {}
  Outcome(Object object) : value(std::move(object)) {}
  Outcome(std::vector<Outcome> list) : value(std::move(list)) {}
};

// What a resolver is asked.
struct Asked {
  const std::any& self;           // what its object holds
  const json::object& arguments;  // as declared, defaults filled in; absent ones are not there
  void* context;                  // of the one who executes
};
using Resolver = std::function<Result<Outcome>(const Asked&)>;

struct Field {
  Signature signature;
  Resolver resolve;  // none of an interface's
};

struct Type {
  enum class Kind : std::uint8_t { kScalar, kEnum, kInput, kObject, kInterface, kUnion };
  Kind kind = Kind::kScalar;
  std::string name;
  std::map<std::string, Field, std::less<>> fields;  // of objects and interfaces
  std::vector<std::string> values;                   // of an enum
  std::vector<Variable> inputs;                      // members of an input
  std::vector<std::string> interfaces;               // of an object: interfaces and unions that it is one of

  [[nodiscard]] bool has_fields() const { return kind == Kind::kObject || kind == Kind::kInterface; }
  [[nodiscard]] bool is_input() const { return kind <= Kind::kInput; }
};

// Set up once, immutable afterwards; then any thread. A declaration that is broken ends the process.
class Schema {
 public:
  Schema();  // with Int, Float, String, Boolean and ID

  void scalar(std::string_view name);  // whatever JSON's strings can say
  void enumeration(std::string_view name, std::vector<std::string> values);
  // `members`: "body: String!".
  void input(std::string_view name, const std::vector<std::string_view>& members);
  void interface(std::string_view name, const std::vector<std::string_view>& fields);
  void union_of(std::string_view name);
  // `interfaces` and unions of which it is one.
  void object(std::string_view name, std::vector<std::string> interfaces = {});
  // `signature`: "comments(first: Int, after: String): IssueCommentConnection!".
  void field(std::string_view object, std::string_view signature, Resolver resolve);

  [[nodiscard]] const Type* find(std::string_view name) const;
  // Whether an object of `type` is what `condition` names: itself, an interface or a union of its.
  [[nodiscard]] bool fits(std::string_view type, std::string_view condition) const;
  // Whether some object is both.
  [[nodiscard]] bool overlap(std::string_view one, std::string_view other) const;
  // What is declared and cannot be: names of types that are none, fields of interfaces that their objects lack.
  [[nodiscard]] std::vector<std::string> flaws() const;

 private:
  Type& add(std::string_view name, Type::Kind kind);
  std::map<std::string, Type, std::less<>> types_;
};

}  // namespace weir::api::graphql
