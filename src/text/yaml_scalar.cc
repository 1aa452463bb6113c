#include "text/yaml_scalar.h"

#include <charconv>
#include <limits>
#include <optional>

namespace weir::text {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_float(std::string_view text) {
  std::size_t at = 0;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) at = 1;
  const std::size_t whole = skip_digits(text, at);
  std::size_t digits = whole - at;
  at = whole;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction = skip_digits(text, at + 1);
    digits += fraction - at - 1;
    at = fraction;
  }
  if (digits == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    const std::size_t exponent = skip_digits(text, at);
    if (exponent == at) return false;
    at = exponent;
  }
  return at == text.size();
}

std::optional<std::int64_t> parse_int(std::string_view digits, int base) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

double parse_double(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    // from_chars leaves the value alone: what is too small is 0, what is too large infinite.
    const auto exponent = text.find_first_of("eE");
    const bool tiny = exponent != std::string_view::npos && text.substr(exponent + 1).starts_with('-');
    value = tiny ? 0.0 : std::numeric_limits<double>::infinity();
    if (text.starts_with('-')) value = -value;
  }
  return value;
}

}  // namespace

CoreScalar resolve_core(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
    return {.kind = YamlKind::kNull};
  if (text == "true" || text == "True" || text == "TRUE") return {.kind = YamlKind::kBool, .boolean = true};
  if (text == "false" || text == "False" || text == "FALSE") return {.kind = YamlKind::kBool, .boolean = false};
  if (text.size() > 1'000) return {};

  if (text.starts_with("0o") || text.starts_with("0x")) {
    const int base = text[1] == 'o' ? 8 : 16;
    if (text.size() > 2 && text[2] != '-') {
      if (const auto value = parse_int(text.substr(2), base)) {
        return {.kind = YamlKind::kInt, .integer = *value, .number = static_cast<double>(*value)};
      }
    }
    return {};
  }
  if (is_float(text)) {
    const double number = parse_double(text);
    const auto digits = text.starts_with('+') ? text.substr(1) : text;
    if (const auto value = parse_int(digits, 10)) {
      return {.kind = YamlKind::kInt, .integer = *value, .number = static_cast<double>(*value)};
    }
    return {.kind = YamlKind::kFloat, .number = number};
  }
  auto word = text;
  const bool negative = word.starts_with('-');
  if (negative || word.starts_with('+')) word.remove_prefix(1);
  if (word == ".inf" || word == ".Inf" || word == ".INF") {
    const double infinity = std::numeric_limits<double>::infinity();
    return {.kind = YamlKind::kFloat, .number = negative ? -infinity : infinity};
  }
  if (text == ".nan" || text == ".NaN" || text == ".NAN") {
    return {.kind = YamlKind::kFloat, .number = std::numeric_limits<double>::quiet_NaN()};
  }
  return {};
}

ScalarPlace scalar_place(std::string_view source, std::size_t offset, std::string_view value) {
  constexpr std::size_t kEscapeMax = 10;  // bytes of source for one of the value, as in \U0001F600
  std::size_t at = offset;
  while (at < source.size() && (source[at] == '&' || source[at] == '!')) {
    while (at < source.size() && !is_blank(source[at]) && source[at] != '\n') ++at;
    while (at < source.size() && is_blank(source[at])) ++at;
  }
  auto line = source.substr(std::min(at, source.size()), value.size() * kEscapeMax + 2);
  line = line.substr(0, line.find_first_of("\r\n"));
  if (line.empty()) return {at, 0};

  std::size_t length = std::min(line.size(), value.size());
  const char first = line[0];
  if (first == '|' || first == '>') {
    length = std::min(line.size(), std::min(line.find_first_of(" \t"), line.size()));
  } else if (first == '\'' || first == '"') {
    length = line.size();
    for (std::size_t i = 1; i < line.size(); ++i) {
      if (first == '"' && line[i] == '\\') {
        ++i;
      } else if (line[i] == first) {
        if (first == '\'' && i + 1 < line.size() && line[i + 1] == '\'') {
          ++i;
        } else {
          length = i + 1;
          break;
        }
      }
    }
  } else {
    while (length > 0 && is_blank(line[length - 1])) --length;
  }
  return {at, static_cast<int>(std::min<std::size_t>(length, 10'000))};
}

namespace {

// Walks a scalar's source and value side by side.
class Aligner {
 public:
  Aligner(std::string_view source, std::size_t at, std::string_view value) : source_(source), at_(at), value_(value) {}

  std::vector<std::uint32_t> run(std::size_t count) {
    out_.reserve(count + 1);
    if (!more()) return std::move(out_);
    const char style = source_[at_];
    if (style == '|' || style == '>') {
      block(count);
    } else {
      if (style == '\'' || style == '"') ++at_;
      flow(count, style);
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool more() const { return at_ < source_.size(); }

  // Byte out_.size() of the value is the one at `at_`.
  void place() { out_.push_back(static_cast<std::uint32_t>(at_)); }
  [[nodiscard]] char next() const { return value_[out_.size() - 1]; }

  void block(std::size_t count) {
    at_ = source_.find('\n', at_);
    if (at_ == std::string_view::npos) return;
    ++at_;
    const std::size_t indent = first_indent();
    while (out_.size() <= count) {
      if (source_[at_ - 1] == '\n') skip_indent(indent);
      place();
      if (out_.size() > count || !more()) return;
      if (source_[at_] == '\r') ++at_;
      if (!more()) return;
      if (source_[at_] != next() && !(source_[at_] == '\n' && next() == ' ')) {
        // A paragraph's end in folded text: two line ends stand for one.
        const bool after_line = out_.size() > 1 && value_[out_.size() - 2] == '\n';
        out_.pop_back();
        if (!after_line || source_[at_] != '\n') return;
      }
      ++at_;
    }
  }

  [[nodiscard]] std::size_t first_indent() const {
    std::size_t line = at_;
    while (line < source_.size()) {
      std::size_t text = line;
      while (text < source_.size() && source_[text] == ' ') ++text;
      if (text < source_.size() && source_[text] != '\n' && source_[text] != '\r') return text - line;
      line = source_.find('\n', text);
      if (line == std::string_view::npos) break;
      ++line;
    }
    return 0;
  }

  void skip_indent(std::size_t indent) {
    for (std::size_t i = 0; i < indent && more() && source_[at_] == ' '; ++i) ++at_;
  }

  void flow(std::size_t count, char style) {
    while (out_.size() <= count) {
      place();
      if (out_.size() > count || !more()) return;
      if ((next() == ' ' || next() == '\n') && at_line_end()) {
        skip_fold();
        while (out_.size() < count && next() == '\n' && value_[out_.size()] == '\n') place();
      } else if (style == '"' && source_[at_] == '\\') {
        if (!escape()) return;
      } else {
        if (style == '\'' && source_[at_] == '\'') ++at_;  // the first of two
        if (!more() || source_[at_] != next()) return;
        ++at_;
      }
    }
  }

  [[nodiscard]] bool at_line_end() const {
    std::size_t at = at_;
    while (at < source_.size() && is_blank(source_[at])) ++at;
    return at < source_.size() && (source_[at] == '\n' || source_[at] == '\r');
  }

  void skip_fold() {
    while (more() && (is_blank(source_[at_]) || source_[at_] == '\n' || source_[at_] == '\r')) ++at_;
  }

  // One escape that stands for one byte; longer ones end the alignment.
  bool escape() {
    ++at_;
    if (!more()) return false;
    const char c = source_[at_];
    if (c == 'x') {
      at_ = std::min(source_.size(), at_ + 3);
      return true;
    }
    if (c == 'u' || c == 'U' || c == 'N' || c == '_' || c == 'L' || c == 'P' || c == '\n' || c == '\r') return false;
    ++at_;
    return true;
  }

  std::string_view source_;
  std::size_t at_;
  std::string_view value_;
  std::vector<std::uint32_t> out_;
};

}  // namespace

std::vector<std::uint32_t> align_scalar(std::string_view source, std::size_t start, std::string_view value,
                                        std::size_t count) {
  return Aligner(source, scalar_place(source, start, value).start, value).run(std::min(count, value.size()));
}

}  // namespace weir::text
