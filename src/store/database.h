#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "types/event.h"

// The metadata database. SQL here is what SQLite and PostgreSQL both understand: `?` placeholders, INTEGER (64 bit),
// DOUBLE PRECISION, TEXT and BLOB columns, INSERT … ON CONFLICT … DO, RETURNING, no AUTOINCREMENT (`next_id` numbers
// rows). Times are INTEGER microseconds since 1970 unless a name says otherwise; JSON is TEXT.
namespace weir::store {

// One SQL value; nullptr is NULL.
struct Value {
  Value(std::nullptr_t) {}
  Value(std::int64_t number) : data(number) {}
  Value(int number) : data(static_cast<std::int64_t>(number)) {}
  Value(bool flag) : data(static_cast<std::int64_t>(flag)) {}
  Value(double number) : data(number) {}
  Value(const char* text) : data(std::string(text)) {}
  Value(std::string_view text) : data(std::string(text)) {}
  Value(std::string text) : data(std::move(text)) {}
  Value(TimePoint time) : data(to_micros(time)) {}
  template <class T>
  Value(const std::optional<T>& value) {
    if (value) *this = Value(*value);
  }
  std::variant<std::monostate, std::int64_t, double, std::string> data;
};

// The current row of a query; valid inside the callback only. Columns count from 0. A NULL reads as 0 or "".
class Row {
 public:
  virtual ~Row() = default;
  [[nodiscard]] virtual bool is_null(int column) const = 0;
  [[nodiscard]] virtual std::int64_t integer(int column) const = 0;
  [[nodiscard]] virtual double real(int column) const = 0;
  [[nodiscard]] virtual std::string_view text(int column) const = 0;

  [[nodiscard]] std::string string(int column) const { return std::string(text(column)); }
  [[nodiscard]] bool boolean(int column) const { return integer(column) != 0; }
  [[nodiscard]] TimePoint time(int column) const { return from_micros(integer(column)); }
  [[nodiscard]] std::optional<std::int64_t> integer_or_null(int column) const {
    return is_null(column) ? std::nullopt : std::optional(integer(column));
  }
  [[nodiscard]] std::optional<std::string> string_or_null(int column) const {
    return is_null(column) ? std::nullopt : std::optional(string(column));
  }
};

using Values = std::span<const Value>;

// Read access: a consistent view of the database. One thread at a time.
class Reader {
 public:
  virtual ~Reader() = default;

  // Calls `each` a row, in order. Statements are cached by their text.
  virtual Result<void> query(std::string_view sql, Values values, const std::function<void(const Row&)>& each) = 0;

  Result<void> query(std::string_view sql, std::initializer_list<Value> values,
                     const std::function<void(const Row&)>& each) {
    return query(sql, Values(values.begin(), values.size()), each);
  }

  // The first row as `read` gives it; nothing if there is none.
  template <class T>
  Result<std::optional<T>> first(std::string_view sql, std::initializer_list<Value> values,
                                 const std::function<T(const Row&)>& read) {
    std::optional<T> found;
    WEIR_TRY(query(sql, values, [&](const Row& row) {
      if (!found) found = read(row);
    }));
    return found;
  }

  template <class T>
  Result<std::vector<T>> all(std::string_view sql, std::initializer_list<Value> values,
                             const std::function<T(const Row&)>& read) {
    std::vector<T> rows;
    WEIR_TRY(query(sql, values, [&](const Row& row) { rows.push_back(read(row)); }));
    return rows;
  }

  // First column of the first row as an integer; nothing without rows or for NULL.
  Result<std::optional<std::int64_t>> integer(std::string_view sql, std::initializer_list<Value> values);
};

// Write access inside the writer's transaction. What it reads includes what it wrote.
class Transaction : public Reader {
 public:
  // Rows changed. kAlreadyExists for a violated unique constraint.
  virtual Result<std::int64_t> execute(std::string_view sql, Values values) = 0;
  Result<std::int64_t> execute(std::string_view sql, std::initializer_list<Value> values) {
    return execute(sql, Values(values.begin(), values.size()));
  }

  // A new number of the named series: 1, 2, 3, … never given twice, also after rows were deleted.
  virtual Result<std::int64_t> next_id(std::string_view series) = 0;

  // Appends to the event log, in this transaction. Subscribers hear of it after the commit. Gives the sequence.
  virtual Result<std::int64_t> append(types::EventDraft draft) = 0;

  // The time of this transaction (the writer's clock).
  [[nodiscard]] virtual TimePoint now() const = 0;
};

// A step that brings the schema from one version to the next. Never edited once released.
struct Migration {
  std::string_view name;  // unique, e.g. "track/001-runs"
  std::string_view sql;   // statements separated by ';'
};

// What is read from and written to. Any thread may call everything.
class Database {
 public:
  virtual ~Database() = default;

  // Runs `work` on the caller's thread with a pooled connection that sees one committed state.
  virtual Result<void> read(const std::function<Result<void>(Reader&)>& work) = 0;

  // Read with a value:  auto run = db.load<Run>([&](Reader& r) -> Result<Run> { … });
  template <class T>
  Result<T> load(const std::function<Result<T>(Reader&)>& work) {
    std::optional<T> value;
    WEIR_TRY(read([&](Reader& reader) -> Result<void> {
      value = WEIR_TRY(work(reader));
      return {};
    }));
    return *std::move(value);
  }

  using Work = std::move_only_function<Result<void>(Transaction&)>;
  using Done = std::move_only_function<void(Result<void>)>;

  // Runs `work` on the writer's thread in a savepoint of its own; an error rolls just that back. Returns after the
  // commit that holds it was synced to disk. Never call it from inside `work` or `done`.
  Result<void> write(Work work);

  template <class T>
  Result<T> write_with(std::move_only_function<Result<T>(Transaction&)> work) {
    std::optional<T> value;
    WEIR_TRY(write([&](Transaction& tx) -> Result<void> {
      value = WEIR_TRY(work(tx));
      return {};
    }));
    return *std::move(value);
  }

  // As write(), without waiting; `done` is called on the writer's thread after the sync.
  virtual void write_async(Work work, Done done) = 0;

  // Hears every appended event after its commit, in order, on the writer's thread; must not block or write. Lives as
  // long as the returned handle; whoever drops that waits for a call under way.
  using Subscription = std::shared_ptr<void>;
  [[nodiscard]] virtual Subscription subscribe(std::function<void(const types::Event&)> listener) = 0;

  // Forces everything before it to disk and gives the file(s) back: for tests and orderly stops.
  virtual void stop() = 0;
};

// Events of the log with sequence > `after`, oldest first, at most `limit`.
Result<std::vector<types::Event>> read_events(Reader& reader, std::int64_t after, std::int64_t limit);
// The newest `limit` events about `subject`, newest first.
Result<std::vector<types::Event>> events_about(Reader& reader, std::string_view subject, std::int64_t limit);
Result<std::optional<types::Event>> event_at(Reader& reader, std::int64_t sequence);

// The series (see Transaction::next_id) whose last number is that of the newest event ever appended.
inline constexpr std::string_view kEventSeries = "event";

// chain_hash of `event`, given the row before's ("" for the first).
std::string chain_hash(const types::Event& event, std::string_view previous);

}  // namespace weir::store
