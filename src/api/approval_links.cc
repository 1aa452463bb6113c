#include "api/approval_links.h"

#include "io/http_uri.h"

namespace weir::api {
namespace {

constexpr std::size_t kCommentBytesMax = 2'000;

std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

io::HttpResponse page(int status, std::string_view title, std::string_view body) {
  auto response = io::text_response(
      status,
      fmt::format("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                  "<meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\">"
                  "<title>{0}</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem "
                  "auto;padding:0 1rem;color:#1c2128;background:#fff}}dt{{color:#57606a}}dd{{margin:0 0 .6rem}}"
                  "textarea{{width:100%;box-sizing:border-box;font:inherit}}button{{font:inherit;padding:.5rem "
                  "1.2rem;margin:.6rem .6rem 0 0}}</style></head><body><h1>{0}</h1>{1}</body></html>",
                  escape(title), body),
      "text/html; charset=utf-8");
  response.headers.set("Cache-Control", "no-store");
  // The address is the proof: nobody else learns it. "no-referrer" would take the Origin from the form's request.
  response.headers.set("Referrer-Policy", "same-origin");
  response.headers.set("Content-Security-Policy",
                       "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; "
                       "base-uri 'none'");
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

io::HttpResponse refusal(const Error& error) {
  const bool ours =
      error.code == Code::kPermissionDenied || error.code == Code::kFailedPrecondition || error.code == Code::kNotFound;
  return page(io::http_status(error.code), "Nothing was decided",
              fmt::format("<p>{}</p>", ours ? escape(error.message) : "weir could not do it; try again in a moment."));
}

std::string about(const access::Approval& approval) {
  return fmt::format(
      "<dl><dt>What</dt><dd>{}</dd><dt>Environment</dt><dd>{}</dd><dt>Asked by</dt><dd>{}</dd>"
      "<dt>Until</dt><dd>{}</dd></dl>",
      escape(approval.summary), escape(approval.environment), escape(approval.requested_by),
      to_iso8601(approval.expires_at));
}

io::HttpResponse show(access::Access& access, const io::HttpRequest& request) {
  const auto link = access.read_link(request.params.at("link"));
  if (!link) return refusal(link.error());
  return page(200, fmt::format("Approval {}", link->approval.id),
              about(link->approval) +
                  fmt::format("<form method=\"post\"><p>You decide as <b>{}</b>. This works once.</p>"
                              "<label>Comment<br><textarea name=\"comment\" rows=\"3\" maxlength=\"2000\"></textarea>"
                              "</label><br><button name=\"decision\" value=\"approve\">Approve</button>"
                              "<button name=\"decision\" value=\"reject\">Reject</button></form>",
                              escape(link->reviewer)));
}

// The value of a field of a form as browsers send it.
Result<std::string> field(std::string_view form, std::string_view name) {
  while (!form.empty()) {
    const auto end = std::min(form.find('&'), form.size());
    const std::string_view one = form.substr(0, end);
    form.remove_prefix(std::min(end + 1, form.size()));
    if (one.starts_with(name) && one.substr(name.size()).starts_with('=')) {
      return io::percent_decode(one.substr(name.size() + 1), true);
    }
  }
  return std::string();
}

io::HttpResponse decide(access::Access& access, const io::HttpRequest& request) {
  const auto decision = field(request.body, "decision");
  const auto comment = field(request.body, "comment");
  if (!decision || !comment || comment->size() > kCommentBytesMax ||
      (*decision != "approve" && *decision != "reject")) {
    return page(400, "Nothing was decided", "<p>Choose Approve or Reject, with a comment of 2000 bytes at most.</p>");
  }
  const auto decided = access.decide_by_link(request.params.at("link"), *decision == "approve", *comment);
  if (!decided) return refusal(decided.error());
  const bool waits = decided->state == access::ApprovalState::kPending;
  return page(200,
              fmt::format("Approval {} {}", decided->id,
                          waits ? "goes on when its wait ends" : access::approval_state_name(decided->state)),
              about(*decided));
}

}  // namespace

void add_approval_link_routes(io::Router& router, access::Access& access) {
  router.handle("GET", "/approval-link/{link}", [&access](io::HttpRequest& request) { return show(access, request); });
  router.handle("POST", "/approval-link/{link}",
                [&access](io::HttpRequest& request) { return decide(access, request); }, {.body_bytes_max = 16U << 10});
}

}  // namespace weir::api
