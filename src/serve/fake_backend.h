#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "serve/backend.h"

namespace weir::serve {

// Backend of tests: keeps requests until the test answers them, or answers at once. Any thread.
class FakeBackend final : public Backend {
 public:
  // `answer` for every request; none: they wait for answer_all().
  explicit FakeBackend(std::optional<InferAnswer> answer = std::nullopt) : answer_(std::move(answer)) {}

  void infer(InferRequest request, Done done) override {
    std::optional<InferAnswer> answer;
    {
      const std::scoped_lock lock(mutex_);
      requests_.push_back(std::move(request));
      answer = answer_;
      if (!answer) waiting_.push_back(std::move(done));
    }
    if (answer) done(*std::move(answer));
  }
  [[nodiscard]] const ModelInfo& info() const override { return info_; }
  [[nodiscard]] BackendHealth health() const override { return {.workers = 1, .workers_ready = 1}; }

  void answer_all(const InferAnswer& answer) {
    std::vector<Done> waiting;
    {
      const std::scoped_lock lock(mutex_);
      waiting.swap(waiting_);
    }
    for (auto& done : waiting) done(answer);
  }
  [[nodiscard]] std::vector<InferRequest> requests() const {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }
  ModelInfo& mutable_info() { return info_; }

 private:
  mutable std::mutex mutex_;
  std::optional<InferAnswer> answer_;
  std::vector<Done> waiting_;
  std::vector<InferRequest> requests_;
  ModelInfo info_;
};

}  // namespace weir::serve
