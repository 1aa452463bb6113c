#include "insight/report.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <set>

namespace weir::insight {
namespace {

constexpr std::string_view kChampion = "champion/";
constexpr std::string_view kMinus = "\u2212";

// 1 if more is better, -1 if less is, 0 if nobody knows.
int direction_by_name(std::string_view name) {
  constexpr std::array<std::string_view, 17> kLess = {"loss", "error",   "err",  "rmse",   "mse",   "mae",
                                                      "mape", "latency", "wer",  "cer",    "brier", "perplexity",
                                                      "time", "seconds", "size", "memory", "cost"};
  constexpr std::array<std::string_view, 14> kMore = {"accuracy", "acc", "auc", "f1",   "precision", "recall", "r2",
                                                      "score",    "map", "iou", "bleu", "rouge",     "ndcg",   "dice"};
  int direction = 0;
  std::string word;
  const auto look = [&] {
    if (std::ranges::find(kLess, word) != kLess.end()) direction = -1;
    if (direction == 0 && std::ranges::find(kMore, word) != kMore.end()) direction = 1;
    word.clear();
  };
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else {
      look();
    }
  }
  look();
  return direction;
}

int direction_of(std::string_view name, const std::vector<config::GateRule>& rules) {
  const auto rule = std::ranges::find(rules, name, &config::GateRule::metric);
  if (rule == rules.end()) return direction_by_name(name);
  using config::Comparison;
  return rule->comparison == Comparison::kAtLeast || rule->comparison == Comparison::kAbove ? 1 : -1;
}

Change change_of(const ReportMetric& metric, int direction) {
  if (!metric.value || !metric.base || std::isnan(*metric.value) || std::isnan(*metric.base)) return Change::kNone;
  if (*metric.value == *metric.base) return Change::kSame;
  if (direction == 0) return Change::kOther;
  return (*metric.value > *metric.base) == (direction > 0) ? Change::kBetter : Change::kWorse;
}

std::string run_name(const gate::ModelFacts& facts) {
  if (!facts.run_id.empty()) return "run " + facts.run_id.substr(0, 8);
  return facts.version.empty() ? "the numbers given" : "version " + facts.version;
}

// The rows that a model was scored on, by digest.
std::set<std::string> evaluated_on(const gate::ModelFacts& facts) {
  std::set<std::string> digests;
  for (const auto& dataset : facts.datasets) {
    if (dataset.context != "training" && !dataset.digest.empty()) digests.insert(dataset.digest);
  }
  return digests;
}

bool other_rows(const gate::ModelFacts& candidate, const gate::ModelFacts& base) {
  const auto ours = evaluated_on(candidate);
  const auto theirs = evaluated_on(base);
  return !ours.empty() && !theirs.empty() &&
         std::ranges::none_of(ours, [&](const auto& digest) { return theirs.contains(digest); });
}

std::string with_minus(std::string text) {
  if (text.starts_with('-')) text.replace(0, 1, kMinus);
  return text;
}

std::string number(const std::optional<double>& value) {
  if (!value) return "-";
  const double size = std::abs(*value);
  const bool plain = size == 0.0 || (size >= 0.001 && size < 1e6);
  if (!plain) return with_minus(fmt::format("{:.4g}", *value));
  if (*value == std::round(*value) && size >= 10) return with_minus(fmt::format("{:.0f}", *value));
  return with_minus(fmt::format("{:.4f}", *value));
}

std::string difference(const ReportMetric& metric) {
  if (metric.change == Change::kNone) return "";
  const std::string text = number(*metric.value - *metric.base);
  return text.starts_with(kMinus) ? text : "+" + text;
}

struct Words {
  std::string_view word;
  std::string_view mark;
};
Words words_of(Change change) {
  switch (change) {
    case Change::kNone: return {"", ""};
    case Change::kSame: return {"same", "= same"};
    case Change::kBetter: return {"better", "✓ better"};
    case Change::kWorse: return {"worse", "✗ worse"};
    case Change::kOther: return {"changed", ""};
  }
  return {};
}

std::string first_upper(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::string gate_line(const gate::Verdict& verdict) {
  const auto total = verdict.findings.size();
  const auto held = static_cast<std::size_t>(std::ranges::count(verdict.findings, true, &gate::Finding::passed));
  return fmt::format("the gate {}: {} of {} rules hold", verdict.passed ? "would let it pass" : "would refuse it", held,
                     total);
}

std::string heading(const Report& report) {
  const auto what =
      report.model.empty() ? first_upper(report.candidate) : fmt::format("{}, {}", report.model, report.candidate);
  return report.base.empty() ? fmt::format("{}: nothing to compare with yet", what)
                             : fmt::format("{} against {}", what, report.base);
}

std::string short_value(const std::optional<std::string>& value) {
  constexpr std::size_t kMax = 60;
  constexpr std::size_t kCommit = 40;
  if (!value) return "-";
  const bool is_commit = value->size() == kCommit && value->find_first_not_of("0123456789abcdef") == std::string::npos;
  if (is_commit) return value->substr(0, 12);
  return value->size() <= kMax ? *value : value->substr(0, kMax) + "…";
}

std::vector<ReportParam> params_that_differ(const Params& ours, const Params& theirs) {
  std::set<std::string> names;
  for (const auto& [name, value] : ours) names.insert(name);
  for (const auto& [name, value] : theirs) names.insert(name);
  std::vector<ReportParam> differ;
  for (const auto& name : names) {
    const auto value = ours.find(name);
    const auto base = theirs.find(name);
    if (value != ours.end() && base != theirs.end() && value->second == base->second) continue;
    ReportParam param{.name = name, .value = {}, .base = {}};
    if (value != ours.end()) param.value = value->second;
    if (base != theirs.end()) param.base = base->second;
    differ.push_back(std::move(param));
  }
  return differ;
}

// Code points; marks that take two columns are not in these tables.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string printable(std::string text) {
  std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return text;
}

// Columns in a line each, those after the first to the right up to `last_number`.
std::string aligned(const std::vector<std::vector<std::string>>& rows, std::size_t last_number) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string blanks(widths[i] - width_of(row[i]), ' ');
      line += "  " + (i > 0 && i <= last_number ? blanks + row[i] : row[i] + blanks);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

json::value text_or_null(const std::optional<std::string>& value) {
  return value ? json::value(*value) : json::value();
}
json::value number_or_null(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? json::value(*value) : json::value();
}

}  // namespace

