#include "serve/gateway.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "base/hash.h"
#include "serve/feedback_request.h"
#include "serve/v2_metadata.h"

namespace weir::serve {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kBodyBytesMax = 64U << 20;
constexpr std::string_view kJsonBytesHeader = "Inference-Header-Content-Length";

// A deployment with what it counts; survives switches, so that a version that comes back goes on counting.
struct Deployed {
  Deployment deployment;
  std::shared_ptr<TrafficStats> stats;
};

struct Route {
  EndpointSettings settings;
  std::optional<Deployed> live;
  std::optional<Deployed> warm;
};

// Immutable once published.
struct Routes {
  std::map<std::string, std::shared_ptr<const Route>, std::less<>> by_name;  // "flights@production"
};

std::string full_name(std::string_view endpoint, std::string_view environment) {
  return fmt::format("{}@{}", endpoint, environment);
}

std::string full_name(std::string_view name) {
  return name.find('@') == std::string_view::npos ? full_name(name, "production") : std::string(name);
}

// The client's own id if it is one that can stand in logs and headers.
std::string request_id(const io::HttpHeaders& headers) {
  const std::string_view given = headers.get("X-Request-Id");
  const bool fine =
      !given.empty() && given.size() <= 128 && std::ranges::all_of(given, [](char c) { return c > ' ' && c < 127; });
  return fine ? std::string(given) : random_hex(16);
}

// Decides by the id, so that a request that is sent twice is kept twice or not at all.
bool is_sampled(std::string_view id, double share) {
  if (share >= 1.0) return true;
  if (share <= 0.0) return false;
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  hash ^= hash >> 32;
  hash *= 0x9E3779B97F4A7C15ULL;
  return static_cast<double>(hash >> 11) * 0x1.0p-53 < share;
}

io::HttpResponse to_response(InferAnswer answer) {
  io::HttpResponse response;
  response.status = answer.status;
  response.headers.set("Content-Type", std::move(answer.content_type));
  if (answer.json_bytes) response.headers.set(std::string(kJsonBytesHeader), std::to_string(*answer.json_bytes));
  if (answer.retry_after_s) response.headers.set("Retry-After", std::to_string(*answer.retry_after_s));
  response.body = std::move(answer.body);
  return response;
}

}  // namespace

struct Gateway::Impl : std::enable_shared_from_this<Gateway::Impl> {
  Impl(Options given, const Clock& wall_clock) : options(std::move(given)), clock(wall_clock) {}

  std::shared_ptr<const Routes> routes() const {
    const std::scoped_lock lock(mutex);
    return published;
  }

  // Publishes the table with one entry replaced (or, for null, taken away) by what `change` makes of it.
  void change(const std::string& name, const std::function<std::shared_ptr<const Route>(const Route*)>& change) {
    std::shared_ptr<const Routes> old;  // its last reference may stop workers: not under the lock
    const std::scoped_lock writer_lock(writer_mutex);
    old = routes();
    auto next = std::make_shared<Routes>(*old);
    const auto found = next->by_name.find(name);
    auto route = change(found == next->by_name.end() ? nullptr : found->second.get());
    if (route) {
      next->by_name[name] = std::move(route);
    } else if (found != next->by_name.end()) {
      next->by_name.erase(found);
    }
    const std::scoped_lock lock(mutex);
    published = std::move(next);
  }

  void infer(Protocol protocol, io::HttpRequest request, io::HttpReply reply);
  void answer(const std::shared_ptr<const Route>& route, const Deployed& deployed, Protocol protocol,
              io::HttpRequest request, io::HttpReply reply);
  io::HttpResponse metadata(const io::HttpRequest& request) const;
  io::HttpResponse model_ready(const io::HttpRequest& request) const;
  io::HttpResponse take_feedback(io::HttpRequest& request) const;

