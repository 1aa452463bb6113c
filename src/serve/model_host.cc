#include "serve/model_host.h"

#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "io/file.h"
#include "serve/model_folder.h"
#include "serve/worker_files.h"
#include "serve/worker_pool.h"

namespace weir::serve {
namespace {

constexpr std::string_view kStart =
    "import sys; sys.path.insert(0, sys.argv[1]); from weir_worker.main import main; del sys.path[0]; "
    "sys.exit(main(sys.argv[2:]))";

WorkerCommand worker_command(const std::filesystem::path& python, const std::filesystem::path& worker_files,
                             const LoadOptions& options) {
  json::object settings{{"batch_rows_max", options.batch_rows_max}};
  if (options.memory_bytes_max > 0) settings["memory_bytes_max"] = options.memory_bytes_max;
  WorkerCommand command;
  command.argv = {python.string(),
                  "-I",
                  "-B",
                  "-u",
                  "-c",
                  std::string(kStart),
                  worker_files.string(),
                  options.model_folder.string(),
                  json::serialize(settings)};
  command.working_dir = options.model_folder;
  command.env = clean_environment();
  command.env["PATH"] = python.parent_path().string() + ":" + command.env["PATH"];
  command.env["HOME"] = "/nonexistent";  // nothing of the server's user
  command.env["MLFLOW_TRACKING_URI"] = "file:///nonexistent";
  command.env["MLFLOW_DISABLE_TELEMETRY"] = "true";
  command.env["DO_NOT_TRACK"] = "true";
  // Workers run side by side: threads of numeric libraries within each would only get into each other's way.
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}) command.env[name] = "1";
  return command;
}

}  // namespace

struct ModelHost::Impl {
  Impl(Options given, Log& server_log)
      : options(std::move(given)), log(server_log), environments(options.environments, server_log) {}

  // Everything that blocks, up to the command that starts a worker.
  Result<WorkerCommand> prepare(const LoadOptions& load, std::string& example) {
    auto model = WEIR_TRY(read_model_folder(load.model_folder));
    const auto python = WEIR_TRY(environments.ensure(model.python_version, model.requirements, load.model_folder));
    WEIR_TRY(io::make_dirs(options.environments.folder));
    const auto files = WEIR_TRY(install_worker_files(options.environments.folder));
    example = std::move(model.example);
    return worker_command(python, files, load);
  }

  void run(LoadOptions load, Done done) {
    std::string example;
    load.model_folder = std::filesystem::absolute(load.model_folder);
    auto command = prepare(load, example);
    if (!command) return done(std::unexpected(command.error()));
    auto stop =
        start_worker_pool({.name = load.name,
                           .command = *std::move(command),
                           .workers = load.workers,
                           .start_timeout = options.start_timeout},
                          loop, log, [done = std::move(done), example = std::move(example)](auto backend) mutable {
                            if (!backend) return done(std::unexpected(backend.error()));
                            done(LoadedModel{*std::move(backend), std::move(example)});
                          });
    const std::scoped_lock lock(mutex);
    stops.push_back(std::move(stop));
  }

  const Options options;
  Log& log;
  Environments environments;
  io::ThreadLoop loop;

  std::mutex mutex;
  struct Job {
    std::thread thread;
    bool ended = false;
  };
  std::list<Job> jobs;
  std::vector<std::function<void()>> stops;  // of every pool that was started
};

ModelHost::ModelHost(Options options, Log& log) : impl_(std::make_unique<Impl>(std::move(options), log)) {}

ModelHost::~ModelHost() {
  impl_->environments.cancel();
  for (auto& job : impl_->jobs) job.thread.join();
  for (auto& stop : impl_->stops) stop();
  impl_->loop.stop();
}

void ModelHost::load(LoadOptions options, Done done) {
  const std::scoped_lock lock(impl_->mutex);
  for (auto job = impl_->jobs.begin(); job != impl_->jobs.end();) {
    if (job->ended) {
      job->thread.join();
      job = impl_->jobs.erase(job);
    } else {
      ++job;
    }
  }
  auto& job = impl_->jobs.emplace_back();
  job.thread = std::thread([this, &job, options = std::move(options), done = std::move(done)]() mutable {
    impl_->run(std::move(options), std::move(done));
    const std::scoped_lock ended_lock(impl_->mutex);
    job.ended = true;
  });
}

}  // namespace weir::serve
