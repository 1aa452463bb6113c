#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <span>

#include "base/clock.h"

namespace weir::serve {

// Upper bounds of the latency histogram in seconds; one more bucket holds what is slower.
inline constexpr std::array kLatencyBounds = {0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03,
                                              0.04,   0.05,  0.075, 0.1,   0.125, 0.15,   0.2,  0.3,   0.4,  0.5,
                                              0.75,   1.0,   1.5,   2.0,   3.0,   5.0,    10.0, 30.0,  60.0};
using LatencyCounts = std::array<std::int64_t, kLatencyBounds.size() + 1>;

// The latency below which the share `q` (0 to 1) of the counted requests lies, in seconds, linear within a bucket; 0
// without requests.
double latency_quantile(const LatencyCounts& counts, double q);

// Requests that one model version answered at one endpoint.
struct TrafficCounts {
  std::int64_t requests = 0;
  std::int64_t errors_client = 0;  // 4xx
  std::int64_t errors_server = 0;  // 5xx
  double latency_sum_s = 0.0;
  LatencyCounts latency{};  // per bucket, not cumulative
};

// Counts traffic, in all and over the last minutes. Any thread.
class TrafficStats {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  void record(int status, Duration latency, SteadyTime now);
  [[nodiscard]] TrafficCounts total() const;
  // Of the last five minutes.
  [[nodiscard]] TrafficCounts recent(SteadyTime now) const;

 private:
  static constexpr std::chrono::seconds kSlot{30};
  static constexpr std::size_t kSlots = 10;
  struct Slot {
    std::int64_t number = -1;  // of its half minute
    TrafficCounts counts;
  };

  mutable std::mutex mutex_;
  TrafficCounts total_;
  std::array<Slot, kSlots> slots_;
};

}  // namespace weir::serve
