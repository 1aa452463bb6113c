#include "store/sqlite/sqlite_database.h"

#include <condition_variable>
#include <deque>
#include <set>
#include <thread>

#include "base/broadcast.h"
#include "base/hash.h"
#include "store/sqlite/connection.h"

namespace weir::store {
namespace {

constexpr std::string_view kBaseSchema = R"(
CREATE TABLE IF NOT EXISTS migrations(name TEXT PRIMARY KEY, applied INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS series(name TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS events(
  sequence INTEGER PRIMARY KEY, time INTEGER NOT NULL, type TEXT NOT NULL, actor TEXT NOT NULL, subject TEXT NOT NULL,
  cause INTEGER NOT NULL, payload TEXT, payload_hash TEXT NOT NULL, chain_hash TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS events_subject ON events(subject, sequence);
CREATE INDEX IF NOT EXISTS events_type ON events(type, sequence);
)";

class SqliteReader final : public Reader {
 public:
  explicit SqliteReader(Connection& connection) : connection_(connection) {}
  using Reader::query;
  Result<void> query(std::string_view sql, Values values, const std::function<void(const Row&)>& each) override {
    return connection_.query(sql, values, each);
  }

 private:
  Connection& connection_;
};

// The chain's end, which each append moves on.
struct ChainEnd {
  std::int64_t sequence = 0;
  std::string hash;
};

class SqliteTransaction final : public Transaction {
 public:
  SqliteTransaction(Connection& connection, TimePoint now, ChainEnd& end, std::vector<types::Event>& appended)
      : connection_(connection), now_(now), end_(end), appended_(appended) {}

  using Reader::query;
  using Transaction::execute;
  Result<void> query(std::string_view sql, Values values, const std::function<void(const Row&)>& each) override {
    return connection_.query(sql, values, each);
  }
  Result<std::int64_t> execute(std::string_view sql, Values values) override {
    return connection_.execute(sql, values);
  }

  Result<std::int64_t> next_id(std::string_view series) override {
    const auto id = WEIR_TRY(integer(
        "INSERT INTO series(name, last) VALUES(?, 1) ON CONFLICT(name) DO UPDATE SET last = last + 1 RETURNING last",
        {series}));
    return id.value_or(0);
  }

  Result<std::int64_t> append(types::EventDraft draft) override {
    types::Event event;
    event.sequence = end_.sequence + 1;
    event.time = now_;
    event.type = std::move(draft.type);
    event.actor = std::move(draft.actor);
    event.subject = std::move(draft.subject);
    event.cause = draft.cause;
    event.payload = std::move(draft.payload);
    const std::string payload = json::serialize(event.payload);
    event.payload_hash = sha256_hex(payload);
    event.chain_hash = chain_hash(event, end_.hash);
    WEIR_TRY(
        execute("INSERT INTO events(sequence, time, type, actor, subject, cause, payload, payload_hash, chain_hash) "
                "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                {event.sequence, event.time, event.type, event.actor, event.subject, event.cause, payload,
                 event.payload_hash, event.chain_hash}));
    // Apart from the log, so that a log whose end was cut off is known to be.
    WEIR_TRY(execute("INSERT INTO series(name, last) VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET last = excluded.last",
                     {kEventSeries, event.sequence}));
    end_ = {event.sequence, event.chain_hash};
    appended_.push_back(std::move(event));
    return end_.sequence;
  }

  [[nodiscard]] TimePoint now() const override { return now_; }

 private:
  Connection& connection_;
  TimePoint now_;
  ChainEnd& end_;
  std::vector<types::Event>& appended_;
};

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase(std::filesystem::path file, Connection writer, ChainEnd end, const Clock& clock, Log& log)
      : file_(std::move(file)), writer_(std::move(writer)), end_(std::move(end)), clock_(clock), log_(log) {
    thread_ = std::thread([this] { run_writer(); });
  }
  ~SqliteDatabase() override { stop(); }

  Result<void> read(const std::function<Result<void>(Reader&)>& work) override {
    auto connection = WEIR_TRY(take_reader());
    WEIR_TRY(connection->script("BEGIN"));
    SqliteReader reader(*connection);
    auto result = work(reader);
    auto ended = connection->script("COMMIT");
    const std::scoped_lock lock(readers_mutex_);
    if (ended && readers_.size() < 16) readers_.push_back(std::move(connection));
    return result;
  }

  void write_async(Work work, Done done) override {
    {
      const std::scoped_lock lock(mutex_);
      if (!stopping_) {
        queue_.push_back({std::move(work), std::move(done), {}});
        wake_.notify_one();
        return;
      }
    }
    done(fail(Code::kUnavailable, "the server is stopping"));
  }

  Subscription subscribe(std::function<void(const types::Event&)> listener) override {
    return listeners_.subscribe(std::move(listener));
  }

  void stop() override {
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_) return;
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

 private:
  struct Request {
    Work work;
    Done done;
    Result<void> result;
  };

  Result<std::unique_ptr<Connection>> take_reader() {
    {
      const std::scoped_lock lock(readers_mutex_);
      if (!readers_.empty()) {
        auto connection = std::move(readers_.back());
        readers_.pop_back();
        return connection;
      }
    }
    // Not SQLITE_OPEN_READONLY: a read-only connection cannot recover a WAL that a killed process left.
    auto connection = std::make_unique<Connection>(WEIR_TRY(Connection::open(file_, false)));
    WEIR_TRY(connection->script("PRAGMA query_only = 1; PRAGMA mmap_size = 268435456"));
    return connection;
  }

  void run_writer() {
    std::vector<Request> batch;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        // A bounded batch keeps the wait of its first request short.
        while (!queue_.empty() && batch.size() < 512) {
          batch.push_back(std::move(queue_.front()));
          queue_.pop_front();
        }
      }
      commit(batch);
      batch.clear();
    }
  }

