#include "store/database.h"

#include <future>

#include "base/hash.h"

namespace weir::store {
namespace {

constexpr std::string_view kEventColumns =
    "sequence, time, type, actor, subject, cause, payload, payload_hash, chain_hash";

types::Event read_event(const Row& row) {
  types::Event event;
  event.sequence = row.integer(0);
  event.time = row.time(1);
  event.type = row.string(2);
  event.actor = row.string(3);
  event.subject = row.string(4);
  event.cause = row.integer(5);
  if (auto payload = parse_json(row.text(6), "event payload"); payload && payload->is_object()) {
    event.payload = std::move(payload->get_object());
  }
  event.payload_hash = row.string(7);
  event.chain_hash = row.string(8);
  return event;
}

}  // namespace

Result<std::optional<std::int64_t>> Reader::integer(std::string_view sql, std::initializer_list<Value> values) {
  std::optional<std::int64_t> found;
  bool first_row = true;
  WEIR_TRY(query(sql, values, [&](const Row& row) {
    if (first_row) found = row.integer_or_null(0);
    first_row = false;
  }));
  return found;
}

Result<void> Database::write(Work work) {
  std::promise<Result<void>> promise;
  auto done = promise.get_future();
  write_async(std::move(work), [&promise](Result<void> result) { promise.set_value(std::move(result)); });
  return done.get();
}

Result<std::vector<types::Event>> read_events(Reader& reader, std::int64_t after, std::int64_t limit) {
  return reader.all<types::Event>(
      fmt::format("SELECT {} FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?", kEventColumns), {after, limit},
      read_event);
}

Result<std::vector<types::Event>> events_about(Reader& reader, std::string_view subject, std::int64_t limit) {
  return reader.all<types::Event>(
      fmt::format("SELECT {} FROM events WHERE subject = ? ORDER BY sequence DESC LIMIT ?", kEventColumns),
      {subject, limit}, read_event);
}

Result<std::optional<types::Event>> event_at(Reader& reader, std::int64_t sequence) {
  return reader.first<types::Event>(fmt::format("SELECT {} FROM events WHERE sequence = ?", kEventColumns), {sequence},
                                    read_event);
}

std::string chain_hash(const types::Event& event, std::string_view previous) {
  // Lengths before the texts, so that no two different rows give the same bytes.
  std::string bytes = fmt::format("{}\n{}\n{}\n{}\n{}\n", previous, event.sequence, to_micros(event.time), event.cause,
                                  event.payload_hash);
  for (const std::string_view field :
       {std::string_view(event.type), std::string_view(event.actor), std::string_view(event.subject)}) {
    bytes += fmt::format("{}:{}\n", field.size(), field);
  }
  return sha256_hex(bytes);
}

}  // namespace weir::store
