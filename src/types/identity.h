#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "types/token_scopes.h"

namespace weir::types {

// What a token may do; each role includes the ones before it. Persisted.
enum class Role : std::uint8_t { kViewer = 1, kDeveloper = 2, kApprover = 3, kAdmin = 4 };

// Who makes a request.
struct Identity {
  std::string name = "anonymous";         // "alice", "job:42", "anonymous"
  std::optional<Role> role;               // none: loopback without a token (reads, logs experiments and versions)
  bool foreign = false;                   // a job whose code is of somebody who may not push: it reads, and no more
  std::optional<std::int64_t> job_id;     // set for the token of a job
  std::optional<std::int64_t> run_id;     // the workflow run of that job
  std::vector<std::string> environments;  // environments that this job was approved for
  std::optional<TokenScopes> scopes;      // of a job whose workflow says `permissions`; none: all that a job may
};

// What a job's token is made for.
struct JobGrant {
  std::int64_t job_id = 0;
  std::int64_t run_id = 0;
  bool foreign = false;                   // as in Identity
  std::vector<std::string> environments;  // that it was approved for
  std::optional<TokenScopes> scopes;
};

}  // namespace weir::types
