#include <algorithm>
#include <array>

#include "gate/verdict.h"

namespace weir::gate {
namespace {

std::string shown(const std::optional<double>& value, config::Unit unit) {
  return value ? config::format_quantity(*value, unit) : "-";
}

std::string shown_limit(const Finding& finding) {
  if (!finding.limit) return "-";
  return fmt::format("{} {}", config::comparison_sign(finding.comparison),
                     config::format_quantity(*finding.limit, finding.unit));
}

std::string subject_line(const Verdict& verdict) {
  std::string candidate = verdict.candidate_version.empty() ? "candidate" : "version " + verdict.candidate_version;
  if (!verdict.candidate_run.empty()) candidate += " (run " + verdict.candidate_run.substr(0, 8) + ")";
  const std::string champion = verdict.champion_version.empty() && verdict.champion_run.empty()
                                   ? "no champion yet"
                                   : "champion version " + verdict.champion_version;
  return fmt::format("{}: {} against {}", verdict.model.empty() ? "gate" : verdict.model, candidate, champion);
}

std::string outcome_line(const Verdict& verdict) {
  const auto total = verdict.findings.size();
  const auto failed = static_cast<std::size_t>(
      std::count_if(verdict.findings.begin(), verdict.findings.end(), [](const auto& f) { return !f.passed; }));
  if (verdict.passed) return fmt::format("passed: {} of {} rules hold", total, total);
  if (total == 0) return "refused: there are no rules";
  return fmt::format("refused: {} of {} rules {}", failed, total, failed == 1 ? "fails" : "fail");
}

// Metric names and rules come from outside: nothing of theirs may steer a terminal.
std::string printable(std::string_view text) {
  std::string result(text);
  std::replace_if(
      result.begin(), result.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return result;
}

// Code points, as a terminal's columns for everything but wide scripts.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

json::value number_or_null(const std::optional<double>& value) {
  return value ? json::value(*value) : json::value();
}

}  // namespace

std::string escape_markdown(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text)) {
    if (c == '<') {
      escaped += "&lt;";
    } else if (c == '&') {
      escaped += "&amp;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else {
      if (std::string_view("\\`*_{}[]()#!|~").find(c) != std::string_view::npos) escaped += '\\';
      escaped += c;
    }
  }
  return escaped;
}

std::string to_text(const Verdict& verdict) {
  using Cells = std::array<std::string, 5>;
  std::vector<Cells> rows = {{"", "rule", "candidate", "champion", "needed"}};
  for (const auto& finding : verdict.findings) {
    rows.push_back({finding.passed ? "pass" : "FAIL", printable(finding.rule), shown(finding.candidate, finding.unit),
                    shown(finding.champion, finding.unit), shown_limit(finding)});
  }
  std::array<std::size_t, 5> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text = printable(subject_line(verdict)) + "\n";
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line = " ";
    for (std::size_t i = 0; i < rows[r].size(); ++i) {
      const std::string padding(widths[i] - width_of(rows[r][i]), ' ');
      // Numbers stand to the right, words to the left.
      const bool right = i == 2 || i == 3;
      line += " " + (right ? padding + rows[r][i] : rows[r][i] + padding) + " ";
    }
    if (r > 0 && !verdict.findings[r - 1].reason.empty()) line += " " + printable(verdict.findings[r - 1].reason);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  for (const auto& warning : verdict.warnings) text += "warning: " + printable(warning) + "\n";
  return text + outcome_line(verdict) + "\n";
}

std::string to_markdown(const Verdict& verdict) {
  std::string text = fmt::format(
      "### {} Gate {}\n\n{}\n\n| | Rule | Candidate | Champion | Needed | Why |\n"
      "|---|---|---:|---:|---|---|\n",
      verdict.passed ? "✓" : "✗", verdict.passed ? "passed" : "refused", escape_markdown(subject_line(verdict)));
  for (const auto& finding : verdict.findings) {
    text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", finding.passed ? "✓" : "✗", escape_markdown(finding.rule),
                        shown(finding.candidate, finding.unit), shown(finding.champion, finding.unit),
                        escape_markdown(shown_limit(finding)), escape_markdown(finding.reason));
  }
  for (const auto& warning : verdict.warnings) text += "\n⚠️ " + escape_markdown(warning) + "\n";
  return text + "\n" + outcome_line(verdict) + "\n";
}

json::object to_json(const Verdict& verdict) {
  json::array findings;
  for (const auto& finding : verdict.findings) {
    findings.push_back(json::object{{"rule", finding.rule},
                                    {"metric", finding.metric},
                                    {"passed", finding.passed},
                                    {"reason", finding.reason},
                                    {"candidate", number_or_null(finding.candidate)},
                                    {"champion", number_or_null(finding.champion)},
                                    {"limit", number_or_null(finding.limit)},
                                    {"comparison", config::comparison_sign(finding.comparison)}});
  }
  json::array warnings;
  for (const auto& warning : verdict.warnings) warnings.emplace_back(warning);
  const bool first_release = verdict.champion_version.empty() && verdict.champion_run.empty();
  json::value champion;
  if (!first_release) champion = json::object{{"version", verdict.champion_version}, {"run_id", verdict.champion_run}};
  return {{"passed", verdict.passed},
          {"model", verdict.model},
          {"candidate", json::object{{"version", verdict.candidate_version}, {"run_id", verdict.candidate_run}}},
          {"champion", std::move(champion)},
          {"findings", std::move(findings)},
          {"warnings", std::move(warnings)},
          {"text", to_text(verdict)},
          {"markdown", to_markdown(verdict)}};
}

}  // namespace weir::gate
