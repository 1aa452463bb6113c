#pragma once

#include <memory>

#include "access/access.h"
#include "base/loop.h"
#include "store/database.h"

namespace weir::access {

// Calls Access::settle() when there is something to settle: at the start, when the next wait or expiry is due, and
// after an approval was requested or reviewed. The destructor waits for a settling that is under way; everything given
// must outlive this. Failures are logged and tried again after a minute.
class ApprovalTimer {
 public:
  ApprovalTimer(Access& access, store::Database& db, Loop& loop, Log& log);
  ~ApprovalTimer();
  ApprovalTimer(const ApprovalTimer&) = delete;
  ApprovalTimer& operator=(const ApprovalTimer&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace weir::access