Report make_report(const gate::Comparison& comparison, const Params& params, const Params& base_params,
                   std::string_view base_name) {
  Report report{.model = comparison.candidate.model,
                .candidate = run_name(comparison.candidate),
                .base = "",
                .metrics = {},
                .params = {},
                .verdict = comparison.verdict,
                .warnings = comparison.warnings};
  const auto& ours = comparison.candidate.metrics;
  bool from_other_run = false;
  for (const auto& [name, metric] : ours) {
    if (name.starts_with(kChampion)) continue;
    ReportMetric row{.name = name, .value = metric.value, .base = {}};
    const auto same_rows = ours.find(fmt::format("{}{}", kChampion, name));
    if (comparison.base_is_champion && same_rows != ours.end()) {
      row.base = same_rows->second.value;
    } else if (comparison.base) {
      const auto theirs = comparison.base->metrics.find(name);
      if (theirs != comparison.base->metrics.end()) row.base = theirs->second.value;
      from_other_run = from_other_run || row.base.has_value();
    }
    row.change = change_of(row, direction_of(name, comparison.rules));
    report.metrics.push_back(std::move(row));
  }
  if (!comparison.base) return report;
  for (const auto& [name, metric] : comparison.base->metrics) {
    if (name.starts_with(kChampion) || ours.contains(name)) continue;
    report.metrics.push_back({.name = name, .value = {}, .base = metric.value});
  }
  std::ranges::sort(report.metrics, {}, &ReportMetric::name);
  report.params = params_that_differ(params, base_params);
  report.base = comparison.base_is_champion ? "champion version " + comparison.base->version
                : base_name.empty()         ? run_name(*comparison.base)
                                            : fmt::format("{}, {}", base_name, run_name(*comparison.base));
  if (from_other_run && other_rows(comparison.candidate, *comparison.base)) {
    report.warnings.push_back(fmt::format("{} was scored on other rows than {}: their numbers differ by that, too",
                                          report.candidate, report.base));
  }
  return report;
}

