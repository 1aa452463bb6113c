#include "serve/worker_pool.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <condition_variable>
#include <future>

namespace weir::serve {
namespace {

using namespace std::chrono_literals;

// A worker of a few lines that does as the request's body says.
constexpr std::string_view kFakeWorker = R"(
import json, os, socket, struct, sys, time
head = struct.Struct("<IIQB")
sock = socket.socket(fileno=os.dup(0))
def send(number, kind, header, body=b""):
    text = json.dumps(header).encode()
    sock.sendall(head.pack(len(text), len(body), number, kind) + text + body)
def exactly(size):
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk: sys.exit(0)
        data += chunk
    return data
mode = sys.argv[1]
if mode == "never": time.sleep(600)
if mode == "breaks":
    print("no module named forest", file=sys.stderr, flush=True)
    sys.exit(3)
if mode == "fails":
    send(0, 5, {"message": "ValueError: no such model"})
    sys.exit(1)
send(0, 4, {"flavor": "fake", "python": "3", "signature": True, "row_wise": True, "inputs": [{"name": "x"}]})
while True:
    header_bytes, body_bytes, number, kind = head.unpack(exactly(head.size))
    header, body = json.loads(exactly(header_bytes)), exactly(body_bytes).decode()
    send(0, 3, {"ids": [number]})
    if body == "die": os.kill(os.getpid(), 9)
    if body == "die once" and not header.get("solo"): os._exit(7)
    if body == "hang": time.sleep(600)
    if body == "nonsense": sock.sendall(b"\xff" * 64)
    if body == "big": body = "x" * (20 << 20)
    if body == "header": body = json.dumps(header)
    if body == "pid": body = str(os.getpid())
    send(number, 2, {"status": 200}, body.encode())
)";

class WorkerPool : public testing::Test {
 protected:
  WorkerPoolOptions options(std::string mode = "works", int workers = 2) {
    return {.name = "fake version 1",
            .command = {.argv = {"python3", "-I", "-S", "-c", std::string(kFakeWorker), std::move(mode)},
                        .env = {{"PATH", std::getenv("PATH")}}},
            .workers = workers,
            .restart_delay = 1ms};
  }

  Result<std::shared_ptr<Backend>> start(WorkerPoolOptions given) {
    std::promise<Result<std::shared_ptr<Backend>>> promise;
    auto future = promise.get_future();
    start_worker_pool(std::move(given), loop_, log_, [&](auto result) { promise.set_value(std::move(result)); });
    return future.get();
  }

  static std::future<InferAnswer> ask(Backend& backend, std::string body, Duration limit = 30s) {
    auto promise = std::make_shared<std::promise<InferAnswer>>();
    auto future = promise->get_future();
    backend.infer({.body = std::make_shared<const std::string>(std::move(body)),
                   .deadline = std::chrono::steady_clock::now() + limit},
                  [promise](InferAnswer answer) { promise->set_value(std::move(answer)); });
    return future;
  }

  // Waits until `done` says so; fails the test after 30 s.
  static void until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "what the test waits for does not happen";
      std::this_thread::yield();
    }
  }

  SystemClock clock_;
  Log log_{clock_, 2, LogLevel::kError};
  io::ThreadLoop loop_;
};

TEST_F(WorkerPool, AnswersRequestsAndTellsWhatTheModelIs) {
  const auto pool = start(options());
  ASSERT_TRUE(pool.has_value()) << pool.error().message;
  EXPECT_EQ((*pool)->info().flavor, "fake");
  ASSERT_EQ((*pool)->info().inputs.size(), 1U);
  std::vector<std::future<InferAnswer>> answers;
  for (int i = 0; i < 200; ++i) answers.push_back(ask(**pool, fmt::format("request {}", i)));
  for (int i = 0; i < 200; ++i) EXPECT_EQ(answers[i].get().body, fmt::format("request {}", i));
  EXPECT_EQ((*pool)->health().workers_ready, 2);
}

TEST_F(WorkerPool, CarriesBodiesThatDoNotFitTheSocketBothWays) {
  const auto pool = start(options());
  ASSERT_TRUE(pool.has_value());
  const std::string large(9 << 20, 'y');
  auto first = ask(**pool, large);
  auto second = ask(**pool, "big");
  EXPECT_EQ(first.get().body, large);
  EXPECT_EQ(second.get().body.size(), 20U << 20);
}

TEST_F(WorkerPool, SaysWhatAWorkerPrintedThatDidNotStart) {
  const auto pool = start(options("breaks"));
  ASSERT_FALSE(pool.has_value());
  EXPECT_EQ(pool.error().code, Code::kFailedPrecondition);
  EXPECT_NE(pool.error().message.find("exit code 3"), std::string::npos) << pool.error().message;
  EXPECT_NE(pool.error().message.find("no module named forest"), std::string::npos) << pool.error().message;
}

TEST_F(WorkerPool, SaysWhyAModelCannotBeLoaded) {
  const auto pool = start(options("fails"));
  ASSERT_FALSE(pool.has_value());
  EXPECT_NE(pool.error().message.find("ValueError: no such model"), std::string::npos) << pool.error().message;
}

TEST_F(WorkerPool, GivesUpOnAWorkerThatNeverBecomesReady) {
  auto given = options("never");
  given.start_timeout = 50ms;
  const auto pool = start(given);
  ASSERT_FALSE(pool.has_value());
  EXPECT_EQ(pool.error().code, Code::kDeadlineExceeded);
}

