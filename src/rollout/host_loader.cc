#include "rollout/host_loader.h"

#include <algorithm>
#include <set>

#include "base/hash.h"
#include "io/file.h"
#include "rollout/smoke.h"
#include "serve/model_folder.h"

namespace weir::rollout {
namespace {

void try_backend(std::shared_ptr<serve::Backend> backend, std::string example, Loader::Done done) {
  auto tried = backend;
  smoke_test(std::move(tried), std::move(example),
             [backend = std::move(backend), done = std::move(done)](Result<json::object> smoke) mutable {
               if (!smoke) return done(std::unexpected(smoke.error()));
               done(Prepared{std::move(backend), *std::move(smoke)});
             });
}

}  // namespace

// A readable name that no model's name can break out of or collide with.
std::filesystem::path HostLoader::folder_of(const ModelVersion& version) const {
  std::string name;
  for (const char c : version.model) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    name += plain ? c : '_';
  }
  return models_ / fmt::format("{}-{}-{}", name.substr(0, 60), sha256_hex(version.model).substr(0, 8), version.version);
}

void HostLoader::prepare(ModelVersion version, const Target& target, bool smoke, Done done) {
  run_blocking_(
      [this, version = std::move(version), workers = target.workers, smoke, done = std::move(done)]() mutable {
        const auto folder = folder_of(version);
        if (auto written = materialise_(version, folder); !written) return done(std::unexpected(written.error()));
        host_.load({.name = version.text(), .model_folder = folder, .workers = workers},
                   [smoke, done = std::move(done)](Result<serve::LoadedModel> loaded) mutable {
                     if (!loaded) return done(std::unexpected(loaded.error()));
                     if (!smoke) return done(Prepared{std::move(loaded->backend), {}});
                     try_backend(std::move(loaded->backend), std::move(loaded->example), std::move(done));
                   });
      });
}

void HostLoader::try_out(ModelVersion version, std::shared_ptr<serve::Backend> backend, Done done) {
  run_blocking_([this, version = std::move(version), backend = std::move(backend), done = std::move(done)]() mutable {
    auto model = serve::read_model_folder(folder_of(version));
    if (!model) return done(std::unexpected(model.error()));
    try_backend(std::move(backend), std::move(model->example), std::move(done));
  });
}

void HostLoader::prune(const std::vector<ModelVersion>& kept) {
  std::set<std::filesystem::path> folders;
  for (const auto& version : kept) folders.insert(folder_of(version));
  std::vector<std::filesystem::path> unwanted;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(models_, error)) {
    if (!folders.contains(entry.path())) unwanted.push_back(entry.path());
  }
  for (const auto& folder : unwanted) [[maybe_unused]]
    const auto removed = io::remove_tree(folder);
}

}  // namespace weir::rollout
