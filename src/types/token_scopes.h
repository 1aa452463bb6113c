#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace weir::types {

// What `permissions` of a workflow gives a job's token: a level for each of GitHub's scopes ("contents", "actions", …).
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions
struct TokenScopes {
  enum class Level : std::uint8_t { kNone = 0, kRead = 1, kWrite = 2 };

  Level others = Level::kNone;                       // of scopes that are not named: `read-all`, `write-all`
  std::map<std::string, Level, std::less<>> levels;  // by scope

  [[nodiscard]] Level of(std::string_view scope) const {
    const auto found = levels.find(scope);
    return found == levels.end() ? others : found->second;
  }

  // As a workflow file has it: {"contents": "read"}, or {"*": "write-all"} for the short forms. There is no short form
  // for id tokens: `write-all` gives them.
  static TokenScopes from_workflow(const std::map<std::string, std::string>& permissions);
  // The lesser level of each scope.
  static TokenScopes common(const TokenScopes& a, const TokenScopes& b);
  // The first scope of which this asks for more than `allowed`; "" if there is none.
  [[nodiscard]] std::string beyond(const TokenScopes& allowed) const;

  friend bool operator==(const TokenScopes&, const TokenScopes&) = default;
};

std::string_view level_name(TokenScopes::Level level);  // "none", "read", "write"

// {"contents": "read", …}, with "*" for `others`.
json::object to_json(const TokenScopes& scopes);
Result<TokenScopes> token_scopes_from_json(const json::value& value);

}  // namespace weir::types
