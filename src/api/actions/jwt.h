#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"

// JSON Web Tokens (RFC 7519), as far as GitHub's clients meet them: HS256 for what the server gives to itself, RS256
// for id tokens that others verify.
namespace weir::api::actions {

// RFC 4648's alphabet for addresses, without padding.
std::string base64url_encode(std::string_view bytes);
Result<std::string> base64url_decode(std::string_view text);

// A secret of the server's: <keys>/actions.key, made at the first use (mode 0600). Immutable; any thread.
class HmacKey {
 public:
  static Result<HmacKey> open(const std::filesystem::path& keys_dir);
  ~HmacKey();
  HmacKey(HmacKey&&) noexcept = default;
  HmacKey& operator=(HmacKey&&) noexcept = default;

  // HMAC-SHA-256, 32 bytes, by a key that is made of this one and `purpose` (also by HMAC): what is signed for one use
  // does not pass for another.
  [[nodiscard]] std::string sign(std::string_view purpose, std::string_view text) const;

  [[nodiscard]] std::string make_token(std::string_view purpose, const json::object& claims) const;
  // The claims of a token that this key made for `purpose`. kUnauthenticated for any other, for one that is expired
  // (`exp`) or not good yet (`nbf`), and for one that is signed by another method.
  [[nodiscard]] Result<json::object> read_token(std::string_view purpose, std::string_view token, TimePoint now) const;

 private:
  explicit HmacKey(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string bytes_;
};

// The key of id tokens: <keys>/oidc.pem, RSA of 2,048 bits, made at the first use. Any thread.
class RsaKey {
 public:
  explicit RsaKey(std::filesystem::path keys_dir);
  ~RsaKey();

  Result<std::string> make_token(const json::object& claims);
  // The public half as one member of a JSON Web Key Set (RFC 7517).
  Result<json::object> public_key();

 private:
  struct Loaded;
  Result<const Loaded*> load();

  std::filesystem::path keys_dir_;
  std::mutex mutex_;
  std::unique_ptr<Loaded> loaded_;  // once set it stays
};

}  // namespace weir::api::actions
