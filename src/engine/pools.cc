#include "engine/pools.h"

#include <algorithm>

namespace weir::engine {
namespace {

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool matches(std::string_view pattern, std::string_view label) {
  if (!pattern.ends_with('*')) return equal_without_case(pattern, label);
  pattern.remove_suffix(1);
  return label.size() >= pattern.size() && equal_without_case(pattern, label.substr(0, pattern.size()));
}

bool has_label(const RunnerPool& pool, std::string_view label) {
  return std::ranges::any_of(pool.labels, [&](const auto& pattern) { return matches(pattern, label); });
}

// A label belongs to the first pool that has it.
const RunnerPool* owner_of(const std::vector<RunnerPool>& pools, std::string_view label) {
  const auto found = std::ranges::find_if(pools, [&](const auto& pool) { return has_label(pool, label); });
  return found == pools.end() ? nullptr : &*found;
}

}  // namespace

RunnerPool local_pool(int slots) {
  return {.name = "local",
          .labels = {"ubuntu-*", "debian-*", "linux", "self-hosted", "local", "x64", "gpu"},
          .slots = std::max(1, slots)};
}

Result<RunnerPool> find_pool(const std::vector<RunnerPool>& pools, const std::vector<std::string>& labels) {
  // Of the labels' owners the first in order: a configured pool need not repeat what every machine here is, so that
  // [self-hosted, gpu] means the pool of gpu.
  const RunnerPool* chosen = nullptr;
  bool all_known = !labels.empty();
  for (const auto& label : labels) {
    const auto* owner = owner_of(pools, label);
    all_known = all_known && owner != nullptr;
    if (chosen == nullptr || (owner != nullptr && owner < chosen)) chosen = owner;
  }
  if (all_known && chosen != nullptr) return *chosen;
  std::string known;
  for (const auto& pool : pools) {
    for (const auto& label : pool.labels) known += (known.empty() ? "" : ", ") + label;
  }
  for (const auto& label : labels) {
    if (owner_of(pools, label) == nullptr) {
      return fail(Code::kInvalidArgument,
                  "no runner has the label \"{}\"; known labels are {}. Change runs-on, or add the label under "
                  "`runners:` in weir.yaml",
                  label, known);
    }
  }
  return fail(Code::kInvalidArgument, "runs-on names no label; known labels are {}", known);
}

bool Slots::take(const RunnerPool& pool) {
  auto& taken = taken_[pool.name];
  if (taken >= pool.slots) return false;
  ++taken;
  return true;
}

void Slots::give_back(const std::string& pool) {
  auto& taken = taken_[pool];
  taken = std::max(0, taken - 1);
}

}  // namespace weir::engine
