#include "base/base64.h"

#include <openssl/evp.h>

#include <algorithm>
#include <iterator>

namespace weir {

Result<std::string> base64_decode(std::string_view text) {
  std::string packed;
  packed.reserve(text.size());
  std::ranges::copy_if(text, std::back_inserter(packed),
                       [](char c) { return c != '\n' && c != '\r' && c != ' ' && c != '\t'; });
  if (packed.empty()) return std::string();
  const auto wrong = packed.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=");
  std::string bytes(packed.size() / 4 * 3 + 3, '\0');
  const int size =
      wrong != std::string::npos || packed.size() % 4 != 0
          ? -1
          : EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                            reinterpret_cast<const unsigned char*>(packed.data()), static_cast<int>(packed.size()));
  if (size < 0) return fail(Code::kInvalidArgument, "this is not valid Base64");
  const auto padding = static_cast<std::size_t>(std::ranges::count(packed, '='));
  if (padding > 2) return fail(Code::kInvalidArgument, "this is not valid Base64");
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return bytes;
}

}  // namespace weir