  // The route that the request names, and in it the version; else the answer that says what is wrong.
  struct Found {
    std::shared_ptr<const Route> route;
    const Deployed* deployed = nullptr;
    InferAnswer refused;
  };
  Found find(const io::HttpRequest& request, Protocol protocol) const;

  // An answer may come after the gateway has gone, its sink with it.
  void capture(Capture capture) const {
    const std::shared_lock lock(sink_mutex);
    if (!closed && options.captures != nullptr) options.captures->capture(std::move(capture));
  }

  void close() {
    const std::unique_lock lock(sink_mutex);
    closed = true;
  }

  const Options options;
  const Clock& clock;
  mutable std::shared_mutex sink_mutex;
  bool closed = false;
  std::atomic<bool> ready = false;
  std::mutex writer_mutex;   // one change at a time
  mutable std::mutex mutex;  // held for the copy of a pointer only
  std::shared_ptr<const Routes> published = std::make_shared<Routes>();
};

Gateway::Impl::Found Gateway::Impl::find(const io::HttpRequest& request, Protocol protocol) const {
  const std::string name = full_name(request.params.find("endpoint")->second);
  const auto table = routes();
  Found found;
  const auto entry = table->by_name.find(name);
  if (entry == table->by_name.end()) {
    std::string known;
    for (const auto& [other, route] : table->by_name) known += (known.empty() ? "" : ", ") + other;
    found.refused = refusal(
        protocol, 404, fmt::format("there is no endpoint {}; weir.yaml has {}", name, known.empty() ? "none" : known));
    return found;
  }
  found.route = entry->second;
  const auto wanted = request.params.find("version");
  for (const auto* candidate : {&found.route->live, &found.route->warm}) {
    if (!candidate->has_value()) continue;
    if (wanted == request.params.end() || wanted->second == (*candidate)->deployment.version) {
      found.deployed = &**candidate;
      return found;
    }
  }
  if (wanted == request.params.end() || !found.route->live) {
    found.refused = refusal(protocol, 503, fmt::format("endpoint {} has no live version yet", name), 5);
  } else {
    found.refused = refusal(protocol, 404,
                            fmt::format("endpoint {} does not serve version {}; live is {}", name, wanted->second,
                                        found.route->live->deployment.version));
  }
  return found;
}

void Gateway::Impl::infer(Protocol protocol, io::HttpRequest request, io::HttpReply reply) {
  auto found = find(request, protocol);
  if (found.deployed == nullptr) {
    auto response = to_response(std::move(found.refused));
    response.headers.set("X-Request-Id", request_id(request.headers));
    return reply(std::move(response));
  }
  answer(found.route, *found.deployed, protocol, std::move(request), std::move(reply));
}

void Gateway::Impl::answer(const std::shared_ptr<const Route>& route, const Deployed& deployed, Protocol protocol,
                           io::HttpRequest request, io::HttpReply reply) {
  const auto begin = steady_clock::now();
  const TimePoint arrival = clock.now();
  std::string id = request_id(request.headers);
  auto body = std::make_shared<const std::string>(std::move(request.body));
  InferRequest infer{.protocol = protocol,
                     .content_type = std::string(request.headers.get("Content-Type")),
                     .body = body,
                     .name = request.params.find("endpoint")->second,
                     .version = deployed.deployment.version,
                     .allowed_columns = route->settings.allowed_columns,
                     .deadline = begin + route->settings.timeout};
  if (const auto length = request.headers.get(kJsonBytesHeader);
      protocol == Protocol::kOpenInference && !length.empty()) {
    std::size_t bytes = 0;
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bytes);
    if (error != std::errc() || end != length.data() + length.size() || bytes > body->size()) {
      return reply(to_response(refusal(protocol, 400,
                                       fmt::format("{} \"{}\" must be the length of the JSON part, at "
                                                   "most {}",
                                                   kJsonBytesHeader, length, body->size()))));
    }
    infer.json_bytes = bytes;
  }
  // Holding the route keeps the version until it has answered, whatever is switched meanwhile.
  deployed.deployment.backend->infer(
      std::move(infer), [impl = shared_from_this(), route, &deployed, protocol, begin, arrival, id, body,
                         reply = std::move(reply)](InferAnswer answer) mutable {
        const auto end = steady_clock::now();
        const auto latency = std::chrono::duration_cast<Duration>(end - begin);
        deployed.stats->record(answer.status, latency, end);
        if (impl->options.captures != nullptr && is_sampled(id, route->settings.capture_sample)) {
          impl->capture({.endpoint = route->settings.endpoint,
                         .environment = route->settings.environment,
                         .model = deployed.deployment.model,
                         .version = deployed.deployment.version,
                         .request_id = id,
                         .time = arrival,
                         .latency = latency,
                         .status = answer.status,
                         .protocol = protocol,
                         .request_body = *body,
                         .response_body = answer.body});
        }
        auto response = to_response(std::move(answer));
        response.headers.set("X-Request-Id", std::move(id));
        response.headers.set("X-Weir-Model-Version", deployed.deployment.version);
        reply(std::move(response));
      });
}

