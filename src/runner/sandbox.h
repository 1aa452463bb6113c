#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/descriptor.h"
#include "io/process.h"
#include "runner/confinement.h"
#include "runner/control_group.h"

namespace weir::runner {

struct JobState;
struct StepState;

// The sandbox of a job whose code nobody here has looked at: every process of its steps runs in bubblewrap. It sees the
// machine's programs, read-only, and the job's own folders; no network, no other process, nothing of the server's state
// or anybody's home. All of the job's processes together have limits, which a control group keeps.
//
// Work of the runner's own on files that such steps have had their hands on is confined to the same folders.
class Sandbox {
 public:
  // Tries a process in it. An error says what this machine lacks, and what to do about it.
  static Result<std::shared_ptr<Sandbox>> create(JobState& job);

  // A process of a step, as it is to be started. `input` must live until it was.
  struct Start {
    io::ProcessOptions options;
    io::Descriptor input;
  };
  [[nodiscard]] Result<Start> wrap(const JobState& job, const io::ProcessOptions& wanted) const;

  // Says in the log of a step that has ended whether a limit was in its way.
  void report_limits(JobState& job, StepState& step);

  // What a step's processes get of this process's own environment.
  [[nodiscard]] std::map<std::string, std::string> environment(const JobState& job) const;
  // HOME of the steps: a folder of the job's own.
  [[nodiscard]] const std::filesystem::path& home() const { return home_; }
  // For work of the runner's own on the job's files.
  [[nodiscard]] const ConfinementPtr& confinement() const { return confinement_; }
  // Where the runner prepares what then goes into the workspace; the steps do not see it.
  [[nodiscard]] const std::filesystem::path& staging() const { return staging_; }

 private:
  explicit Sandbox(ControlGroup group) : group_(std::move(group)) {}
  Result<void> make_folders(const JobState& job);
  void find_machine(const JobState& job);
  Result<void> try_out(const JobState& job) const;
  // The folder, if it may be shown as a whole and is not there anyway.
  [[nodiscard]] std::optional<std::filesystem::path> program_folder(const std::filesystem::path& path) const;
  [[nodiscard]] std::vector<std::filesystem::path> program_folders(const JobState& job) const;
  [[nodiscard]] std::vector<std::string> options_for(const JobState& job, const io::ProcessOptions& wanted) const;
  [[nodiscard]] io::ProcessOptions outer_process(const JobState& job, const std::vector<std::string>& argv) const;

  ControlGroup group_;
  ControlGroup::Events seen_;
  std::string program_;
  std::vector<std::string> machine_;              // bubblewrap's options for what all steps see
  std::vector<std::filesystem::path> forbidden_;  // neither these nor what they lie in are shown as a whole
  std::vector<std::filesystem::path> path_;       // folders of PATH outside of the usual places
  std::filesystem::path home_;
  std::filesystem::path temporary_;  // /tmp; "": a new one for each process
  std::filesystem::path staging_;
  ConfinementPtr confinement_;
};

// How a pull request's jobs are called in messages that refuse something.
inline constexpr std::string_view kSandboxed = "the job of a pull request by somebody who may not push";

}  // namespace weir::runner
