#include "types/token_scopes.h"

#include <algorithm>

namespace weir::types {
namespace {

using Level = TokenScopes::Level;

Level level_of(std::string_view name) {
  if (name.starts_with("write")) return Level::kWrite;
  return name.starts_with("read") ? Level::kRead : Level::kNone;
}

}  // namespace

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kNone: return "none";
    case Level::kRead: return "read";
    case Level::kWrite: return "write";
  }
  return "none";
}

TokenScopes TokenScopes::from_workflow(const std::map<std::string, std::string>& permissions) {
  TokenScopes scopes;
  for (const auto& [scope, level] : permissions) {
    if (scope == "*") {
      scopes.others = level_of(level);
    } else {
      scopes.levels[scope] = level_of(level);
    }
  }
  return scopes;
}

TokenScopes TokenScopes::common(const TokenScopes& a, const TokenScopes& b) {
  TokenScopes scopes{.others = std::min(a.others, b.others)};
  for (const auto* one : {&a, &b}) {
    for (const auto& [scope, level] : one->levels) scopes.levels[scope] = std::min(a.of(scope), b.of(scope));
  }
  return scopes;
}

std::string TokenScopes::beyond(const TokenScopes& allowed) const {
  for (const auto& [scope, level] : levels) {
    if (level > allowed.of(scope)) return scope;
  }
  if (others <= allowed.others) {
    for (const auto& [scope, level] : allowed.levels) {
      if (of(scope) > level) return scope;
    }
    return {};
  }
  return "*";
}

json::object to_json(const TokenScopes& scopes) {
  json::object object{{"*", level_name(scopes.others)}};
  for (const auto& [scope, level] : scopes.levels) object[scope] = level_name(level);
  return object;
}

Result<TokenScopes> token_scopes_from_json(const json::value& value) {
  if (!value.is_object()) return fail(Code::kInvalidArgument, "scopes of a token must be an object");
  std::map<std::string, std::string> permissions;
  for (const auto& member : value.get_object()) {
    if (!member.value().is_string()) return fail(Code::kInvalidArgument, "scopes of a token must be texts");
    permissions[member.key()] = std::string(member.value().get_string());
  }
  return TokenScopes::from_workflow(permissions);
}

}  // namespace weir::types
