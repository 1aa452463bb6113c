#include <algorithm>
#include <array>

#include "api/weir/routes.h"

// Pictures and files of comments: what `cml`, `weir pr comment` and the action weir/report upload.
namespace weir::api {
namespace {

using access::Permission;
using types::TokenScopes;

// Who may say something somewhere may show something there. A job does so for its own repository only.
Result<void> may_attach(const Services& services, const types::Identity& identity, const std::string& repo) {
  const std::string object = "repo/" + repo;
  if (!identity.job_id) return services.access->allow(identity, Permission::kPropose, object);
  if (identity.scopes) {
    constexpr std::array<std::string_view, 4> kSays = {"pull-requests", "issues", "contents", "checks"};
    const bool may_say = std::ranges::any_of(
        kSays, [&](auto scope) { return identity.scopes->of(scope) == TokenScopes::Level::kWrite; });
    if (!may_say) {
      return fail(Code::kPermissionDenied,
                  "{} may not show anything in {}: the `permissions` of its workflow let it write nowhere; write "
                  "`pull-requests: write` there",
                  identity.name, object);
    }
  }
  const auto run = WEIR_TRY(services.engine->run(identity.run_id.value_or(0)));
  if (run.repo != repo) {
    return fail(Code::kPermissionDenied, "{} runs for {} and may show nothing in {}", identity.name, run.repo, repo);
  }
  return {};
}

// The name in `inline; filename="roc.png"`.
std::string_view file_name(std::string_view disposition) {
  constexpr std::string_view kBegin = "filename=\"";
  const auto at = disposition.find(kBegin);
  if (at == std::string_view::npos) return {};
  disposition.remove_prefix(at + kBegin.size());
  return disposition.substr(0, disposition.find('"'));
}

Result<forge::Attachment> take(const Services& services, io::HttpRequest& request) {
  const auto& repo = request.params["repo"];
  WEIR_TRY(may_attach(services, request.identity, repo));
  WEIR_TRY(services.git(repo));  // kNotFound
  const auto name =
      request.query_value("name").value_or(std::string(file_name(request.headers.get("Content-Disposition"))));
  return services.attachments->add(repo, name, request.body, request.identity);
}

Result<io::HttpResponse> attach(const Services& services, io::HttpRequest& request) {
  return io::json_response(201, forge::to_json(WEIR_TRY(take(services, request))));
}

// As https://asset.cml.dev does it: the bytes come as they are, the answer is the address and nothing else.
Result<io::HttpResponse> publish(const Services& services, io::HttpRequest& request) {
  const auto attachment = WEIR_TRY(take(services, request));
  return io::text_response(201, fmt::format("http://{}{}", request.headers.get("Host"), attachment.path()));
}

Result<io::HttpResponse> show_attachment(const Services& services, io::HttpRequest& request) {
  const auto attachment = WEIR_TRY(services.attachments->find(request.params["repo"], request.params["sha256"]));
  io::HttpResponse response;
  response.file_path = WEIR_TRY(services.attachments->file(attachment)).string();
  // Whoever uploaded it, it runs nothing and fetches nothing here, also where a drawing is opened as a page of its own.
  response.headers.set("Content-Security-Policy",
                       "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:");
  response.headers.set("X-Content-Type-Options", "nosniff");
  // Its address is its digest: it never changes.
  response.headers.set("Cache-Control", "private, max-age=31536000, immutable");
  response.headers.set("Content-Type", attachment.is_picture() ? attachment.content_type : "application/octet-stream");
  response.headers.set("Content-Disposition",
                       fmt::format("{}; filename*=UTF-8''{}", attachment.is_picture() ? "inline" : "attachment",
                                   io::percent_encode(attachment.name)));
  return response;
}

}  // namespace

void add_attachment_routes(RouteTable& table, const Services& services) {
  constexpr io::RouteOptions kSize{.body_bytes_max = 32U << 20};
  const auto bind = [&services](auto function) {
    return [&services, function](io::HttpRequest& request) { return function(services, request); };
  };
  // Of a job any scope that writes will do; the handlers look.
  table.add({.method = "POST",
             .pattern = "/api/v1/repos/{repo}/attachments",
             .id = "attach",
             .summary = "Takes a picture or file that a comment is to show; its `path` goes into the Markdown.",
             .query = {{"name", "string", "The file's name."}},
             .request = "application/octet-stream",
             .answer = "Attachment",
             .status = 201},
            bind(attach), kSize);
  table.add({.method = "POST",
             .pattern = "/api/v1/repos/{repo}/publish",
             .id = "publish",
             .summary = "The same as cml asks for it: its address is the answer.",
             .request = "application/octet-stream",
             .answer = "text/plain",
             .status = 201},
            bind(publish), kSize);
  table.add({.method = "GET",
             .pattern = "/api/v1/repos/{repo}/attachments/{sha256}",
             .id = "getAttachment",
             .summary = "A picture or file of a comment.",
             .answer = "application/octet-stream"},
            bind(show_attachment));
}

}  // namespace weir::api
