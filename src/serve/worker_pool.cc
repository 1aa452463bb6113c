#include "serve/worker_pool.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace weir::serve {
namespace {

using std::chrono::steady_clock;

constexpr int kDispatchesMax = 4;  // of one request, however innocent
constexpr int kSuspicionsMax = 2;  // deaths of workers that were predicting it
constexpr Duration kSweepEvery{std::chrono::milliseconds{100}};
constexpr Duration kStopGrace{std::chrono::seconds{2}};
constexpr Duration kSoundAfter{std::chrono::seconds{60}};  // a worker that ran so long starts with a clean record

struct Pending {
  InferRequest request;
  Backend::Done done;
  int dispatches = 0;
  int suspicions = 0;
};

struct Worker {
  std::unique_ptr<WorkerProcess> process;
  std::uint64_t generation = 0;  // callbacks of an older process of this slot are void
  bool ready = false;
  int failures = 0;  // in a row
  SteadyTime started;
  SteadyTime heard;  // when it last had nothing to do or said something
  std::set<std::uint64_t> in_flight;
  std::set<std::uint64_t> taken;  // those of in_flight that are being predicted
};

// Calls that are due once the pool's lock is released.
struct Effects {
  std::vector<std::pair<Backend::Done, InferAnswer>> answers;
  std::move_only_function<void()> started;

  void run() {
    for (auto& [done, answer] : answers) done(std::move(answer));
    if (started) started();
  }
};

std::string request_header(const InferRequest& request, bool solo) {
  json::object header{{"protocol", request.protocol == Protocol::kMlflow ? "mlflow" : "v2"}};
  if (!request.content_type.empty()) header["type"] = request.content_type;
  if (request.protocol == Protocol::kOpenInference) {
    header["name"] = request.name;
    header["version"] = request.version;
    if (request.json_bytes) header["json_bytes"] = *request.json_bytes;
  }
  if (!request.allowed_columns.empty()) header["allowed"] = json::value_from(request.allowed_columns);
  if (solo) header["solo"] = true;
  if (request.deadline != SteadyTime::max()) {
    // Python's time.monotonic() counts from the same moment.
    header["until"] = std::chrono::duration<double>(request.deadline.time_since_epoch()).count();
  }
  return json::serialize(header);
}

InferAnswer read_answer(Protocol protocol, Frame frame) {
  const auto header = parse_json(frame.header, "a worker's answer");
  const auto status = header ? json_int(*header, "status").value_or(0) : 0;
  if (status < 200 || status > 599) return refusal(protocol, 500, "the model's worker sent an answer without a status");
  InferAnswer answer{.status = static_cast<int>(status), .body = std::move(frame.body)};
  answer.content_type = json_string_or(*header, "type", answer.content_type);
  if (const auto bytes = json_int(*header, "json_bytes"); bytes && *bytes >= 0) {
    answer.json_bytes = static_cast<std::size_t>(*bytes);
  }
  return answer;
}

Result<ModelInfo> read_info(const Frame& frame) {
  const auto header = WEIR_TRY(parse_json(frame.header, "a worker's description of its model"));
  ModelInfo info{.flavor = json_string_or(header, "flavor", ""),
                 .python = json_string_or(header, "python", ""),
                 .signature = json_bool_or(header, "signature", false),
                 .row_wise = json_bool_or(header, "row_wise", false)};
  if (const auto* inputs = json_find(header, "inputs"); inputs && inputs->is_array()) info.inputs = inputs->get_array();
  if (const auto* outputs = json_find(header, "outputs"); outputs && outputs->is_array()) {
    info.outputs = outputs->get_array();
  }
  return info;
}

// Lets a worker end by itself, and makes it end where it does not.
void retire(io::ThreadLoop& loop, std::unique_ptr<WorkerProcess> process) {
  loop.unwatch(process->socket_fd());
  loop.unwatch(process->writable_fd());
  loop.unwatch(process->errors_fd());
  process->close_socket();
  std::shared_ptr<WorkerProcess> shared = std::move(process);
  loop.watch_readable(shared->pid_fd(), [shared] { return false; });
  loop.after(kStopGrace, [weak = std::weak_ptr(shared)] {
    if (const auto late = weak.lock()) late->kill();
  });
}

class Pool : public std::enable_shared_from_this<Pool> {
 public:
  using Ready = std::move_only_function<void(Result<std::shared_ptr<Backend>>)>;

