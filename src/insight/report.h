#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gate/gate.h"

namespace weir::insight {

// What a change did to a model, for those who review it: its metrics beside another model's, what differs between the
// two trainings, and what the gate would say.

enum class Change : std::uint8_t {
  kNone,    // one of the two numbers is missing
  kSame,    //
  kBetter,  //
  kWorse,   //
  kOther,   // nobody said which way is better
};

struct ReportMetric {
  std::string name;
  std::optional<double> value;
  std::optional<double> base;
  Change change = Change::kNone;
};

struct ReportParam {
  std::string name;
  std::optional<std::string> value;
  std::optional<std::string> base;
};

struct Report {
  std::string model;      // "" where it has no name
  std::string candidate;  // "run 3f2a91bc"
  std::string base;       // "champion version 1", "main, run 0a1b2c3d"; "" if there is nothing to compare with
  std::vector<ReportMetric> metrics;
  std::vector<ReportParam> params;  // that differ
  std::optional<gate::Verdict> verdict;
  std::vector<std::string> warnings;
};

using Params = std::map<std::string, std::string>;

// `base_name` is what people call the base where it is not the champion: "main". Which way a metric is better is told
// by the gate's rules about it, else by the words in its name (loss, error, latency, …: less; accuracy, auc, f1, …:
// more). A number `champion/<metric>` of the candidate's own run goes before the champion's, since both were scored on
// the same rows.
Report make_report(const gate::Comparison& comparison, const Params& params, const Params& base_params,
                   std::string_view base_name);

std::string to_markdown(const Report& report);
std::string to_text(const Report& report);
json::object to_json(const Report& report);  // with both of them as "markdown" and "text"

}  // namespace weir::insight