  // Group commit: every request in a savepoint of its own, one sync for all of them.
  void commit(std::vector<Request>& batch) {
    std::vector<types::Event> appended;
    const ChainEnd before = end_;
    auto outcome = writer_.script("BEGIN IMMEDIATE");
    if (outcome) {
      for (auto& request : batch) {
        run_request(request, appended);
        // Out of room, SQLite may give the whole transaction up at once: nothing of the batch is there any more, and
        // what ran now would be stored by itself.
        if (writer_.in_transaction()) continue;
        outcome = std::unexpected(request.result ? Error{Code::kInternal, "the transaction ended early"}
                                                 : request.result.error());
        break;
      }
      if (outcome) outcome = writer_.script("COMMIT");
    }
    if (!outcome) {
      // Going on is safe even after a failed sync, whose bytes the kernel may have dropped: SQLite moves the end of its
      // log only after a sync that worked, so the next transaction writes these places of the log anew.
      log_.error("commit failed: {}", outcome.error().message);
      if (writer_.in_transaction()) (void)writer_.script("ROLLBACK");
      end_ = before;
      appended.clear();
      for (auto& request : batch) request.result = std::unexpected(outcome.error());
    }
    publish(appended);
    for (auto& request : batch) request.done(std::move(request.result));
  }

  void run_request(Request& request, std::vector<types::Event>& appended) {
    const ChainEnd end_before = end_;
    const std::size_t appended_before = appended.size();
    request.result = writer_.script("SAVEPOINT request");
    if (!request.result) return;
    SqliteTransaction transaction(writer_, clock_.now(), end_, appended);
    request.result = request.work(transaction);
    if (!request.result) {
      end_ = end_before;
      appended.resize(appended_before);
      (void)writer_.script("ROLLBACK TO request");
    }
    if (auto released = writer_.script("RELEASE request"); !released && request.result) request.result = released;
  }

