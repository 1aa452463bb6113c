#include "engine/nodes.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

namespace weir::engine {
namespace {

using types::Conclusion;

// As `needs.<job>.result` has it. A job that ran over its time limit was cancelled, which `continue-on-error` does not
// forgive.
Conclusion result_of(const JobNode& job) {
  const auto conclusion = job.row.conclusion.value_or(Conclusion::kFailure);
  if (conclusion == Conclusion::kTimedOut) return Conclusion::kCancelled;
  if (conclusion == Conclusion::kFailure && job.row.allowed_to_fail) return Conclusion::kSuccess;
  return conclusion;
}

// What several results are together: failure outweighs cancelled, then success, then skipped.
class Tally {
 public:
  void add(Conclusion result) {
    failed = failed || result == Conclusion::kFailure;
    cancelled = cancelled || result == Conclusion::kCancelled;
    succeeded = succeeded || result == Conclusion::kSuccess;
  }
  [[nodiscard]] Conclusion conclusion() const {
    if (failed) return Conclusion::kFailure;
    if (cancelled) return Conclusion::kCancelled;
    return succeeded ? Conclusion::kSuccess : Conclusion::kSkipped;
  }

  bool failed = false;
  bool cancelled = false;
  bool succeeded = false;
};

// Calls `visit` with everything that `key` needs, nearest first, each once.
void for_each_ancestor(const KeyNode& key, const std::function<void(const KeyNode&)>& visit) {
  std::vector<const KeyNode*> level(key.needs.begin(), key.needs.end());
  std::set<const KeyNode*> seen;
  while (!level.empty()) {
    std::vector<const KeyNode*> next;
    for (const auto* ancestor : level) {
      if (!seen.insert(ancestor).second) continue;
      visit(*ancestor);
      next.insert(next.end(), ancestor->needs.begin(), ancestor->needs.end());
    }
    level = std::move(next);
  }
}

// Outputs of a matrix: the combination that ended last wins, but an empty value does not replace one that is set.
json::object merged_outputs(const KeyNode& key) {
  std::vector<const JobNode*> legs;
  legs.reserve(key.legs.size());
  for (const auto& leg : key.legs) legs.push_back(leg.get());
  std::ranges::sort(legs, {}, [](const JobNode* leg) { return std::pair(leg->row.completed_at, leg->row.position); });
  json::object merged;
  for (const auto* leg : legs) {
    for (const auto& output : leg->row.outputs) {
      const auto* before = merged.if_contains(output.key());
      const bool empty = output.value().is_string() && output.value().get_string().empty();
      if (before == nullptr || !empty) merged[output.key()] = output.value();
    }
  }
  return merged;
}

void add_layer(const std::string& layer, std::vector<std::string>& layers) {
  if (!layer.empty() && std::ranges::find(layers, layer) == layers.end()) layers.push_back(layer);
}

std::vector<std::string> layers_of(const KeyNode& key) {
  std::vector<std::string> layers;
  for (const auto& leg : key.legs) {
    add_layer(leg->row.layer, layers);
    if (leg->callee == nullptr) continue;
    for (const auto* inner : leg->callee->keys) {
      for (const auto& layer : outcome_of(*inner).layers) add_layer(layer, layers);
    }
  }
  return layers;
}

}  // namespace

void count(RunNode& run, JobNode& job) {
  const bool open = job.callee != nullptr && job.row.state != JobState::kCompleted;
  const std::size_t place = open ? JobCounts::kOpenCall : static_cast<std::size_t>(job.row.state);
  const std::size_t before = std::exchange(job.counted, place);
  if (before == place) return;
  for (auto* counts : {&run.counts, &job.key->counts}) {
    if (before == 0) {
      ++counts->total_;
    } else {
      --counts->counts_[before];
    }
    ++counts->counts_[place];
  }
}

const Outcome& outcome_of(const KeyNode& key) {
  if (key.outcome) return *key.outcome;
  Tally tally;
  for (const auto& leg : key.legs) tally.add(result_of(*leg));
  key.outcome = Outcome{.result = tally.conclusion(), .outputs = merged_outputs(key), .layers = layers_of(key)};
  return *key.outcome;
}

Conclusion result_of(const KeyNode& key) {
  return outcome_of(key).result;
}

Ancestry ancestry_of(const KeyNode& key) {
  Ancestry ancestry;
  for_each_ancestor(key, [&](const KeyNode& ancestor) {
    const auto result = result_of(ancestor);
    ancestry.failed = ancestry.failed || result == Conclusion::kFailure;
    ancestry.succeeded = ancestry.succeeded && result == Conclusion::kSuccess;
  });
  return ancestry;
}

json::object results_of(const std::vector<KeyNode*>& keys) {
  json::object results;
  for (const auto* key : keys) {
    results[local_key(key->legs.front()->row.key)] =
        json::object{{"result", types::conclusion_name(result_of(*key))}, {"outputs", outcome_of(*key).outputs}};
  }
  return results;
}

std::string full_name(const KeyNode& key, const std::string& name) {
  const auto* call = key.frame->call;
  return call == nullptr ? name : fmt::format("{} / {}", call->row.name, name);
}

Frame* Frame::caller() const {
  return call == nullptr ? nullptr : call->key->frame;
}

Conclusion result_of(const Frame& frame) {
  Tally tally;
  for (const auto* key : frame.keys) tally.add(result_of(*key));
  return tally.conclusion();
}

bool cancel_requested(const RunNode& run, const Frame& frame) {
  return frame.call != nullptr ? frame.call->row.cancel_requested : run.row.cancel_requested;
}

std::vector<std::string> needed_layers(const KeyNode& key) {
  std::vector<std::string> layers;
  for (const KeyNode* at = &key; at != nullptr; at = at->frame->call == nullptr ? nullptr : at->frame->call->key) {
    for_each_ancestor(*at, [&](const KeyNode& ancestor) {
      for (const auto& layer : outcome_of(ancestor).layers) add_layer(layer, layers);
    });
  }
  return layers;
}

Conclusion conclusion_of(const RunNode& run) {
  Tally tally;
  for (const auto& key : run.keys) {
    for (const auto& leg : key->legs) tally.add(result_of(*leg));
  }
  if (run.broken) return Conclusion::kFailure;
  if (run.row.cancel_requested && tally.cancelled) return Conclusion::kCancelled;
  return tally.conclusion();
}

std::vector<std::string> overdue_jobs(const RunNode& run) {
  std::vector<std::string> names;
  for (const auto& key : run.keys) {
    for (const auto& leg : key->legs) {
      if (leg->row.conclusion == Conclusion::kTimedOut) names.push_back(leg->row.name);
    }
  }
  return names;
}

RunState state_of(const RunNode& run) {
  const auto& counts = run.counts;
  if (counts.of(JobState::kInProgress) > 0) return RunState::kInProgress;
  if (counts.unfinished() == 0) return RunState::kCompleted;
  if (!run.group_passed) return RunState::kWaiting;
  const bool waits = counts.of(JobState::kWaiting) > 0 && counts.of(JobState::kQueued) == 0;
  if (waits) return RunState::kWaiting;
  return run.row.started_at ? RunState::kInProgress : RunState::kQueued;
}

}  // namespace weir::engine
