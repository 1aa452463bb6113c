#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "runner/job_state.h"

namespace weir::runner {

// Containers of one job, through podman: the job's own, in which its `run` steps happen, its services, and those of
// container actions. Folders of the job have the same path inside as outside, so that what a step is told about its
// files is true in both.
class Containers {
 public:
  explicit Containers(JobState& job) : job_(job) {}

  // kUnimplemented, naming `what`, if there is no podman or it does not work here. Asks it once a job.
  Result<void> require(std::string_view what);

  // Starts the job's services and its container, if the specification has any.
  Result<void> start(StepState& set_up);
  // Shows what services printed, and removes everything.
  void stop(StepState& clean_up);

  [[nodiscard]] bool has_job_container() const { return !name_.empty(); }
  // A process of a step, to be run inside the job's container.
  [[nodiscard]] io::ProcessOptions inside(const StepState& step, std::vector<std::string> argv,
                                          const std::filesystem::path& folder) const;
  // Ends what a step that was stopped has left running there.
  void end_inside(StepState& step);

  struct ActionProcess {
    std::string image;
    std::string entrypoint;  // "" : the image's own
    std::vector<std::string> arguments;
    std::map<std::string, std::string> variables;
  };
  // Runs an action's container to its end.
  Result<SupervisedEnd> run_action(StepState& step, ActionProcess process);
  // Builds an image from a Dockerfile; gives its name.
  Result<std::string> build(StepState& step, const std::filesystem::path& dockerfile);

 private:
  struct Wish {
    std::string image;
    std::vector<std::string> options;
    std::vector<std::string> ports;
    std::vector<std::string> volumes;
    std::map<std::string, std::string> env;
    std::string username;
    std::string password;
    std::string entrypoint;
    std::vector<std::string> command;
  };
  Result<Wish> read_wish(const json::value& value, std::string_view what) const;
  Result<std::string> create(StepState& step, const Wish& wish, const std::string& name, std::string_view alias,
                             std::vector<std::string> command, const std::vector<std::string>& mounts);
  Result<void> wait_until_healthy(StepState& step, const std::string& name, std::string_view service);
  Result<json::object> ports_of(StepState& step, const std::string& name);
  Result<std::string> authentication(const Wish& wish) const;
  // Runs podman; what it prints is shown, and given.
  Result<std::string> podman(StepState& step, std::vector<std::string> arguments, bool show = true,
                             const std::map<std::string, std::string>& env = {});
  [[nodiscard]] std::vector<std::string> folders() const;
  [[nodiscard]] std::vector<std::string> labels() const;
  [[nodiscard]] std::string new_name(std::string_view what) const;
  // Names of the variables that are a step's, and not this machine's.
  [[nodiscard]] std::map<std::string, std::string> own_variables(const std::map<std::string, std::string>& all) const;

  JobState& job_;
  std::optional<Result<void>> usable_;
  std::string program_;
  std::string network_;
  std::string name_;                                           // of the job's container
  std::vector<std::pair<std::string, std::string>> services_;  // id, name
  std::vector<std::string> started_;
};

}  // namespace weir::runner
