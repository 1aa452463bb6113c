#include "forge/pull_rows.h"

#include <algorithm>

namespace weir::forge {
namespace {

constexpr std::string_view kColumns =
    "repo, number, head_ref, head_sha, base_ref, base_sha, merge_sha, conflicts, draft, is_foreign, merged_at, "
    "merged_by, merged_sha, requested";
constexpr std::string_view kReviewColumns =
    "id, author, state, commit_id, submitted_at, body, dismissed_by, dismissal, "
    "author_rank";
constexpr std::int64_t kOpenMax = 10'000;

std::string list_text(const std::vector<std::string>& list) {
  json::array array;
  for (const auto& one : list) array.emplace_back(one);
  return json::serialize(array);
}

std::vector<std::string> list_from(std::string_view text) {
  std::vector<std::string> list;
  const auto value = parse_json(text, "list");
  if (!value || !value->is_array()) return list;
  for (const auto& one : value->get_array()) {
    if (one.is_string()) list.emplace_back(one.get_string());
  }
  return list;
}

Pull read_pull(const store::Row& row) {
  Pull pull;
  pull.issue.repo = row.string(0);
  pull.issue.number = row.integer(1);
  pull.head_ref = row.string(2);
  pull.head_sha = row.string(3);
  pull.base_ref = row.string(4);
  pull.base_sha = row.string(5);
  pull.merge_sha = row.string(6);
  pull.conflicts = list_from(row.text(7));
  pull.draft = row.boolean(8);
  pull.is_foreign = row.boolean(9);
  if (!row.is_null(10)) pull.merged_at = row.time(10);
  pull.merged_by = row.string(11);
  pull.merged_sha = row.string(12);
  pull.requested = list_from(row.text(13));
  return pull;
}

Result<std::vector<Pull>> load_all(store::Reader& reader, const std::vector<std::int64_t>& numbers,
                                   const std::string& repo) {
  std::vector<Pull> pulls;
  pulls.reserve(numbers.size());
  for (const auto number : numbers) pulls.push_back(WEIR_TRY(load_pull(reader, repo, number)));
  return pulls;
}

}  // namespace

Result<Pull> load_pull(store::Reader& reader, const std::string& repo, std::int64_t number) {
  auto pull = WEIR_TRY(reader.first<Pull>(
      fmt::format("SELECT {} FROM forge_pulls WHERE repo = ? AND number = ?", kColumns), {repo, number}, read_pull));
  if (!pull) return fail(Code::kNotFound, "repository {} has no pull request {}", repo, number);
  pull->issue = WEIR_TRY(load_issue(reader, repo, number));
  return *std::move(pull);
}

Result<std::vector<Pull>> list_pulls(store::Reader& reader, const std::string& repo, const IssueFilter& filter) {
  std::string sql = "SELECT number FROM forge_issues WHERE repo = ? AND is_pull = 1 ";
  std::vector<store::Value> values{repo};
  if (filter.open) {
    sql += "AND open = ? ";
    values.emplace_back(*filter.open);
  }
  if (filter.before > 0) {
    sql += "AND number < ? ";
    values.emplace_back(filter.before);
  }
  sql += "ORDER BY number DESC LIMIT ?";
  values.emplace_back(std::clamp<std::int64_t>(filter.limit, 1, 100));
  std::vector<std::int64_t> numbers;
  WEIR_TRY(reader.query(sql, store::Values(values), [&](const store::Row& row) { numbers.push_back(row.integer(0)); }));
  return load_all(reader, numbers, repo);
}

Result<std::vector<Pull>> open_pulls(store::Reader& reader, const std::string& repo) {
  const auto numbers = WEIR_TRY(reader.all<std::int64_t>(
      "SELECT number FROM forge_issues WHERE repo = ? AND is_pull = 1 AND open = 1 ORDER BY number LIMIT ?",
      {repo, kOpenMax}, [](const store::Row& row) { return row.integer(0); }));
  return load_all(reader, numbers, repo);
}

Result<void> insert_pull(store::Transaction& tx, const Pull& pull) {
  WEIR_TRY(
      tx.execute(fmt::format("INSERT INTO forge_pulls({}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", kColumns),
                 {pull.issue.repo, pull.issue.number, pull.head_ref, pull.head_sha, pull.base_ref, pull.base_sha,
                  pull.merge_sha, list_text(pull.conflicts), pull.draft, pull.is_foreign, pull.merged_at,
                  pull.merged_by, pull.merged_sha, list_text(pull.requested)}));
  return {};
}

Result<void> update_pull(store::Transaction& tx, const Pull& pull) {
  WEIR_TRY(
      tx.execute("UPDATE forge_pulls SET head_sha = ?, base_ref = ?, base_sha = ?, merge_sha = ?, conflicts = ?, "
                 "draft = ?, merged_at = ?, merged_by = ?, merged_sha = ?, requested = ? WHERE repo = ? AND number = ?",
                 {pull.head_sha, pull.base_ref, pull.base_sha, pull.merge_sha, list_text(pull.conflicts), pull.draft,
                  pull.merged_at, pull.merged_by, pull.merged_sha, list_text(pull.requested), pull.issue.repo,
                  pull.issue.number}));
  return {};
}

namespace {

Review read_review(const store::Row& row) {
  return {.id = row.integer(0),
          .author = row.string(1),
          .author_rank = row.integer(8),
          .state = static_cast<ReviewState>(row.integer(2)),
          .body = row.string(5),
          .commit = row.string(3),
          .submitted_at = row.time(4),
          .dismissed_by = row.string(6),
          .dismissal = row.string(7)};
}

}  // namespace

Result<std::vector<Review>> load_reviews(store::Reader& reader, const std::string& repo, std::int64_t number) {
  return reader.all<Review>(
      fmt::format("SELECT {} FROM forge_reviews WHERE repo = ? AND number = ? ORDER BY id", kReviewColumns),
      {repo, number}, read_review);
}

Result<Review> load_review(store::Reader& reader, const std::string& repo, std::int64_t number, std::int64_t id) {
  auto review = WEIR_TRY(reader.first<Review>(
      fmt::format("SELECT {} FROM forge_reviews WHERE repo = ? AND number = ? AND id = ?", kReviewColumns),
      {repo, number, id}, read_review));
  if (!review) return fail(Code::kNotFound, "pull request #{} has no review {}", number, id);
  return *std::move(review);
}

Result<void> update_review(store::Transaction& tx, const Review& review) {
  WEIR_TRY(tx.execute(
      "UPDATE forge_reviews SET state = ?, body = ?, dismissed_by = ?, dismissal = ? WHERE id = ?",
      {static_cast<std::int64_t>(review.state), review.body, review.dismissed_by, review.dismissal, review.id}));
  return {};
}

Result<std::vector<UnderReview>> load_under_review(store::Reader& reader, const std::string& repo) {
  std::vector<UnderReview> all;
  WEIR_TRY(reader.query(
      "SELECT i.repo, i.number, i.author, p.base_ref, r.author, r.state, p.requested FROM forge_issues i "
      "JOIN forge_pulls p ON p.repo = i.repo AND p.number = i.number "
      "LEFT JOIN forge_reviews r ON r.repo = i.repo AND r.number = i.number AND r.commit_id = p.head_sha AND r.state "
      "<> ? "
      "WHERE i.is_pull = 1 AND i.open = 1 AND p.draft = 0 AND p.merged_at IS NULL AND (? = '' OR i.repo = ?) "
      "ORDER BY i.created_at DESC, i.repo, i.number DESC, r.id",
      {static_cast<std::int64_t>(ReviewState::kCommented), repo, repo}, [&](const store::Row& row) {
        if (all.empty() || all.back().repo != row.text(0) || all.back().number != row.integer(1)) {
          all.push_back({row.string(0), row.integer(1), row.string(2), row.string(3), {}, list_from(row.text(6))});
        }
        if (!row.is_null(4)) all.back().verdicts[row.string(4)] = static_cast<ReviewState>(row.integer(5));
      }));
  return all;
}

std::string subject_of(const Pull& pull) {
  return fmt::format("pull/{}/{}", pull.issue.repo, pull.issue.number);
}

Result<void> insert_review(store::Transaction& tx, const std::string& repo, std::int64_t number, const Review& review) {
  WEIR_TRY(tx.execute(
      "INSERT INTO forge_reviews(id, repo, number, author, state, commit_id, submitted_at, body, author_rank) "
      "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {review.id, repo, number, review.author, static_cast<std::int64_t>(review.state), review.commit,
       review.submitted_at, review.body, review.author_rank}));
  return {};
}

}  // namespace weir::forge
