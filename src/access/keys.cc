#include "access/keys.h"

#include <sodium.h>
#include <sys/stat.h>

#include <vector>

#include "base/hash.h"
#include "io/file.h"

namespace weir::access {
namespace {

constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == Keys::kKeyBytes);

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string keyed_hash(std::string_view text, const unsigned char* key) {
  std::string digest(crypto_generichash_BYTES, '\0');
  crypto_generichash(reinterpret_cast<unsigned char*>(digest.data()), digest.size(), bytes_of(text), text.size(), key,
                     Keys::kKeyBytes);
  return hex_encode(digest);
}

Result<std::string> decode_hex(std::string_view hex) {
  std::string bytes(hex.size() / 2, '\0');
  std::size_t length = 0;
  if (hex.size() % 2 != 0 ||
      sodium_hex2bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), hex.data(), hex.size(), nullptr,
                     &length, nullptr) != 0 ||
      length != bytes.size()) {
    return fail(Code::kCorrupt, "not hexadecimal");
  }
  return bytes;
}

// A folder and files that others can read would give the keys away.
void close_to_others(const std::filesystem::path& path, mode_t mode, Log& log) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0 || (status.st_mode & 077) == 0) return;
  log.warning("{} could be read by others; its mode is {:o} now", path.string(), mode);
  if (chmod(path.c_str(), mode) != 0) log.warning("{}: cannot change its mode", path.string());
}

}  // namespace

Result<Keys> Keys::open(store::Database& db, const std::filesystem::path& dir, Log& log) {
  if (sodium_init() < 0) return fail(Code::kInternal, "libsodium cannot start: no source of randomness");
  if (!std::filesystem::exists(dir)) {
    WEIR_TRY(io::make_dirs(dir.parent_path()));
    if (mkdir(dir.c_str(), 0700) != 0) return fail_errno(errno, fmt::format("cannot make {}", dir.string()));
  }
  close_to_others(dir, 0700, log);
  const Key pepper = WEIR_TRY(load(db, dir, "pepper", log));
  const Key master = WEIR_TRY(load(db, dir, "master.key", log));
  return Keys(pepper, master);
}

Result<Keys::Key> Keys::load(store::Database& db, const std::filesystem::path& dir, const std::string& name, Log& log) {
  const auto file = dir / name;
  const auto known = WEIR_TRY(db.load<std::optional<std::string>>([&](store::Reader& reader) {
    return reader.first<std::string>("SELECT fingerprint FROM access_keys WHERE name = ?", {name},
                                     [](const store::Row& row) { return row.string(0); });
  }));
  Key key{};
  if (!std::filesystem::exists(file)) {
    if (known) {
      return fail(Code::kCorrupt,
                  "{} is missing, but tokens or secrets were stored with it: bring it back from a backup of the state",
                  file.string());
    }
    randombytes_buf(key.data(), key.size());
    const std::string_view raw(reinterpret_cast<const char*>(key.data()), key.size());
    WEIR_TRY(io::write_file_atomic(file, hex_encode(raw) + "\n", 0600));
  } else {
    close_to_others(file, 0600, log);
    std::string text = WEIR_TRY(io::read_file(file, 4096));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    const auto raw = decode_hex(text);
    if (!raw || raw->size() != key.size()) {
      return fail(Code::kCorrupt, "{} is damaged: expected {} hex digits. Bring it back from a backup of the state",
                  file.string(), 2 * kKeyBytes);
    }
    std::copy(raw->begin(), raw->end(), key.begin());
  }
  const std::string fingerprint = keyed_hash("weir key " + name, key.data());
  if (known && *known != fingerprint) {
    return fail(Code::kCorrupt,
                "{} is not the key that stored tokens and secrets were made with: bring the right one back",
                file.string());
  }
  if (!known) {
    WEIR_TRY(db.write([&](store::Transaction& tx) -> Result<void> {
      WEIR_TRY(tx.execute("INSERT INTO access_keys(name, fingerprint) VALUES(?, ?)", {name, fingerprint}));
      return {};
    }));
  }
  return key;
}

Keys::Keys(Keys&& other) noexcept : pepper_(other.pepper_), master_(other.master_) {
  sodium_memzero(other.pepper_.data(), other.pepper_.size());
  sodium_memzero(other.master_.data(), other.master_.size());
}

Keys::~Keys() {
  sodium_memzero(pepper_.data(), pepper_.size());
  sodium_memzero(master_.data(), master_.size());
}

std::string Keys::hash_token(std::string_view token) const {
  return keyed_hash(token, pepper_.data());
}

std::string Keys::sign(std::string_view purpose, std::string_view text) const {
  // No token holds a line break, nor does a purpose.
  return keyed_hash(fmt::format("{}\n{}", purpose, text), pepper_.data());
}

std::string Keys::seal(std::string_view text, std::string_view context) const {
  std::string sealed(kNonceBytes + text.size() + kTagBytes, '\0');
  auto* out = reinterpret_cast<unsigned char*>(sealed.data());
  randombytes_buf(out, kNonceBytes);
  unsigned long long length = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(out + kNonceBytes, &length, bytes_of(text), text.size(), bytes_of(context),
                                             context.size(), nullptr, out, master_.data());
  return hex_encode(sealed);
}

Result<std::string> Keys::open_sealed(std::string_view sealed, std::string_view context) const {
  const auto raw = decode_hex(sealed);
  if (!raw || raw->size() < kNonceBytes + kTagBytes) return fail(Code::kCorrupt, "a sealed value is cut short");
  std::string text(raw->size() - kNonceBytes - kTagBytes, '\0');
  unsigned long long length = 0;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          reinterpret_cast<unsigned char*>(text.data()), &length, nullptr, bytes_of(*raw) + kNonceBytes,
          raw->size() - kNonceBytes, bytes_of(context), context.size(), bytes_of(*raw), master_.data()) != 0) {
    return fail(Code::kCorrupt, "a sealed value was changed or belongs to another key");
  }
  text.resize(length);
  return text;
}

std::string new_token() {
  std::array<unsigned char, 32> random{};
  randombytes_buf(random.data(), random.size());
  std::array<char, sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_URLSAFE_NO_PADDING)> text{};
  sodium_bin2base64(text.data(), text.size(), random.data(), random.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  return fmt::format("weir_{}", text.data());
}

}  // namespace weir::access
