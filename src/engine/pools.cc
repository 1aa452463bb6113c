#include "engine/pools.h"

#include <algorithm>
#include <charconv>

#include "base/size.h"

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

constexpr int kPriorityMax = 100;
constexpr int kCountMax = 4096;

std::optional<int> whole_number(std::string_view text, int least, int most) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) return std::nullopt;
  return number;
}

std::optional<int> priority_of(std::string_view text) {
  if (equal_without_case(text, "low")) return -10;
  if (equal_without_case(text, "normal")) return 0;
  if (equal_without_case(text, "high")) return 10;
  return whole_number(text, -kPriorityMax, kPriorityMax);
}

Result<void> take_request(std::string_view label, std::size_t equals, Demand& demand) {
  const auto name = label.substr(0, equals);
  const auto value = label.substr(equals + 1);
  const auto bad = [&](std::string_view wanted) {
    return fail(Code::kInvalidArgument, "the label \"{}\" of runs-on: {} must be {}", label, name, wanted);
  };
  if (name == "cpu") {
    const auto count = whole_number(value, 1, kCountMax);
    if (!count) return bad("a number of CPUs, as in cpu=4");
    demand.resources.cpus = *count;
  } else if (name == "gpu") {
    const auto count = whole_number(value, 0, kCountMax);
    if (!count) return bad("a number of GPUs, as in gpu=1");
    demand.resources.gpus = *count;
  } else if (name == "memory") {
    const auto bytes = parse_size(value);
    if (!bytes) return bad("a size, as in memory=8G or memory=512M");
    demand.resources.memory_bytes = *bytes;
  } else if (name == "priority") {
    const auto priority = priority_of(value);
    if (!priority) return bad("low, normal, high or a number from -100 to 100");
    demand.priority = *priority;
  } else {
    return fail(Code::kInvalidArgument,
                "the label \"{}\" of runs-on: weir knows requests for cpu, memory, gpu and priority", label);
  }
  return {};
}

}  // namespace

Result<Demand> parse_demand(const std::vector<std::string>& labels) {
  Demand demand;
  for (const auto& label : labels) {
    if (const auto equals = label.find('='); equals != std::string::npos) {
      WEIR_TRY(take_request(label, equals, demand));
    } else if (equal_without_case(label, "preemptible")) {
      demand.preemptible = true;
    } else {
      demand.labels.push_back(label);
    }
  }
  // Requests alone are for any machine.
  if (demand.labels.empty() && !labels.empty()) demand.labels.emplace_back("self-hosted");
  return demand;
}

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

Result<RunnerPool> find_pool(const std::vector<RunnerPool>& pools, const Demand& demand) {
  auto pool = WEIR_TRY(find_pool(pools, demand.labels));
  const auto& wanted = demand.resources;
  const auto refuse = [&](std::string_view what, const auto& asked, const auto& there) {
    return fail(Code::kInvalidArgument,
                "runs-on asks for {} {}, and runner \"{}\" has {}; ask for less, or say under `runners:` in weir.yaml "
                "what it has",
                asked, what, pool.name, there);
  };
  if (wanted.cpus > pool.slots) return refuse("CPUs", wanted.cpus, pool.slots);
  if (wanted.gpus > pool.gpus) return refuse("GPUs", wanted.gpus, pool.gpus);
  if (wanted.memory_bytes > pool.memory_bytes && pool.memory_bytes > 0) {
    return refuse("of memory", size_text(wanted.memory_bytes), size_text(pool.memory_bytes));
  }
  return pool;
}

bool Slots::fits(const RunnerPool& pool, const Resources& wanted, const Resources& freed) const {
  const auto found = taken_.find(pool.name);
  const Taken none;
  const auto& taken = found == taken_.end() ? none : found->second;
  if (taken.cpus - freed.cpus + wanted.cpus > pool.slots) return false;
  if (static_cast<int>(taken.gpus.size()) - freed.gpus + wanted.gpus > pool.gpus) return false;
  return wanted.memory_bytes == 0 || pool.memory_bytes == 0 ||
         taken.memory_bytes - freed.memory_bytes + wanted.memory_bytes <= pool.memory_bytes;
}

Slots::Held Slots::take(const RunnerPool& pool, const std::string& repo, const Resources& wanted) {
  Held held{.resources = wanted};
  const auto& used = taken_[pool.name].gpus;
  for (int gpu = 0; static_cast<int>(held.gpus.size()) < wanted.gpus && gpu < pool.gpus; ++gpu) {
    if (!used.contains(gpu)) held.gpus.push_back(gpu);
  }
  force(pool.name, repo, held);
  return held;
}

void Slots::force(const std::string& pool, const std::string& repo, const Held& held) {
  auto& taken = taken_[pool];
  taken.cpus += held.resources.cpus;
  taken.memory_bytes += held.resources.memory_bytes;
  taken.gpus.insert(held.gpus.begin(), held.gpus.end());
  taken.cpus_by_repo[repo] += held.resources.cpus;
}

void Slots::give_back(const std::string& pool, const std::string& repo, const Held& held) {
  auto& taken = taken_[pool];
  taken.cpus -= held.resources.cpus;
  taken.memory_bytes -= held.resources.memory_bytes;
  for (const int gpu : held.gpus) taken.gpus.erase(gpu);
  const auto of_repo = taken.cpus_by_repo.find(repo);
  if (of_repo != taken.cpus_by_repo.end() && (of_repo->second -= held.resources.cpus) <= 0) {
    taken.cpus_by_repo.erase(of_repo);
  }
}

int Slots::cpus_of(const std::string& pool, const std::string& repo) const {
  const auto found = taken_.find(pool);
  if (found == taken_.end()) return 0;
  const auto of_repo = found->second.cpus_by_repo.find(repo);
  return of_repo == found->second.cpus_by_repo.end() ? 0 : of_repo->second;
}

}  // namespace weir::engine
