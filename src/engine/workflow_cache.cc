#include "engine/workflow_cache.h"

namespace weir::engine {
namespace {

constexpr std::size_t kEntriesMax = 16;

}  // namespace

Result<std::shared_ptr<const workflow::Workflow>> WorkflowCache::parse(const std::string& text,
                                                                       const std::string& path) {
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& entry : entries_) {
      if (entry.workflow->file == path && entry.text == text) return entry.workflow;
    }
  }
  auto parsed = workflow::parse_workflow(text, path);
  if (!parsed.workflow) return std::unexpected(Error{Code::kInvalidArgument, workflow::lint_text(parsed, text)});
  auto workflow = std::make_shared<const workflow::Workflow>(*std::move(parsed.workflow));
  add(text, workflow);
  return workflow;
}

void WorkflowCache::add(const std::string& text, std::shared_ptr<const workflow::Workflow> workflow) {
  const std::scoped_lock lock(mutex_);
  for (const auto& entry : entries_) {
    if (entry.workflow->file == workflow->file && entry.text == text) return;
  }
  entries_.push_front({text, std::move(workflow)});
  if (entries_.size() > kEntriesMax) entries_.pop_back();
}

}  // namespace weir::engine
