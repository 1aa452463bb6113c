#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "io/http.h"

// What forges and other systems tell by webhooks: who says it, and what. Pure.
namespace weir::api {

enum class HookSource : std::uint8_t { kGithub, kGitea, kGitlab, kCloudEvents };
std::string_view hook_source_name(HookSource source);  // "github", "gitea", "gitlab", "cloudevents"
Result<HookSource> parse_hook_source(std::string_view name);

// One delivery whose sender knows the secret.
struct Delivery {
  std::string id;  // unique at its sender: a second one of it is a replay
  std::string
      message;  // of a CloudEvent: what the message that brings it is signed as, a second one of which is a replay
  std::string event;   // in GitHub's words: "push", "release", …; "repository_dispatch" for CloudEvents; "ping"
  std::string action;  // "published", …; the CloudEvent's type
  std::string ref;     // of a push
  json::object payload;
};

// How old a signed time may be, and how far ahead.
inline constexpr auto kHookTolerance = std::chrono::minutes{5};

// Reads a delivery and checks its signature:
//   github       X-Hub-Signature-256 (HMAC-SHA-256 of the body), X-GitHub-Event, X-GitHub-Delivery
//   gitea        X-Gitea-Signature, X-Gitea-Event, X-Gitea-Delivery; Forgejo sends the same
//   gitlab       X-Gitlab-Token is the secret itself; X-Gitlab-Event, X-Gitlab-Event-UUID
//   cloudevents  CloudEvents 1.0 in structured mode, signed as Standard Webhooks have it (webhook-id,
//                webhook-timestamp, webhook-signature: https://www.standardwebhooks.com); binary mode is refused, for
//                what an event is would be in headers that nobody signed
// kUnauthenticated for a wrong or missing signature, also without a secret; kInvalidArgument for a body that is no such
// event.
Result<Delivery> read_delivery(HookSource source, const io::HttpHeaders& headers, std::string_view body,
                               std::string_view secret, TimePoint now);

}  // namespace weir::api
