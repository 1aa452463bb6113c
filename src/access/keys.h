#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "store/database.h"

namespace weir::access {

// The two keys of a state folder and what is done with them. Immutable: any thread may use it. Their bytes leave this
// class only sealed or hashed, and are wiped at the end.
class Keys {
 public:
  static constexpr std::size_t kKeyBytes = 32;

  // Reads <dir>/pepper and <dir>/master.key, making them on the first start. `db` remembers fingerprints: kCorrupt if
  // the files are not those that stored tokens and secrets were made with, or if one is gone.
  static Result<Keys> open(store::Database& db, const std::filesystem::path& dir, Log& log);

  Keys(Keys&& other) noexcept;
  Keys& operator=(Keys&&) = delete;
  ~Keys();

  // BLAKE2b-256 of a token, keyed with the pepper, as hex: a stolen database alone tells nothing.
  [[nodiscard]] std::string hash_token(std::string_view token) const;

  // BLAKE2b-256 of `text` for a purpose, keyed with the pepper, as hex: only this server makes it. What is made for one
  // purpose is worth nothing for another, or as a token's hash.
  [[nodiscard]] std::string sign(std::string_view purpose, std::string_view text) const;

  // XChaCha20-Poly1305 with a random nonce, as hex. `context` must be the same when opening: a sealed text that was
  // moved to another name does not open.
  [[nodiscard]] std::string seal(std::string_view text, std::string_view context) const;
  [[nodiscard]] Result<std::string> open_sealed(std::string_view sealed, std::string_view context) const;

 private:
  using Key = std::array<unsigned char, kKeyBytes>;
  Keys(const Key& pepper, const Key& master) : pepper_(pepper), master_(master) {}
  static Result<Key> load(store::Database& db, const std::filesystem::path& dir, const std::string& name, Log& log);

  Key pepper_;
  Key master_;
};

// A new token: "weir_" and 256 random bits in URL-safe base64.
std::string new_token();

}  // namespace weir::access
