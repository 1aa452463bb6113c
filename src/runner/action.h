#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runner/command.h"
#include "runner/confinement.h"
#include "runner/python_env.h"
#include "runner/server_client.h"
#include "types/job_spec.h"

// Actions that are built in: what `uses:` can name. An action is a function that gets everything by value or by
// pointers that outlive it, runs on a thread of its own, and answers with what the job is to take over.
namespace weir::runner {

// Where an action writes. Any thread.
class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual void line(std::string_view text) = 0;                                 // to the step's log
  virtual void annotate(std::string_view level, std::string_view message) = 0;  // "error", "warning" or "notice"
};

using Inputs = std::map<std::string, std::string, CaseLess>;

struct ActionRequest {
  std::string uses;                        // "actions/checkout@v4"
  std::string name;                        // "actions/checkout", lower case
  int version = 0;                         // 4; 0 if the tag has no number
  Inputs inputs;                           // evaluated; blanks around values removed, as actions read them
  std::map<std::string, std::string> env;  // the step's environment
  std::shared_ptr<const types::JobSpec> spec;
  std::filesystem::path job_dir;
  std::filesystem::path workspace;
  std::filesystem::path temp_dir;
  std::string token;
  std::shared_ptr<Reporter> reporter;
  std::shared_ptr<std::atomic<bool>> stop;  // the step is to end
  std::shared_ptr<const PythonEnv> python;  // the job's environment; null if it has none
  // Of a job in a sandbox: for what touches files that its steps could have changed. Else null.
  ConfinementPtr confinement;
  std::filesystem::path staging;  // a folder that they cannot change

  // "" if absent.
  [[nodiscard]] std::string input(std::string_view key) const;
  [[nodiscard]] std::string input_or(std::string_view key, std::string_view fallback) const;
  // YAML's booleans as GitHub's toolkit takes them; kInvalidArgument otherwise.
  [[nodiscard]] Result<bool> input_bool(std::string_view key, bool fallback) const;
  // kInvalidArgument "Input required and not supplied: path".
  [[nodiscard]] Result<std::string> required(std::string_view key) const;
  // Lines without blanks around them and without empty ones.
  [[nodiscard]] std::vector<std::string> input_lines(std::string_view key) const;
  [[nodiscard]] ServerClient server() const { return {spec->server_url, token, stop}; }
  [[nodiscard]] ServerClient::Local local() const { return {spec->blobs_dir, spec->exchange_dir}; }
  // Path of the user's, relative to the workspace, "~" expanded.
  [[nodiscard]] std::filesystem::path resolve(std::string_view path) const;
  [[nodiscard]] std::filesystem::path home() const;
};

// A file on its way to or from the server, gone at the end of the scope: where it can be handed over by its name, if
// that folder can be written to.
class TransferFile {
 public:
  explicit TransferFile(const ActionRequest& request);
  ~TransferFile();
  TransferFile(const TransferFile&) = delete;
  TransferFile& operator=(const TransferFile&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct ActionResult {
  std::vector<std::pair<std::string, std::string>> outputs;
  std::map<std::string, std::string> env;                          // for the steps to come, as GITHUB_ENV
  std::map<std::string, std::string> hidden_env;                   // the same, but not in the `env` context or the log
  std::vector<std::string> paths;                                  // as GITHUB_PATH
  std::string summary;                                             // as GITHUB_STEP_SUMMARY
  std::vector<std::string> masks;                                  // secrets, from now on
  std::optional<Interpreter> python;                               // the job's environment is to stand on it
  bool python_files_changed = false;                               // a cache was unpacked over the environment
  bool failed = false;                                             // the reason was reported
  std::function<void()> at_end;                                    // after all of a job that ended well
  std::function<Result<ActionResult>(const ActionRequest&)> post;  // runs after the job's steps if they succeeded
};

// An error fails the step with its message.
using ActionFunction = std::function<Result<ActionResult>(const ActionRequest&)>;

struct BuiltinAction {
  std::string_view name;                 // "actions/checkout"
  std::vector<std::string_view> inputs;  // others are warned about
  ActionFunction run;
};

// Each action's own source defines it.
BuiltinAction checkout_action();
BuiltinAction setup_python_action();
BuiltinAction upload_artifact_action();
BuiltinAction download_artifact_action();
BuiltinAction cache_action();
BuiltinAction cache_restore_action();
BuiltinAction cache_save_action();
BuiltinAction notify_action();
BuiltinAction gate_action();
BuiltinAction report_action();
BuiltinAction comment_action();
BuiltinAction setup_node_action();
BuiltinAction aws_credentials_action();

// By its name in lower case; null if no such action is built in.
const BuiltinAction* find_builtin(std::string_view name);

// What people can do where an action cannot be had, for messages: "put the commands that it would run into a `run`
// step; built in are …".
std::string instead_of(std::string_view name);

}  // namespace weir::runner
