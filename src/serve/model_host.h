#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "io/thread_loop.h"
#include "serve/backend.h"
#include "serve/environments.h"

namespace weir::serve {

struct LoadOptions {
  std::string name;                    // "flight-delay version 3"
  std::filesystem::path model_folder;  // must stay as it is while the model is loaded
  int workers = 2;
  std::uint64_t memory_bytes_max = 0;  // of each worker; 0 = no bound
  int batch_rows_max = 1024;           // rows that are predicted together; 1 = one request at a time
};

struct LoadedModel {
  std::shared_ptr<Backend> backend;
  std::string example;  // request of MLflow's scoring protocol that came with the model; "" if none
};

// Loads models: their environment, then their workers. Any thread.
class ModelHost {
 public:
  struct Options {
    Environments::Options environments;
    Duration start_timeout{std::chrono::minutes{3}};
  };

  // `log` outlives this.
  ModelHost(Options options, Log& log);
  // Ends builds of environments that are under way, and every worker that is left.
  ~ModelHost();

  // `done` is called once, on a thread of this object, which it must not block for long.
  using Done = std::move_only_function<void(Result<LoadedModel>)>;
  void load(LoadOptions options, Done done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::serve
