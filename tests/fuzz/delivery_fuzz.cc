// Webhooks of forges: a body that is signed as it must be gives a delivery or an error, and a pull request that it
// tells of names nothing but branches, so that it leads git nowhere else, and is the same after it was kept.
#include <cstdint>
#include <string>
#include <string_view>

#include "api/hooks/pull_delivery.h"
#include "base/hash.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  using namespace weir::api;
  if (size < 2) return 0;
  constexpr HookSource kSources[] = {HookSource::kGithub, HookSource::kGitea, HookSource::kGitlab,
                                     HookSource::kCloudEvents};
  constexpr std::string_view kEvents[] = {"pull_request", "pull_request_review", "pull_request_approved", "release"};
  const auto source = kSources[data[0] % 4];
  const std::string event(kEvents[data[1] % 4]);
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const TimePoint now{std::chrono::seconds{1'700'000'000}};
  const std::string signature = hex_encode(hmac_sha256("secret", body));
  io::HttpHeaders headers;
  headers.set("X-Hub-Signature-256", "sha256=" + signature);
  headers.set("X-GitHub-Event", event);
  headers.set("X-GitHub-Delivery", "1");
  headers.set("X-Gitea-Signature", signature);
  headers.set("X-Gitea-Event", event);
  headers.set("X-Gitea-Delivery", "1");
  headers.set("X-Gitlab-Token", "secret");
  headers.set("X-Gitlab-Event", data[1] % 2 == 0 ? "Merge Request Hook" : "Issue Hook");
  headers.set("X-Gitlab-Event-UUID", "1");
  headers.set("Content-Type", "application/cloudevents+json");
  headers.set("webhook-id", "1");
  headers.set("webhook-timestamp", "1700000000");
  headers.set("webhook-signature", "v1," + base64_encode(hmac_sha256("secret", "1.1700000000." + std::string(body))));
  const auto delivery = read_delivery(source, headers, body, "secret", now);
  if (!delivery) {
    require(delivery.error().code == Code::kInvalidArgument);
    return 0;
  }
  require(!delivery->id.empty() && delivery->id.size() <= 200 && !delivery->event.empty());
  if (!is_pull_delivery(*delivery)) return 0;
  const auto pull = read_pull(source, *delivery, "flights");
  if (!pull) {
    require(pull.error().code == Code::kInvalidArgument);
    return 0;
  }
  require(pull->number > 0 && !pull->action.empty());
  for (const std::string_view name : {std::string_view(pull->base_ref), std::string_view(pull->head_ref)}) {
    require(!name.empty() && name.find_first_of(": *\n\\") == std::string_view::npos && name.find("..") == name.npos);
  }
  const auto kept = event::upstream_pull_from_json(parse_json(json::serialize(event::to_json(*pull)), "kept").value());
  require(kept.has_value() && json::serialize(event::to_json(*kept)) == json::serialize(event::to_json(*pull)));
  return 0;
}
