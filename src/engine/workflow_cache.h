#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "base/error.h"
#include "workflow/workflow.h"

namespace weir::engine {

// The last few workflow files that were parsed, by their text: a run is planned right after it was made, and a push
// parses what the next one parses again. Any thread.
class WorkflowCache {
 public:
  // kInvalidArgument with every diagnostic of the file.
  Result<std::shared_ptr<const workflow::Workflow>> parse(const std::string& text, const std::string& path);
  void add(const std::string& text, std::shared_ptr<const workflow::Workflow> workflow);

 private:
  struct Entry {
    std::string text;
    std::shared_ptr<const workflow::Workflow> workflow;
  };
  std::mutex mutex_;
  std::list<Entry> entries_;  // newest first
};

}  // namespace weir::engine