io::HttpResponse Gateway::Impl::metadata(const io::HttpRequest& request) const {
  auto found = find(request, Protocol::kOpenInference);
  if (found.deployed == nullptr) return to_response(std::move(found.refused));
  std::vector<std::string> versions{found.deployed->deployment.version};
  if (found.deployed == &*found.route->live && found.route->warm) {
    versions.push_back(found.route->warm->deployment.version);
  }
  return io::json_response(200, v2_model_metadata(request.params.find("endpoint")->second, versions,
                                                  found.deployed->deployment.backend->info()));
}

io::HttpResponse Gateway::Impl::model_ready(const io::HttpRequest& request) const {
  auto found = find(request, Protocol::kOpenInference);
  if (found.deployed == nullptr) return to_response(std::move(found.refused));
  const bool is_ready = found.deployed->deployment.backend->health().workers_ready > 0;
  return io::json_response(is_ready ? 200 : 503,
                           json::object{{"name", request.params.find("endpoint")->second}, {"ready", is_ready}});
}

io::HttpResponse Gateway::Impl::take_feedback(io::HttpRequest& request) const {
  const auto refuse = [](int status, std::string_view message) {
    return to_response(refusal(Protocol::kMlflow, status, message));
  };
  const std::string name = full_name(request.params.find("endpoint")->second);
  const auto table = routes();
  const auto entry = table->by_name.find(name);
  if (entry == table->by_name.end()) return refuse(404, fmt::format("there is no endpoint {}", name));
  if (options.feedback == nullptr) return refuse(501, "this server keeps no feedback");
  auto feedback = parse_feedback(request.body, entry->second->settings.endpoint, entry->second->settings.environment,
                                 entry->second->settings.key_column);
  if (!feedback) return refuse(io::http_status(feedback.error().code), feedback.error().message);
  const std::size_t count = feedback->size();
  if (const auto stored = options.feedback->feedback(*std::move(feedback), request.identity); !stored) {
    return refuse(io::http_status(stored.error().code), stored.error().message);
  }
  return io::json_response(200, json::object{{"accepted", count}});
}

Gateway::Gateway(Options options, const Clock& clock) : impl_(std::make_shared<Impl>(std::move(options), clock)) {}

Gateway::~Gateway() {
  impl_->close();
}

