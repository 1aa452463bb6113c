#include "monitor/signals.h"

#include "data/table.h"

namespace weir::monitor {
namespace {

using config::Signal;

// Rounded for reading: at most `digits` behind the point, without trailing zeros.
std::string rounded(double value, int digits) {
  std::string text = fmt::format("{:.{}f}", value, digits);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
  }
  return text;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kShown) text += ", …";
  return text;
}

}  // namespace

Reading reading(double value, std::string detail) {
  return {.value = value, .certain = {.low = value, .high = value}, .detail = std::move(detail)};
}

bool holds(const Reading& reading, config::Comparison comparison, double limit) {
  const bool upwards = comparison == config::Comparison::kAbove || comparison == config::Comparison::kAtLeast;
  return config::holds(upwards ? reading.certain.low : reading.certain.high, comparison, limit);
}

std::string quantity_text(Signal signal, double value, int more_digits) {
  switch (signal) {
    case Signal::kLatencyP50:
    case Signal::kLatencyP95:
    case Signal::kLatencyP99: return rounded(value, (value < 10.0 ? 1 : 0) + more_digits) + "ms";
    case Signal::kErrorRate: return rounded(value * 100.0, 2 + more_digits) + "%";
    case Signal::kAge: return rounded(value, (value < 10.0 ? 1 : 0) + more_digits) + "d";
    case Signal::kDrift:
    case Signal::kPredictionDrift: return rounded(value, 2 + more_digits);
    case Signal::kAccuracy7d: break;
  }
  return rounded(value, 3 + more_digits);
}

std::string describe(Signal signal, const Reading& reading, config::Comparison comparison, double limit) {
  // "0.62 < 0.62" would puzzle people.
  int digits = 0;
  while (digits < 6 && reading.value != limit &&
         quantity_text(signal, reading.value, digits) == quantity_text(signal, limit, digits)) {
    ++digits;
  }
  std::string text =
      fmt::format("{} {} {} {}", config::signal_name(signal), quantity_text(signal, reading.value, digits),
                  config::comparison_sign(comparison), quantity_text(signal, limit, digits));
  const std::string detail = reading.columns.empty() ? reading.detail : listed(reading.columns);
  if (!detail.empty()) text += fmt::format(" ({})", detail);
  return text;
}

std::vector<WatchedRule> watched_rules(const config::Monitor& monitor) {
  std::vector<WatchedRule> rules;
  const auto add = [&](WatchedRule rule) {
    const bool known = std::ranges::any_of(rules, [&](const WatchedRule& other) { return other.text == rule.text; });
    if (!known) rules.push_back(std::move(rule));
  };
  for (const config::Alert& alert : monitor.alerts) {
    add({.text = alert.when.text,
         .signal = alert.when.signal,
         .comparison = alert.when.comparison,
         .limit = alert.when.limit,
         .hold = alert.when.hold,
         .severity = alert.severity,
         .actions = alert.actions});
  }
  const auto implied = [&](Signal signal, config::Comparison comparison, double limit) {
    // A rule of the file says the same with a severity of its own.
    const bool written = std::ranges::any_of(rules, [&](const WatchedRule& rule) {
      return rule.signal == signal && rule.comparison == comparison && rule.limit == limit && rule.hold == Duration{0};
    });
    if (written) return;
    add({.text = fmt::format("{} {} {}", config::signal_name(signal), config::comparison_sign(comparison),
                             data::number_text(limit)),
         .signal = signal,
         .comparison = comparison,
         .limit = limit});
  };
  implied(Signal::kDrift, config::Comparison::kAbove, monitor.drift.features);
  implied(Signal::kPredictionDrift, config::Comparison::kAbove, monitor.drift.prediction);
  if (monitor.accuracy_7d && monitor.accuracy_7d->min > 0.0) {
    implied(Signal::kAccuracy7d, config::Comparison::kBelow, monitor.accuracy_7d->min);
  }
  return rules;
}

bool follows_event_time(Signal signal) {
  return signal == Signal::kDrift || signal == Signal::kPredictionDrift || signal == Signal::kAccuracy7d ||
         signal == Signal::kAge;
}

std::optional<Reading> accuracy_reading(std::int64_t correct, std::int64_t judged) {
  if (judged < kLabelsMin) return std::nullopt;
  constexpr double kNinetyPercent = 1.645;
  Reading result =
      reading(static_cast<double>(correct) / static_cast<double>(judged), fmt::format("{} labels", judged));
  if (judged < kLabelsEnough) {
    result.certain = data::wilson_interval(static_cast<double>(correct), static_cast<double>(judged), kNinetyPercent);
  }
  return result;
}

}  // namespace weir::monitor
