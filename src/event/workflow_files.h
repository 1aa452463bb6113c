#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/git.h"
#include "workflow/workflow.h"

namespace weir::event {

// A file below .github/workflows at some commit.
struct WorkflowFile {
  std::string path;
  std::string text;
  std::shared_ptr<const workflow::Workflow> workflow;  // null if it does not parse
  std::string problem;                                 // then: its diagnostics
};

// Every *.yml and *.yaml file directly in .github/workflows at `commit`, by path. Blocks for git.
Result<std::vector<WorkflowFile>> read_workflow_files(const io::Git& git, std::string_view commit);

// The one that is meant by a file name ("ml-pipeline.yml", "ml-pipeline") or a path. kNotFound names what there is.
Result<WorkflowFile> find_workflow_file(const io::Git& git, std::string_view commit, std::string_view name);

}  // namespace weir::event
