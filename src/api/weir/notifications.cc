// What people are told: /api/v1/notifications.
#include "api/weir/routes.h"
#include "monitor/message_queue.h"

namespace weir::api {
namespace {

Result<io::HttpResponse> list(const Services& services, const io::HttpRequest& request) {
  const monitor::MessageFilter filter{.state = request.query_value("state").value_or(""),
                                      .before = WEIR_TRY(number_query(request, "before", 0, 0, INT64_MAX)),
                                      .limit = WEIR_TRY(number_query(request, "limit", 100, 1, 1'000))};
  return io::json_response(200, WEIR_TRY(services.db->load<json::object>([&](store::Reader& reader) {
                             return monitor::notifications_view(reader, filter);
                           })));
}

Result<json::object> view_of(const Services& services, std::int64_t id) {
  return services.db->load<json::object>([&](store::Reader& reader) { return monitor::notification_view(reader, id); });
}

Result<io::HttpResponse> show(const Services& services, const io::HttpRequest& request) {
  return io::json_response(200, WEIR_TRY(view_of(services, WEIR_TRY(id_param(request, "id")))));
}

Result<io::HttpResponse> send(const Services& services, const io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  WEIR_TRY(services.notify({.severity = json_string_or(body, "severity", "info"),
                            .title = json_string_or(body, "title", ""),
                            .message = WEIR_TRY(json_require_string(body, "message")),
                            .to = json_string_or(body, "to", ""),
                            .run = request.identity.run_id.value_or(0),
                            .environments = request.identity.environments}));
  return io::json_response(202, json::object{{"queued", true}});
}

Result<io::HttpResponse> test(const Services& services, const io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  json::array numbers;
  for (const auto id : WEIR_TRY(services.test_notification(json_string_or(body, "to", ""), request.identity.name))) {
    numbers.emplace_back(id);
  }
  return io::json_response(202, json::object{{"notifications", std::move(numbers)}});
}

Result<io::HttpResponse> retry(const Services& services, const io::HttpRequest& request) {
  const auto id = WEIR_TRY(id_param(request, "id"));
  WEIR_TRY(services.retry_notification(id));
  return io::json_response(202, WEIR_TRY(view_of(services, id)));
}

}  // namespace

void add_notification_routes(RouteTable& table, const Services& services) {
  using access::Permission;
  const auto bind = [&services](auto function) {
    return [&services, function](io::HttpRequest& request) { return function(services, request); };
  };
  table.add({.method = "GET",
             .pattern = "/api/v1/notifications",
             .id = "listNotifications",
             .summary = "What people are told: what waits, what was sent, what was given up and why; newest first.",
             .query = {{"state", "string", "Only waiting, held, retrying, sent, given_up or merged ones."},
                       {"before", "integer", "Those with a smaller number."},
                       {"limit", "integer", "At most so many, 1 to 1000; 100 unless given."}},
             .answer = "NotificationList"},
            bind(list));
  table.add({.method = "GET",
             .pattern = "/api/v1/notifications/{id}",
             .id = "getNotification",
             .summary = "One message to one target.",
             .answer = "NotificationState"},
            bind(show));
  table.add({.method = "POST",
             .pattern = "/api/v1/notifications",
             .permission = Permission::kSendNotification,
             .id = "notify",
             .summary = "Queues a message for the addresses of weir.yaml, or for the one given.",
             .request = "Notification",
             .answer = "Queued",
             .status = 202},
            bind(send));
  table.add({.method = "POST",
             .pattern = "/api/v1/notifications/test",
             .permission = Permission::kSendNotification,
             .id = "testNotifications",
             .summary = "Queues a test message for every target of weir.yaml, or for the one given.",
             .request = "NotificationTest",
             .answer = "NotificationNumbers",
             .status = 202},
            bind(test));
  table.add({.method = "POST",
             .pattern = "/api/v1/notifications/{id}/retry",
             .permission = Permission::kSendNotification,
             .id = "retryNotification",
             .summary = "Tries a message again that waits or was given up. It keeps its id.",
             .answer = "NotificationState",
             .status = 202},
            bind(retry));
}

}  // namespace weir::api
