#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "serve/capture.h"

namespace weir::serve {

using SteadyTime = std::chrono::steady_clock::time_point;

// What a client asked, as the worker needs it.
struct InferRequest {
  Protocol protocol = Protocol::kMlflow;
  std::string content_type;
  std::shared_ptr<const std::string> body;
  std::optional<std::size_t> json_bytes;     // Open Inference: where the JSON ends and binary tensors begin
  std::string name;                          // the model's name in an Open Inference answer
  std::string version;                       // and its version
  std::vector<std::string> allowed_columns;  // may be sent though the model has no such input (key, time)
  SteadyTime deadline = SteadyTime::max();   // answered with 504 after it
};

struct InferAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::optional<std::size_t> json_bytes;  // set when binary tensors follow the JSON
  std::optional<int> retry_after_s;       // set when the request may be repeated
};

// What a loaded model says of itself.
struct ModelInfo {
  std::string flavor;      // "sklearn"
  std::string python;      // "3.11.2"
  bool signature = false;  // inputs are checked
  bool row_wise = true;    // requests may be predicted together
  json::array inputs;      // {"name","type","required","datatype","shape"} in order
  json::array outputs;     // the same
};

struct BackendHealth {
  int workers = 0;  // wanted
  int workers_ready = 0;
  std::size_t waiting = 0;    // requests not yet answered
  std::int64_t restarts = 0;  // of workers, since the start
  std::int64_t batches = 0;   // predictions made
  std::int64_t batched = 0;   // requests in them
  std::vector<int> pids;      // of workers that run
};

// A model version that is loaded and answers requests. Any thread. Dropping the last reference stops it; requests in
// flight hold one, so it lasts until they are answered.
class Backend {
 public:
  using Done = std::move_only_function<void(InferAnswer)>;

  virtual ~Backend() = default;
  // Never blocks; `done` is called once, on any thread, maybe before this returns.
  virtual void infer(InferRequest request, Done done) = 0;
  [[nodiscard]] virtual const ModelInfo& info() const = 0;
  [[nodiscard]] virtual BackendHealth health() const = 0;
};

// An answer that says no, in the words of the protocol.
InferAnswer refusal(Protocol protocol, int status, std::string_view message,
                    std::optional<int> retry_after_s = std::nullopt);

}  // namespace weir::serve
