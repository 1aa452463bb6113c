#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "io/thread_loop.h"
#include "serve/backend.h"
#include "serve/worker_process.h"

namespace weir::serve {

struct WorkerPoolOptions {
  std::string name;       // "flight-delay version 3": for messages and the log
  WorkerCommand command;  // starts one worker
  int workers = 2;
  std::size_t waiting_max = 1024;                          // requests not yet answered; beyond it 429 with Retry-After
  Duration start_timeout{std::chrono::minutes{2}};         // for a worker to say that it is ready
  Duration stuck_after{std::chrono::seconds{65}};          // a worker that answers nothing for so long is ended
  Duration restart_delay{std::chrono::milliseconds{100}};  // doubled with each failure in a row
  Duration restart_delay_max{std::chrono::seconds{30}};
};

// Processes that each hold the same model.
//
// A request goes to the worker with the fewest requests; several are under way in one worker at a time, which predicts
// those that wait together. A worker that dies is started again; requests that it had not begun move to another worker,
// those that it was predicting are tried once more, each alone, so that one of them that kills workers does not take
// the others along; 503 if it kills again or no worker is left.
//
// `ready` is called once, on the loop's thread: with the pool when every worker is ready, or with why one is not
// (kFailedPrecondition with the last lines that it printed, kDeadlineExceeded). `loop` and `log` outlive the pool,
// which lasts as long as its backend and the requests in flight do. What is returned ends it at once, requests in
// flight with 503, a start under way with kCancelled; it may be called at any time, also when the pool has gone.
std::function<void()> start_worker_pool(WorkerPoolOptions options, io::ThreadLoop& loop, Log& log,
                                        std::move_only_function<void(Result<std::shared_ptr<Backend>>)> ready);

}  // namespace weir::serve
