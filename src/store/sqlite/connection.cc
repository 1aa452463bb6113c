#include "store/sqlite/connection.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::store {
namespace {

class SqliteRow final : public Row {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}
  [[nodiscard]] bool is_null(int column) const override {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }
  [[nodiscard]] std::int64_t integer(int column) const override { return sqlite3_column_int64(statement_, column); }
  [[nodiscard]] double real(int column) const override { return sqlite3_column_double(statement_, column); }
  [[nodiscard]] std::string_view text(int column) const override {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    return bytes == nullptr
               ? std::string_view{}
               : std::string_view(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
  }

 private:
  sqlite3_stmt* statement_;
};

// Leaves the statement ready for its next use, whatever happened.
class Reset {
 public:
  explicit Reset(sqlite3_stmt* statement) : statement_(statement) {}
  ~Reset() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Reset(const Reset&) = delete;
  Reset& operator=(const Reset&) = delete;

 private:
  sqlite3_stmt* statement_;
};

constexpr std::size_t kStatementsMax = 500;

int bind(sqlite3_stmt* statement, int index, const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value.data)) return sqlite3_bind_int64(statement, index, *number);
  if (const auto* real = std::get_if<double>(&value.data)) return sqlite3_bind_double(statement, index, *real);
  if (const auto* text = std::get_if<std::string>(&value.data)) {
    // The values outlive the statement's run, so SQLite need not copy.
    return sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  return sqlite3_bind_null(statement, index);
}

}  // namespace

Result<Connection> Connection::open(const std::filesystem::path& file, bool read_only) {
  sqlite3* handle = nullptr;
  const int flags =
      SQLITE_OPEN_NOMUTEX | (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const int code = sqlite3_open_v2(file.c_str(), &handle, flags, nullptr);
  Connection connection(handle, file);
  if (code != SQLITE_OK) return fail(Code::kInternal, "cannot open {}: {}", file.string(), sqlite3_errstr(code));
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, 5'000);
  // LIKE minds case, as the standard and PostgreSQL have it.
  WEIR_TRY(connection.script("PRAGMA case_sensitive_like = ON"));
  return connection;
}

Connection::Connection(Connection&& other) noexcept
    : file_(std::move(other.file_)),
      handle_(std::exchange(other.handle_, nullptr)),
      statements_(std::move(other.statements_)) {
  other.statements_.clear();
}

Connection::~Connection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

std::unexpected<Error> Connection::no_room() const {
  return fail(Code::kResourceExhausted,
              "no room on the disk of {}; this was not stored. Free some room there and try again", file_.string());
}

std::unexpected<Error> Connection::error(std::string_view sql) const {
  const int code = sqlite3_extended_errcode(handle_);
  const int system = sqlite3_system_errno(handle_);
  const std::string what = sqlite3_errmsg(handle_);
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
      if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY) {
        return fail(Code::kAlreadyExists, "{}", what);
      }
      return fail(Code::kInvalidArgument, "{} in: {}", what, sql);
    case SQLITE_FULL: return no_room();
    case SQLITE_IOERR:
      if (system == ENOSPC || system == EDQUOT) return no_room();
      return fail(
          Code::kInternal,
          "the disk of {} failed ({}{}{}, {}); this was not stored. See what the system's log says about that disk "
          "(dmesg), then try again",
          file_.string(), what, system == 0 ? "" : ": ", system == 0 ? "" : std::strerror(system), code);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fail(Code::kCorrupt, "the metadata database {} is damaged ({}); stop the server and run: weir fsck",
                  file_.string(), what);
    case SQLITE_BUSY: return fail(Code::kUnavailable, "the metadata database is busy: {}", what);
    default: return fail(Code::kInternal, "metadata database: {} ({}) in: {}", what, code, sql);
  }
}

Result<sqlite3_stmt*> Connection::prepare(std::string_view sql) {
  if (const auto found = statements_.find(sql); found != statements_.end()) return found->second;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                         nullptr) != SQLITE_OK) {
    return error(sql);
  }
  if (statements_.size() >= kStatementsMax) {
    // Searches make their own texts, so the cache must end somewhere. What is running stays.
    std::erase_if(statements_, [](const auto& entry) {
      if (sqlite3_stmt_busy(entry.second) != 0) return false;
      sqlite3_finalize(entry.second);
      return true;
    });
  }
  statements_.emplace(sql, statement);
  return statement;
}

Result<void> Connection::query(std::string_view sql, Values values, const std::function<void(const Row&)>& each) {
  sqlite3_stmt* statement = WEIR_TRY(prepare(sql));
  const Reset reset(statement);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (bind(statement, static_cast<int>(i) + 1, values[i]) != SQLITE_OK) return error(sql);
  }
  const SqliteRow row(statement);
  for (;;) {
    const int code = sqlite3_step(statement);
    if (code == SQLITE_DONE) return {};
    if (code != SQLITE_ROW) return error(sql);
    each(row);
  }
}

Result<std::int64_t> Connection::execute(std::string_view sql, Values values) {
  WEIR_TRY(query(sql, values, [](const Row&) {}));
  return sqlite3_changes64(handle_);
}

Result<void> Connection::script(std::string_view sql) {
  if (sqlite3_exec(handle_, std::string(sql).c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return error(sql);
  return {};
}

}  // namespace weir::store
