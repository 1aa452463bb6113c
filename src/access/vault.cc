#include "access/vault.h"

#include <algorithm>

#include "types/event.h"

namespace weir::access {
namespace {

// GitHub's limit for both kinds.
constexpr std::size_t kValueBytesMax = std::size_t{48} * 1024;

// The name in capitals, as it is stored.
Result<std::string> checked_name(std::string_view what, std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  if (upper.empty() || upper.size() > 255) {
    return fail(Code::kInvalidArgument, "the name of a {} has 1 to 255 characters, not {}", what, upper.size());
  }
  if (upper.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != std::string::npos) {
    return fail(Code::kInvalidArgument, "\"{}\" cannot name a {}: only letters, digits and \"_\"", name, what);
  }
  if (upper.front() >= '0' && upper.front() <= '9') {
    return fail(Code::kInvalidArgument, "\"{}\" cannot name a {}: it begins with a digit", name, what);
  }
  if (upper.starts_with("GITHUB_")) {
    return fail(Code::kInvalidArgument, "\"{}\" cannot name a {}: names that begin with GITHUB_ are reserved", name,
                what);
  }
  return upper;
}

Result<void> check_value(std::string_view what, std::string_view name, std::string_view value) {
  if (value.size() <= kValueBytesMax) return {};
  return fail(Code::kInvalidArgument, "the value of {} {} has {} bytes; at most {} are kept", what, name, value.size(),
              kValueBytesMax);
}

std::string seal_context(const Scope& scope, std::string_view name) {
  auto context = fmt::format("secret\n{}\n{}", scope.environment, name);
  return scope.repository.empty() ? context : fmt::format("{}\n{}", context, scope.repository);
}

json::object about(const Scope& scope) {
  json::object payload;
  if (!scope.repository.empty()) payload["repository"] = scope.repository;
  if (!scope.environment.empty()) payload["environment"] = scope.environment;
  return payload;
}

// Rows of a place, the less special first, so that the more special replaces it: "" sorts before all else.
constexpr std::string_view kOfPlace =
    "(repository = '' OR repository = ?) AND (environment = '' OR environment = ?) AND "
    "(repository <> '' OR environment = '' OR ? <> 0) ORDER BY environment, repository";

Result<void> append(store::Transaction& tx, std::string_view type, const types::Identity& actor, std::string subject,
                    json::object payload) {
  WEIR_TRY(tx.append(
      {.type = std::string(type), .actor = actor.name, .subject = std::move(subject), .payload = std::move(payload)}));
  return {};
}

}  // namespace

Result<void> Vault::set_secret(std::string_view name, std::string_view value, const Scope& scope,
                               const types::Identity& actor) {
  const std::string upper = WEIR_TRY(checked_name("secret", name));
  WEIR_TRY(check_value("secret", upper, value));
  const std::string sealed = keys_.seal(value, seal_context(scope, upper));
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute(
        "INSERT INTO access_secrets(repository, environment, name, sealed, updated_at, updated_by) "
        "VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(repository, environment, name) DO UPDATE SET sealed = excluded.sealed, "
        "updated_at = excluded.updated_at, updated_by = excluded.updated_by",
        {scope.repository, scope.environment, upper, sealed, tx.now(), actor.name}));
    return append(tx, types::event_type::kSecretSet, actor, "secret/" + upper, about(scope));
  });
}

Result<void> Vault::delete_secret(std::string_view name, const Scope& scope, const types::Identity& actor) {
  const std::string upper = WEIR_TRY(checked_name("secret", name));
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto gone =
        WEIR_TRY(tx.execute("DELETE FROM access_secrets WHERE repository = ? AND environment = ? AND name = ?",
                            {scope.repository, scope.environment, upper}));
    if (gone == 0) return fail(Code::kNotFound, "there is no secret {}", upper);
    return append(tx, types::event_type::kSecretDeleted, actor, "secret/" + upper, about(scope));
  });
}

Result<std::vector<Access::SecretName>> Vault::secret_names() {
  return db_.load<std::vector<Access::SecretName>>([](store::Reader& reader) {
    return reader.all<Access::SecretName>(
        "SELECT name, repository, environment, updated_at, updated_by FROM access_secrets "
        "ORDER BY name, repository, environment",
        {}, [](const store::Row& row) {
          return Access::SecretName{row.string(0), {row.string(1), row.string(2)}, row.time(3), row.string(4)};
        });
  });
}

Result<std::map<std::string, std::string>> Vault::secrets(store::Reader& reader, const Place& place) {
  struct Sealed {
    Scope scope;
    std::string name;
    std::string sealed;
  };
  const auto rows = WEIR_TRY(reader.all<Sealed>(
      fmt::format("SELECT repository, environment, name, sealed FROM access_secrets WHERE {}", kOfPlace),
      {place.repository, place.environment, place.shared ? 1 : 0},
      [](const store::Row& row) { return Sealed{{row.string(0), row.string(1)}, row.string(2), row.string(3)}; }));
  std::map<std::string, std::string> values;
  for (const auto& row : rows) {
    auto value = keys_.open_sealed(row.sealed, seal_context(row.scope, row.name));
    if (!value) return fail(value.error().code, "secret {}: {}; set it again", row.name, value.error().message);
    values.insert_or_assign(row.name, *std::move(value));
  }
  return values;
}

Result<void> Vault::set_variable(std::string_view name, std::string_view value, const Scope& scope,
                                 const types::Identity& actor) {
  const std::string upper = WEIR_TRY(checked_name("variable", name));
  WEIR_TRY(check_value("variable", upper, value));
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute(
        "INSERT INTO access_variables(repository, environment, name, value, updated_at, updated_by) "
        "VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(repository, environment, name) DO UPDATE SET value = excluded.value, "
        "updated_at = excluded.updated_at, updated_by = excluded.updated_by",
        {scope.repository, scope.environment, upper, value, tx.now(), actor.name}));
    auto payload = about(scope);
    payload["value"] = value;
    return append(tx, types::event_type::kVariableSet, actor, "variable/" + upper, std::move(payload));
  });
}

Result<void> Vault::delete_variable(std::string_view name, const Scope& scope, const types::Identity& actor) {
  const std::string upper = WEIR_TRY(checked_name("variable", name));
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto gone =
        WEIR_TRY(tx.execute("DELETE FROM access_variables WHERE repository = ? AND environment = ? AND name = ?",
                            {scope.repository, scope.environment, upper}));
    if (gone == 0) return fail(Code::kNotFound, "there is no variable {}", upper);
    return append(tx, types::event_type::kVariableDeleted, actor, "variable/" + upper, about(scope));
  });
}

Result<std::map<std::string, std::string>> Vault::variables(store::Reader& reader, const Place& place) {
  return read_variables(reader, place);
}

Result<std::map<std::string, std::string>> read_variables(store::Reader& reader, const Place& place) {
  std::map<std::string, std::string> values;
  WEIR_TRY(reader.query(fmt::format("SELECT name, value FROM access_variables WHERE {}", kOfPlace),
                        {place.repository, place.environment, place.shared ? 1 : 0},
                        [&](const store::Row& row) { values.insert_or_assign(row.string(0), row.string(1)); }));
  return values;
}

}  // namespace weir::access
