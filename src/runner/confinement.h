#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"

namespace weir::runner {

// What work inside the runner may do to files that steps of a sandbox have had their hands on: the kernel (Landlock)
// keeps a thread to a few folders, whatever links lie in them and whenever they were put there.
class Confinement {
 public:
  // Says what is missing where the kernel cannot.
  static Result<void> available();

  Confinement(std::vector<std::filesystem::path> writable, std::vector<std::filesystem::path> readable)
      : writable_(std::move(writable)), readable_(std::move(readable)) {}

  // From now on the calling thread, and what it starts, reaches nothing else. There is no way back.
  [[nodiscard]] Result<void> confine_thread() const;

 private:
  std::vector<std::filesystem::path> writable_;
  std::vector<std::filesystem::path> readable_;
};

using ConfinementPtr = std::shared_ptr<const Confinement>;

// Calls `work`, which answers with a Result, on a thread that is confined. No confinement: calls it here.
template <class Work>
auto run_confined(const ConfinementPtr& confinement, Work work) -> decltype(work()) {
  if (!confinement) return work();
  std::optional<decltype(work())> answer;
  std::jthread([&] {
    if (const auto confined = confinement->confine_thread(); !confined) {
      answer.emplace(std::unexpected(confined.error()));
    } else {
      answer.emplace(work());
    }
  }).join();
  return std::move(*answer);
}

}  // namespace weir::runner
