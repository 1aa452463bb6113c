#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

namespace weir::serve {

struct Interpreter {
  std::filesystem::path executable;
  std::string version;  // "3.11.2"
};

// Python environments of models: each is made once from an interpreter and requirements, and never changed afterwards.
// Any thread may call; two calls for the same environment share one build.
class Environments {
 public:
  struct Options {
    std::filesystem::path folder;  // <state>/envs
    // The installed interpreter whose version is nearest to `version` ("" = any). kNotFound with what to install.
    std::function<Result<Interpreter>(std::string_view version)> find_interpreter;
    std::filesystem::path uv;          // the `uv` program: far faster than pip; "" = venv and pip
    std::filesystem::path ready_made;  // if set: the python program for every model; nothing is ever installed
    Duration build_limit{std::chrono::minutes{20}};
  };

  // `log` outlives this.
  Environments(Options options, Log& log);
  ~Environments();

  // The python program of the environment for these requirements, built if it is not there yet. `working_dir`, the
  // model's folder, is what relative paths in the requirements start from. Blocks for as long as installing takes.
  // kFailedPrecondition with the installer's last lines; nothing is left behind then.
  Result<std::filesystem::path> ensure(std::string_view python_version, const std::vector<std::string>& requirements,
                                       const std::filesystem::path& working_dir);

  // Ends builds that are under way with kCancelled, and every later one.
  void cancel() { cancelled_ = true; }

 private:
  struct Build;
  Result<std::filesystem::path> build(const Interpreter& interpreter, const std::vector<std::string>& requirements,
                                      const std::filesystem::path& working_dir, const std::filesystem::path& target);
  Result<void> install(const Interpreter& interpreter, const std::vector<std::string>& requirements,
                       const std::filesystem::path& working_dir, const std::filesystem::path& temporary);

  Result<void> run(std::vector<std::string> argv, const std::filesystem::path& working_dir,
                   std::map<std::string, std::string> env, const std::filesystem::path& output);

  Options options_;
  Log& log_;
  std::atomic<bool> cancelled_ = false;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Build>> builds_;  // under way, by name
};

// The variables of this process that a model's worker may see: where programs and temporary files are, and the
// language. Never a secret or a token.
std::map<std::string, std::string> clean_environment();

}  // namespace weir::serve
