#include "workflow/expression_value.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "workflow/expression.h"

namespace weir::workflow {
namespace {

std::string_view view(const json::string& text) {
  return {text.data(), text.size()};
}

// Digits of base 16 or 8 as a number of 32 bits with a sign, as the runner reads them: 0xffffffff is -1.
double power_of_two_number(std::string_view digits, unsigned base) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  std::uint32_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, static_cast<int>(base));
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return kNan;
  return static_cast<double>(static_cast<std::int32_t>(value));
}

}  // namespace

double parse_number(std::string_view text) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  text = trim_blanks(text);
  if (text.empty()) return 0;

  if (text.starts_with("0x")) return power_of_two_number(text.substr(2), 16);
  if (text.starts_with("0o")) return power_of_two_number(text.substr(2), 8);
  if (text == "Infinity" || text == "+Infinity") return kInfinity;
  if (text == "-Infinity") return -kInfinity;

  auto digits = text;
  if (digits.starts_with('+')) {
    digits.remove_prefix(1);
    if (digits.starts_with('-')) return kNan;
  }
  // from_chars also knows "inf" and "nan", which are no numbers here.
  const auto lead = digits.find_first_not_of('-');  // npos, past every number, if there is nothing else
  if (lead > 1 || !(digits[lead] == '.' || (digits[lead] >= '0' && digits[lead] <= '9'))) {
    return kNan;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size()) return kNan;
  if (error == std::errc::result_out_of_range) {
    const auto exponent = digits.find_first_of("eE");
    const bool tiny = exponent == std::string_view::npos ? digits[lead] == '.' || digits[lead] == '0'
                                                         : digits.substr(exponent + 1).starts_with('-');
    value = tiny ? 0 : kInfinity;
    return digits.starts_with('-') ? -value : value;
  }
  return error == std::errc{} ? value : kNan;
}

std::string format_number(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  if (number == 0) return "0";
  return fmt::format("{:.15G}", number);
}

Value Value::borrow(const json::value& value, std::shared_ptr<const void> owner) {
  Value out;
  switch (value.kind()) {
    case json::kind::null: break;
    case json::kind::bool_:
      out.kind_ = Kind::kBool;
      out.number_ = value.get_bool() ? 1 : 0;
      break;
    case json::kind::int64:
      out.kind_ = Kind::kNumber;
      out.number_ = static_cast<double>(value.get_int64());
      break;
    case json::kind::uint64:
      out.kind_ = Kind::kNumber;
      out.number_ = static_cast<double>(value.get_uint64());
      break;
    case json::kind::double_:
      out.kind_ = Kind::kNumber;
      out.number_ = value.get_double();
      break;
    case json::kind::string:
      out.kind_ = Kind::kString;
      out.text_ = view(value.get_string());
      out.owner_ = std::move(owner);
      break;
    case json::kind::array:
    case json::kind::object:
      out.kind_ = value.is_array() ? Kind::kArray : Kind::kObject;
      out.ref_ = &value;
      out.owner_ = std::move(owner);
      break;
  }
  return out;
}

Value Value::filtered(std::vector<const json::value*> items, std::shared_ptr<const void> owner) {
  Value out;
  out.kind_ = Kind::kFiltered;
  out.items_ = std::make_shared<const std::vector<const json::value*>>(std::move(items));
  out.owner_ = std::move(owner);
  return out;
}

std::vector<const json::value*> Value::items() const {
  if (kind_ == Kind::kFiltered) return *items_;
  std::vector<const json::value*> out;
  if (const auto* list = ref_ == nullptr ? nullptr : ref_->if_array()) {
    out.reserve(list->size());
    for (const auto& item : *list) out.push_back(&item);
  }
  return out;
}

bool Value::truthy() const {
  switch (kind_) {
    case Kind::kNull: return false;
    case Kind::kBool:
    case Kind::kNumber: return number_ != 0 && !std::isnan(number_);
    case Kind::kString: return !text_.empty();
    default: return true;
  }
}

