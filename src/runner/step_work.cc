#include "runner/step_work.h"

namespace weir::runner {

void StepReporter::line(std::string_view text) {
  const std::scoped_lock lock(mutex_);
  if (job_ == nullptr) return;
  job_->line(step_->index, 'o', text);
  job_->log->flush();
}

void StepReporter::annotate(std::string_view level, std::string_view message) {
  const std::scoped_lock lock(mutex_);
  if (job_ == nullptr) return;
  job_->annotate(*step_, level, message);
  job_->log->flush();
}

void StepReporter::detach() {
  const std::scoped_lock lock(mutex_);
  job_ = nullptr;
}

}  // namespace weir::runner
