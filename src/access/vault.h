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

  Result<void> set_secret(std::string_view name, std::string_view value, std::string_view environment,
                          const types::Identity& actor);
  Result<void> delete_secret(std::string_view name, std::string_view environment, const types::Identity& actor);
  Result<std::vector<Access::SecretName>> secret_names();
  Result<std::map<std::string, std::string>> secrets(store::Reader& reader, std::string_view environment);

  Result<void> set_variable(std::string_view name, std::string_view value, std::string_view environment,
                            const types::Identity& actor);
  Result<void> delete_variable(std::string_view name, std::string_view environment, const types::Identity& actor);
  Result<std::map<std::string, std::string>> variables(store::Reader& reader, std::string_view environment);

 private:
  store::Database& db_;
  const Keys& keys_;
};

// The variables that hold in `environment` ("" = none): its own values before the general ones.
Result<std::map<std::string, std::string>> read_variables(store::Reader& reader, std::string_view environment);

}  // namespace weir::access
