#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "config/rules.h"

// Quality gates: may a candidate model replace the champion that serves today?
namespace weir::gate {

// A dataset that an experiment run logged with mlflow.log_input.
struct Dataset {
  std::string name;
  std::string digest;
  std::string context;  // tag mlflow.data.context: "training", "eval", …; "" if not given
};

struct Metric {
  double value = 0.0;          // the newest point
  std::string dataset_digest;  // where the metric was logged with a dataset of its own; else ""
};

// What is known of one model when it is judged.
struct ModelFacts {
  std::string model;    // "flight-delay"
  std::string version;  // "3"; "" while not registered
  std::string run_id;   // experiment run that made it, 32 hex digits
  std::map<std::string, Metric, std::less<>> metrics;
  std::vector<Dataset> datasets;
};

// One rule's outcome. Numbers are normalised (milliseconds, ratio) and empty where there is none.
struct Finding {
  std::string rule;  // as written
  std::string metric;
  bool passed = false;
  std::string reason;  // shown to users as it stands; also says why a rule passed without a comparison
  std::optional<double> candidate;
  std::optional<double> champion;
  std::optional<double> limit;  // what the candidate had to reach, e.g. champion.auc - 0.01 worked out
  config::Comparison comparison = config::Comparison::kAtLeast;
  config::Unit unit = config::Unit::kNone;
};

struct Verdict {
  bool passed = false;
  std::string model;
  std::string candidate_version;
  std::string candidate_run;
  std::string champion_version;  // "" = first release
  std::string champion_run;
  std::vector<Finding> findings;  // in the order of the rules
  std::vector<std::string> warnings;
};

// Judges `candidate` by `rules`. Pure: stored facts give the stored verdict again; any thread.
//
// A metric that is missing or not a number fails its rule. A comparison takes the champion's number from
// `champion/<metric>` if the candidate's own run logged it, since then both were scored on the same rows; otherwise
// from the champion's run, and then the datasets must agree: equal digests compare, different ones fail the rule, and
// where a side has none the rule is judged with a warning. Which digest counts: the metric's own, else those of the
// run's inputs that are not marked as training data. Without a champion comparisons pass (a first release) and say so.
//
// Metrics hold times in milliseconds and shares as ratios, unless the name ends in _s, _sec, _seconds, _us or in _pct,
// _percent.
Verdict evaluate(std::span<const config::GateRule> rules, const ModelFacts& candidate,
                 const std::optional<ModelFacts>& champion);

// Text from outside for a cell of a Markdown table: it steers neither the table nor a page.
std::string escape_markdown(std::string_view text);

// The table for a log, aligned with blanks, one line a rule and a last line with the outcome. No colours.
std::string to_text(const Verdict& verdict);
// The same as a Markdown table for a job summary. Names are escaped.
std::string to_markdown(const Verdict& verdict);
// {"passed","model","candidate","champion","findings","warnings","text","markdown"} as POST /api/v1/gate answers.
json::object to_json(const Verdict& verdict);

}  // namespace weir::gate
