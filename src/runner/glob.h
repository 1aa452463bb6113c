#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

// Patterns of files as GitHub's actions take them (@actions/glob with minimatch's "dot", without braces): one a line,
// "*", "?", "[a-z]", "**", "\" to escape, "!" to exclude, "#" for a comment, "~" for the home folder; later lines win.
namespace weir::runner {

struct GlobOptions {
  bool follow_symbolic_links = true;
  bool implicit_descendants = true;  // a folder that matches brings all that is in it
  bool match_directories = true;
  bool exclude_hidden_files = false;  // names that start with a dot, and all below such folders
};

// One line's pattern, rooted.
class GlobPattern {
 public:
  // kInvalidArgument for "." or ".." inside. `folder` roots a relative pattern, `home` stands for "~".
  static Result<GlobPattern> parse(std::string_view text, const std::filesystem::path& folder,
                                   const std::filesystem::path& home);

  [[nodiscard]] bool negate() const { return negate_; }
  [[nodiscard]] bool directories_only() const { return directories_only_; }
  [[nodiscard]] bool ends_with_globstar() const { return !segments_.empty() && segments_.back() == "**"; }
  // The literal path before the first wildcard.
  [[nodiscard]] const std::string& search_path() const { return search_path_; }
  // The same pattern for all that lies below what matches it.
  [[nodiscard]] GlobPattern descendants() const;

  [[nodiscard]] bool matches(const std::vector<std::string_view>& path) const;
  // Whether something below `path` may match.
  [[nodiscard]] bool may_match_below(const std::vector<std::string_view>& path) const;

 private:
  bool negate_ = false;
  bool directories_only_ = false;
  bool implicit_ = false;
  std::vector<std::string> segments_;  // without the root
  std::string search_path_;
};

class Glob {
 public:
  static Result<Glob> parse(std::string_view patterns, const std::filesystem::path& folder,
                            const std::filesystem::path& home);

  // Where the search starts: one path a pattern, without those below another.
  [[nodiscard]] std::vector<std::string> search_paths() const;
  // Absolute paths of what matches, each folder's entries by byte order, folders before what is in them.
  [[nodiscard]] Result<std::vector<std::string>> search(const GlobOptions& options) const;

 private:
  std::vector<GlobPattern> patterns_;
};

// Whether a name without slashes matches: "*", "?", "[a-z]", "{a,b}". A leading dot must be written out.
bool name_matches(std::string_view pattern, std::string_view name);

// GitHub's hashFiles(): SHA-256 over the SHA-256 of every file below `workspace` that matches, in search order; "" if
// none does. A first pattern "--follow-symbolic-links" is an option.
Result<std::string> hash_files(const std::vector<std::string>& patterns, const std::filesystem::path& workspace);

// SHA-256 of a file's bytes, 64 lower-case hex digits.
Result<std::string> hash_file(const std::filesystem::path& path);

}  // namespace weir::runner
