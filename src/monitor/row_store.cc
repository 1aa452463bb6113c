#include "monitor/row_store.h"

namespace weir::monitor {
namespace {

using store::Row;
using store::Transaction;

constexpr std::int64_t kDeletedAtOnce = 5'000;
constexpr std::int64_t kRowsOfKeyMax = 1'000;  // that one label is joined to

struct RowToLabel {
  std::int64_t id = 0;
  std::int64_t index = 0;
  json::value prediction;
  bool labelled = false;
};

json::value parse_stored(std::string_view text) {
  auto value = parse_json(text, "stored row");
  return value ? *std::move(value) : json::value(nullptr);
}

RowToLabel read_row_to_label(const Row& row) {
  return {.id = row.integer(0),
          .index = row.integer(1),
          .prediction = parse_stored(row.text(2)),
          .labelled = !row.is_null(3)};
}

Result<void> set_label(Transaction& tx, const RowToLabel& row, const json::value& label, TimePoint time) {
  std::optional<std::int64_t> correct;
  if (const auto answer = is_correct(row.prediction, label)) correct = *answer ? 1 : 0;
  WEIR_TRY(tx.execute("UPDATE monitor_rows SET label = ?, label_time = ?, correct = ? WHERE id = ?",
                      {json::serialize(label), time, correct, row.id}));
  return {};
}

Result<void> keep_early(Transaction& tx, const serve::Feedback& feedback, std::optional<std::int64_t> row,
                        const json::value& label, TimePoint time) {
  const std::int64_t id = WEIR_TRY(tx.next_id("monitor_early_label"));
  WEIR_TRY(
      tx.execute("INSERT INTO monitor_early_labels(id, endpoint, environment, request_id, row_index, key_value, label, "
                 "label_time, arrival_time) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                 {id, feedback.endpoint, feedback.environment, feedback.request_id, row, feedback.key,
                  json::serialize(label), time, tx.now()}));
  return {};
}

Result<RowStore::Labelled> label_by_key(Transaction& tx, const serve::Feedback& feedback, TimePoint time) {
  const auto rows = WEIR_TRY(
      tx.all<RowToLabel>("SELECT id, row_index, prediction, label FROM monitor_rows WHERE endpoint = ? AND environment "
                         "= ? AND key_value = ? "
                         "ORDER BY id DESC LIMIT ?",
                         {feedback.endpoint, feedback.environment, feedback.key, kRowsOfKeyMax}, read_row_to_label));
  if (rows.empty()) {
    WEIR_TRY(keep_early(tx, feedback, std::nullopt, feedback.label, time));
    return RowStore::Labelled{.waiting = 1};
  }
  RowStore::Labelled result;
  for (const RowToLabel& row : rows) {
    if (row.labelled) continue;
    WEIR_TRY(set_label(tx, row, feedback.label, time));
    ++result.joined;
  }
  if (result.joined == 0) {
    // All have one: the newest is corrected.
    WEIR_TRY(set_label(tx, rows.front(), feedback.label, time));
    result.joined = 1;
  }
  return result;
}

Result<RowStore::Labelled> label_by_request(Transaction& tx, const serve::Feedback& feedback, TimePoint time) {
  auto rows =
      WEIR_TRY(tx.all<RowToLabel>("SELECT id, row_index, prediction, label FROM monitor_rows WHERE endpoint = ? AND "
                                  "environment = ? AND request_id = ? "
                                  "ORDER BY id",
                                  {feedback.endpoint, feedback.environment, feedback.request_id}, read_row_to_label));
  const auto* list = feedback.label.is_array() ? &feedback.label.get_array() : nullptr;
  RowStore::Labelled result;
  if (rows.empty()) {
    const std::size_t count = list != nullptr ? list->size() : 1;
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = list != nullptr ? std::optional(static_cast<std::int64_t>(i)) : feedback.row;
      WEIR_TRY(keep_early(tx, feedback, row, list != nullptr ? (*list)[i] : feedback.label, time));
    }
    result.waiting = static_cast<std::int64_t>(count);
    return result;
  }
  if (list == nullptr && !feedback.row && rows.size() > 1) {
    return fail(Code::kInvalidArgument,
                "request {} had {} rows: say which by \"row\", or give a list with a label for each",
                feedback.request_id, rows.size());
  }
  if (list != nullptr && list->size() != rows.size()) {
    return fail(Code::kInvalidArgument, "request {} had {} rows, the list has {} labels", feedback.request_id,
                rows.size(), list->size());
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (feedback.row && rows[i].index != *feedback.row) continue;
    WEIR_TRY(set_label(tx, rows[i], list != nullptr ? (*list)[i] : feedback.label, time));
    ++result.joined;
  }
  if (result.joined == 0) {
    return fail(Code::kInvalidArgument, "request {} has no row {}, it had {}", feedback.request_id, *feedback.row,
                rows.size());
  }
  return result;
}

