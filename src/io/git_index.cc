#include "io/git_index.h"

#include <openssl/sha.h>

namespace weir::io {
namespace {

constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kDigestBytes = 20;
constexpr std::size_t kStatBytes = 40;
constexpr std::size_t kFlagsAt = kStatBytes + kDigestBytes;
constexpr std::size_t kPathAt = kFlagsAt + 2;
constexpr std::uint32_t kMoreFlags = 0x4000;  // two bytes of them lie before the path

}  // namespace

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = (number << 8) | static_cast<unsigned char>(bytes[at + i]);
  return number;
}

void put_number(std::string& bytes, std::size_t at, std::uint64_t number) {
  for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>((number >> (24 - 8 * i)) & 0xff);
}

#pragma clang diagnostic push
// The new interface would load OpenSSL's providers, which takes longer than all that is done here.
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
std::string sha1(std::string_view bytes) {
  std::string digest(kDigestBytes, '\0');
  SHA_CTX context;
  SHA1_Init(&context);
  SHA1_Update(&context, bytes.data(), bytes.size());
  SHA1_Final(reinterpret_cast<unsigned char*>(digest.data()), &context);
  return digest;
}
#pragma clang diagnostic pop

std::optional<GitIndex> read_git_index(std::string_view index, std::size_t entries_max) {
  if (index.size() < kHeaderBytes + kDigestBytes || !index.starts_with("DIRC")) return std::nullopt;
  const auto version = number_at(index, 4);
  const std::size_t count = number_at(index, 8);
  GitIndex found{.entries = {}, .extensions_at = kHeaderBytes, .end = index.size() - kDigestBytes};
  if ((version != 2 && version != 3) || count > entries_max) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = found.extensions_at;
    if (found.end - at < kPathAt + 4) return std::nullopt;
    const auto flags = number_at(index, at + kFlagsAt - 2) & 0xffff;
    const std::size_t path_at = at + kPathAt + ((flags & kMoreFlags) != 0 ? 2 : 0);
    const auto path_end = index.substr(0, found.end).find('\0', path_at);
    if (path_end == std::string_view::npos) return std::nullopt;
    found.entries.push_back({.at = at,
                             .mode = number_at(index, at + 24),
                             .size = number_at(index, at + 36),
                             .flags = flags,
                             .path = std::string(index.substr(path_at, path_end - path_at))});
    found.extensions_at += (path_end - at + 8) / 8 * 8;
    if (found.extensions_at > found.end) return std::nullopt;
  }
  return found;
}

void put_git_index_stat(std::string& index, std::size_t at, const struct stat& info) {
  put_number(index, at, static_cast<std::uint64_t>(info.st_ctim.tv_sec));
  put_number(index, at + 4, static_cast<std::uint64_t>(info.st_ctim.tv_nsec));
  put_number(index, at + 8, static_cast<std::uint64_t>(info.st_mtim.tv_sec));
  put_number(index, at + 12, static_cast<std::uint64_t>(info.st_mtim.tv_nsec));
  put_number(index, at + 16, info.st_dev);
  put_number(index, at + 20, info.st_ino);
  put_number(index, at + 28, info.st_uid);
  put_number(index, at + 32, info.st_gid);
  put_number(index, at + 36, static_cast<std::uint64_t>(info.st_size));
}

void seal_git_index(std::string& index) {
  const std::size_t end = index.size() - kDigestBytes;
  index.replace(end, kDigestBytes, sha1(std::string_view(index).substr(0, end)));
}

}  // namespace weir::io
