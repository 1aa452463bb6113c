#include "track/filter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace weir::track {
namespace {

constexpr std::size_t kTextBytesMax = 64U << 10;
constexpr std::size_t kComparisonsMax = 200;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool ends_word(char c) {
  return is_space(c) || c == '=' || c == '<' || c == '>' || c == '!' || c == '(' || c == ')' || c == ',' || c == '\'' ||
         c == '"' || c == '`' || c == ';';
}

bool same_word(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() && std::equal(a.begin(), a.end(), lower.begin(), [](char x, char y) {
           return (x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x) == y;
         });
}

bool holds(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::string joined(std::span<const std::string_view> names) {
  std::string text;
  for (const auto name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

// Shortened for messages, so that a huge filter does not come back whole; cut between characters.
std::string excerpt(std::string_view text) {
  constexpr std::size_t kMax = 60;
  if (text.size() <= kMax) return std::string(text);
  std::size_t end = kMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end)) + "…";
}

std::optional<Entity> entity_of(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Entity>, 15> kNames = {{
      {"metric", Entity::kMetric},
      {"metrics", Entity::kMetric},
      {"param", Entity::kParam},
      {"params", Entity::kParam},
      {"parameter", Entity::kParam},
      {"parameters", Entity::kParam},
      {"tag", Entity::kTag},
      {"tags", Entity::kTag},
      {"dataset", Entity::kDataset},
      {"datasets", Entity::kDataset},
      {"attribute", Entity::kAttribute},
      {"attributes", Entity::kAttribute},
      {"attr", Entity::kAttribute},
      {"run", Entity::kAttribute},
      {"model", Entity::kAttribute},
  }};
  const auto found = std::ranges::find(kNames, name, &std::pair<std::string_view, Entity>::first);
  return found == kNames.end() ? std::nullopt : std::optional(found->second);
}

constexpr std::array<std::string_view, 3> kDatasetKeys = {"name", "digest", "context"};

class Parser {
 public:
  Parser(std::string_view text, const FilterGrammar& grammar) : text_(text), grammar_(grammar) {}

  Result<std::vector<Comparison>> filter() {
    std::vector<Comparison> comparisons;
    skip_spaces();
    while (at_ < text_.size()) {
      if (comparisons.size() == kComparisonsMax) {
        return fail(Code::kInvalidArgument, "the filter has more than {} comparisons", kComparisonsMax);
      }
      comparisons.push_back(WEIR_TRY(comparison()));
      skip_spaces();
      if (at_ == text_.size()) break;
      const auto word = peek_word();
      if (same_word(word, "or")) return wrong("OR is not part of the filter language; search twice, or use IN");
      if (!same_word(word, "and")) return wrong("expected AND");
      at_ += word.size();
      skip_spaces();
      if (at_ == text_.size()) return wrong("expected a comparison after AND");
    }
    return comparisons;
  }

  Result<OrderBy> order_by() {
    skip_spaces();
    OrderBy order;
    std::tie(order.entity, order.key) = WEIR_TRY(identifier());
    if (order.entity == Entity::kDataset) return wrong("results cannot be ordered by datasets");
    if (order.entity == Entity::kAttribute && !holds(grammar_.order_attributes, order.key)) {
      return fail(Code::kInvalidArgument, "cannot order by attribute \"{}\"; there are {}", excerpt(order.key),
                  joined(grammar_.order_attributes));
    }
    skip_spaces();
    const auto word = peek_word();
    if (same_word(word, "desc")) order.ascending = false;
    if (same_word(word, "desc") || same_word(word, "asc")) at_ += word.size();
    skip_spaces();
    if (at_ != text_.size()) return wrong("expected ASC, DESC or nothing more");
    return order;
  }

 private:
  std::unexpected<Error> wrong(std::string_view what) const {
    const auto rest = text_.substr(std::min(at_, text_.size()));
    return fail(Code::kInvalidArgument, "invalid filter or order \"{}\": {}, found {}", excerpt(text_), what,
                rest.empty() ? std::string("the end") : "\"" + excerpt(rest) + "\"");
  }

  void skip_spaces() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  // Up to the next space, operator, bracket or quote.
  [[nodiscard]] std::string_view peek_word() const {
    std::size_t end = at_;
    while (end < text_.size() && !ends_word(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }

  // '…', "…" or `…`; the quote itself is written twice inside.
  Result<std::string> quoted() {
    const char quote = text_[at_];
    std::string value;
    for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] != quote) {
        value += text_[i];
      } else if (i + 1 < text_.size() && text_[i + 1] == quote) {
        value += quote;
        ++i;
      } else {
        at_ = i + 1;
        return value;
      }
    }
    return wrong("a quote is not closed");
  }

  [[nodiscard]] bool at_quote() const {
    return at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"' || text_[at_] == '`');
  }

  // auc | metrics.auc | params."learning rate" | tags.mlflow.user
  Result<std::pair<Entity, std::string>> identifier() {
    std::string first;
    std::size_t dot = std::string_view::npos;
    if (at_quote()) {
      first = WEIR_TRY(quoted());
      if (at_ < text_.size() && text_[at_] == '.') dot = at_;
    } else {
      const auto word = peek_word();
      if (word.empty()) return wrong("expected a name such as metrics.accuracy");
      first = word.substr(0, word.find('.'));
      if (first.size() < word.size()) dot = at_ + first.size();
      at_ += first.size();
    }
    if (dot == std::string_view::npos) return std::pair(Entity::kAttribute, attribute_name(std::move(first)));
    const auto entity = entity_of(first);
    if (!entity || !has(*entity)) {
      return fail(Code::kInvalidArgument, "invalid entity type \"{}\"; there are {}", excerpt(first), entities());
    }
    at_ = dot + 1;
    std::string key;
    if (at_quote()) {
      key = WEIR_TRY(quoted());
    } else {
      key = peek_word();
      at_ += key.size();
    }
    if (key.empty()) return wrong("expected a key after the dot");
    if (*entity == Entity::kAttribute) key = attribute_name(std::move(key));
    if (*entity == Entity::kDataset && !holds(kDatasetKeys, key)) {
      return fail(Code::kInvalidArgument, "invalid dataset key \"{}\"; there are {}", excerpt(key),
                  joined(kDatasetKeys));
    }
    return std::pair(*entity, std::move(key));
  }

  [[nodiscard]] std::string attribute_name(std::string name) const {
    const auto alias = std::ranges::find(grammar_.aliases, name, &std::pair<std::string_view, std::string_view>::first);
    return alias == grammar_.aliases.end() ? name : std::string(alias->second);
  }

  [[nodiscard]] bool has(Entity entity) const {
    switch (entity) {
      case Entity::kAttribute: return true;
      case Entity::kMetric: return grammar_.metrics;
      case Entity::kParam: return grammar_.params;
      case Entity::kTag: return grammar_.tags;
      case Entity::kDataset: return grammar_.datasets;
    }
    return false;
  }

  [[nodiscard]] std::string entities() const {
    std::string text = "attributes";
    if (grammar_.metrics) text += ", metrics";
    if (grammar_.params) text += ", params";
    if (grammar_.tags) text += ", tags";
    if (grammar_.datasets) text += ", datasets";
    return text;
  }

  Result<Op> op() {
    static constexpr std::array<std::pair<std::string_view, Op>, 6> kSymbols = {{{"!=", Op::kNotEqual},
                                                                                 {"<=", Op::kLessEqual},
                                                                                 {">=", Op::kGreaterEqual},
                                                                                 {"=", Op::kEqual},
                                                                                 {"<", Op::kLess},
                                                                                 {">", Op::kGreater}}};
    for (const auto& [symbol, symbol_op] : kSymbols) {
      if (text_.substr(at_).starts_with(symbol)) {
        at_ += symbol.size();
        return symbol_op;
      }
    }
    if (take_word("like")) return Op::kLike;
    if (take_word("ilike")) return Op::kIlike;
    if (take_word("in")) return Op::kIn;
    if (take_word("not")) {
      skip_spaces();
      if (take_word("in")) return Op::kNotIn;
      return wrong("expected IN after NOT");
    }
    if (take_word("is")) {
      skip_spaces();
      const bool negated = take_word("not");
      skip_spaces();
      if (take_word("null")) return negated ? Op::kIsNotNull : Op::kIsNull;
      return wrong("expected NULL");
    }
    return wrong("expected a comparison (=, !=, <, <=, >, >=, LIKE, ILIKE, IN, NOT IN, IS NULL, IS NOT NULL)");
  }

  bool take_word(std::string_view lower) {
    const auto word = peek_word();
    if (!same_word(word, lower)) return false;
    at_ += word.size();
    return true;
  }

  Result<Comparison> comparison() {
    Comparison comparison;
    std::tie(comparison.entity, comparison.key) = WEIR_TRY(identifier());
    skip_spaces();
    comparison.op = WEIR_TRY(op());
    skip_spaces();
    const bool numeric = comparison.entity == Entity::kMetric || (comparison.entity == Entity::kAttribute &&
                                                                  holds(grammar_.numeric_attributes, comparison.key));
    WEIR_TRY(check(comparison, numeric));
    if (comparison.op == Op::kIsNull || comparison.op == Op::kIsNotNull) return comparison;
    if (comparison.op == Op::kIn || comparison.op == Op::kNotIn) {
      comparison.value = WEIR_TRY(list());
    } else if (numeric) {
      WEIR_TRY(number(comparison));
    } else {
      if (!at_quote()) return wrong("expected a quoted string");
      comparison.value = WEIR_TRY(quoted());
    }
    return comparison;
  }

  Result<void> check(const Comparison& comparison, bool numeric) const {
    const Op op = comparison.op;
    if (comparison.entity == Entity::kAttribute && !numeric && !holds(grammar_.text_attributes, comparison.key)) {
      return fail(Code::kInvalidArgument, "invalid attribute key \"{}\"; there are {}{}{}", excerpt(comparison.key),
                  joined(grammar_.text_attributes), grammar_.numeric_attributes.empty() ? "" : ", ",
                  joined(grammar_.numeric_attributes));
    }
    const bool ordered = op == Op::kLess || op == Op::kLessEqual || op == Op::kGreater || op == Op::kGreaterEqual;
    const bool equality = op == Op::kEqual || op == Op::kNotEqual;
    const bool null_test = op == Op::kIsNull || op == Op::kIsNotNull;
    const bool in_list = op == Op::kIn || op == Op::kNotIn;
    bool fine = equality;
    if (numeric) {
      fine = fine || ordered;
    } else {
      fine = fine || op == Op::kLike || op == Op::kIlike;
      const bool keyed = comparison.entity == Entity::kParam || comparison.entity == Entity::kTag;
      fine = fine || (null_test && keyed) || (in_list && comparison.entity == Entity::kDataset);
      fine = fine ||
             (in_list && comparison.entity == Entity::kAttribute && holds(grammar_.list_attributes, comparison.key));
    }
    if (fine) return {};
    return fail(Code::kInvalidArgument, "invalid comparator {} for \"{}\", which is compared with {}", op_text(op),
                excerpt(comparison.key), numeric ? "numbers by =, !=, <, <=, > or >=" : "text by =, !=, LIKE or ILIKE");
  }

  Result<void> number(Comparison& comparison) {
    const auto word = peek_word();
    std::string_view digits = word;
    if (digits.starts_with('+')) digits.remove_prefix(1);
    const bool sane =
        !digits.empty() && (is_digit(digits[0]) || ((digits[0] == '-' || digits[0] == '.') && digits.size() > 1 &&
                                                    (is_digit(digits[1]) || digits[1] == '.')));
    std::int64_t whole = 0;
    double real = 0.0;
    if (sane) {
      const char* end = digits.data() + digits.size();
      if (const auto read = std::from_chars(digits.data(), end, whole); read.ec == std::errc() && read.ptr == end) {
        comparison.value = whole;
        at_ += word.size();
        return {};
      }
      if (const auto read = std::from_chars(digits.data(), end, real); read.ec == std::errc() && read.ptr == end) {
        comparison.value = real;
        at_ += word.size();
        return {};
      }
    }
    return wrong("expected a number");
  }

  Result<std::vector<std::string>> list() {
    if (at_ == text_.size() || text_[at_] != '(') return wrong("expected a list such as ('a', 'b')");
    ++at_;
    std::vector<std::string> values;
    for (;;) {
      skip_spaces();
      if (!values.empty() && at_ < text_.size() && text_[at_] == ')') break;
      if (!at_quote()) return wrong("expected a quoted string in the list");
      values.push_back(WEIR_TRY(quoted()));
      skip_spaces();
      if (at_ < text_.size() && text_[at_] == ',') {
        ++at_;
      } else if (at_ == text_.size() || text_[at_] != ')') {
        return wrong("expected , or ) in the list");
      }
    }
    ++at_;
    return values;
  }

  std::string_view text_;
  const FilterGrammar& grammar_;
  std::size_t at_ = 0;
};

Result<void> check_size(std::string_view text) {
  if (text.size() <= kTextBytesMax) return {};
  return fail(Code::kInvalidArgument, "the filter has {} bytes; at most {} are read", text.size(), kTextBytesMax);
}

}  // namespace

std::string_view op_text(Op op) {
  switch (op) {
    case Op::kEqual: return "=";
    case Op::kNotEqual: return "!=";
    case Op::kLess: return "<";
    case Op::kLessEqual: return "<=";
    case Op::kGreater: return ">";
    case Op::kGreaterEqual: return ">=";
    case Op::kLike: return "LIKE";
    case Op::kIlike: return "ILIKE";
    case Op::kIn: return "IN";
    case Op::kNotIn: return "NOT IN";
    case Op::kIsNull: return "IS NULL";
    case Op::kIsNotNull: return "IS NOT NULL";
  }
  return "";
}

Result<std::vector<Comparison>> parse_filter(std::string_view text, const FilterGrammar& grammar) {
  WEIR_TRY(check_size(text));
  return Parser(text, grammar).filter();
}

Result<OrderBy> parse_order_by(std::string_view text, const FilterGrammar& grammar) {
  WEIR_TRY(check_size(text));
  return Parser(text, grammar).order_by();
}

}  // namespace weir::track
