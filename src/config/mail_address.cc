#include "config/mail_address.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace weir::config {
namespace {

bool fits_host(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == ':' || c == '_';
  });
}

}  // namespace

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

Result<Mail> mail_server(std::string_view address) {
  constexpr std::string_view kImplicit = "smtps://";
  constexpr std::string_view kUpgraded = "smtp://";
  const auto bad = [&](std::string_view why) {
    return fail(Code::kInvalidArgument,
                "\"{}\" is no mail server: {}; expected smtps://smtp.example.com or smtp://smtp.example.com:587",
                address.substr(0, 200), why);
  };
  Mail server;
  server.port = 587;
  std::string_view rest = address;
  if (rest.starts_with(kImplicit)) {
    server.implicit_tls = true;
    server.port = 465;
    rest.remove_prefix(kImplicit.size());
  } else if (rest.starts_with(kUpgraded)) {
    rest.remove_prefix(kUpgraded.size());
  } else {
    return bad("it does not begin with smtps:// or smtp://");
  }
  if (rest.find('@') != std::string_view::npos) return bad("user and password have keys of their own");
  if (rest.ends_with('/')) rest.remove_suffix(1);
  std::string_view host = rest;
  const auto bracket = rest.find(']');
  const auto colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    host = rest.substr(0, colon);
    const std::string_view digits = rest.substr(colon + 1);
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), server.port);
    if (error != std::errc{} || stop != digits.data() + digits.size() || server.port == 0)
      return bad("its port is wrong");
  }
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!fits_host(host) || (!bracketed && host.find(':') != std::string_view::npos)) return bad("it names no host");
  server.host = host;
  return server;
}

}  // namespace weir::config
