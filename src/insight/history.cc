#include "insight/history.h"

#include <charconv>

namespace weir::insight {
namespace {

namespace event_type = types::event_type;

std::string placeholders(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += i == 0 ? "?" : ", ?";
  return text;
}

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string text_of(const types::Event& event, std::string_view key) {
  if (auto text = json_string(event.payload, key)) return *std::move(text);
  if (const auto number = json_int(event.payload, key)) return std::to_string(*number);
  return "";
}

Result<std::optional<types::Event>> newest(store::Reader& reader, std::string_view subject,
                                           std::initializer_list<std::string_view> types, std::int64_t before) {
  std::vector<store::Value> values{subject};
  for (const auto type : types) values.emplace_back(type);
  std::string bound;
  if (before > 0) {
    bound = " AND sequence < ?";
    values.emplace_back(before);
  }
  std::optional<std::int64_t> sequence;
  WEIR_TRY(reader.query(fmt::format("SELECT sequence FROM events WHERE subject = ? AND type IN ({}){} "
                                    "ORDER BY sequence DESC LIMIT 1",
                                    placeholders(types.size()), bound),
                        values, [&](const store::Row& row) { sequence = row.integer(0); }));
  if (!sequence) return std::optional<types::Event>{};
  return store::event_at(reader, *sequence);
}

Result<std::vector<types::Event>> events_since(store::Reader& reader, std::initializer_list<std::string_view> types,
                                               TimePoint from) {
  std::vector<store::Value> values;
  for (const auto type : types) values.emplace_back(type);
  values.emplace_back(from);
  std::vector<std::int64_t> sequences;
  WEIR_TRY(reader.query(fmt::format("SELECT sequence FROM events WHERE type IN ({}) AND time >= ? ORDER BY sequence",
                                    placeholders(types.size())),
                        values, [&](const store::Row& row) { sequences.push_back(row.integer(0)); }));
  std::vector<types::Event> events;
  for (const auto sequence : sequences) {
    if (auto event = WEIR_TRY(store::event_at(reader, sequence))) events.push_back(*std::move(event));
  }
  return events;
}

Result<std::vector<types::Event>> causes_of(store::Reader& reader, const types::Event& event) {
  std::vector<types::Event> causes;
  std::int64_t at = event.sequence;
  std::int64_t next = event.cause;
  // A cause is always older: anything else is damage, and would go round in circles.
  while (next > 0 && next < at) {
    auto cause = WEIR_TRY(store::event_at(reader, next));
    if (!cause) break;
    at = cause->sequence;
    next = cause->cause;
    causes.push_back(*std::move(cause));
  }
  return causes;
}

Result<void> add_run(store::Reader& reader, const Sources& sources, std::int64_t run_id, Origin& origin) {
  origin.run = WEIR_TRY(newest(reader, fmt::format("run/{}", run_id), {event_type::kRunCreated}));
  if (!origin.run) return {};
  origin.repository = text_of(*origin.run, "repo");
  const std::string commit = text_of(*origin.run, "commit");
  if (!commit.empty() && sources.commit) origin.commit = WEIR_TRY(sources.commit(origin.repository, commit));
  return {};
}

Result<Origin> origin_of_version(store::Reader& reader, const Sources& sources, std::string_view model,
                                 std::string_view version, std::int64_t before) {
  Origin origin;
  origin.version =
      WEIR_TRY(newest(reader, fmt::format("model/{}/{}", model, version), {event_type::kVersionCreated}, before));
  if (!origin.version) return origin;
  const std::string run_id = text_of(*origin.version, "run_id");
  if (!run_id.empty() && sources.experiment_run) origin.experiment = WEIR_TRY(sources.experiment_run(run_id));
  // The run that trained a model counts, not the one that registered it.
  auto workflow_run = origin.experiment ? origin.experiment->workflow_run : std::nullopt;
  if (!workflow_run) workflow_run = number_of(text_of(*origin.version, "workflow_run"));
  if (workflow_run) WEIR_TRY(add_run(reader, sources, *workflow_run, origin));
  return origin;
}

}  // namespace weir::insight
