#include "io/http_uri.h"

#include "io/http.h"

namespace weir::io {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool climbs_out(std::string_view path) {
  while (true) {
    const auto slash = path.find('/');
    if (path.substr(0, slash) == "..") return true;
    if (slash == std::string_view::npos) return false;
    path.remove_prefix(slash + 1);
  }
}

Result<void> parse_query(std::string_view text, std::vector<std::pair<std::string, std::string>>& query) {
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    std::string name = WEIR_TRY(percent_decode(pair.substr(0, equals), true));
    std::string value = WEIR_TRY(percent_decode(pair.substr(std::min(equals + 1, pair.size())), true));
    query.emplace_back(std::move(name), std::move(value));
  }
  return {};
}

}  // namespace

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return fail(Code::kInvalidArgument, "broken escape \"{}\" in the address; \"%\" itself is written %25",
                    text.substr(i, 3));
      }
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

std::string percent_encode(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += kDigits[byte >> 4];
      encoded += kDigits[byte & 15];
    }
  }
  return encoded;
}

Result<Target> parse_target(std::string_view target) {
  Target parsed;
  if (target == "*") {
    parsed.path = "*";
    return parsed;
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const auto slash = target.find_first_of("/?", scheme.size());
    target = slash == std::string_view::npos ? std::string_view{"/"} : target.substr(slash);
    break;
  }
  target = target.substr(0, target.find('#'));
  if (!target.starts_with('/')) {
    return fail(Code::kInvalidArgument, "the address \"{}\" does not begin with \"/\"", target.substr(0, 80));
  }
  const auto question = std::min(target.find('?'), target.size());
  WEIR_TRY(parse_query(target.substr(std::min(question + 1, target.size())), parsed.query));

  std::string_view rest = target.substr(1, question - 1);
  while (true) {
    const auto slash = std::min(rest.find('/'), rest.size());
    std::string segment = WEIR_TRY(percent_decode(rest.substr(0, slash)));
    parsed.path += '/';
    parsed.path += segment;
    parsed.segments.push_back(std::move(segment));
    if (slash == rest.size()) break;
    rest.remove_prefix(slash + 1);
  }
  if (parsed.path.find('\0') != std::string::npos) {
    return fail(Code::kInvalidArgument, "the address holds a NUL character");
  }
  if (climbs_out(parsed.path)) return fail(Code::kInvalidArgument, "the address holds a \"..\" segment");
  return parsed;
}

}  // namespace weir::io
