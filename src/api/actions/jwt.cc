#include "api/actions/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>

#include "base/hash.h"
#include "io/file.h"

namespace weir::api::actions {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kTokenBytesMax = 16U << 10;

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using PKey = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using BigNumber = std::unique_ptr<BIGNUM, Freer<BN_free>>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return std::nullopt;
}

std::string hmac(std::string_view key, std::string_view text) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(text), text.size(),
       reinterpret_cast<unsigned char*>(digest.data()), &size);
  digest.resize(size);
  return digest;
}

Error refused(std::string_view why) {
  return {Code::kUnauthenticated, fmt::format("the token is refused: {}", why)};
}

}  // namespace

std::string base64url_encode(std::string_view bytes) {
  std::string text = base64_encode(bytes);
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) {
    if (c == '+') c = '-';
    if (c == '/') c = '_';
  }
  return text;
}

Result<std::string> base64url_decode(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) {
    if (c == '+' || c == '/' || c == '=') return fail(Code::kInvalidArgument, "this is no base64url");
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  if (plain.size() % 4 == 1) return fail(Code::kInvalidArgument, "this is no base64url");
  const std::size_t padding = (4 - plain.size() % 4) % 4;
  plain.append(padding, '=');
  std::string bytes(plain.size() / 4 * 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), bytes_of(plain), static_cast<int>(plain.size()));
  if (size < 0) return fail(Code::kInvalidArgument, "this is no base64url");
  bytes.resize(static_cast<std::size_t>(size) - padding);
  // One text for each value: unused bits of the last digit must be zero.
  if (base64url_encode(bytes) != text) return fail(Code::kInvalidArgument, "this is no base64url");
  return bytes;
}

Result<HmacKey> HmacKey::open(const std::filesystem::path& keys_dir) {
  const auto file = keys_dir / "actions.key";
  if (!std::filesystem::exists(file)) {
    WEIR_TRY(io::write_file_atomic(file, random_hex(kKeyBytes) + "\n", 0600));
  }
  std::string text = WEIR_TRY(io::read_file(file, 4096));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const auto high = hex_digit(text[i]);
    const auto low = hex_digit(text[i + 1]);
    if (!high || !low) break;
    bytes += static_cast<char>(*high << 4 | *low);
  }
  if (text.size() != 2 * kKeyBytes || bytes.size() != kKeyBytes) {
    return fail(Code::kCorrupt, "{} is damaged: expected {} hex digits; remove it, and a new one is made",
                file.string(), 2 * kKeyBytes);
  }
  return HmacKey(std::move(bytes));
}

