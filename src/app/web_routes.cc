#include "app/web_routes.h"

#include "base/hash.h"

namespace weir::app {
namespace {

std::string_view content_type(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "application/octet-stream";
}

constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri "
    "'none'; "
    "form-action 'none'; frame-ancestors 'none'";

}  // namespace

void add_web_routes(io::Router& router) {
  for (const auto& file : web_files()) {
    const std::string path = file.name == "index.html" ? "/" : "/" + std::string(file.name);
    const std::string tag = "\"" + sha256_hex(file.text).substr(0, 16) + "\"";
    router.handle("GET", path, [file, tag](io::HttpRequest& request) {
      if (request.headers.get("If-None-Match") == tag) return io::text_response(304, "");
      auto response = io::text_response(200, std::string(file.text), content_type(file.name));
      response.headers.set("ETag", tag);
      response.headers.set("Cache-Control", "no-cache");
      response.headers.set("Content-Security-Policy", std::string(kPolicy));
      response.headers.set("X-Content-Type-Options", "nosniff");
      response.headers.set("Referrer-Policy", "no-referrer");
      return response;
    });
  }
}

}  // namespace weir::app
