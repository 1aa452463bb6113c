#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "store/database.h"
#include "track/filter.h"

// Pieces from which searches build their SQL.
namespace weir::track {

// SQL text with the values of its placeholders, in order.
struct Sql {
  std::string text;
  std::vector<store::Value> values;

  Sql& add(std::string_view sql) {
    text += sql;
    return *this;
  }
  Sql& add(std::string_view sql, store::Value value) {
    values.push_back(std::move(value));
    return add(sql);
  }
};

// Adds "<column> <op> ?" for the comparison's value. LIKE minds case, ILIKE does not; % and _ are the wildcards.
void add_comparison(Sql& sql, std::string_view column, const Comparison& comparison);

// Adds "(?, ?, ?)".
void add_list(Sql& sql, const std::vector<std::string>& values);
void add_list(Sql& sql, const std::vector<std::int64_t>& values);

// Adds "EXISTS (…)": a row of `table` with `join` ("t.run = r.run"), column key = comparison.key and a fitting value.
void add_key_value(Sql& sql, std::string_view table, std::string_view join, const Comparison& comparison);

// Where a search goes on. The token is opaque to clients; it names the query, so that it fits no other.
std::string make_page_token(std::int64_t offset, std::string_view query);
// 0 for "". kInvalidArgument for a token of another query, or what is no token.
Result<std::int64_t> read_page_token(std::string_view token, std::string_view query);

// kInvalidArgument unless 1 <= value <= max.
Result<void> check_results_max(std::int64_t value, std::int64_t max);

}  // namespace weir::track
