#include "access/origin.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace weir::access {
namespace {

struct HostPort {
  std::string host;  // lower case, IPv6 without brackets
  std::optional<std::uint16_t> port;
};

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

std::optional<HostPort> split(std::string_view text) {
  HostPort result;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    result.host = lower(text.substr(1, close - 1));
    if (result.host.find(':') == std::string::npos ||
        result.host.find_first_not_of("0123456789abcdef:.") != std::string::npos) {
      return std::nullopt;
    }
    text.remove_prefix(close + 1);
    if (!text.empty() && text.front() != ':') return std::nullopt;
    port = text;
  } else {
    const auto colon = text.find(':');
    result.host = lower(text.substr(0, colon));
    if (colon != std::string_view::npos) port = text.substr(colon);
    if (result.host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._") != std::string::npos) {
      return std::nullopt;
    }
    // "localhost." is the same name, fully qualified.
    if (result.host.ends_with('.')) result.host.pop_back();
  }
  if (result.host.empty()) return std::nullopt;
  if (!port.empty()) {
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(port.data() + 1, port.data() + port.size(), number);
    if (error != std::errc{} || end != port.data() + port.size() || number == 0) return std::nullopt;
    result.port = number;
  }
  return result;
}

// Four decimal numbers of which the first is 127.
bool is_loopback_ipv4(std::string_view host) {
  int parts = 0;
  while (!host.empty()) {
    const auto dot = host.find('.');
    const std::string_view part = host.substr(0, dot);
    unsigned number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc{} || end != part.data() + part.size() || part.size() > 3 || number > 255) return false;
    if (parts == 0 && number != 127) return false;
    ++parts;
    if (dot == std::string_view::npos) return parts == 4;
    host.remove_prefix(dot + 1);
  }
  return false;
}

}  // namespace

bool is_loopback(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string name = lower(host);
  return name == "localhost" || name == "::1" || name == "0:0:0:0:0:0:0:1" || is_loopback_ipv4(name);
}

bool allowed_host(std::string_view host_header, const ListenAddress& listen) {
  const auto given = split(host_header);
  if (!given) return false;
  if (!is_loopback(listen.host)) return true;
  // A proxy may forward either the name that people use or that of this machine.
  if (const auto named = split(listen.public_host); named && named->host == given->host) return true;
  if (given->port.value_or(80) != listen.port) return false;
  return is_loopback(given->host) || given->host.ends_with(".localhost");
}

bool allowed_origin(std::string_view origin_header, std::string_view host_header) {
  if (origin_header.empty()) return true;
  std::uint16_t port_default = 80;
  std::string_view rest = origin_header;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
    port_default = 443;
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return false;
  }
  const auto origin = split(rest);
  const auto host = split(host_header);
  // A Host without a port has the port of the page's own scheme.
  return origin && host && origin->host == host->host &&
         origin->port.value_or(port_default) == host->port.value_or(port_default);
}

}  // namespace weir::access