  Pool(WorkerPoolOptions options, io::ThreadLoop& loop, Log& log, Ready ready)
      : options_(std::move(options)),
        loop_(loop),
        log_(log),
        ready_(std::move(ready)),
        workers_(static_cast<std::size_t>(std::max(1, options_.workers))) {}

  // Lets this live until its start has succeeded or failed.
  void keep() { starting_ = shared_from_this(); }
  void start();
  void stop();
  void infer(InferRequest request, Backend::Done done);
  [[nodiscard]] const ModelInfo& info() const { return info_; }
  [[nodiscard]] BackendHealth health() const;

 private:
  // All of these are called with the lock held.
  void start_worker(std::size_t slot, Effects& effects);
  void watch(std::size_t slot);
  void on_frame(Worker& worker, Frame frame, Effects& effects);
  void on_ready(Worker& worker, const Frame& frame, Effects& effects);
  void on_taken(Worker& worker, const Frame& frame);
  void on_death(std::size_t slot, Effects& effects);
  void fail_start(Error error, Effects& effects);
  void end(Effects& effects);
  Worker* least_loaded();
  void dispatch(Worker& worker, std::uint64_t id, Pending& pending);
  void move_on(std::uint64_t id, bool suspect, Effects& effects);
  void refuse(std::map<std::uint64_t, Pending>::iterator entry, int status, std::string_view message, Effects& effects);
  void ensure_sweep();
  bool sweep(Effects& effects);

  // Runs `work` with the lock, then what came of it. On the loop.
  void act(const std::function<void(Effects&)>& work);
  // As act(), if the process in `slot` still is the one that was started as `generation`. Gives what `work` gives.
  bool act_on(std::size_t slot, std::uint64_t generation, const std::function<bool(Worker&, Effects&)>& work);

  const WorkerPoolOptions options_;
  io::ThreadLoop& loop_;
  Log& log_;

  mutable std::mutex mutex_;
  Ready ready_;                     // until it was called
  std::shared_ptr<Pool> starting_;  // keeps this alive until `ready_` was called
  bool stopped_ = false;
  bool sweeping_ = false;
  ModelInfo info_;  // written before the first infer()
  std::vector<Worker> workers_;
  std::map<std::uint64_t, Pending> pending_;
  std::uint64_t last_id_ = 0;
  std::int64_t restarts_ = 0;
  std::int64_t batches_ = 0;
  std::int64_t batched_ = 0;
};

// What the rest of the server holds: the pool ends with it.
class PoolBackend final : public Backend {
 public:
  explicit PoolBackend(std::shared_ptr<Pool> pool) : pool_(std::move(pool)) {}
  ~PoolBackend() override { pool_->stop(); }
  void infer(InferRequest request, Done done) override { pool_->infer(std::move(request), std::move(done)); }
  [[nodiscard]] const ModelInfo& info() const override { return pool_->info(); }
  [[nodiscard]] BackendHealth health() const override { return pool_->health(); }

