#include "track/search_sql.h"

#include <charconv>

#include "base/hash.h"

namespace weir::track {
namespace {

// Backslash is no wildcard of the filter language, but it would be one of SQL's.
std::string like_pattern(std::string_view pattern) {
  std::string escaped;
  for (const char c : pattern) {
    if (c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

template <class T>
void add_any_list(Sql& sql, const std::vector<T>& values) {
  sql.add("(");
  for (std::size_t i = 0; i < values.size(); ++i) sql.add(i == 0 ? "?" : ", ?", store::Value(values[i]));
  sql.add(")");
}

std::string fingerprint(std::string_view query) {
  return sha256_hex(query).substr(0, 8);
}

}  // namespace

void add_list(Sql& sql, const std::vector<std::string>& values) {
  add_any_list(sql, values);
}
void add_list(Sql& sql, const std::vector<std::int64_t>& values) {
  add_any_list(sql, values);
}

void add_comparison(Sql& sql, std::string_view column, const Comparison& comparison) {
  if (const auto* list = std::get_if<std::vector<std::string>>(&comparison.value)) {
    sql.add(column).add(" ").add(op_text(comparison.op)).add(" ");
    add_list(sql, *list);
    return;
  }
  if (const auto* text = std::get_if<std::string>(&comparison.value)) {
    if (comparison.op == Op::kLike) {
      sql.add(column).add(" LIKE ? ESCAPE '\\'", like_pattern(*text));
    } else if (comparison.op == Op::kIlike) {
      sql.add("LOWER(").add(column).add(") LIKE LOWER(?) ESCAPE '\\'", like_pattern(*text));
    } else {
      sql.add(column).add(" ").add(op_text(comparison.op)).add(" ?", *text);
    }
    return;
  }
  store::Value value = nullptr;
  if (const auto* whole = std::get_if<std::int64_t>(&comparison.value)) value = *whole;
  if (const auto* real = std::get_if<double>(&comparison.value)) value = *real;
  sql.add(column).add(" ").add(op_text(comparison.op)).add(" ?", std::move(value));
}

void add_key_value(Sql& sql, std::string_view table, std::string_view join, const Comparison& comparison) {
  if (comparison.op == Op::kIsNull) sql.add("NOT ");
  sql.add("EXISTS (SELECT 1 FROM ").add(table).add(" t WHERE ").add(join).add(" AND t.key = ?", comparison.key);
  if (comparison.op != Op::kIsNull && comparison.op != Op::kIsNotNull) {
    sql.add(" AND ");
    add_comparison(sql, "t.value", comparison);
  }
  sql.add(")");
}

std::string make_page_token(std::int64_t offset, std::string_view query) {
  return fmt::format("{}.{}", offset, fingerprint(query));
}

Result<std::int64_t> read_page_token(std::string_view token, std::string_view query) {
  if (token.empty()) return 0;
  std::int64_t offset = 0;
  const char* end = token.data() + token.size();
  const auto read = std::from_chars(token.data(), end, offset);
  if (read.ec != std::errc() || offset < 0 || read.ptr == end || *read.ptr != '.') {
    return fail(Code::kInvalidArgument, "invalid page token \"{}\"; use next_page_token of the page before",
                token.substr(0, 80));
  }
  if (std::string_view(read.ptr + 1, end) != fingerprint(query)) {
    return fail(Code::kInvalidArgument, "page token \"{}\" belongs to another search; repeat the search that gave it",
                token.substr(0, 80));
  }
  return offset;
}

Result<void> check_results_max(std::int64_t value, std::int64_t max) {
  if (value >= 1 && value <= max) return {};
  return fail(Code::kInvalidArgument, "max_results is {}; it must be from 1 to {}", value, max);
}

}  // namespace weir::track
