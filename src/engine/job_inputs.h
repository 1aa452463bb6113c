#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

// What went into a job, and what differs between two of them: as it is kept and shown. reuse.h compares.
namespace weir::engine {

// Files below it are compared by what they say of a job, where every file counts.
inline constexpr std::string_view kWorkflowFolder = ".github/workflows/";

// Among the parts of a job's inputs: the job asks for the commit, and so is of that commit only.
inline constexpr std::string_view kCommitPart = "github.sha";

// What went into a job, kept with its result. Not in it: secrets, time, the network, and what scripts ask of git
// itself.
struct JobInputs {
  std::string commit;
  std::string definition;                    // digest of its steps, environment and defaults, evaluated
  std::string values;                        // digest of `inputs`, `vars` and `matrix`
  std::map<std::string, std::string> needs;  // digest of each needed job's outputs and artifacts, by key
  // Digests of what `definition` and `values` are made of, by name: "steps", "env.RATE", "inputs.days", "matrix.part".
  // Only to tell what changed; empty for what was kept before they were.
  std::map<std::string, std::string> parts;
  // Files of the commit that it read, and folders that it listed; nothing if that is unknown, and all of it counts.
  struct Reads {
    std::vector<std::string> files;
    std::vector<std::string> folders;
  };
  std::optional<Reads> reads;
};
json::object to_json(const JobInputs& inputs);
// As a runner's report has it.
std::optional<JobInputs::Reads> reads_from_json(const json::value& value);
std::optional<JobInputs> job_inputs_from_json(const json::value& value);

// One thing that differs of what went into a job.
struct Difference {
  enum class Kind : std::uint8_t { kDefinition = 1, kValue = 2, kNeed = 3, kFile = 4 };
  enum class Change : std::uint8_t { kChanged = 1, kNew = 2, kGone = 3 };
  Kind kind = Kind::kFile;
  Change change = Change::kChanged;
  std::string name;  // "steps", "inputs.days", "prepare", "train.py"; "" for a definition or values without parts

  bool operator==(const Difference&) const = default;
};
json::object to_json(const Difference& difference);

// A handful of them for people, in one line: "scripts/train.py changed, data/june.csv is new, and 7 more".
std::string in_words(const std::vector<Difference>& differences);

}  // namespace weir::engine
