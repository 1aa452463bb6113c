#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace weir {

// Incremental SHA-256 (FIPS 180-4), through OpenSSL. One thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view bytes);
  // 64 lower-case hex digits; the object must not be used afterwards.
  std::string finish_hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// SHA-256 of `bytes` as 64 lower-case hex digits.
std::string sha256_hex(std::string_view bytes);

// HMAC with SHA-256 (RFC 2104) as 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view bytes);

// RFC 4648 base64 with padding.
std::string base64_encode(std::string_view bytes);

// Lower-case hex, two digits a byte.
std::string hex_encode(std::string_view bytes);

// `bytes` of the operating system's randomness as hex (2 * bytes digits). Any thread.
std::string random_hex(std::size_t bytes);

// Compares in time that depends on the lengths only.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace weir