 private:
  std::shared_ptr<Pool> pool_;
};

void Pool::act(const std::function<void(Effects&)>& work) {
  Effects effects;
  {
    const std::scoped_lock lock(mutex_);
    if (!stopped_) work(effects);
  }
  effects.run();
}

bool Pool::act_on(std::size_t slot, std::uint64_t generation, const std::function<bool(Worker&, Effects&)>& work) {
  bool result = false;
  act([&](Effects& effects) {
    Worker& worker = workers_[slot];
    if (worker.generation == generation && worker.process) result = work(worker, effects);
  });
  return result;
}

void Pool::start() {
  act([&](Effects& effects) {
    for (std::size_t slot = 0; slot < workers_.size() && !stopped_; ++slot) start_worker(slot, effects);
  });
}

void Pool::start_worker(std::size_t slot, Effects& effects) {
  Worker& worker = workers_[slot];
  auto process = WorkerProcess::start(options_.command);
  if (!process) {
    if (ready_) return fail_start(process.error(), effects);
    log_.warning("{}: {}", options_.name, process.error().message);
    return on_death(slot, effects);
  }
  worker.process = *std::move(process);
  ++worker.generation;
  worker.ready = false;
  worker.started = worker.heard = steady_clock::now();
  watch(slot);
  ensure_sweep();
}

void Pool::watch(std::size_t slot) {
  const Worker& worker = workers_[slot];
  const auto generation = worker.generation;
  const auto self = weak_from_this();
  loop_.watch_readable(worker.process->socket_fd(), [self, slot, generation] {
    const auto pool = self.lock();
    return pool && pool->act_on(slot, generation, [&](Worker& w, Effects& effects) {
      std::vector<Frame> frames;
      const bool alive = w.process->receive(frames);
      for (auto& frame : frames) {
        if (w.process) pool->on_frame(w, std::move(frame), effects);
      }
      if (!alive && w.process) pool->on_death(slot, effects);
      return alive && w.process != nullptr;
    });
  });
  loop_.watch_readable(worker.process->writable_fd(), [self, slot, generation] {
    const auto pool = self.lock();
    return pool && pool->act_on(slot, generation, [](Worker& w, Effects&) { return w.process->flush(); });
  });
  loop_.watch_readable(worker.process->errors_fd(), [self, slot, generation] {
    const auto pool = self.lock();
    return pool && pool->act_on(slot, generation, [](Worker& w, Effects&) { return w.process->read_errors(); });
  });
}

void Pool::on_frame(Worker& worker, Frame frame, Effects& effects) {
  worker.heard = steady_clock::now();
  if (frame.kind == FrameKind::kReady) return on_ready(worker, frame, effects);
  if (frame.kind == FrameKind::kTaken) return on_taken(worker, frame);
  if (frame.kind == FrameKind::kFailed) {
    const auto header = parse_json(frame.header, "a worker's failure");
    const auto message = header ? json_string_or(*header, "message", "") : std::string();
    // The process ends now; its death is then told with this reason if nothing better is known.
    if (ready_)
      fail_start({Code::kFailedPrecondition, fmt::format("{} cannot be loaded: {}", options_.name, message)}, effects);
    return;
  }
  if (frame.kind != FrameKind::kAnswer) return;
  worker.in_flight.erase(frame.id);
  worker.taken.erase(frame.id);
  const auto found = pending_.find(frame.id);
  if (found == pending_.end()) return;  // its time was up before
  const auto protocol = found->second.request.protocol;
  effects.answers.emplace_back(std::move(found->second.done), read_answer(protocol, std::move(frame)));
  pending_.erase(found);
}

void Pool::on_ready(Worker& worker, const Frame& frame, Effects& effects) {
  if (worker.ready) return;
  auto info = read_info(frame);
  if (!info) {
    if (ready_) fail_start(info.error(), effects);
    return;
  }
  worker.ready = true;
  if (!ready_ || !std::ranges::all_of(workers_, &Worker::ready)) return;
  info_ = *std::move(info);
  effects.started = [ready = std::exchange(ready_, nullptr), self = std::exchange(starting_, nullptr)]() mutable {
    ready(std::make_shared<PoolBackend>(std::move(self)));
  };
}

void Pool::on_taken(Worker& worker, const Frame& frame) {
  worker.taken.clear();
  const auto header = parse_json(frame.header, "a worker's batch");
  const auto* ids = header ? json_find(*header, "ids") : nullptr;
  if (ids == nullptr || !ids->is_array()) return;
  for (const auto& id : ids->get_array()) {
    if (id.is_int64() && worker.in_flight.contains(static_cast<std::uint64_t>(id.get_int64()))) {
      worker.taken.insert(static_cast<std::uint64_t>(id.get_int64()));
    }
  }
  ++batches_;
  batched_ += static_cast<std::int64_t>(worker.taken.size());
}

void Pool::on_death(std::size_t slot, Effects& effects) {
  Worker& worker = workers_[slot];
  const auto process = std::exchange(worker.process, nullptr);
  const bool was_ready = std::exchange(worker.ready, false);
  std::string reason = "it could not be started";
  if (process) {
    for (const int fd : {process->socket_fd(), process->writable_fd(), process->errors_fd()}) loop_.unwatch(fd);
    process->read_errors();
    reason = process->ending();
    const std::string printed = process->last_lines();
    if (ready_) {
      return fail_start(
          {Code::kFailedPrecondition, fmt::format("the worker of {} ended before it was ready: {}{}{}", options_.name,
                                                  reason, printed.empty() ? "" : "\n", printed)},
          effects);
    }
    if (!printed.empty()) reason += "; it printed:\n" + printed;
  }
  if (was_ready && steady_clock::now() - worker.started > kSoundAfter) worker.failures = 0;
  const std::int64_t doubled = 1L << std::min(worker.failures++, 20);
  const Duration delay = std::min<Duration>(options_.restart_delay * doubled, options_.restart_delay_max);
  ++restarts_;
  log_.warning("a worker of {} ended and is started again in {}: {}", options_.name, format_duration(delay), reason);
  const auto in_flight = std::exchange(worker.in_flight, {});
  const auto taken = std::exchange(worker.taken, {});
  for (const auto id : in_flight) move_on(id, taken.contains(id), effects);
  loop_.after(delay, [self = weak_from_this(), slot] {
    if (const auto pool = self.lock()) pool->act([&](Effects& later) { pool->start_worker(slot, later); });
  });
}

// Finds another worker for a request whose worker has died.
void Pool::move_on(std::uint64_t id, bool suspect, Effects& effects) {
  const auto entry = pending_.find(id);
  if (entry == pending_.end()) return;
  Pending& pending = entry->second;
  if (suspect) ++pending.suspicions;
  if (pending.suspicions >= kSuspicionsMax || pending.dispatches >= kDispatchesMax) {
    return refuse(entry, 503, fmt::format("a worker of {} died on this request, twice", options_.name), effects);
  }
  Worker* worker = least_loaded();
  if (worker == nullptr) {
    return refuse(entry, 503, fmt::format("the worker of {} died and no other one is ready", options_.name), effects);
  }
  dispatch(*worker, id, pending);
}

void Pool::refuse(std::map<std::uint64_t, Pending>::iterator entry, int status, std::string_view message,
                  Effects& effects) {
  const std::optional<int> retry_after = status == 503 ? std::optional(1) : std::nullopt;
  effects.answers.emplace_back(std::move(entry->second.done),
                               refusal(entry->second.request.protocol, status, message, retry_after));
  pending_.erase(entry);
}

void Pool::fail_start(Error error, Effects& effects) {
  effects.started = [ready = std::exchange(ready_, nullptr), self = std::exchange(starting_, nullptr),
                     error = std::move(error)]() mutable { ready(std::unexpected(std::move(error))); };
  end(effects);
}

void Pool::end(Effects& effects) {
  stopped_ = true;
  while (!pending_.empty()) refuse(pending_.begin(), 503, fmt::format("{} is being stopped", options_.name), effects);
  for (auto& worker : workers_) {
    worker.ready = false;
    if (worker.process) retire(loop_, std::move(worker.process));
  }
}

void Pool::stop() {
  act([&](Effects& effects) {
    if (ready_) {
      fail_start({Code::kCancelled, fmt::format("the start of {} was given up", options_.name)}, effects);
    } else {
      end(effects);
    }
  });
}

Worker* Pool::least_loaded() {
  Worker* best = nullptr;
  for (auto& worker : workers_) {
    if (worker.ready && (best == nullptr || worker.in_flight.size() < best->in_flight.size())) best = &worker;
  }
  return best;
}

void Pool::dispatch(Worker& worker, std::uint64_t id, Pending& pending) {
  ++pending.dispatches;
  if (worker.in_flight.empty()) worker.heard = steady_clock::now();
  worker.in_flight.insert(id);
  // A worker that is gone is noticed by the loop, which then moves its requests on.
  worker.process->send(id, FrameKind::kPredict, request_header(pending.request, pending.suspicions > 0),
                       *pending.request.body);
}

void Pool::infer(InferRequest request, Backend::Done done) {
  Effects effects;
  {
    const std::scoped_lock lock(mutex_);
    const auto protocol = request.protocol;
    Worker* worker = least_loaded();
    if (stopped_ || worker == nullptr) {
      effects.answers.emplace_back(std::move(done),
                                   refusal(protocol, 503, fmt::format("no worker of {} is ready", options_.name), 1));
    } else if (pending_.size() >= options_.waiting_max) {
      effects.answers.emplace_back(
          std::move(done),
          refusal(protocol, 429,
                  fmt::format("{} requests wait for {} already; try again later", pending_.size(), options_.name), 1));
    } else {
      const auto id = ++last_id_;
      auto& pending = pending_[id] = {.request = std::move(request), .done = std::move(done)};
      dispatch(*worker, id, pending);
      ensure_sweep();
    }
  }
  effects.run();
}

void Pool::ensure_sweep() {
  if (std::exchange(sweeping_, true)) return;
  loop_.after(kSweepEvery, [self = weak_from_this()] {
    const auto pool = self.lock();
    if (!pool) return;
    pool->act([&](Effects& effects) {
      pool->sweeping_ = false;
      if (pool->sweep(effects)) pool->ensure_sweep();
    });
  });
}

// Enforces the time limits. False while there is nothing to wait for.
bool Pool::sweep(Effects& effects) {
  const auto now = steady_clock::now();
  for (auto entry = pending_.begin(); entry != pending_.end();) {
    const auto next = std::next(entry);
    if (entry->second.request.deadline <= now) {
      refuse(entry, 504, fmt::format("{} did not answer in time", options_.name), effects);
    }
    entry = next;
  }
  bool starting = false;
  for (auto& worker : workers_) {
    if (!worker.process) continue;
    if (!worker.ready) {
      starting = true;
      if (now - worker.started < options_.start_timeout) continue;
      worker.process->kill();
      if (!ready_) continue;
      worker.process->read_errors();
      fail_start(
          {Code::kDeadlineExceeded, fmt::format("a worker of {} was not ready after {}\n{}", options_.name,
                                                format_duration(options_.start_timeout), worker.process->last_lines())},
          effects);
      return false;
    }
    if (!worker.in_flight.empty() && now - worker.heard > options_.stuck_after) {
      log_.warning("a worker of {} has answered nothing for {}: it is ended", options_.name,
                   format_duration(options_.stuck_after));
      worker.heard = now;
      worker.process->kill();
    }
  }
  return starting || !pending_.empty();
}

BackendHealth Pool::health() const {
  const std::scoped_lock lock(mutex_);
  BackendHealth health{.workers = static_cast<int>(workers_.size()),
                       .waiting = pending_.size(),
                       .restarts = restarts_,
                       .batches = batches_,
                       .batched = batched_};
  for (const auto& worker : workers_) {
    if (worker.ready) ++health.workers_ready;
    if (worker.process) health.pids.push_back(worker.process->pid());
  }
  return health;
}

}  // namespace

std::function<void()> start_worker_pool(WorkerPoolOptions options, io::ThreadLoop& loop, Log& log, Pool::Ready ready) {
  auto pool = std::make_shared<Pool>(std::move(options), loop, log, std::move(ready));
  pool->keep();
  loop.post([pool] { pool->start(); });
  return [weak = std::weak_ptr(pool)] {
    if (const auto still = weak.lock()) still->stop();
  };
}

}  // namespace weir::serve