void Gateway::add_routes(io::Router& router) {
  const auto impl = impl_;
  const io::RouteOptions large{.body_bytes_max = kBodyBytesMax};
  router.handle_async(
      "POST", "/{endpoint}/invocations",
      [impl](io::HttpRequest request, io::HttpReply reply) {
        impl->infer(Protocol::kMlflow, std::move(request), std::move(reply));
      },
      large);
  router.handle("POST", "/{endpoint}/feedback",
                [impl](io::HttpRequest& request) { return impl->take_feedback(request); });

  const auto get = [&](std::string_view pattern, std::function<io::HttpResponse(const io::HttpRequest&)> handler) {
    router.handle_async("GET", pattern, [handler = std::move(handler)](io::HttpRequest request, io::HttpReply reply) {
      reply(handler(request));
    });
  };
  get("/v2", [impl](const io::HttpRequest&) {
    return io::json_response(200, v2_server_metadata(impl->options.server_version));
  });
  get("/v2/health/live", [](const io::HttpRequest&) { return io::json_response(200, json::object{{"live", true}}); });
  get("/v2/health/ready", [impl](const io::HttpRequest&) {
    return io::json_response(impl->ready ? 200 : 503, json::object{{"ready", impl->ready.load()}});
  });
  for (const std::string model : {"/v2/models/{endpoint}", "/v2/models/{endpoint}/versions/{version}"}) {
    get(model, [impl](const io::HttpRequest& request) { return impl->metadata(request); });
    get(model + "/ready", [impl](const io::HttpRequest& request) { return impl->model_ready(request); });
    router.handle_async(
        "POST", model + "/infer",
        [impl](io::HttpRequest request, io::HttpReply reply) {
          impl->infer(Protocol::kOpenInference, std::move(request), std::move(reply));
        },
        large);
  }
}

void Gateway::configure(EndpointSettings settings) {
  const std::string name = full_name(settings.endpoint, settings.environment);
  impl_->change(name, [&](const Route* old) {
    auto route = old ? std::make_shared<Route>(*old) : std::make_shared<Route>();
    route->settings = std::move(settings);
    return route;
  });
}

void Gateway::remove(std::string_view endpoint, std::string_view environment) {
  impl_->change(full_name(endpoint, environment), [](const Route*) { return nullptr; });
}

void Gateway::switch_to(std::string_view endpoint, std::string_view environment, Deployment live,
                        std::optional<Deployment> warm) {
  impl_->change(full_name(endpoint, environment), [&](const Route* old) -> std::shared_ptr<const Route> {
    if (old == nullptr) return nullptr;
    const auto deployed = [&](Deployment deployment) {
      for (const auto* before : {&old->live, &old->warm}) {
        if (before->has_value() && (*before)->deployment.model == deployment.model &&
            (*before)->deployment.version == deployment.version) {
          return Deployed{std::move(deployment), (*before)->stats};
        }
      }
      return Deployed{std::move(deployment), std::make_shared<TrafficStats>()};
    };
    auto route = std::make_shared<Route>();
    route->settings = old->settings;
    route->live = deployed(std::move(live));
    if (warm) route->warm = deployed(*std::move(warm));
    return route;
  });
}

void Gateway::set_ready(bool ready) {
  impl_->ready = ready;
}

std::vector<DeploymentSnapshot> Gateway::snapshot() const {
  std::vector<DeploymentSnapshot> all;
  const auto now = steady_clock::now();
  for (const auto& [name, route] : impl_->routes()->by_name) {
    for (const auto* deployed : {&route->live, &route->warm}) {
      if (!deployed->has_value()) continue;
      const auto& deployment = (*deployed)->deployment;
      DeploymentSnapshot one{.endpoint = route->settings.endpoint,
                             .environment = route->settings.environment,
                             .model = deployment.model,
                             .version = deployment.version,
                             .live = deployed == &route->live,
                             .health = deployment.backend->health(),
                             .total = (*deployed)->stats->total(),
                             .recent = (*deployed)->stats->recent(now)};
      one.p50_ms = 1000.0 * latency_quantile(one.recent.latency, 0.50);
      one.p95_ms = 1000.0 * latency_quantile(one.recent.latency, 0.95);
      all.push_back(std::move(one));
    }
  }
  return all;
}

}  // namespace weir::serve
