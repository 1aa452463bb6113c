#pragma once

#include <filesystem>

#include "base/error.h"

// Where the state of a work tree's own runs lies. It is <work tree>/.weir, unless that path has a space or another
// character that means something to a shell: steps write `>> $GITHUB_OUTPUT` without quotes, as GitHub's own
// documentation does, and would fail. Then .weir holds a link to a folder among the user's own state.
namespace weir::app {

// Whether a shell takes the path as it is, without quotes.
bool is_plain_path(const std::filesystem::path& path);

// The folder of the work tree's state; made, with the link to it, if need be.
Result<std::filesystem::path> state_of_work_tree(const std::filesystem::path& work_tree);

// The same of a folder that was named.
Result<std::filesystem::path> named_state(const std::filesystem::path& state);

// The folder that a state folder leads to, which is itself unless it holds the link.
std::filesystem::path followed_state(const std::filesystem::path& state);

}  // namespace weir::app
