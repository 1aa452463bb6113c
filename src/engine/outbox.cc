#include "engine/outbox.h"

#include <algorithm>

namespace weir::engine {

void Outbox::event(types::EventDraft draft, EventRef cause, EventRef as) {
  step(
      [draft = std::move(draft), cause = std::move(cause), as = std::move(as)](store::Transaction& tx) -> Result<void> {
        auto copy = draft;
        if (cause) copy.cause = *cause;
        const auto sequence = WEIR_TRY(tx.append(std::move(copy)));
        if (as) *as = sequence;
        return {};
      });
}

void Outbox::flush() {
  if (busy_ || stopped_) return;
  hooks_.collect();
  if (steps_.empty() && afters_.empty()) return;
  busy_ = true;
  afters_under_way_ = std::exchange(afters_, {});
  submit(std::make_shared<std::vector<Step>>(std::exchange(steps_, {})));
}

void Outbox::submit(const Batch& batch) {
  db_.write_async(
      [batch](store::Transaction& tx) -> Result<void> {
        for (const auto& step : *batch) WEIR_TRY(step(tx));
        return {};
      },
      [this, &loop = loop_, weak = hooks_.owner(), batch](Result<void> result) {
        loop.post([this, weak, batch, result = std::move(result)]() mutable {
          if (const auto owner = weak.lock(); owner && !stopped_) finished(batch, std::move(result));
        });
      });
}

void Outbox::finished(const Batch& batch, Result<void> result) {
  if (!result) {
    ++failures_;
    const Duration pause =
        std::min<Duration>(std::chrono::milliseconds{50} * (1 << std::min(failures_, 7)), std::chrono::seconds{5});
    log_.error("cannot record what the engine did, trying again in {}: {}", format_duration(pause),
               result.error().message);
    loop_.after(pause, [this, weak = hooks_.owner(), batch] {
      if (const auto owner = weak.lock(); owner && !stopped_) submit(batch);
    });
    return;
  }
  failures_ = 0;
  busy_ = false;
  auto afters = std::exchange(afters_under_way_, {});
  // First the next transaction, then the effects: the disk works while runners are started.
  flush();
  for (auto& after : afters) {
    after();
    if (stopped_) return;
  }
  hooks_.settled();
}

}  // namespace weir::engine
