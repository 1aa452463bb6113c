#include "api/weir/routes.h"
#include "insight/dora.h"

namespace weir::api {
namespace {

Result<io::HttpResponse> list_events(const Services& services, const io::HttpRequest& request) {
  const auto limit = WEIR_TRY(number_query(request, "limit", 100, 1, 1'000));
  const auto subject = request.query_value("subject");
  const auto before = WEIR_TRY(number_query(request, "before", 0, 0, INT64_MAX));
  const auto after = WEIR_TRY(
      number_query(request, "after", before > 0 ? std::max<std::int64_t>(0, before - 1 - limit) : 0, 0, INT64_MAX));
  const auto events = WEIR_TRY(
      services.db->load<std::vector<types::Event>>([&](store::Reader& reader) -> Result<std::vector<types::Event>> {
        if (subject && !subject->empty()) return store::events_about(reader, *subject, limit);
        if (request.query_value("newest").value_or("") == "true") {
          const auto last = WEIR_TRY(reader.integer("SELECT max(sequence) FROM events", {})).value_or(0);
          return store::read_events(reader, std::max<std::int64_t>(0, last - limit), limit);
        }
        return store::read_events(reader, after, limit);
      }));
  json::array list;
  for (const auto& event : events) list.push_back(event_to_json(event));
  return io::json_response(200, json::object{{"events", std::move(list)}});
}

Result<io::HttpResponse> show_why(const Services& services, const io::HttpRequest& request) {
  const auto subject = request.query_value("subject");
  if (!subject || subject->empty()) {
    return fail(Code::kInvalidArgument, "say what to explain: ?subject=flights@production, flight-delay/3 or run/7");
  }
  const auto why = WEIR_TRY(services.db->load<insight::Why>(
      [&](store::Reader& reader) { return insight::why(reader, services.insight, *subject); }));
  auto body = insight::to_json(why);
  body["text"] = insight::to_text(why, services.clock->now());
  return io::json_response(200, body);
}

Result<io::HttpResponse> show_dora(const Services& services, const io::HttpRequest& request) {
  const auto days = WEIR_TRY(number_query(request, "days", 30, 1, 3'650));
  const std::string environment = request.query_value("environment").value_or("production");
  const TimePoint now = services.clock->now();
  const auto dora = WEIR_TRY(services.db->load<insight::Dora>([&](store::Reader& reader) {
    return insight::dora(reader, services.insight, now - std::chrono::days{days}, now + std::chrono::seconds{1},
                         environment);
  }));
  auto body = insight::to_json(dora);
  body["text"] = insight::to_text(dora);
  return io::json_response(200, body);
}

Result<io::HttpResponse> judge(const Services& services, const io::HttpRequest& request) {
  auto gate_request = WEIR_TRY(gate::request_from_json(WEIR_TRY(body_object(request))));
  std::int64_t cause = 0;
  if (request.identity.job_id) {
    gate_request.workflow_run = request.identity.run_id;
    gate_request.job = request.identity.job_id;
    cause = services.engine->job_event(*request.identity.job_id).value_or(0);
  }
  const auto verdict = WEIR_TRY(services.gate->judge(gate_request, request.identity, cause));
  return io::json_response(200, gate::to_json(verdict));
}

}  // namespace

void add_insight_routes(RouteTable& table, const Services& services) {
  using access::Permission;
  const auto bind = [&services](auto function) {
    return [&services, function](io::HttpRequest& request) { return function(services, request); };
  };
  table.add({.method = "GET",
             .pattern = "/api/v1/events",
             .id = "listEvents",
             .summary = "The event log: everything that happened, with its cause.",
             .query = {{"subject", "string", "Only about this, newest first: `run/7`, `model/flight-delay`."},
                       {"after", "integer", "Only events with a greater sequence."},
                       {"before", "integer", "Those right before this sequence."},
                       {"newest", "boolean", "The newest ones."},
                       {"limit", "integer", "At most so many, 1 to 1000; 100 unless given."}},
             .answer = "EventList"},
            bind(list_events));
  table.add({.method = "GET",
             .pattern = "/api/v1/why",
             .id = "why",
             .summary = "How a model came to serve, a version to be, a run to start.",
             .query = {{"subject", "string", "`flights@production`, `flight-delay/3`, `run/7` or `#EVENT`.", true}},
             .answer = "Why"},
            bind(show_why));
  table.add({.method = "GET",
             .pattern = "/api/v1/dora",
             .id = "dora",
             .summary = "The four key figures of delivery.",
             .query = {{"days", "integer", "Length of the window, 1 to 3650; 30 unless given."},
                       {"environment", "string", "production unless given."}},
             .answer = "Dora"},
            bind(show_dora));
  table.add({.method = "POST",
             .pattern = "/api/v1/gate",
             .permission = Permission::kEvaluateGate,
             .id = "judge",
             .summary = "Judges a model by the rules of weir.yaml, or by those given.",
             .request = "GateRequest",
             .answer = "Verdict"},
            bind(judge));
}

}  // namespace weir::api
