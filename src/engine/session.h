#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace weir::engine {

// The variable that every process of a job inherits, as on GitHub's machines; weir-runner hands it to the steps.
inline constexpr const char* kTrackingVariable = "RUNNER_TRACKING_ID";

// Its value for the job of a folder: no other job of this machine has it.
std::string tracking_id(const std::filesystem::path& job_dir);

// Kills a job's processes: those of the session that its runner `leader` began (0: the runner is not known), and those
// with `id` in the environment that they were started with, which also finds what left session and process group.
void kill_job(pid_t leader, const std::string& id);

}  // namespace weir::engine
