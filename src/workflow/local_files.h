#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "workflow/action_file.h"
#include "workflow/workflow.h"

namespace weir::workflow {

// Other files of the repository, as one workflow file asks for them: each is read once. One thread.
class LocalFiles {
 public:
  explicit LocalFiles(const ParseOptions& options) : options_(options) {}

  // Whether there is anybody to ask. Without, nothing is known of other files.
  [[nodiscard]] bool known() const { return static_cast<bool>(options_.read_local); }

  // The reusable workflow at a path of the repository, with what is wrong with it alone; null if there is none.
  const ParseResult* workflow(const std::string& path);
  // What `uses` of a job calls, if it is of this repository and parses; else null.
  const Workflow* callee(std::string_view uses);

  struct Action {
    std::string path;                   // of its metadata, or of its Dockerfile
    std::optional<ActionParse> parsed;  // not of a Dockerfile
  };
  // The action in a folder of the repository ("": its root); null if there is none.
  const Action* action(const std::string& folder);

  // "./x/y" and "$/x/y" as a path of the repository, "x/y"; nothing for what is of another one, or leads out of it.
  static std::optional<std::string> path_of(std::string_view uses);

 private:
  const ParseOptions& options_;
  std::map<std::string, std::optional<ParseResult>> workflows_;
  std::map<std::string, std::optional<Action>> actions_;
};

}  // namespace weir::workflow
