#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "workflow/letters.h"

namespace weir::workflow {

// A value while an expression is evaluated. Arrays, objects and strings of contexts are borrowed; what an expression
// makes is owned. Equality of arrays and objects is identity, as on GitHub.
class Value {
 public:
  enum class Kind : std::uint8_t { kNull, kBool, kNumber, kString, kArray, kFiltered, kObject };

  Value() = default;
  explicit Value(bool boolean) : kind_(Kind::kBool), number_(boolean ? 1 : 0) {}
  explicit Value(double number) : kind_(Kind::kNumber), number_(number) {}
  explicit Value(std::string text)
      : kind_(Kind::kString), owner_(std::make_shared<const std::string>(std::move(text))) {
    text_ = *std::static_pointer_cast<const std::string>(owner_);
  }
  // Borrows `value`, which `owner` keeps alive (null: somebody else does).
  static Value borrow(const json::value& value, std::shared_ptr<const void> owner = nullptr);
  // What `.*` gives.
  static Value filtered(std::vector<const json::value*> items, std::shared_ptr<const void> owner);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool is_primitive() const { return kind_ < Kind::kArray; }
  [[nodiscard]] bool truthy() const;
  [[nodiscard]] double number() const;     // as Number() in JavaScript
  [[nodiscard]] std::string text() const;  // as GitHub shows it
  [[nodiscard]] json::value to_json() const;
  [[nodiscard]] std::string_view kind_name() const;  // "null", "boolean", "number", "string", "array", "object"

  // The array or object itself; null for other kinds.
  [[nodiscard]] const json::value* reference() const { return ref_; }
  [[nodiscard]] const std::vector<const json::value*>& filtered_items() const { return *items_; }
  [[nodiscard]] const std::shared_ptr<const void>& owner() const { return owner_; }
  // The items of an array or of what a filter gave.
  [[nodiscard]] std::vector<const json::value*> items() const;

  // Members of an object are told apart by case: of `env` only.
  [[nodiscard]] bool case_sensitive() const { return case_sensitive_; }
  void make_case_sensitive() { case_sensitive_ = true; }

  friend bool equal(const Value& a, const Value& b);
  friend bool less(const Value& a, const Value& b);

 private:
  Kind kind_ = Kind::kNull;
  bool case_sensitive_ = false;
  double number_ = 0;
  std::string_view text_;
  const json::value* ref_ = nullptr;
  std::shared_ptr<const std::vector<const json::value*>> items_;
  std::shared_ptr<const void> owner_;
};

bool equal(const Value& a, const Value& b);
bool less(const Value& a, const Value& b);

double parse_number(std::string_view text);

// The member of `object` called `name`: exactly, else without regard to case. Null if there is none.
const json::value* find_member(const json::object& object, std::string_view name, bool case_sensitive);

}  // namespace weir::workflow
