#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "io/git.h"

// Watched data that is no file of this machine: what an address answers, and what a .dvc file says.
namespace weir::event {

// What was found at one look.
struct SourceFound {
  bool there = false;
  std::string digest;  // of what is compared; "" if it is not there
  json::object facts;  // for the event
};

// Asks for an address's headers. What it is compared by is its ETag, without one its Last-Modified. Redirects are not
// followed: they could lead where nothing may be watched. kFailedPrecondition for an answer that tells neither. Blocks.
Result<SourceFound> look_at_address(const std::string& url);

// A .dvc file or dvc.lock at `commit`: the digests of what it stands for, by path. Comments and commands are not
// compared. kFailedPrecondition if it cannot be read as one. Blocks for git.
Result<SourceFound> look_at_dvc(const io::Git& git, const std::string& commit, const std::string& path);

// The same from its text.
Result<SourceFound> read_dvc(std::string_view text, std::string_view path);

}  // namespace weir::event