double Value::number() const {
  switch (kind_) {
    case Kind::kNull: return 0;
    case Kind::kBool:
    case Kind::kNumber: return number_;
    case Kind::kString: return parse_number(text_);
    default: return std::numeric_limits<double>::quiet_NaN();
  }
}

std::string Value::text() const {
  switch (kind_) {
    case Kind::kNull: return {};
    case Kind::kBool: return number_ != 0 ? "true" : "false";
    case Kind::kNumber: return format_number(number_);
    case Kind::kString: return std::string{text_};
    case Kind::kArray:
    case Kind::kFiltered: return "Array";
    case Kind::kObject: return "Object";
  }
  return {};
}

std::string_view Value::kind_name() const {
  switch (kind_) {
    case Kind::kNull: return "null";
    case Kind::kBool: return "boolean";
    case Kind::kNumber: return "number";
    case Kind::kString: return "string";
    case Kind::kArray:
    case Kind::kFiltered: return "array";
    case Kind::kObject: return "object";
  }
  return "null";
}

json::value Value::to_json() const {
  switch (kind_) {
    case Kind::kNull: return nullptr;
    case Kind::kBool: return number_ != 0;
    case Kind::kNumber:
      if (!std::isfinite(number_)) return json::string(format_number(number_));
      if (number_ == std::trunc(number_) && std::abs(number_) <= 9007199254740992.0)
        return static_cast<std::int64_t>(number_);
      return number_;
    case Kind::kString: return json::string(text_);
    case Kind::kArray:
    case Kind::kObject: return *ref_;
    case Kind::kFiltered: {
      json::array out;
      for (const auto* item : *items_) out.push_back(*item);
      return out;
    }
  }
  return nullptr;
}

namespace {

enum class Order : std::uint8_t { kLess, kEqual, kGreater, kNone };

Order order_of_numbers(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return Order::kNone;
  return a < b ? Order::kLess : a > b ? Order::kGreater : Order::kEqual;
}

}  // namespace

// Both compare as JavaScript does, except that strings are compared without regard to case and that arrays and objects
// never become primitives.
bool equal(const Value& a, const Value& b) {
  using Kind = Value::Kind;
  if (a.kind_ == Kind::kString && b.kind_ == Kind::kString) return equal_ignoring_case(a.text_, b.text_);
  if (a.is_primitive() && b.is_primitive()) {
    if (a.kind_ == Kind::kNull && b.kind_ == Kind::kNull) return true;
    return order_of_numbers(a.number(), b.number()) == Order::kEqual;
  }
  if (a.kind_ != b.kind_) return false;
  return a.kind_ == Kind::kFiltered ? a.items_ == b.items_ : a.ref_ == b.ref_;
}

bool less(const Value& a, const Value& b) {
  using Kind = Value::Kind;
  if (!a.is_primitive() || !b.is_primitive()) return false;
  if (a.kind_ == Kind::kString && b.kind_ == Kind::kString)
    return compare_utf16(fold_case(a.text_), fold_case(b.text_)) < 0;
  if (a.kind_ == Kind::kNull && b.kind_ == Kind::kNull) return false;
  return order_of_numbers(a.number(), b.number()) == Order::kLess;
}

const json::value* find_member(const json::object& object, std::string_view name, bool case_sensitive) {
  const auto* exact = object.if_contains({name.data(), name.size()});
  if (exact != nullptr || case_sensitive) return exact;
  for (const auto& [key, value] : object) {
    if (key.size() == name.size() && equal_ignoring_case({key.data(), key.size()}, name)) return &value;
  }
  return nullptr;
}

bool is_truthy(const json::value& value) {
  return Value::borrow(value).truthy();
}
std::string to_text(const json::value& value) {
  return Value::borrow(value).text();
}
double to_number(const json::value& value) {
  return Value::borrow(value).number();
}
bool equals_loosely(const json::value& a, const json::value& b) {
  return equal(Value::borrow(a), Value::borrow(b));
}

}  // namespace weir::workflow
