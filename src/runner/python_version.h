#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace weir::runner {

struct PythonVersion {
  int major = 0;
  int minor = 0;
  int patch = 0;
  auto operator<=>(const PythonVersion&) const = default;
  [[nodiscard]] bool same_minor(const PythonVersion& other) const {
    return major == other.major && minor == other.minor;
  }
};

std::string to_string(const PythonVersion& version);      // "3.11.2"
std::string minor_version(const PythonVersion& version);  // "3.11"

// Reads the version at the front of `text`: "3.11.2", "3.11" (patch 0), "3.13.0rc1". Nothing if there is none.
std::optional<PythonVersion> parse_python_version(std::string_view text);

// What `python-version` of actions/setup-python may say: a version ("3.10.4", "3.10", "3.x", "3.12-dev"), a range of
// npm's semver (">=3.9 <3.12", "~3.10", "^3.9", "3.9 - 3.11", "3.9 || 3.11") or of PEP 440 (">=3.9,!=3.9.1", "~=3.10").
class PythonRange {
 public:
  // kInvalidArgument names the text; kUnimplemented for PyPy and GraalPy.
  static Result<PythonRange> parse(std::string_view text);

  [[nodiscard]] bool contains(const PythonVersion& version) const;
  // A version that the range was written around, to find the nearest when nothing fits.
  [[nodiscard]] PythonVersion anchor() const;

 private:
  struct Interval {  // low <= v < high; `outside`: or rather not
    PythonVersion low;
    PythonVersion high;
    bool outside = false;
  };
  static Result<std::vector<Interval>> parse_all(std::string_view text, std::string_view whole);
  static Result<Interval> parse_one(std::string_view text, std::string_view whole);

  std::vector<std::vector<Interval>> alternatives_;
};

// Versions that a file names for `python-version-file`: .python-version, .tool-versions, pyproject.toml or Pipfile.
Result<std::vector<std::string>> python_versions_of_file(std::string_view file_name, std::string_view text);

}  // namespace weir::runner
