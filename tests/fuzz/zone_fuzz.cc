// Time zone files and schedules: a file gives a zone or an error, and a schedule's next time comes after the given one.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "workflow/cron.h"
#include "workflow/time_zone.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir::workflow;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto line = text.substr(0, text.find('\n'));
  const auto cron = Cron::parse(line.size() < 100 ? line : "30 2 * * *");
  const auto zone = TimeZone::parse(text);
  if (!zone) return 0;
  for (const std::int64_t seconds : {0LL, 1'000'000'000LL, 1'774'742'400LL, 4'000'000'000LL}) {
    const weir::TimePoint time{std::chrono::seconds{seconds}};
    const auto local = time + zone->offset_at(time);
    (void)zone->instant_of(local);
    if (!cron) continue;
    const auto next = cron->next(time, *zone);
    if (next && *next <= time) std::abort();
  }
  return 0;
}
