#include "app/cli/work_tree.h"

#include <filesystem>
#include <sstream>

#include "io/git.h"
#include "io/process.h"

namespace weir::app {

Result<std::string> repository_of_work_tree() {
  const auto git = WEIR_TRY(io::Git::discover(std::filesystem::current_path()));
  io::ProcessOptions options;
  options.argv = {"git", "--git-dir=" + git.git_dir().string(), "remote", "-v"};
  std::istringstream lines(WEIR_TRY(io::run_checked(std::move(options))));
  for (std::string line; std::getline(lines, line);) {
    const auto at = line.find("/git/");
    const auto end = line.find(".git", at == std::string::npos ? 0 : at + 5);
    if (at == std::string::npos || end == std::string::npos) continue;
    return line.substr(at + 5, end - at - 5);
  }
  return fail(Code::kNotFound, "no remote of this repository leads to a weir server; name it: --repo NAME");
}

}  // namespace weir::app
