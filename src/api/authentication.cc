#include "api/authentication.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cctype>

#include "api/actions/service.h"
#include "api/approval_links.h"
#include "api/hooks/hooks.h"

namespace weir::api {
namespace {

constexpr std::string_view kCookie = "weir_token=";

// What follows the scheme, whose letters know no case (RFC 9110): actions/checkout sends "basic". Nothing for another.
std::optional<std::string_view> after_scheme(std::string_view authorization, std::string_view scheme) {
  const auto same = [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); };
  if (authorization.size() <= scheme.size() || authorization[scheme.size()] != ' ') return std::nullopt;
  if (!std::ranges::equal(authorization.substr(0, scheme.size()), scheme, same)) return std::nullopt;
  return authorization.substr(scheme.size() + 1);
}

// The password of "user:password" in base64; "" if it is no base64.
std::string basic_password(std::string_view encoded) {
  std::string decoded(encoded.size() / 4 * 3 + 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                      reinterpret_cast<const unsigned char*>(encoded.data()), static_cast<int>(encoded.size()));
  if (size < 0) return {};
  decoded.resize(static_cast<std::size_t>(size));
  while (!encoded.empty() && encoded.back() == '=') {
    encoded.remove_suffix(1);
    if (!decoded.empty()) decoded.pop_back();
  }
  const auto colon = decoded.find(':');
  return colon == std::string::npos ? std::string() : decoded.substr(colon + 1);
}

std::string bearer_of(const io::HttpRequest& request) {
  const std::string_view authorization = request.headers.get("Authorization");
  for (const std::string_view scheme : {"Bearer", "token"}) {  // the latter by GitHub's clients
    if (const auto token = after_scheme(authorization, scheme)) return std::string(*token);
  }
  if (const auto encoded = after_scheme(authorization, "Basic"); encoded && authorization.size() < 4096) {
    return basic_password(*encoded);
  }
  if (!authorization.empty()) return std::string(authorization);  // an unknown scheme is a wrong token, not none
  std::string_view cookies = request.headers.get("Cookie");
  while (!cookies.empty()) {
    const auto end = cookies.find(';');
    std::string_view cookie = cookies.substr(0, end);
    cookies.remove_prefix(end == std::string_view::npos ? cookies.size() : end + 1);
    while (cookie.starts_with(' ')) cookie.remove_prefix(1);
    if (cookie.starts_with(kCookie)) return std::string(cookie.substr(kCookie.size()));
  }
  return {};
}

}  // namespace

std::function<std::optional<io::HttpResponse>(io::HttpRequest&)> authentication_filter(
    const access::Access& access, std::function<access::ListenAddress()> listen) {
  return [&access, listen = std::move(listen)](io::HttpRequest& request) -> std::optional<io::HttpResponse> {
    const std::string_view host = request.headers.get("Host");
    if (request.peer != "unix" && !access::allowed_host(host, listen())) {
      return io::error_response(
          {Code::kPermissionDenied,
           fmt::format("the Host header \"{}\" is not a name of this server", host.substr(0, 200))});
    }
    const bool changes = request.method != "GET" && request.method != "HEAD" && request.method != "OPTIONS";
    if (changes && !access::allowed_origin(request.headers.get("Origin"), host)) {
      return io::error_response(
          {Code::kPermissionDenied, "requests that change something must come from weir's own pages"});
    }
    if (actions::proves_itself(request.path) || is_hook_path(request.path)) return std::nullopt;
    if (request.path.starts_with(kApprovalLinks)) return std::nullopt;  // the link is the proof
    if (request.path == "/health") return std::nullopt;                 // answers whoever may connect
    auto identity = access.authenticate(bearer_of(request));
    if (!identity) {
      auto response = io::error_response(identity.error());
      // git and browsers ask for a password when they see this.
      response.headers.set("WWW-Authenticate", "Basic realm=\"weir\"");
      return response;
    }
    request.identity = *std::move(identity);
    return std::nullopt;
  };
}

}  // namespace weir::api
