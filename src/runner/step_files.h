#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <string>

#include "base/error.h"
#include "base/json.h"

namespace weir::runner {

// The files by which a step's processes talk back: GITHUB_OUTPUT, GITHUB_ENV, GITHUB_PATH, GITHUB_STATE and
// GITHUB_STEP_SUMMARY. A step finds them empty. A file that a step left untouched serves the next one too, which spares
// most steps five files.
class StepFiles {
 public:
  enum Kind : std::size_t { kOutput, kEnv, kPath, kState, kSummary, kKinds };

  // `folder` is made by prepare().
  explicit StepFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Makes what is missing and sets the variables.
  Result<void> prepare(std::map<std::string, std::string>& env);

  // Tells expressions of the step that comes where its files will be: github.output, github.env and so on.
  void show(json::object& github) const;

  // Size of what the step wrote; 0 if nothing.
  [[nodiscard]] std::uint64_t size(Kind kind) const;
  [[nodiscard]] Result<std::string> read(Kind kind) const;
  // Forgets files that were written to.
  void finish();

 private:
  [[nodiscard]] std::filesystem::path path(Kind kind) const;

  std::filesystem::path folder_;
  std::array<int, kKinds> generation_{};
  std::array<bool, kKinds> ready_{};
};

}  // namespace weir::runner
