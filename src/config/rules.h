#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace weir::config {

// The rules of weir.yaml, each one line of text: what a gate demands of a candidate, when an alert fires, when a model
// is trained again. Parsing is pure; errors name the rule and the place in it.

enum class Comparison : std::uint8_t { kAtLeast = 1, kAbove = 2, kAtMost = 3, kBelow = 4 };
std::string_view comparison_sign(Comparison comparison);  // ">=", ">", "<=", "<"
// False for NaN on either side.
bool holds(double value, Comparison comparison, double limit);

// What a number of a rule is measured in. Parsed numbers are normalised: times to milliseconds, percentages to a ratio,
// sizes to bytes.
enum class Unit : std::uint8_t { kNone = 0, kTime = 1, kRatio = 2, kBytes = 3 };

// "100ms", "85%", "64MB", "0.7312": the normalised `value` for people, with at most `digits` significant digits.
std::string format_quantity(double value, Unit unit, int digits = 5);

// A demand on one metric: `auc >= 0.65`, `auc >= champion.auc - 0.01`, `log_loss <= champion.log_loss * 1.02`.
//
// The right side is `factor * champion.<champion_metric> + limit`, or `limit` alone; a percentage is a ratio, so that
// `champion.auc - 1%` allows a loss of 0.01 and `champion.auc * 99%` one of a hundredth. A metric's name may hold
// letters, digits and `_ . / :`; any other stands in quotes: `"val/f1 score" >= 0.8`, `champion."val/f1 score"`.
struct GateRule {
  std::string text;    // as written, without outer blanks
  std::string metric;  // key as logged, e.g. "val/auc"
  Comparison comparison = Comparison::kAtLeast;
  std::optional<std::string> champion_metric;
  double factor = 1.0;
  double limit = 0.0;
  Unit unit = Unit::kNone;  // of the number in the rule

  [[nodiscard]] bool compares_with_champion() const { return champion_metric.has_value(); }
  bool operator==(const GateRule&) const = default;
};

// kInvalidArgument says what was expected where; kUnimplemented for slice(…), which is known and not built. The byte at
// which reading stopped goes to `error_offset` (if given), for a caret.
Result<GateRule> parse_gate_rule(std::string_view text, std::size_t* error_offset = nullptr);

// What the monitor of an endpoint measures. Persisted in events by name.
enum class Signal : std::uint8_t {
  kLatencyP50 = 1,       // milliseconds
  kLatencyP95 = 2,       // milliseconds
  kLatencyP99 = 3,       // milliseconds
  kErrorRate = 4,        // ratio of requests answered with 5xx
  kDrift = 5,            // largest population stability index of the features that drifted in the newest window
  kPredictionDrift = 6,  // population stability index of the predictions, if they drifted
  kAccuracy7d = 7,       // ratio, over seven days of labelled rows
  kAge = 8,              // days since the live version's training; retrain rules only
};
std::string_view signal_name(Signal signal);  // "latency_p95", "drift", "accuracy_7d", …
std::optional<Signal> find_signal(std::string_view name);

// `latency_p95 > 100ms for 5m`: fires once the comparison has held for `hold`.
struct AlertRule {
  std::string text;
  Signal signal = Signal::kLatencyP95;
  Comparison comparison = Comparison::kAbove;
  double limit = 0.0;  // milliseconds for latencies, ratio or index for the others
  Duration hold{0};

  bool operator==(const AlertRule&) const = default;
};
Result<AlertRule> parse_alert_rule(std::string_view text, std::size_t* error_offset = nullptr);

// `drift > 0.3`, `accuracy_7d < 0.70`, `age > 30d`: a reason to train again.
struct RetrainRule {
  std::string text;
  Signal signal = Signal::kDrift;
  Comparison comparison = Comparison::kAbove;
  double limit = 0.0;  // days for kAge, ratio or index for the others

  bool operator==(const RetrainRule&) const = default;
};
Result<RetrainRule> parse_retrain_rule(std::string_view text, std::size_t* error_offset = nullptr);

}  // namespace weir::config
