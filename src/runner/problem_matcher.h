#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

// Problem matchers: regular expressions that find warnings and errors of compilers and linters in a step's output.
// https://github.com/actions/toolkit/blob/main/docs/problem-matchers.md
namespace weir::runner {

// What a matcher found. Texts are as they stood in the output; "" for what no pattern names.
struct ProblemMatch {
  std::string owner;
  std::string severity;  // "error", "warning", "notice" or ""; as written
  std::string file;
  std::string from_path;  // a file whose folder `file` is relative to
  std::string line;
  std::string column;
  std::string code;
  std::string message;
};

// The matchers of a job, in the order in which they are tried: the latest first. Not thread-safe.
class ProblemMatchers {
 public:
  ProblemMatchers();
  ~ProblemMatchers();
  ProblemMatchers(const ProblemMatchers&) = delete;
  ProblemMatchers& operator=(const ProblemMatchers&) = delete;

  // Adds those of a matcher file, {"problemMatcher": [{"owner", "severity", "fromPath", "pattern": [{"regexp", …}]}]};
  // one of the same owner goes. Gives the owners. kInvalidArgument says what is wrong with the file; nothing is added
  // then.
  Result<std::vector<std::string>> add(std::string_view text);
  // Removes the matcher of an owner, without regard to case.
  void remove(std::string_view owner);
  // The owners that a matcher file names, whatever else is wrong with it.
  static Result<std::vector<std::string>> owners(std::string_view text);

  [[nodiscard]] bool empty() const { return matchers_.empty(); }

  // Shows a line, without its colours, to the matchers. `broken` gets the owner of one whose expression took too long,
  // which was removed.
  std::optional<ProblemMatch> match(std::string_view line, std::string& broken);
  // Forgets half-finished finds: lines of another step do not continue them.
  void reset();

 private:
  struct Matcher;
  std::vector<std::unique_ptr<Matcher>> matchers_;
};

// `line` without terminal colours.
std::string without_colors(std::string_view line);

}  // namespace weir::runner