std::string to_markdown(const Report& report) {
  using gate::escape_markdown;
  std::string text = fmt::format("### {}\n\n", escape_markdown(heading(report)));
  if (report.base.empty()) {
    text += "| Metric | Value |\n|---|---:|\n";
    for (const auto& metric : report.metrics) {
      text += fmt::format("| {} | {} |\n", escape_markdown(metric.name), number(metric.value));
    }
  } else {
    text += fmt::format("| Metric | This change | {} | Difference | |\n|---|---:|---:|---:|---|\n",
                        escape_markdown(report.base.starts_with("champion ") ? first_upper(report.base) : report.base));
    for (const auto& metric : report.metrics) {
      text += fmt::format("| {} | {} | {} | {} | {} |\n", escape_markdown(metric.name), number(metric.value),
                          number(metric.base), difference(metric), words_of(metric.change).mark);
    }
  }
  if (report.verdict) {
    text += fmt::format("\n{} {}\n", report.verdict->passed ? "✓" : "✗", first_upper(gate_line(*report.verdict)));
    bool first = true;
    for (const auto& finding : report.verdict->findings) {
      if (finding.passed) continue;
      text += fmt::format("{}- {}\n", std::exchange(first, false) ? "\n" : "", escape_markdown(finding.reason));
    }
  }
  if (!report.params.empty()) {
    text += "\n| Parameter | This change | Before |\n|---|---|---|\n";
    for (const auto& param : report.params) {
      text += fmt::format("| {} | {} | {} |\n", escape_markdown(param.name), escape_markdown(short_value(param.value)),
                          escape_markdown(short_value(param.base)));
    }
  }
  for (const auto& warning : report.warnings) text += fmt::format("\nNote: {}\n", escape_markdown(warning));
  return text;
}

std::string to_text(const Report& report) {
  std::string text = printable(heading(report)) + "\n";
  std::vector<std::vector<std::string>> rows = {{"metric", "this change", "before", "difference", ""}};
  for (const auto& metric : report.metrics) {
    rows.push_back({printable(metric.name), number(metric.value), number(metric.base), difference(metric),
                    std::string(words_of(metric.change).word)});
  }
  text += aligned(rows, 3);
  if (!report.params.empty()) {
    std::vector<std::vector<std::string>> params = {{"parameter", "this change", "before"}};
    for (const auto& param : report.params) {
      params.push_back(
          {printable(param.name), printable(short_value(param.value)), printable(short_value(param.base))});
    }
    text += aligned(params, 0);
  }
  if (report.verdict) {
    text += gate_line(*report.verdict) + "\n";
    for (const auto& finding : report.verdict->findings) {
      if (!finding.passed) text += fmt::format("  {}\n", printable(finding.reason));
    }
  }
  for (const auto& warning : report.warnings) text += "warning: " + printable(warning) + "\n";
  return text;
}

json::object to_json(const Report& report) {
  json::array metrics;
  for (const auto& metric : report.metrics) {
    std::optional<double> by;
    if (metric.change != Change::kNone) by = *metric.value - *metric.base;
    metrics.push_back({{"name", metric.name},
                       {"value", number_or_null(metric.value)},
                       {"base", number_or_null(metric.base)},
                       {"difference", number_or_null(by)},
                       {"change", words_of(metric.change).word}});
  }
  json::array params;
  for (const auto& param : report.params) {
    params.push_back({{"name", param.name}, {"value", text_or_null(param.value)}, {"base", text_or_null(param.base)}});
  }
  return {{"model", report.model},
          {"candidate", report.candidate},
          {"base", report.base},
          {"metrics", std::move(metrics)},
          {"params", std::move(params)},
          {"gate", report.verdict ? json::value(gate::to_json(*report.verdict)) : json::value()},
          {"warnings", json::value_from(report.warnings)},
          {"markdown", to_markdown(report)},
          {"text", to_text(report)}};
}

}  // namespace weir::insight
