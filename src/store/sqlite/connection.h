#pragma once

#include <sqlite3.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "store/database.h"

namespace weir::store {

// One SQLite connection with its cache of prepared statements. One thread at a time.
class Connection {
 public:
  static Result<Connection> open(const std::filesystem::path& file, bool read_only);
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&&) = delete;
  ~Connection();

  Result<void> query(std::string_view sql, Values values, const std::function<void(const Row&)>& each);
  Result<std::int64_t> execute(std::string_view sql, Values values);
  // Several statements without values: schema, pragmas, BEGIN and COMMIT.
  Result<void> script(std::string_view sql);
  // False also when SQLite gave the transaction up by itself, as it may when the disk is full or fails.
  [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

 private:
  Connection(sqlite3* handle, std::filesystem::path file) : file_(std::move(file)), handle_(handle) {}
  Result<sqlite3_stmt*> prepare(std::string_view sql);
  [[nodiscard]] std::unexpected<Error> error(std::string_view sql) const;
  [[nodiscard]] std::unexpected<Error> no_room() const;

  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::filesystem::path file_;  // for messages
  sqlite3* handle_ = nullptr;
  std::unordered_map<std::string, sqlite3_stmt*, TextHash, std::equal_to<>> statements_;
};

}  // namespace weir::store
