#include "config/mail_address.h"

#include <algorithm>
#include <cctype>

namespace weir::config {

Result<std::string> mail_address(std::string_view target) {
  constexpr std::string_view kScheme = "mailto:";
  const std::string_view address = target.starts_with(kScheme) ? target.substr(kScheme.size()) : target;
  const auto at = address.find('@');
  const bool plain = std::ranges::all_of(address, [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("@.+-_=~'").find(static_cast<char>(c)) != std::string_view::npos;
  });
  const bool one_at = at != std::string_view::npos && address.find('@', at + 1) == std::string_view::npos;
  if (!plain || !one_at || at == 0 || at + 1 == address.size()) {
    return fail(Code::kInvalidArgument, "\"{}\" is not a mail address, expected mailto:name@example.com",
                target.substr(0, 200));
  }
  return std::string(address);
}

}  // namespace weir::config