// Gives a new row the label that came before it.
Result<void> take_early_label(Transaction& tx, const RowBatch& batch, const CapturedRow& row, std::int64_t id,
                              std::int64_t index) {
  struct Early {
    std::int64_t id = 0;
    std::string label;
    TimePoint time;
  };
  const auto early = WEIR_TRY(tx.first<Early>(
      "SELECT id, label, label_time FROM monitor_early_labels WHERE endpoint = ? AND environment = ? AND "
      "((request_id = ? AND key_value = '' AND (row_index IS NULL OR row_index = ?)) OR "
      "(request_id = '' AND key_value <> '' AND key_value = ?)) ORDER BY id DESC LIMIT 1",
      {batch.place.endpoint, batch.place.environment, batch.request_id, index, row.key},
      [](const Row& found) { return Early{found.integer(0), found.string(1), found.time(2)}; }));
  if (!early) return {};
  WEIR_TRY(
      set_label(tx, {.id = id, .index = index, .prediction = row.prediction}, parse_stored(early->label), early->time));
  WEIR_TRY(tx.execute("DELETE FROM monitor_early_labels WHERE id = ?", {early->id}));
  return {};
}

std::optional<TimePoint> time_or_null(const std::optional<std::int64_t>& micros) {
  return micros ? std::optional(from_micros(*micros)) : std::nullopt;
}

}  // namespace

Result<std::int64_t> RowStore::next_row_id(store::Reader& reader) {
  // One process writes, so numbers are its own; a series would cost a write for each row.
  if (last_id_ < 0) last_id_ = WEIR_TRY(reader.integer("SELECT MAX(id) FROM monitor_rows", {})).value_or(0);
  return ++last_id_;
}

Result<void> RowStore::add(std::span<const RowBatch> batches) {
  const std::int64_t last_before = last_id_;
  auto result = db_.write([&](Transaction& tx) -> Result<void> {
    if (early_labels_) {
      early_labels_ = WEIR_TRY(tx.integer("SELECT id FROM monitor_early_labels LIMIT 1", {})).has_value();
    }
    for (const RowBatch& batch : batches) {
      std::int64_t index = 0;
      for (const CapturedRow& row : batch.rows) {
        const std::int64_t id = WEIR_TRY(next_row_id(tx));
        WEIR_TRY(
            tx.execute("INSERT INTO monitor_rows(id, endpoint, environment, model, version, request_id, row_index, "
                       "key_value, event_time, "
                       "arrival_time, features, prediction, score) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                       {id, batch.place.endpoint, batch.place.environment, batch.model, batch.version, batch.request_id,
                        index, row.key, row.event_time, batch.arrival, json::serialize(row.features),
                        json::serialize(row.prediction), row.score}));
        if (early_labels_) WEIR_TRY(take_early_label(tx, batch, row, id, index));
        ++index;
      }
    }
    return {};
  });
  if (!result) last_id_ = last_before;
  return result;
}

Result<RowStore::Labelled> RowStore::label(std::span<const serve::Feedback> feedback, TimePoint now) {
  auto labelled = db_.write_with<Labelled>([&](Transaction& tx) -> Result<Labelled> {
    Labelled sum;
    for (const serve::Feedback& one : feedback) {
      const TimePoint time = one.time.value_or(now);
      const Labelled result =
          WEIR_TRY(one.request_id.empty() ? label_by_key(tx, one, time) : label_by_request(tx, one, time));
      sum.joined += result.joined;
      sum.waiting += result.waiting;
    }
    return sum;
  });
  if (labelled && labelled->waiting > 0) early_labels_ = true;
  return labelled;
}

