#include "config/rules.h"

#include <array>
#include <charconv>
#include <cmath>

namespace weir::config {
namespace {

struct UnitName {
  std::string_view name;
  Unit unit;
  double factor;  // to the normalised unit
};

constexpr std::array kUnits = {
    UnitName{"us", Unit::kTime, 0.001},       UnitName{"µs", Unit::kTime, 0.001},
    UnitName{"ms", Unit::kTime, 1.0},         UnitName{"s", Unit::kTime, 1000.0},
    UnitName{"m", Unit::kTime, 60'000.0},     UnitName{"h", Unit::kTime, 3'600'000.0},
    UnitName{"d", Unit::kTime, 86'400'000.0}, UnitName{"w", Unit::kTime, 604'800'000.0},
    UnitName{"%", Unit::kRatio, 0.01},        UnitName{"B", Unit::kBytes, 1.0},
    UnitName{"KB", Unit::kBytes, 1e3},        UnitName{"MB", Unit::kBytes, 1e6},
    UnitName{"GB", Unit::kBytes, 1e9},        UnitName{"KiB", Unit::kBytes, 1024.0},
    UnitName{"MiB", Unit::kBytes, 1048576.0}, UnitName{"GiB", Unit::kBytes, 1073741824.0},
};

constexpr double kMillisPerDay = 86'400'000.0;

struct SignalName {
  std::string_view name;
  Signal signal;
};

constexpr std::array kSignals = {
    SignalName{"latency_p50", Signal::kLatencyP50},
    SignalName{"latency_p95", Signal::kLatencyP95},
    SignalName{"latency_p99", Signal::kLatencyP99},
    SignalName{"error_rate", Signal::kErrorRate},
    SignalName{"drift", Signal::kDrift},
    SignalName{"prediction_drift", Signal::kPredictionDrift},
    SignalName{"accuracy_7d", Signal::kAccuracy7d},
    SignalName{"age", Signal::kAge},
};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_metric_char(char c) {
  return is_letter(c) || is_digit(c) || c == '.' || c == '/' || c == ':';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct Quantity {
  double value = 0.0;  // normalised
  Unit unit = Unit::kNone;
};

// Reads a rule from left to right; every error is about the place that was reached.
class RuleReader {
 public:
  RuleReader(std::string_view text, std::string_view kind) : text_(text), kind_(kind) { skip_blanks(); }

  [[nodiscard]] bool at_end() const { return position_ >= text_.size(); }
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[position_]; }
  [[nodiscard]] std::string_view rest() const { return text_.substr(position_); }

  bool take(std::string_view token) {
    if (!rest().starts_with(token)) return false;
    position_ += token.size();
    skip_blanks();
    return true;
  }

  [[nodiscard]] std::unexpected<Error> expected(std::string_view what) const {
    if (at_end()) return fail(Code::kInvalidArgument, "{} \"{}\": expected {} at its end", kind_, trimmed(), what);
    return fail(Code::kInvalidArgument, "{} \"{}\": expected {} at \"{}\"", kind_, trimmed(), what, rest());
  }

  // A name in quotes, or one of letters, digits and `_ . / :`.
  Result<std::string> metric() {
    if (peek() == '"' || peek() == '\'') return quoted();
    if (!is_letter(peek())) return expected("the name of a metric, e.g. auc or \"val/f1 score\"");
    const std::size_t start = position_;
    while (!at_end() && is_metric_char(peek())) ++position_;
    std::string name(text_.substr(start, position_ - start));
    if (peek() == '(') return function_call(name, start);
    if (peek() == '-' && position_ + 1 < text_.size() && is_letter(text_[position_ + 1])) {
      return expected("a blank or a comparison (a name with \"-\" stands in quotes: \"f1-score\")");
    }
    skip_blanks();
    return name;
  }

  // Letters, digits and _ up to something else.
  std::string word() {
    const std::size_t start = position_;
    while (!at_end() && (is_letter(peek()) || is_digit(peek()))) ++position_;
    std::string name(text_.substr(start, position_ - start));
    skip_blanks();
    return name;
  }

  Result<Comparison> comparison() {
    if (take(">=")) return Comparison::kAtLeast;
    if (take("<=")) return Comparison::kAtMost;
    if (take(">")) return Comparison::kAbove;
    if (take("<")) return Comparison::kBelow;
    return expected("one of >=, >, <=, <");
  }

  Result<Quantity> quantity() {
    const char* first = text_.data() + position_;
    const char* last = text_.data() + text_.size();
    if (first != last && *first == '+') ++first;
    const bool starts_number = first != last && (is_digit(*first) || *first == '.' || *first == '-');
    double value = 0.0;
    const auto [end, error] = std::from_chars(first, last, value);
    if (!starts_number || error != std::errc{} || !std::isfinite(value)) return expected("a number");
    position_ = static_cast<std::size_t>(end - text_.data());
    return unit(value);
  }

  Result<Duration> duration() {
    const std::size_t start = position_;
    while (!at_end() && !is_blank(peek())) ++position_;
    auto parsed = parse_duration(text_.substr(start, position_ - start));
    if (!parsed || parsed->count() <= 0) {
      position_ = start;
      return expected("a time such as 30s, 5m or 1h");
    }
    skip_blanks();
    return *parsed;
  }

  [[nodiscard]] std::string trimmed() const {
    const auto first = text_.find_first_not_of(" \t\r\n");
    const auto last = text_.find_last_not_of(" \t\r\n");
    return first == std::string_view::npos ? "" : std::string(text_.substr(first, last - first + 1));
  }

  void move_to(std::size_t position) { position_ = position; }

 private:
  void skip_blanks() {
    while (!at_end() && is_blank(peek())) ++position_;
  }

  Result<std::string> quoted() {
    const char quote = peek();
    const auto end = text_.find(quote, position_ + 1);
    if (end == std::string_view::npos) return expected("a closing quote");
    std::string name(text_.substr(position_ + 1, end - position_ - 1));
    if (name.empty()) return expected("the name of a metric between the quotes");
    position_ = end + 1;
    skip_blanks();
    return name;
  }

  Result<std::string> function_call(std::string_view name, std::size_t start) {
    position_ = start;
    if (name == "slice") {
      return fail(Code::kUnimplemented, "{} \"{}\": slice(…) is not built yet; judge whole datasets for now", kind_,
                  trimmed());
    }
    return expected("the name of a metric (there is no function of that name)");
  }

  Result<Quantity> unit(double value) {
    const std::size_t before_blanks = position_;
    skip_blanks();
    std::size_t length = 0;
    while (length < rest().size()) {
      const char c = rest()[length];
      if (!is_letter(c) && c != '%' && static_cast<unsigned char>(c) < 0x80) break;
      ++length;
    }
    const std::string_view name = rest().substr(0, length);
    for (const auto& known : kUnits) {
      if (known.name != name) continue;
      if (!std::isfinite(value * known.factor)) return expected("a unit that keeps the number finite");
      position_ += length;
      skip_blanks();
      return Quantity{value * known.factor, known.unit};
    }
    // A word after a blank belongs to what follows ("for 5m"); one that touches the number was meant as a unit.
    if (length > 0 && position_ == before_blanks) return expected("a unit: %, us, ms, s, m, h, d, w, B, KB, MB, GB");
    return Quantity{value, Unit::kNone};
  }

  std::string_view text_;
  std::string_view kind_;
  std::size_t position_ = 0;
};

// factor * champion.metric + limit, in any of its shorter forms.
Result<void> read_right_side(RuleReader& reader, GateRule& rule) {
  bool champion_needed = false;
  if (!reader.rest().starts_with("champion.")) {
    if (is_letter(reader.peek())) return reader.expected("a number or champion.<metric>");
    const std::size_t start = reader.position();
    const auto first = WEIR_TRY(reader.quantity());
    if (!reader.take("*")) {
      rule.limit = first.value;
      rule.unit = first.unit;
      return {};
    }
    if (first.unit != Unit::kNone && first.unit != Unit::kRatio) {
      reader.move_to(start);
      return reader.expected("a factor without a unit");
    }
    rule.factor = first.value;
    champion_needed = true;
  }
  if (!reader.rest().starts_with("champion.")) return reader.expected("champion.<metric>");
  reader.move_to(reader.position() + std::string_view("champion.").size());
  rule.champion_metric = WEIR_TRY(reader.metric());
  if (!champion_needed && reader.take("*")) {
    const std::size_t start = reader.position();
    const auto factor = WEIR_TRY(reader.quantity());
    if (factor.unit != Unit::kNone && factor.unit != Unit::kRatio) {
      reader.move_to(start);
      return reader.expected("a factor without a unit");
    }
    rule.factor = factor.value;
  }
  const bool minus = reader.peek() == '-';
  if (reader.take("-") || reader.take("+")) {
    const auto offset = WEIR_TRY(reader.quantity());
    rule.limit = minus ? -offset.value : offset.value;
    rule.unit = offset.unit;
  }
  return {};
}

Result<GateRule> read_gate_rule(RuleReader& reader) {
  GateRule rule;
  rule.text = reader.trimmed();
  if (reader.rest().starts_with("champion.")) {
    return reader.expected("the candidate's metric on the left, champion.<metric> on the right");
  }
  rule.metric = WEIR_TRY(reader.metric());
  rule.comparison = WEIR_TRY(reader.comparison());
  WEIR_TRY(read_right_side(reader, rule));
  if (!reader.at_end()) {
    return reader.expected(rule.compares_with_champion() ? "\"* factor\", \"+ number\", \"- number\" or the end"
                                                         : "the end");
  }
  return rule;
}

bool is_latency(Signal signal) {
  return signal == Signal::kLatencyP50 || signal == Signal::kLatencyP95 || signal == Signal::kLatencyP99;
}

// The number behind a signal's comparison, in that signal's unit.
Result<double> read_limit(RuleReader& reader, Signal signal) {
  const std::size_t start = reader.position();
  const auto quantity = WEIR_TRY(reader.quantity());
  const auto wrong_unit = [&](std::string_view what) {
    reader.move_to(start);
    return reader.expected(what);
  };
  if (signal == Signal::kAge) {
    if (quantity.unit != Unit::kTime) return wrong_unit("an age with its unit, e.g. 30d");
    return quantity.value / kMillisPerDay;
  }
  if (is_latency(signal)) {
    if (quantity.unit != Unit::kTime && quantity.unit != Unit::kNone) return wrong_unit("a time, e.g. 100ms");
    return quantity.value;
  }
  if (quantity.unit != Unit::kRatio && quantity.unit != Unit::kNone) {
    return wrong_unit("a number without a unit, or a percentage");
  }
  return quantity.value;
}

Result<Signal> read_signal(RuleReader& reader, bool for_retraining) {
  const std::size_t start = reader.position();
  const auto signal = find_signal(reader.word());
  const bool fits =
      signal && (for_retraining ? !is_latency(*signal) && *signal != Signal::kErrorRate : *signal != Signal::kAge);
  if (!fits) {
    reader.move_to(start);
    return reader.expected(for_retraining ? "one of drift, prediction_drift, accuracy_7d, age"
                                          : "one of latency_p50, latency_p95, latency_p99, error_rate, drift, "
                                            "prediction_drift, accuracy_7d");
  }
  return *signal;
}

Result<AlertRule> read_alert_rule(RuleReader& reader) {
  AlertRule rule;
  rule.text = reader.trimmed();
  rule.signal = WEIR_TRY(read_signal(reader, false));
  rule.comparison = WEIR_TRY(reader.comparison());
  rule.limit = WEIR_TRY(read_limit(reader, rule.signal));
  if (!reader.at_end()) {
    if (!reader.rest().starts_with("for ")) return reader.expected("\"for <time>\" or the end");
    reader.take("for");
    rule.hold = WEIR_TRY(reader.duration());
  }
  if (!reader.at_end()) return reader.expected("the end");
  return rule;
}

Result<RetrainRule> read_retrain_rule(RuleReader& reader) {
  RetrainRule rule;
  rule.text = reader.trimmed();
  rule.signal = WEIR_TRY(read_signal(reader, true));
  rule.comparison = WEIR_TRY(reader.comparison());
  rule.limit = WEIR_TRY(read_limit(reader, rule.signal));
  if (!reader.at_end()) return reader.expected("the end");
  return rule;
}

template <class Rule>
Result<Rule> read_whole(std::string_view text, std::string_view kind, std::size_t* error_offset,
                        Result<Rule> (*read)(RuleReader&)) {
  RuleReader reader(text, kind);
  auto rule = read(reader);
  if (!rule && error_offset != nullptr) *error_offset = reader.position();
  return rule;
}

}  // namespace

std::string_view comparison_sign(Comparison comparison) {
  switch (comparison) {
    case Comparison::kAtLeast: return ">=";
    case Comparison::kAbove: return ">";
    case Comparison::kAtMost: return "<=";
    case Comparison::kBelow: return "<";
  }
  return "?";
}

bool holds(double value, Comparison comparison, double limit) {
  switch (comparison) {
    case Comparison::kAtLeast: return value >= limit;
    case Comparison::kAbove: return value > limit;
    case Comparison::kAtMost: return value <= limit;
    case Comparison::kBelow: return value < limit;
  }
  return false;
}

std::string format_quantity(double value, Unit unit, int digits) {
  const auto with = [&](double factor, std::string_view name) {
    return fmt::format("{:.{}g}{}", value / factor, digits, name);
  };
  const double size = std::abs(value);
  switch (unit) {
    case Unit::kNone: return with(1.0, "");
    case Unit::kTime:
      if (size >= 10'000.0) return with(1000.0, "s");
      if (size > 0.0 && size < 0.1) return with(0.001, "us");
      return with(1.0, "ms");
    case Unit::kRatio: return with(0.01, "%");
    case Unit::kBytes:
      if (size >= 1e9) return with(1e9, "GB");
      if (size >= 1e6) return with(1e6, "MB");
      if (size >= 1e3) return with(1e3, "KB");
      return with(1.0, "B");
  }
  return with(1.0, "");
}

Result<GateRule> parse_gate_rule(std::string_view text, std::size_t* error_offset) {
  return read_whole<GateRule>(text, "gate rule", error_offset, read_gate_rule);
}

std::string_view signal_name(Signal signal) {
  for (const auto& known : kSignals) {
    if (known.signal == signal) return known.name;
  }
  return "?";
}

std::optional<Signal> find_signal(std::string_view name) {
  for (const auto& known : kSignals) {
    if (known.name == name) return known.signal;
  }
  return std::nullopt;
}

Result<AlertRule> parse_alert_rule(std::string_view text, std::size_t* error_offset) {
  return read_whole<AlertRule>(text, "alert rule", error_offset, read_alert_rule);
}

Result<RetrainRule> parse_retrain_rule(std::string_view text, std::size_t* error_offset) {
  return read_whole<RetrainRule>(text, "retrain rule", error_offset, read_retrain_rule);
}

}  // namespace weir::config
