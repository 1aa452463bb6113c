#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"

namespace weir::runner {

// Many actions build https:// addresses from the name of the server alone, as GitHub's servers all speak TLS. A server
// on loopback does not. This script, preloaded into node, makes calls and git commands to it plain, and finds
// *.localhost names where the system does not know them. Nothing else that an action calls is changed.
//
// Returns the script below `tool_dir`, laid down if it is not there; "" for servers that need none. Blocks.
Result<std::filesystem::path> node_preload(const std::filesystem::path& tool_dir, const std::string& server_url);

}  // namespace weir::runner
