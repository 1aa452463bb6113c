#pragma once

#include <filesystem>
#include <functional>

#include "base/loop.h"
#include "rollout/ports.h"
#include "serve/model_host.h"

namespace weir::rollout {

// Loads versions from the registry's files with a ModelHost. Any thread.
class HostLoader final : public Loader {
 public:
  // Writes a version's files to a folder, or leaves it as it is if it has them (Registry::materialise). May block.
  using Materialise = std::function<Result<void>(const ModelVersion& version, const std::filesystem::path& folder)>;

  // `models` is where versions are unpacked. `run_blocking` runs what blocks; what it runs does not outlive this.
  HostLoader(std::filesystem::path models, Materialise materialise, serve::ModelHost& host,
             std::function<void(Loop::Task)> run_blocking)
      : models_(std::move(models)),
        materialise_(std::move(materialise)),
        host_(host),
        run_blocking_(std::move(run_blocking)) {}

  void prepare(ModelVersion version, const Target& target, bool smoke, Done done) override;
  void try_out(ModelVersion version, std::shared_ptr<serve::Backend> backend, Done done) override;

  // Deletes unpacked versions other than `kept`. Blocks.
  void prune(const std::vector<ModelVersion>& kept);

 private:
  [[nodiscard]] std::filesystem::path folder_of(const ModelVersion& version) const;

  std::filesystem::path models_;
  Materialise materialise_;
  serve::ModelHost& host_;
  std::function<void(Loop::Task)> run_blocking_;
};

}  // namespace weir::rollout
