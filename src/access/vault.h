#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "access/access.h"
#include "access/keys.h"

namespace weir::access {

// Secrets, sealed in the database, and plain variables. Any thread.
class Vault {
 public:
  Vault(store::Database& db, const Keys& keys) : db_(db), keys_(keys) {}

  Result<void> set_secret(std::string_view name, std::string_view value, const Scope& scope,
                          const types::Identity& actor);
  Result<void> delete_secret(std::string_view name, const Scope& scope, const types::Identity& actor);
  Result<std::vector<Access::SecretName>> secret_names();
  Result<std::map<std::string, std::string>> secrets(store::Reader& reader, const Place& place);

  Result<void> set_variable(std::string_view name, std::string_view value, const Scope& scope,
                            const types::Identity& actor);
  Result<void> delete_variable(std::string_view name, const Scope& scope, const types::Identity& actor);
  Result<std::map<std::string, std::string>> variables(store::Reader& reader, const Place& place);

 private:
  store::Database& db_;
  const Keys& keys_;
};

// The variables that hold there.
Result<std::map<std::string, std::string>> read_variables(store::Reader& reader, const Place& place);

}  // namespace weir::access
