#include "api/weir/live.h"

namespace weir::api {

LiveFeed::LiveFeed(store::Database& db, engine::Engine& engine)
    : events_(db.subscribe([this](const types::Event& event) {
        broadcast("event", json::serialize(event_to_json(event)), std::to_string(event.sequence));
      })),
      updates_(engine.subscribe([this](const engine::LiveUpdate& update) {
        broadcast("live", json::serialize(engine::to_json(update)), {});
      })) {}

void LiveFeed::add(std::shared_ptr<io::EventStream> stream) {
  const std::scoped_lock lock(mutex_);
  if (!closed_) streams_.push_back(std::move(stream));
}

void LiveFeed::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  streams_.clear();
}

void LiveFeed::broadcast(std::string_view kind, std::string_view data, std::string_view id) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(streams_, [&](const auto& stream) { return !stream->send(kind, data, id); });
}

void add_live_route(RouteTable& table, LiveFeed* feed) {
  table.add({.method = "GET",
             .pattern = "/api/v1/events/stream",
             .id = "streamEvents",
             .summary = "Server-sent events: `event` with an Event for each row of the log, `live` with a LiveUpdate "
                        "for steps and logs that move.",
             .answer = "text/event-stream"},
            [feed](io::HttpRequest&) -> Result<io::HttpResponse> {
              io::HttpResponse response;
              response.event_stream = [feed](std::shared_ptr<io::EventStream> stream) { feed->add(std::move(stream)); };
              return response;
            });
}

}  // namespace weir::api
