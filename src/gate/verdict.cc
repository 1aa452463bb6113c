#include "gate/verdict.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace weir::gate {
namespace {

using config::Comparison;
using config::GateRule;
using config::Unit;

// What a metric's name says about the unit that it was logged in.
struct Suffix {
  std::string_view text;
  Unit unit;
  double factor;  // to the normalised unit
};

constexpr std::array kSuffixes = {
    Suffix{"_s", Unit::kTime, 1000.0},       Suffix{"_sec", Unit::kTime, 1000.0}, Suffix{"_secs", Unit::kTime, 1000.0},
    Suffix{"_seconds", Unit::kTime, 1000.0}, Suffix{"_us", Unit::kTime, 0.001},   Suffix{"_pct", Unit::kRatio, 0.01},
    Suffix{"_percent", Unit::kRatio, 0.01},  Suffix{"_kb", Unit::kBytes, 1e3},    Suffix{"_mb", Unit::kBytes, 1e6},
    Suffix{"_gb", Unit::kBytes, 1e9},
};

double normalise(double value, std::string_view metric, Unit unit) {
  for (const auto& suffix : kSuffixes) {
    if (suffix.unit == unit && metric.ends_with(suffix.text)) return value * suffix.factor;
  }
  return value;
}

std::string_view need_words(Comparison comparison) {
  switch (comparison) {
    case Comparison::kAtLeast: return "at least";
    case Comparison::kAbove: return "more than";
    case Comparison::kAtMost: return "at most";
    case Comparison::kBelow: return "less than";
  }
  return "?";
}

using Digests = std::set<std::string>;

// The rows that a metric of a model was computed on, as far as known.
Digests rows_of(const ModelFacts& facts, const Metric& metric) {
  if (!metric.dataset_digest.empty()) return {metric.dataset_digest};
  Digests digests;
  for (const auto& dataset : facts.datasets) {
    std::string context = dataset.context;
    std::transform(context.begin(), context.end(), context.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (!context.starts_with("train") && !dataset.digest.empty()) digests.insert(dataset.digest);
  }
  return digests;
}

enum class Rows { kSame, kDifferent, kUnknown };

Rows compare_rows(const Digests& candidate, const Digests& champion) {
  if (candidate.empty() || champion.empty()) return Rows::kUnknown;
  if (candidate == champion) return Rows::kSame;
  // Runs that share some of several inputs: which of them the metric used cannot be told.
  const bool overlap =
      std::any_of(candidate.begin(), candidate.end(), [&](const auto& d) { return champion.contains(d); });
  return overlap ? Rows::kUnknown : Rows::kDifferent;
}

std::string join(const Digests& digests) {
  std::string text;
  for (const auto& digest : digests) text += (text.empty() ? "" : ", ") + digest;
  return text;
}

std::string name_of(const ModelFacts& facts) {
  if (!facts.version.empty()) return "version " + facts.version;
  if (!facts.run_id.empty()) return "run " + facts.run_id.substr(0, 8);
  return "the candidate";
}

std::string logged_names(const ModelFacts& facts) {
  std::string names;
  int count = 0;
  for (const auto& [name, metric] : facts.metrics) {
    if (++count > 8) return names + ", …";
    names += (names.empty() ? "" : ", ") + name;
  }
  return names.empty() ? "nothing" : names;
}

class Judge {
 public:
  Judge(const ModelFacts& candidate, const std::optional<ModelFacts>& champion, Verdict& verdict)
      : candidate_(candidate), champion_(champion), verdict_(verdict) {}

  Finding judge(const GateRule& rule) {
    Finding finding{.rule = rule.text, .metric = rule.metric, .comparison = rule.comparison, .unit = rule.unit};
    const auto metric = candidate_.metrics.find(rule.metric);
    if (metric == candidate_.metrics.end()) {
      finding.reason = fmt::format("{} was not logged for {}; there is: {}", rule.metric, name_of(candidate_),
                                   logged_names(candidate_));
      return finding;
    }
    const double value = normalise(metric->second.value, rule.metric, rule.unit);
    if (!std::isfinite(value)) {
      finding.reason = fmt::format("{} is {}, which is not a number to judge by", rule.metric, metric->second.value);
      return finding;
    }
    finding.candidate = value;
    if (!rule.compares_with_champion()) {
      finding.limit = rule.limit;
    } else if (!champion_) {
      finding.passed = true;
      finding.reason = "first release: nothing serves production yet to compare with";
      return finding;
    } else if (!find_champion(rule, metric->second, finding)) {
      return finding;
    }
    finding.passed = config::holds(value, rule.comparison, *finding.limit) || meets_by_rounding(rule, finding);
    if (!finding.passed) finding.reason = explain(rule, finding);
    return finding;
  }

 private:
  // 0.8 - 0.01 is a little more than 0.79 in binary: who reaches the limit that people read has reached it.
  static bool meets_by_rounding(const GateRule& rule, const Finding& finding) {
    const bool inclusive = rule.comparison == Comparison::kAtLeast || rule.comparison == Comparison::kAtMost;
    if (!inclusive || !finding.champion) return false;
    return std::abs(*finding.candidate - *finding.limit) <=
           1e-12 * std::max(std::abs(*finding.limit), std::abs(rule.limit));
  }

  // Sets the champion's number and the limit, or the reason why there is none.
  bool find_champion(const GateRule& rule, const Metric& metric, Finding& finding) {
    const std::string& name = *rule.champion_metric;
    double value = 0.0;
    const auto same_run = candidate_.metrics.find("champion/" + name);
    if (same_run != candidate_.metrics.end()) {
      value = same_run->second.value;
    } else {
      const auto logged = champion_->metrics.find(name);
      if (logged == champion_->metrics.end()) {
        finding.reason = fmt::format(
            "the champion ({}) has no {}: score it in the candidate's evaluation and log that as champion/{}",
            name_of(*champion_), name, name);
        return false;
      }
      if (!check_rows(rule.metric, metric, name, logged->second, finding)) return false;
      value = logged->second.value;
    }
    value = normalise(value, name, rule.unit);
    if (!std::isfinite(value)) {
      finding.reason = fmt::format("the champion's {} is {}, which is not a number to compare with", name, value);
      return false;
    }
    finding.champion = value;
    finding.limit = rule.factor * value + rule.limit;
    return true;
  }

  bool check_rows(const std::string& name, const Metric& metric, const std::string& champion_name,
                  const Metric& champion_metric, Finding& finding) {
    const Digests mine = rows_of(candidate_, metric);
    const Digests theirs = rows_of(*champion_, champion_metric);
    switch (compare_rows(mine, theirs)) {
      case Rows::kSame: return true;
      case Rows::kDifferent:
        finding.reason = fmt::format(
            "{} of the candidate comes from other rows (dataset {}) than the champion's (dataset {}), so the numbers "
            "do not "
            "compare: score the champion on the candidate's rows and log that as champion/{}",
            name, join(mine), join(theirs), champion_name);
        return false;
      case Rows::kUnknown: break;
    }
    if (!warned_) {
      verdict_.warnings.push_back(
          fmt::format("it is not known whether {} was measured on the same rows for candidate and champion ({}): log "
                      "the evaluation data "
                      "of both with mlflow.log_input, or champion/{}",
                      name, name_of(*champion_), champion_name));
    }
    warned_ = true;
    return true;
  }

  static std::string explain(const GateRule& rule, const Finding& finding) {
    int digits = 5;
    const auto show = [&](double value) { return config::format_quantity(value, rule.unit, digits); };
    // "0.72 is less than 0.72" would help nobody.
    if (show(*finding.candidate) == show(*finding.limit)) digits = 12;
    if (!finding.champion) {
      return fmt::format("{} is {}, needed {} {}", rule.metric, show(*finding.candidate), need_words(rule.comparison),
                         show(*finding.limit));
    }
    return fmt::format("{} is {}, champion has {}, needed {} {}", rule.metric, show(*finding.candidate),
                       show(*finding.champion), need_words(rule.comparison), show(*finding.limit));
  }

  const ModelFacts& candidate_;
  const std::optional<ModelFacts>& champion_;
  Verdict& verdict_;
  bool warned_ = false;
};

}  // namespace

Verdict evaluate(std::span<const GateRule> rules, const ModelFacts& candidate,
                 const std::optional<ModelFacts>& champion) {
  Verdict verdict;
  verdict.model = candidate.model;
  verdict.candidate_version = candidate.version;
  verdict.candidate_run = candidate.run_id;
  if (champion) {
    verdict.champion_version = champion->version;
    verdict.champion_run = champion->run_id;
  }
  Judge judge(candidate, champion, verdict);
  for (const auto& rule : rules) verdict.findings.push_back(judge.judge(rule));
  verdict.passed = !verdict.findings.empty() && std::all_of(verdict.findings.begin(), verdict.findings.end(),
                                                            [](const auto& f) { return f.passed; });
  return verdict;
}

}  // namespace weir::gate
