#include "api/hooks/hooks.h"

#include "api/hooks/pull_delivery.h"
#include "event/occurrence.h"
#include "event/payload.h"

namespace weir::api {
namespace {

constexpr std::string_view kPrefix = "/hooks/";
constexpr auto kKept = std::chrono::hours{24 * 7};
constexpr std::size_t kTypeMax = 100;

// Once only. kAlreadyExists for a delivery that was taken before.
Result<void> keep_delivery(store::Transaction& tx, const std::string& source, const Delivery& delivery) {
  WEIR_TRY(tx.execute("DELETE FROM event_deliveries WHERE received_at < ?", {tx.now() - kKept}));
  const std::pair<std::string, const std::string&> keys[] = {{source, delivery.id},
                                                             {source + "/message", delivery.message}};
  for (const auto& [place, id] : keys) {
    if (id.empty()) continue;
    auto kept =
        tx.execute("INSERT INTO event_deliveries(source, id, received_at) VALUES(?, ?, ?)", {place, id, tx.now()});
    if (kept) continue;
    if (kept.error().code != Code::kAlreadyExists) return std::unexpected(kept.error());
    return fail(Code::kAlreadyExists, "delivery {} was taken before", id);
  }
  return {};
}

io::HttpResponse answer(int status, std::string_view what) {
  return io::json_response(status, json::object{{"message", what}});
}

event::Occurrence occurrence_of(const Delivery& delivery, HookSource source) {
  const auto name = hook_source_name(source);
  event::Occurrence occurrence{.info = {.event = delivery.event, .action = delivery.action},
                               .reason = fmt::format("{} {} from {}", delivery.event, delivery.action, name),
                               .actor = std::string(name)};
  if (delivery.event == "repository_dispatch") {
    occurrence.payload = event::repository_dispatch_payload(delivery.action, "", delivery.payload);
    return occurrence;
  }
  occurrence.payload = delivery.payload;
  // Whoever did it there.
  if (const auto* sender = delivery.payload.if_contains("sender"); sender != nullptr) {
    const auto login = json_string_or(*sender, "login", "");
    if (!login.empty()) occurrence.reason += " by " + login;
  }
  return occurrence;
}

// Its commits are fetched, and its runs made, once the sender has its answer.
Result<io::HttpResponse> take_pull(const HookServices& services, const std::string& repo, HookSource source,
                                   const Delivery& delivery, const std::string& from) {
  const auto pull = WEIR_TRY(read_pull(source, delivery, repo));
  const auto mirrors = WEIR_TRY(services.mirrors->list());
  if (std::ranges::find(mirrors, repo, &event::Mirror::repo) == mirrors.end()) {
    return fail(Code::kFailedPrecondition,
                "repository {} follows none, so the pull request's commits are nowhere: weir repo add {} --from URL",
                repo, repo);
  }
  const auto queued = services.db->write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(keep_delivery(tx, from, delivery));
    return event::UpstreamPulls::queue(tx, pull);
  });
  if (!queued && queued.error().code == Code::kAlreadyExists) return answer(200, queued.error().message);
  WEIR_TRY(queued);
  services.upstream_pulls->wake();
  return answer(202, "the pull request is fetched");
}

Result<io::HttpResponse> take(const HookServices& services, io::HttpRequest& request) {
  const auto& repo = request.params["repo"];
  const auto source = WEIR_TRY(parse_hook_source(request.params["source"]));
  const auto secret = WEIR_TRY(services.secret(repo, hook_source_name(source)));
  const auto delivery = WEIR_TRY(read_delivery(source, request.headers, request.body, secret, services.clock->now()));
  if (delivery.event == "ping") return answer(200, "pong");
  if (delivery.action.size() > kTypeMax) return fail(Code::kInvalidArgument, "the event's type is too long");
  const auto from = fmt::format("{}/{}", repo, hook_source_name(source));
  if (delivery.event == "push" || delivery.event == "create" || delivery.event == "delete") {
    // What it says is seen when it is fetched: the delivery is only asked to be true, not to be complete.
    WEIR_TRY(services.mirrors->fetch_soon(repo));
    return answer(202, "the repository is fetched");
  }
  if (is_pull_delivery(delivery)) return take_pull(services, repo, source, delivery, from);
  if (delivery.event == "merge_group") {
    return fail(Code::kUnimplemented, "merge queues of another forge are not followed; send its other events");
  }
  const auto occurrence = occurrence_of(delivery, source);
  auto runs =
      services.triggers->occurred(repo, {occurrence}, {.name = occurrence.actor, .role = types::Role::kDeveloper},
                                  [&](store::Transaction& tx) -> Result<std::int64_t> {
                                    WEIR_TRY(keep_delivery(tx, from, delivery));
                                    return 0;
                                  });
  if (!runs && runs.error().code == Code::kAlreadyExists) return answer(200, runs.error().message);
  if (!runs) return std::unexpected(runs.error());
  json::array ids;
  for (const auto run : *runs) ids.emplace_back(run);
  return io::json_response(202, json::object{{"runs", std::move(ids)}});
}

}  // namespace

bool is_hook_path(std::string_view path) {
  return path.starts_with(kPrefix);
}

void add_hook_routes(io::Router& router, const HookServices& services) {
  router.handle("POST", "/hooks/{repo}/{source}", [services](io::HttpRequest& request) {
    auto taken = take(services, request);
    return taken ? *std::move(taken) : io::error_response(taken.error());
  });
}

}  // namespace weir::api