HmacKey::~HmacKey() {
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

std::string HmacKey::sign(std::string_view purpose, std::string_view text) const {
  std::string key = hmac(bytes_, purpose);
  std::string signature = hmac(key, text);
  OPENSSL_cleanse(key.data(), key.size());
  return signature;
}

std::string HmacKey::make_token(std::string_view purpose, const json::object& claims) const {
  const std::string head = base64url_encode(R"({"alg":"HS256","typ":"JWT"})");
  const std::string signed_text = fmt::format("{}.{}", head, base64url_encode(json::serialize(claims)));
  return fmt::format("{}.{}", signed_text, base64url_encode(sign(purpose, signed_text)));
}

Result<json::object> HmacKey::read_token(std::string_view purpose, std::string_view token, TimePoint now) const {
  const auto first = token.find('.');
  const auto last = token.rfind('.');
  if (token.size() > kTokenBytesMax || first == std::string_view::npos || first == last) {
    return std::unexpected(refused("it is no JSON Web Token"));
  }
  const auto signature = base64url_decode(token.substr(last + 1));
  if (!signature || !equal_constant_time(*signature, sign(purpose, token.substr(0, last)))) {
    return std::unexpected(refused("its signature is not this server's"));
  }
  // From here on it is text of ours.
  const auto text = WEIR_TRY(base64url_decode(token.substr(first + 1, last - first - 1)));
  auto claims = WEIR_TRY(parse_json(text, "the token"));
  if (!claims.is_object()) return std::unexpected(refused("it holds no claims"));
  const auto seconds = to_micros(now) / 1'000'000;
  if (json_int(claims, "exp").value_or(0) <= seconds) return std::unexpected(refused("it has expired"));
  if (json_int(claims, "nbf").value_or(0) > seconds) return std::unexpected(refused("it is not good yet"));
  return std::move(claims.get_object());
}

struct RsaKey::Loaded {
  PKey key;
  std::string modulus;   // base64url
  std::string exponent;  // base64url
  std::string id;
};

RsaKey::RsaKey(std::filesystem::path keys_dir) : keys_dir_(std::move(keys_dir)) {}
RsaKey::~RsaKey() = default;

namespace {

Result<PKey> read_or_make(const std::filesystem::path& file) {
  if (std::filesystem::exists(file)) {
    std::string text = WEIR_TRY(io::read_file(file, 64U << 10));
    const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    PKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    OPENSSL_cleanse(text.data(), text.size());
    if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) {
      return fail(Code::kCorrupt, "{} holds no RSA key; remove it, and a new one is made", file.string());
    }
    return key;
  }
  PKey key(EVP_RSA_gen(2048));
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!key || PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return fail(Code::kInternal, "cannot make an RSA key");
  }
  char* bytes = nullptr;
  const auto size = static_cast<std::size_t>(BIO_get_mem_data(bio.get(), &bytes));
  const auto written = io::write_file_atomic(file, std::string_view(bytes, size), 0600);
  OPENSSL_cleanse(bytes, size);
  WEIR_TRY(written);
  return key;
}

std::string number_text(EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &raw) != 1) return {};
  const BigNumber number(raw);
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number.get())), '\0');
  BN_bn2bin(number.get(), reinterpret_cast<unsigned char*>(bytes.data()));
  return base64url_encode(bytes);
}

}  // namespace

Result<const RsaKey::Loaded*> RsaKey::load() {
  const std::scoped_lock lock(mutex_);
  if (!loaded_) {
    auto loaded = std::make_unique<Loaded>();
    loaded->key = WEIR_TRY(read_or_make(keys_dir_ / "oidc.pem"));
    loaded->modulus = number_text(loaded->key.get(), OSSL_PKEY_PARAM_RSA_N);
    loaded->exponent = number_text(loaded->key.get(), OSSL_PKEY_PARAM_RSA_E);
    // RFC 7638: the hash of the key's members in their order by name.
    loaded->id = sha256_hex(fmt::format(R"({{"e":"{}","kty":"RSA","n":"{}"}})", loaded->exponent, loaded->modulus))
                     .substr(0, 32);
    loaded_ = std::move(loaded);
  }
  return loaded_.get();
}

Result<std::string> RsaKey::make_token(const json::object& claims) {
  const Loaded* loaded = WEIR_TRY(load());
  const json::object head{{"typ", "JWT"}, {"alg", "RS256"}, {"kid", loaded->id}};
  const std::string text =
      fmt::format("{}.{}", base64url_encode(json::serialize(head)), base64url_encode(json::serialize(claims)));
  const Digest digest(EVP_MD_CTX_new());
  std::size_t size = 0;
  std::string signature;
  const bool good = EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, loaded->key.get()) == 1 &&
                    EVP_DigestSign(digest.get(), nullptr, &size, bytes_of(text), text.size()) == 1;
  if (good) signature.resize(size);
  if (!good || EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes_of(text),
                              text.size()) != 1) {
    return fail(Code::kInternal, "cannot sign an id token");
  }
  signature.resize(size);
  return fmt::format("{}.{}", text, base64url_encode(signature));
}

Result<json::object> RsaKey::public_key() {
  const Loaded* loaded = WEIR_TRY(load());
  return json::object{{"kty", "RSA"},      {"alg", "RS256"},       {"use", "sig"},
                      {"kid", loaded->id}, {"n", loaded->modulus}, {"e", loaded->exponent}};
}

}  // namespace weir::api::actions
