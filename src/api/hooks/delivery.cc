#include "api/hooks/delivery.h"

#include <openssl/evp.h>

#include <charconv>

#include "base/hash.h"

namespace weir::api {
namespace {

constexpr std::size_t kIdMax = 200;

Error unsigned_error(std::string_view what) {
  return {Code::kUnauthenticated, fmt::format("the delivery is not signed as it must be: {}", what)};
}

Result<void> check_hex(std::string_view signature, std::string_view secret, std::string_view body) {
  if (equal_constant_time(signature, hex_encode(hmac_sha256(secret, body)))) return {};
  return std::unexpected(unsigned_error("its signature is another one; compare the secrets"));
}

Result<json::object> object_of(std::string_view body) {
  auto value = WEIR_TRY(parse_json(body, "the delivery's body"));
  if (!value.is_object()) return fail(Code::kInvalidArgument, "the delivery's body must be a JSON object");
  return std::move(value.get_object());
}

std::string text_in(const json::object& object, std::string_view key) {
  return json_string_or(json::value(object), key, "");
}

Result<Delivery> read_github(const io::HttpHeaders& headers, std::string_view body, std::string_view secret,
                             bool gitea) {
  std::string_view signature = headers.get(gitea ? "X-Gitea-Signature" : "X-Hub-Signature-256");
  if (!gitea) {
    if (!signature.starts_with("sha256=")) return std::unexpected(unsigned_error("X-Hub-Signature-256 is missing"));
    signature.remove_prefix(7);
  }
  WEIR_TRY(check_hex(signature, secret, body));
  Delivery delivery{.id = std::string(headers.get(gitea ? "X-Gitea-Delivery" : "X-GitHub-Delivery")),
                    .event = std::string(headers.get(gitea ? "X-Gitea-Event" : "X-GitHub-Event")),
                    .payload = WEIR_TRY(object_of(body))};
  delivery.action = text_in(delivery.payload, "action");
  delivery.ref = text_in(delivery.payload, "ref");
  return delivery;
}

Result<Delivery> read_gitlab(const io::HttpHeaders& headers, std::string_view body, std::string_view secret) {
  if (!equal_constant_time(headers.get("X-Gitlab-Token"), secret)) {
    return std::unexpected(unsigned_error("X-Gitlab-Token is another one"));
  }
  Delivery delivery{.id = std::string(headers.get("X-Gitlab-Event-UUID")), .payload = WEIR_TRY(object_of(body))};
  const auto kind = headers.get("X-Gitlab-Event");
  const auto* attributes = delivery.payload.if_contains("object_attributes");
  if (kind == "Push Hook" || kind == "Tag Push Hook") {
    delivery.event = "push";
    delivery.ref = text_in(delivery.payload, "ref");
  } else if (kind == "Release Hook") {
    delivery.event = "release";
    delivery.action = text_in(delivery.payload, "action") == "create" ? "published" : "edited";
  } else if (kind == "Issue Hook") {
    delivery.event = "issues";
    const auto action = attributes == nullptr ? std::string() : json_string_or(*attributes, "action", "");
    delivery.action = action == "open"     ? "opened"
                      : action == "close"  ? "closed"
                      : action == "reopen" ? "reopened"
                                           : "edited";
  } else if (kind == "Merge Request Hook") {
    delivery.event = "pull_request";
  } else if (kind == "Note Hook") {
    delivery.event = "issue_comment";
    delivery.action = "created";
  } else {
    return fail(Code::kInvalidArgument,
                "GitLab's event \"{}\" starts nothing here; send pushes, tags, merge requests, releases, issues "
                "and comments",
                kind.substr(0, 80));
  }
  return delivery;
}

std::string decoded(std::string_view base64) {
  std::string bytes(base64.size() / 4 * 3 + 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(base64.data()), static_cast<int>(base64.size()));
  if (size < 0) return {};
  bytes.resize(static_cast<std::size_t>(size));
  while (base64.ends_with('=') && !bytes.empty()) {
    base64.remove_suffix(1);
    bytes.pop_back();
  }
  return bytes;
}

// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
Result<void> check_standard(const io::HttpHeaders& headers, std::string_view body, std::string_view secret,
                            TimePoint now) {
  const auto id = headers.get("webhook-id");
  const auto stamp = headers.get("webhook-timestamp");
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(stamp.data(), stamp.data() + stamp.size(), seconds);
  if (id.empty() || error != std::errc{} || end != stamp.data() + stamp.size()) {
    return std::unexpected(unsigned_error("webhook-id or webhook-timestamp is missing"));
  }
  const TimePoint sent{std::chrono::seconds{seconds}};
  if (sent < now - kHookTolerance || sent > now + kHookTolerance) {
    return std::unexpected(unsigned_error("its time is not within five minutes of now"));
  }
  constexpr std::string_view kPrefix = "whsec_";
  const std::string key = secret.starts_with(kPrefix) ? decoded(secret.substr(kPrefix.size())) : std::string(secret);
  // Anybody can sign with no key at all.
  if (key.empty()) return std::unexpected(unsigned_error("the secret is empty, or no base64 after whsec_"));
  const auto wanted = "v1," + base64_encode(hmac_sha256(key, fmt::format("{}.{}.{}", id, stamp, body)));
  std::string_view rest = headers.get("webhook-signature");
  while (!rest.empty()) {
    const auto space = std::min(rest.find(' '), rest.size());
    if (equal_constant_time(rest.substr(0, space), wanted)) return {};
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  return std::unexpected(unsigned_error("webhook-signature has no signature that fits"));
}

// The signature is of webhook-id, webhook-timestamp and the body. In binary mode an event's type and source are headers
// beside them: whoever sees one delivery could send it as any other event.
Result<void> check_structured(const io::HttpHeaders& headers) {
  std::string type(headers.get("Content-Type"));
  std::ranges::transform(type, type.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  type.resize(std::min(type.find_first_of("; \t"), type.size()));
  if (type == "application/cloudevents+json") return {};
  constexpr std::string_view kWay =
      "send it in structured mode: the whole event as JSON in the body, with Content-Type: "
      "application/cloudevents+json";
  if (type.starts_with("application/cloudevents")) {
    return fail(Code::kInvalidArgument, "{} is not taken; one event at a time, please: {}", type.substr(0, 80), kWay);
  }
  return fail(Code::kInvalidArgument,
              "the CloudEvent is in binary mode, whose type and source are headers that the signature does not cover; "
              "{}",
              kWay);
}

Result<Delivery> read_cloud_event(const io::HttpHeaders& headers, std::string_view body, std::string_view secret,
                                  TimePoint now) {
  WEIR_TRY(check_standard(headers, body, secret, now));
  WEIR_TRY(check_structured(headers));
  auto event = WEIR_TRY(object_of(body));
  for (const std::string_view needed : {"id", "source", "type", "specversion"}) {
    if (text_in(event, needed).empty()) {
      return fail(Code::kInvalidArgument, "the CloudEvent has no {}", needed);
    }
  }
  if (text_in(event, "specversion") != "1.0") {
    return fail(Code::kInvalidArgument, "the CloudEvent has version {}; 1.0 is known", text_in(event, "specversion"));
  }
  // Both are signed. A message is sent again with its own number, an event that another message brings with its own.
  Delivery delivery{.id = text_in(event, "source") + " " + text_in(event, "id"),
                    .message = std::string(headers.get("webhook-id")),
                    .event = "repository_dispatch",
                    .action = text_in(event, "type")};
  delivery.payload = std::move(event);
  return delivery;
}

}  // namespace

std::string_view hook_source_name(HookSource source) {
  switch (source) {
    case HookSource::kGithub: return "github";
    case HookSource::kGitea: return "gitea";
    case HookSource::kGitlab: return "gitlab";
    case HookSource::kCloudEvents: return "cloudevents";
  }
  return "github";
}

Result<HookSource> parse_hook_source(std::string_view name) {
  for (const auto source : {HookSource::kGithub, HookSource::kGitea, HookSource::kGitlab, HookSource::kCloudEvents}) {
    if (hook_source_name(source) == name) return source;
  }
  return fail(Code::kNotFound, "webhooks come from github, gitea, gitlab or cloudevents, not \"{}\"",
              name.substr(0, 80));
}

Result<Delivery> read_delivery(HookSource source, const io::HttpHeaders& headers, std::string_view body,
                               std::string_view secret, TimePoint now) {
  if (secret.empty()) return std::unexpected(unsigned_error("the server has no secret for it"));
  auto delivery =
      WEIR_TRY(source == HookSource::kGitlab        ? read_gitlab(headers, body, secret)
               : source == HookSource::kCloudEvents ? read_cloud_event(headers, body, secret, now)
                                                    : read_github(headers, body, secret, source == HookSource::kGitea));
  if (delivery.id.empty() || delivery.event.empty()) {
    return fail(Code::kInvalidArgument, "the delivery lacks its number or the name of its event");
  }
  for (auto* id : {&delivery.id, &delivery.message}) {
    if (id->size() > kIdMax) *id = sha256_hex(*id);
  }
  return delivery;
}

}  // namespace weir::api
