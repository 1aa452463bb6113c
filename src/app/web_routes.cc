#include "app/web_routes.h"

#include <array>

#include "base/hash.h"
#include "io/http_uri.h"

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

void add_repository_pages(io::Router& router, std::function<bool(const std::string& repo)> is_there) {
  struct Page {
    std::string_view pattern;
    std::string_view target;
  };
  // {repo} and {id} are put into the target as they are: names and numbers.
  static constexpr std::array kPages = {
      Page{"/weir/{repo}", "/#/repos/{repo}"},
      Page{"/weir/{repo}.git", "/#/repos/{repo}"},
      Page{"/weir/{repo}/commit/{id}", "/#/repos/{repo}"},
      Page{"/weir/{repo}/actions", "/#/repos/{repo}"},
      Page{"/weir/{repo}/pull/{id}", "/#/pulls/{repo}/{id}"},
      Page{"/weir/{repo}/issues/{id}", "/#/pulls/{repo}/{id}"},
      Page{"/weir/{repo}/actions/runs/{id}", "/#/runs/{id}"},
  };
  for (const auto& page : kPages) {
    router.handle("GET", page.pattern, [page, is_there](io::HttpRequest& request) {
      const auto repo = request.params["repo"];
      if (!is_there(repo)) {
        return io::text_response(404, fmt::format("there is no repository {}\n", io::percent_encode(repo)));
      }
      std::string target(page.target);
      for (const std::string_view name : {"repo", "id"}) {
        const auto mark = fmt::format("{{{}}}", name);
        const auto at = target.find(mark);
        if (at != std::string::npos)
          target.replace(at, mark.size(), io::percent_encode(request.params[std::string(name)]));
      }
      auto response = io::text_response(302, "");
      response.headers.set("Location", target);
      return response;
    });
  }
}

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
