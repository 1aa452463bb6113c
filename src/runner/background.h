#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runner/job_state.h"

namespace weir::runner {

// Steps with `background: true`, and the steps that wait for them and end them:
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsbackground
//
// A background step runs as a strand of the supervisor, with a view of the job as it was when the step was reached.
// What it sets becomes visible when somebody has waited for it. One that failed fails the step that waits for it, and
// the job in any case. At most ten run at a time; others wait for their turn.
class BackgroundSteps {
 public:
  explicit BackgroundSteps(JobState& job);
  ~BackgroundSteps();
  BackgroundSteps(const BackgroundSteps&) = delete;
  BackgroundSteps& operator=(const BackgroundSteps&) = delete;

  // Starts a step, unless its `if` says no.
  void start(std::unique_ptr<StepState> step);

  // A step that has `wait`, `wait-all` or `cancel`.
  Result<void> run_control(StepState& control);

  // Waits for what nobody has waited for, before the posts of the job.
  void finish();

 private:
  struct Item;
  void run(Item& item);
  [[nodiscard]] Item* find(std::string_view id);
  void wait_for(const std::vector<Item*>& items);
  // Makes visible what they did. Gives the worst of their conclusions.
  types::Conclusion take_over(const std::vector<Item*>& items);
  [[nodiscard]] std::vector<Item*> open_items();

  JobState& job_;
  std::vector<std::unique_ptr<Item>> items_;
  int running_ = 0;
};

}  // namespace weir::runner