  void publish(const std::vector<types::Event>& events) {
    for (const auto& event : events) listeners_.publish(event);
  }

  std::filesystem::path file_;
  Connection writer_;
  ChainEnd end_;
  const Clock& clock_;
  Log& log_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Request> queue_;
  bool stopping_ = false;

  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<Connection>> readers_;

  Broadcast<types::Event> listeners_;

  std::thread thread_;  // last: it uses everything above
};

Result<void> migrate(Connection& connection, std::span<const Migration> migrations, TimePoint now) {
  std::set<std::string> applied;
  WEIR_TRY(connection.query("SELECT name FROM migrations", {}, [&](const Row& row) { applied.insert(row.string(0)); }));
  std::set<std::string_view> known;
  for (const auto& migration : migrations) known.insert(migration.name);
  for (const auto& name : applied) {
    if (!known.contains(name)) {
      return fail(Code::kFailedPrecondition,
                  "the state was written by a newer weir (it has migration \"{}\"); use that version or a copy of the "
                  "state from before",
                  name);
    }
  }
  for (const auto& migration : migrations) {
    if (applied.contains(std::string(migration.name))) continue;
    WEIR_TRY(connection.script(migration.sql));
    const Value values[] = {migration.name, now};
    WEIR_TRY(connection.execute("INSERT INTO migrations(name, applied) VALUES(?, ?)", values));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Database>> open_sqlite(const std::filesystem::path& file, std::span<const Migration> migrations,
                                              const Clock& clock, Log& log, Durability durability) {
  Connection writer = WEIR_TRY(Connection::open(file, false));
  WEIR_TRY(
      writer.script(fmt::format("PRAGMA journal_mode = WAL; PRAGMA synchronous = {}; PRAGMA foreign_keys = ON; "
                                "PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864",
                                durability == Durability::kEachWrite ? "FULL" : "NORMAL")));
  WEIR_TRY(writer.script("BEGIN IMMEDIATE"));
  WEIR_TRY(writer.script(kBaseSchema));
  WEIR_TRY(migrate(writer, migrations, clock.now()));
  WEIR_TRY(writer.script("COMMIT"));
  ChainEnd end;
  WEIR_TRY(writer.query("SELECT sequence, chain_hash FROM events ORDER BY sequence DESC LIMIT 1", {},
                        [&](const Row& row) { end = {row.integer(0), row.string(1)}; }));
  std::int64_t last = 0;
  const Value series[] = {kEventSeries};
  WEIR_TRY(
      writer.query("SELECT last FROM series WHERE name = ?", series, [&](const Row& row) { last = row.integer(0); }));
  if (last > end.sequence) {
    log.error("{}: events {} to {} are missing at the end of the event log; run: weir fsck", file.string(),
              end.sequence + 1, last);
    end.sequence = last;  // what still refers to them must not come to mean others
  }
  return std::make_unique<SqliteDatabase>(file, std::move(writer), std::move(end), clock, log);
}

Result<void> inspect_sqlite(const std::filesystem::path& file, const std::function<Result<void>(Reader&)>& work) {
  if (!std::filesystem::exists(file)) return fail(Code::kNotFound, "there is no metadata database {}", file.string());
  // SQLite takes an empty file for a new database.
  if (std::filesystem::file_size(file) == 0) return fail(Code::kCorrupt, "{} is empty", file.string());
  Connection connection = WEIR_TRY(Connection::open(file, false));
  WEIR_TRY(connection.script("PRAGMA query_only = 1; BEGIN"));
  std::string damage;
  WEIR_TRY(connection.query("PRAGMA integrity_check(10)", {}, [&](const Row& row) {
    if (row.text(0) != "ok") damage += (damage.empty() ? "" : "; ") + row.string(0);
  }));
  if (!damage.empty()) return fail(Code::kCorrupt, "{} is damaged: {}", file.string(), damage);
  SqliteReader reader(connection);
  return work(reader);
}

}  // namespace weir::store
