#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runner/container_door.h"
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
  // What node is called inside, if this machine's `node` (if there is one) or the image's runs there and is at least
  // `major`.
  [[nodiscard]] std::optional<std::string> node_inside(const std::filesystem::path& node, int major);
  // Whether the container has this folder, under the same name.
  [[nodiscard]] bool has_folder(const std::filesystem::path& folder) const;
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
  // Builds the image of an action from its Dockerfile, once a job; gives its id.
  Result<std::string> build(StepState& step, std::string_view action, const std::filesystem::path& dockerfile);

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
  // How long its health check may take to succeed, by its own settings; nothing if it has none.
  [[nodiscard]] Result<std::optional<Duration>> health_limit(const std::string& name) const;
  Result<void> start_service(StepState& step, const std::string& id, const json::value& value);
  Result<void> start_job_container(StepState& step, Wish wish);
  // Where the network does not know its containers' names, those that come later are told.
  Result<void> note_address(const std::string& service, const std::string& name);
  // Lets what runs there reach the server where it is from here. A warning says if that cannot be.
  void open_door(StepState& step, const std::string& name);
  [[nodiscard]] Result<json::object> ports_of(const std::string& name) const;
  Result<std::string> authentication(const Wish& wish) const;
  // Runs podman; what it prints is shown, and given.
  Result<std::string> podman(StepState& step, std::vector<std::string> arguments, bool show = true,
                             const std::map<std::string, std::string>& env = {});
  void spare_helpers();
  [[nodiscard]] Result<void> leave_mark() const;
  [[nodiscard]] Result<std::string> ask(std::vector<std::string> arguments) const;
  // Options that mount the job's folders.
  [[nodiscard]] std::vector<std::string> folders();
  [[nodiscard]] std::vector<std::string> hosts() const;
  [[nodiscard]] std::vector<std::string> labels() const;
  [[nodiscard]] std::string new_name(std::string_view what) const;
  // The variables that are a step's, and not this machine's. `env`: those that the workflow names.
  [[nodiscard]] std::map<std::string, std::string> own_variables(const std::map<std::string, std::string>& all,
                                                                 const json::object& env) const;

  JobState& job_;
  std::optional<Result<void>> usable_;
  std::string program_;
  std::string network_;
  std::string name_;                                           // of the job's container
  std::vector<std::pair<std::string, std::string>> services_;  // id, name
  std::vector<std::string> started_;
  bool network_knows_names_ = true;
  std::map<std::string, std::string> addresses_;  // of services, where the network does not know their names
  std::vector<std::filesystem::path> mounted_;
  std::filesystem::path machine_node_;  // of this machine, if it is mounted in the job's container
  std::map<std::pair<std::string, int>, std::optional<std::string>> nodes_;
  std::set<pid_t> lasting_;  // processes of podman's that are not this job's alone
  std::map<std::filesystem::path, std::string> built_;
  std::map<std::string, std::unique_ptr<ContainerDoor>> doors_;
};

}  // namespace weir::runner
