#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "store/database.h"
#include "types/event.h"

namespace weir::insight {

// A commit, as git has it.
struct Commit {
  std::string id;
  std::string author;
  TimePoint time;
  std::string message;  // first line
};

// An experiment run, as far as lineage tells of it.
struct ExperimentRun {
  std::string run_id;
  std::string name;
  TimePoint started_at;
  std::optional<std::int64_t> workflow_run;
  std::map<std::string, double> metrics;
  std::map<std::string, std::string> params;
  struct Dataset {
    std::string name;
    std::string digest;
    std::string context;
  };
  std::vector<Dataset> datasets;
};

// What `why` and `dora` ask other parts; each may give nothing where it knows nothing. Any thread.
struct Sources {
  std::function<Result<std::optional<ExperimentRun>>(const std::string& run_id)> experiment_run;
  std::function<Result<std::optional<Commit>>(const std::string& repository, const std::string& commit)> commit;
};

// One link of the chain: a fact with its time, and what led to it below.
struct Link {
  std::string kind;   // "switched", "approval", "gate", "version", "experiment", "run", "push", "commit", …
  std::string title;  // "flight-delay version 3 went live (before: 2)"
  TimePoint time;
  std::string actor;                                         // "" where nobody is named
  std::string subject;                                       // "model/flight-delay/3"
  std::int64_t event = 0;                                    // its row in the event log; 0 if it is not an event
  std::vector<std::pair<std::string, std::string>> details;  // {"auc", "0.7312"}, in order
  std::vector<Link> causes;
};

struct Why {
  std::string subject;  // "flights@production"
  std::string answer;   // one sentence
  Link root;
};

// Why is that live? Goes from the newest switch (or rollback) of "flights@production" back to approval, gate verdict,
// model version, experiment run with metrics and data digests, workflow run, push and commit. `subject` may also be a
// model version ("flight-delay/3"), a workflow run ("run/7") or the number of an event ("#123"); production is assumed
// where an endpoint stands alone. kNotFound if the log knows nothing of it.
Result<Why> why(store::Reader& reader, const Sources& sources, std::string_view subject);

// A tree with a time on each line, `now` for "3 m ago".
std::string to_text(const Why& why, TimePoint now);
json::object to_json(const Why& why);

}  // namespace weir::insight