Result<std::optional<TimePoint>> RowStore::newest(const Place& place, TimePoint latest) {
  return db_.load<std::optional<TimePoint>>([&](store::Reader& reader) -> Result<std::optional<TimePoint>> {
    return time_or_null(WEIR_TRY(reader.integer(
        "SELECT MAX(event_time) FROM monitor_rows WHERE endpoint = ? AND environment = ? AND event_time <= ?",
        {place.endpoint, place.environment, latest})));
  });
}

Result<std::optional<TimePoint>> RowStore::oldest(const Place& place, TimePoint from) {
  return db_.load<std::optional<TimePoint>>([&](store::Reader& reader) -> Result<std::optional<TimePoint>> {
    return time_or_null(WEIR_TRY(reader.integer(
        "SELECT MIN(event_time) FROM monitor_rows WHERE endpoint = ? AND environment = ? AND event_time >= ?",
        {place.endpoint, place.environment, from})));
  });
}

Result<std::vector<StoredRow>> RowStore::rows(const Place& place, TimePoint begin, TimePoint end, std::int64_t limit) {
  return db_.load<std::vector<StoredRow>>([&](store::Reader& reader) -> Result<std::vector<StoredRow>> {
    const auto count =
        WEIR_TRY(reader.integer("SELECT COUNT(*) FROM monitor_rows WHERE endpoint = ? AND environment = ? AND "
                                "event_time >= ? AND event_time < ?",
                                {place.endpoint, place.environment, begin, end}));
    const std::int64_t step =
        std::max<std::int64_t>(1, (count.value_or(0) + limit - 1) / std::max<std::int64_t>(1, limit));
    return reader.all<StoredRow>(
        "SELECT version, features, prediction, score FROM monitor_rows WHERE endpoint = ? AND environment = ? AND "
        "event_time >= ? AND event_time < ? AND id % ? = 0",
        {place.endpoint, place.environment, begin, end, step}, [](const Row& row) {
          StoredRow stored;
          stored.version = row.string(0);
          if (auto features = parse_stored(row.text(1)); features.is_object()) {
            stored.features = std::move(features.get_object());
          }
          stored.prediction = parse_stored(row.text(2));
          if (!row.is_null(3)) stored.score = row.real(3);
          return stored;
        });
  });
}

Result<LabelCounts> RowStore::labels(const Place& place, std::string_view version, TimePoint begin, TimePoint end) {
  return db_.load<LabelCounts>([&](store::Reader& reader) -> Result<LabelCounts> {
    const auto counts = WEIR_TRY(reader.first<LabelCounts>(
        "SELECT COUNT(*), COUNT(label), COUNT(correct), SUM(correct) FROM monitor_rows WHERE endpoint = ? AND "
        "environment = ? AND event_time >= ? AND event_time < ? AND version = ?",
        {place.endpoint, place.environment, begin, end, version}, [](const Row& row) {
          return LabelCounts{
              .rows = row.integer(0), .labels = row.integer(1), .judged = row.integer(2), .correct = row.integer(3)};
        }));
    return counts.value_or(LabelCounts{});
  });
}

Result<bool> RowStore::expire(const Place& place, TimePoint before) {
  const auto deleted = WEIR_TRY(db_.write_with<std::int64_t>([&](Transaction& tx) {
    return tx.execute(
        "DELETE FROM monitor_rows WHERE id IN (SELECT id FROM monitor_rows WHERE endpoint = ? AND "
        "environment = ? AND arrival_time < ? LIMIT ?)",
        {place.endpoint, place.environment, before, kDeletedAtOnce});
  }));
  return deleted >= kDeletedAtOnce;
}

Result<bool> RowStore::expire_early_labels(TimePoint before) {
  const auto deleted = WEIR_TRY(db_.write_with<std::int64_t>([&](Transaction& tx) {
    return tx.execute(
        "DELETE FROM monitor_early_labels WHERE id IN (SELECT id FROM monitor_early_labels WHERE "
        "arrival_time < ? LIMIT ?)",
        {before, kDeletedAtOnce});
  }));
  return deleted >= kDeletedAtOnce;
}

}  // namespace weir::monitor
