#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "data/statistics.h"

namespace weir::monitor {

// What a signal is at a moment.
struct Reading {
  double value = 0.0;      // in the unit of config::Signal
  data::Interval certain;  // what the value may be, given the number of rows; both ends are the value if that is enough
  std::string detail;      // "312 labels"; may be empty
  // Columns that drifted, the most drifted first. Written out, so that initializers may leave it away.
  std::vector<std::string> columns = {};  // NOLINT(readability-redundant-member-init)
};
Reading reading(double value, std::string detail = {});

// Signals that are known; the others are absent.
using Readings = std::map<config::Signal, Reading>;

// Whether a rule's comparison holds beyond doubt: at the end of the interval that speaks against it.
bool holds(const Reading& reading, config::Comparison comparison, double limit);

// A signal's value for people: "132ms", "0.68", "87d".
std::string quantity_text(config::Signal signal, double value, int more_digits = 0);

// "accuracy_7d 0.68 < 0.7 (312 labels)", "latency_p95 132ms > 100ms", "age 87d > 30d".
std::string describe(config::Signal signal, const Reading& reading, config::Comparison comparison, double limit);

// One signal that is watched.
struct WatchedRule {
  std::string text;  // "drift > 0.3"; names the alert
  config::Signal signal = config::Signal::kDrift;
  config::Comparison comparison = config::Comparison::kAbove;
  double limit = 0.0;
  Duration hold{0};
  config::Severity severity = config::Severity::kWarning;
  std::vector<config::AlertAction> actions;
};

// The alert rules of a monitor, and those that its drift and accuracy limits stand for.
std::vector<WatchedRule> watched_rules(const config::Monitor& monitor);

// True for signals that follow the rows' event time; the others follow the clock.
bool follows_event_time(config::Signal signal);

// Labels that make an accuracy a fact; with fewer an interval of 90% is put around it, and below the other none is
// given.
inline constexpr std::int64_t kLabelsEnough = 200;
inline constexpr std::int64_t kLabelsMin = 30;
std::optional<Reading> accuracy_reading(std::int64_t correct, std::int64_t judged);

}  // namespace weir::monitor
