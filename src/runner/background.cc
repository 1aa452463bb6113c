#include "runner/background.h"

#include <algorithm>

#include "runner/step_run.h"

namespace weir::runner {
namespace {

using types::Conclusion;

constexpr int kRunningMax = 10;  // as on GitHub

// The worse of two: a failure counts more than a cancellation.
Conclusion worse(Conclusion a, Conclusion b) {
  for (const auto conclusion : {Conclusion::kFailure, Conclusion::kCancelled}) {
    if (a == conclusion || b == conclusion) return conclusion;
  }
  return Conclusion::kSuccess;
}

}  // namespace

struct BackgroundSteps::Item {
  std::unique_ptr<StepState> step;
  JobView view;
  Supervisor::StrandPtr strand;
  bool waited_for = false;
  bool ended_on_purpose = false;  // by a `cancel` step

  Item(std::unique_ptr<StepState> own, std::filesystem::path files) : step(std::move(own)), view(std::move(files)) {}
  [[nodiscard]] bool ended() const { return strand == nullptr || Supervisor::ended(*strand); }
};

BackgroundSteps::BackgroundSteps(JobState& job) : job_(job) {}
BackgroundSteps::~BackgroundSteps() = default;

void BackgroundSteps::start(std::unique_ptr<StepState> step) {
  const auto folder = job_.own_dir / fmt::format("background-{}", items_.size() + 1);
  if (begin_step(job_, *step, StepFiles(folder)) != StepWish::kRun) {
    if (step->conclusion == Conclusion::kFailure) job_.failed = true;
    record_start(job_, *step);
    remember(job_, *step);
    record_end(job_, *step);
    return;
  }
  auto item = std::make_unique<Item>(std::move(step), folder);
  auto& view = item->view;
  view.contexts = job_.contexts;
  view.job_env = job_.job_env;
  view.hidden_env = job_.hidden_env;
  view.added_paths = job_.added_paths;
  view.in_background = true;
  Item& started = *item;
  items_.push_back(std::move(item));
  started.strand = job_.supervisor->start([this, &started] { run(started); },
                                          [this, &started] { std::swap(static_cast<JobView&>(job_), started.view); });
}

void BackgroundSteps::run(Item& item) {
  StepState& step = *item.step;
  auto& supervisor = *job_.supervisor;
  supervisor.wait_until([&] { return running_ < kRunningMax || supervisor.stopping() || job_.cancelled(); });
  ++running_;
  record_start(job_, step);
  if (supervisor.stopping() || job_.cancelled()) {
    step.outcome = step.conclusion = Conclusion::kCancelled;
  } else {
    run_body(job_, step, run_main);
  }
  --running_;
  *step.listening.on() = false;
  record_end(job_, step);
}

BackgroundSteps::Item* BackgroundSteps::find(std::string_view id) {
  const auto found =
      std::ranges::find_if(items_, [&](const auto& item) { return equal_ignoring_case(item->step->step.id, id); });
  return found == items_.end() ? nullptr : found->get();
}

std::vector<BackgroundSteps::Item*> BackgroundSteps::open_items() {
  std::vector<Item*> open;
  for (const auto& item : items_) {
    if (!item->waited_for) open.push_back(item.get());
  }
  return open;
}

void BackgroundSteps::wait_for(const std::vector<Item*>& items) {
  job_.supervisor->wait_until(
      [&] { return std::ranges::all_of(items, [](const Item* item) { return item->ended(); }); });
}

Conclusion BackgroundSteps::take_over(const std::vector<Item*>& items) {
  Conclusion worst = Conclusion::kSuccess;
  for (Item* item : items) {
    if (!item->waited_for) {
      job_.take_over(item->view.changes);
      remember(job_, *item->step);
      item->waited_for = true;
    }
    worst = worse(worst, item->step->conclusion);
  }
  return worst;
}

Result<void> BackgroundSteps::run_control(StepState& control) {
  const auto kind = control.step.kind();
  std::vector<Item*> items;
  if (kind == workflow::StepKind::kWaitAll) {
    items = open_items();
  } else {
    const auto ids = kind == workflow::StepKind::kCancel ? std::vector{control.step.cancel} : control.step.wait;
    for (const auto& id : ids) {
      // One that was skipped is not there.
      if (Item* item = find(id)) items.push_back(item);
    }
  }
  std::string names;
  for (const Item* item : items) names += fmt::format("{}{}", names.empty() ? "" : ", ", item->step->title);
  const bool cancels = kind == workflow::StepKind::kCancel;
  const auto say = [&](std::string_view text) { job_.line(control.index, 'o', text); };
  say(items.empty() ? std::string("No background step is running.")
                    : fmt::format("{} background step(s): {}", cancels ? "Cancelling" : "Waiting for", names));
  job_.log->flush();
  for (Item* item : items) {
    if (!cancels) break;
    item->ended_on_purpose = true;
    if (!item->ended()) job_.supervisor->stop(*item->strand);
  }
  wait_for(items);
  const Conclusion worst = take_over(items);
  for (const Item* item : items) {
    say(fmt::format("  {}: {}", item->step->title, types::conclusion_name(item->step->conclusion)));
  }
  if (!cancels) control.outcome = worst;
  return {};
}

void BackgroundSteps::finish() {
  const auto open = open_items();
  if (!open.empty()) {
    wait_for(open);
    take_over(open);
  }
  for (const auto& item : items_) {
    // Also of those whose failure a step that waited for them was allowed to overlook, as on GitHub.
    if (item->step->conclusion == Conclusion::kFailure) job_.failed = true;
    if (item->step->conclusion == Conclusion::kCancelled && !item->ended_on_purpose && !job_.cancelled()) {
      job_.failed = true;
    }
  }
  job_.update_status();
}

}  // namespace weir::runner
