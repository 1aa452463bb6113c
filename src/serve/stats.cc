#include "serve/stats.h"

#include <algorithm>

namespace weir::serve {
namespace {

void add(TrafficCounts& counts, int status, double seconds) {
  ++counts.requests;
  if (status >= 500) {
    ++counts.errors_server;
  } else if (status >= 400) {
    ++counts.errors_client;
  }
  counts.latency_sum_s += seconds;
  const auto bucket = std::ranges::lower_bound(kLatencyBounds, seconds) - kLatencyBounds.begin();
  ++counts.latency[static_cast<std::size_t>(bucket)];
}

}  // namespace

double latency_quantile(const LatencyCounts& counts, double q) {
  std::int64_t all = 0;
  for (const auto count : counts) all += count;
  if (all == 0) return 0.0;
  const double wanted = q * static_cast<double>(all);
  double below = 0.0;
  for (std::size_t i = 0; i < kLatencyBounds.size(); ++i) {
    const auto here = static_cast<double>(counts[i]);
    if (here > 0 && below + here >= wanted) {
      const double low = i == 0 ? 0.0 : kLatencyBounds[i - 1];
      return low + (kLatencyBounds[i] - low) * (wanted - below) / here;
    }
    below += here;
  }
  return kLatencyBounds.back();
}

void TrafficStats::record(int status, Duration latency, SteadyTime now) {
  const double seconds = std::chrono::duration<double>(latency).count();
  const std::int64_t number = now.time_since_epoch() / kSlot;
  const std::scoped_lock lock(mutex_);
  add(total_, status, seconds);
  auto& slot = slots_[static_cast<std::size_t>(number) % kSlots];
  if (slot.number != number) slot = {.number = number, .counts = {}};
  add(slot.counts, status, seconds);
}

TrafficCounts TrafficStats::total() const {
  const std::scoped_lock lock(mutex_);
  return total_;
}

TrafficCounts TrafficStats::recent(SteadyTime now) const {
  const std::int64_t newest = now.time_since_epoch() / kSlot;
  TrafficCounts sum;
  const std::scoped_lock lock(mutex_);
  for (const auto& slot : slots_) {
    if (slot.number < 0 || slot.number + static_cast<std::int64_t>(kSlots) <= newest) continue;
    sum.requests += slot.counts.requests;
    sum.errors_client += slot.counts.errors_client;
    sum.errors_server += slot.counts.errors_server;
    sum.latency_sum_s += slot.counts.latency_sum_s;
    for (std::size_t i = 0; i < sum.latency.size(); ++i) sum.latency[i] += slot.counts.latency[i];
  }
  return sum;
}

}  // namespace weir::serve
