#include "app/cli/work_tree.h"

#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>

#include "io/git.h"
#include "io/git_process.h"
#include "io/process.h"

namespace weir::app {

Result<std::filesystem::path> work_tree_root() {
  WEIR_TRY(io::Git::discover(std::filesystem::current_path()));
  io::ProcessOptions options;
  options.argv = {"git", "rev-parse", "--show-toplevel"};
  options.env = io::git_environment({});
  std::string root = WEIR_TRY(io::run_checked(std::move(options)));
  while (root.ends_with('\n')) root.pop_back();
  return std::filesystem::path(root);
}

Result<std::string> repository_of_work_tree() {
  const auto git = WEIR_TRY(io::Git::discover(std::filesystem::current_path()));
  io::ProcessOptions options;
  options.argv = {"git", "--git-dir=" + git.git_dir().string(), "remote", "-v"};
  std::istringstream lines(WEIR_TRY(io::run_checked(std::move(options))));
  // "origin  http://127.0.0.1:4510/git/flights.git (fetch)", or /weir/flights
  for (std::string remote, url, what; lines >> remote >> url >> what;) {
    const auto slash = url.rfind('/');
    const std::string_view folder = std::string_view(url).substr(0, slash);
    if (slash == std::string::npos || folder.find("://") == std::string_view::npos) continue;
    if (!folder.ends_with("/git") && !folder.ends_with("/weir")) continue;
    std::string name = url.substr(slash + 1);
    if (name.ends_with(".git")) name.resize(name.size() - 4);
    if (!name.empty()) return name;
  }
  return fail(Code::kNotFound, "no remote of this repository leads to a weir server; name it: --repo NAME");
}

}  // namespace weir::app