TEST_F(WorkerPool, AnswersARequestWhoseWorkerWasKilledThroughAnotherWorker) {
  const auto pool = start(options());
  ASSERT_TRUE(pool.has_value());
  const auto pids = (*pool)->health().pids;
  std::vector<std::future<InferAnswer>> answers;
  for (int i = 0; i < 50; ++i) answers.push_back(ask(**pool, "ok"));
  ::kill(pids[0], SIGKILL);
  for (int i = 0; i < 50; ++i) answers.push_back(ask(**pool, "ok"));
  for (auto& answer : answers) EXPECT_EQ(answer.get().status, 200);
  until([&] { return (*pool)->health().workers_ready == 2; });
  EXPECT_EQ((*pool)->health().restarts, 1);
}

TEST_F(WorkerPool, TriesARequestThatKilledItsWorkerOnceMoreAlone) {
  const auto pool = start(options());
  ASSERT_TRUE(pool.has_value());
  const auto answer = ask(**pool, "die once").get();
  EXPECT_EQ(answer.status, 200) << answer.body;
}

TEST_F(WorkerPool, RefusesARequestThatKillsEveryWorkerAndSparesItsNeighbours) {
  const auto pool = start(options());
  ASSERT_TRUE(pool.has_value());
  std::vector<std::future<InferAnswer>> neighbours;
  for (int i = 0; i < 20; ++i) neighbours.push_back(ask(**pool, "before"));
  auto killer = ask(**pool, "die");
  const auto answer = killer.get();
  EXPECT_EQ(answer.status, 503);
  EXPECT_TRUE(answer.retry_after_s.has_value());
  for (auto& neighbour : neighbours) EXPECT_EQ(neighbour.get().status, 200);
  until([&] { return (*pool)->health().workers_ready == 2; });
  EXPECT_EQ(ask(**pool, "after").get().status, 200);
}

TEST_F(WorkerPool, AnswersAtOnceWhenNoWorkerIsReady) {
  auto given = options("works", 1);
  given.restart_delay = 1h;
  given.restart_delay_max = 1h;
  const auto pool = start(given);
  ASSERT_TRUE(pool.has_value());
  EXPECT_EQ(ask(**pool, "die").get().status, 503);
  EXPECT_EQ(ask(**pool, "next").get().status, 503);
}

TEST_F(WorkerPool, EndsAWorkerThatTalksNonsense) {
  const auto pool = start(options());
  ASSERT_TRUE(pool.has_value());
  EXPECT_EQ(ask(**pool, "nonsense").get().status, 503);
  until([&] { return (*pool)->health().workers_ready == 2; });
}

TEST_F(WorkerPool, RefusesWhatIsBeyondItsQueue) {
  auto given = options("works", 1);
  given.waiting_max = 2;
  const auto pool = start(given);
  ASSERT_TRUE(pool.has_value());
  auto first = ask(**pool, "hang", 1s);
  auto second = ask(**pool, "waits", 1s);
  const auto third = ask(**pool, "too many").get();
  EXPECT_EQ(third.status, 429);
  EXPECT_EQ(third.retry_after_s, 1);
  EXPECT_EQ(first.get().status, 504);
  EXPECT_EQ(second.get().status, 504);
}

TEST_F(WorkerPool, EndsAWorkerThatIsStuckAndGoesOn) {
  auto given = options("works", 1);
  given.stuck_after = 300ms;
  const auto pool = start(given);
  ASSERT_TRUE(pool.has_value());
  EXPECT_EQ(ask(**pool, "hang").get().status, 503);
  until([&] { return (*pool)->health().workers_ready == 1; });
  EXPECT_EQ(ask(**pool, "again").get().status, 200);
}

TEST_F(WorkerPool, EndsItsWorkersWhenItIsDropped) {
  auto pool = start(options());
  ASSERT_TRUE(pool.has_value());
  const auto pids = (*pool)->health().pids;
  pool->reset();
  until([&] { return std::ranges::all_of(pids, [](int pid) { return ::kill(pid, 0) != 0; }); });
}

TEST_F(WorkerPool, TellsTheWorkerHowToReadARequest) {
  const auto pool = start(options());
  ASSERT_TRUE(pool.has_value());
  std::promise<InferAnswer> promise;
  auto future = promise.get_future();
  (*pool)->infer({.protocol = Protocol::kOpenInference,
                  .content_type = "application/json",
                  .body = std::make_shared<const std::string>("header"),
                  .json_bytes = 6,
                  .name = "flights",
                  .version = "3",
                  .allowed_columns = {"flight_id"}},
                 [&](InferAnswer answer) { promise.set_value(std::move(answer)); });
  const auto header = parse_json(future.get().body, "header");
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(json_string(*header, "protocol"), "v2");
  EXPECT_EQ(json_string(*header, "name"), "flights");
  EXPECT_EQ(json_string(*header, "version"), "3");
  EXPECT_EQ(json_int(*header, "json_bytes"), 6);
  EXPECT_EQ(json::serialize(*json_find(*header, "allowed")), R"(["flight_id"])");
  EXPECT_FALSE(json_bool_or(*header, "solo", false));
}

}  // namespace
}  // namespace weir::serve
