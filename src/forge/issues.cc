#include "forge/issues.h"

#include <algorithm>

#include "event/occurrence.h"
#include "forge/hidden_comments.h"
#include "forge/issue_events.h"
#include "forge/labels.h"
#include "forge/pull_rows.h"
#include "forge/reactions.h"
#include "types/event.h"

namespace weir::forge {
namespace {

constexpr std::string_view kIssueColumns =
    "repo, number, is_pull, open, title, author, created_at, updated_at, closed_at, closed_by, labels, body, "
    "author_rank, assignees";
constexpr std::string_view kCommentColumns =
    "id, repo, subject, author, path, line, commit_id, created_at, updated_at, body, author_rank";
constexpr std::size_t kLabelsMax = 100;
constexpr std::size_t kAssigneesMax = 10;  // as many as GitHub takes

std::optional<TimePoint> time_or_null(const store::Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(row.time(column));
}

Issue read_issue(const store::Row& row) {
  return {.repo = row.string(0),
          .number = row.integer(1),
          .is_pull = row.boolean(2),
          .open = row.boolean(3),
          .title = row.string(4),
          .body = row.string(11),
          .author = row.string(5),
          .author_rank = row.integer(12),
          .labels = labels_from(row.text(10)),
          .assignees = labels_from(row.text(13)),
          .created_at = row.time(6),
          .updated_at = row.time(7),
          .closed_at = time_or_null(row, 8),
          .closed_by = row.string(9)};
}

Comment read_comment(const store::Row& row) {
  return {.id = row.integer(0),
          .repo = row.string(1),
          .subject = row.string(2),
          .author = row.string(3),
          .author_rank = row.integer(10),
          .body = row.string(9),
          .path = row.string(4),
          .line = row.integer_or_null(5),
          .commit = row.string(6),
          .created_at = row.time(7),
          .updated_at = row.time(8)};
}

std::string subject_of(const Issue& issue) {
  return fmt::format("{}/{}/{}", issue.is_pull ? "pull" : "issue", issue.repo, issue.number);
}

std::vector<event::Occurrence> occurrences_of(const Issue& issue, std::vector<Activity> activities,
                                              const types::Identity& identity, const Standing* standing) {
  std::vector<event::Occurrence> occurrences;
  for (auto& activity : activities) {
    activity.payload["issue"] = to_json(issue, standing);
    occurrences.push_back({.info = {.event = "issues", .action = std::move(activity.action)},
                           .payload = std::move(activity.payload),
                           .title = issue.title,
                           .actor = identity.name});
  }
  return occurrences;
}

// The number of "issue/7"; 0 for another subject.
std::int64_t number_of(std::string_view subject) {
  constexpr std::string_view kIssue = "issue/";
  if (!subject.starts_with(kIssue)) return 0;
  return std::strtoll(std::string(subject.substr(kIssue.size())).c_str(), nullptr, 10);
}

Result<void> may_edit(const Comment& comment, const types::Identity& identity) {
  const bool person = !identity.job_id && identity.role && *identity.role >= types::Role::kApprover;
  // Jobs share what they say, as everything that GitHub's own token writes is by one author.
  const bool own = comment.author == identity.name || (identity.job_id && comment.author.starts_with("job:"));
  if (own || person) return {};
  return fail(Code::kPermissionDenied, "comment {} is by {}; {} may not change it", comment.id, comment.author,
              identity.name);
}

Result<Comment> load_comment(store::Reader& reader, const std::string& repo, std::int64_t id) {
  auto comment = WEIR_TRY(
      reader.first<Comment>(fmt::format("SELECT {} FROM forge_comments WHERE id = ? AND repo = ?", kCommentColumns),
                            {id, repo}, read_comment));
  if (!comment) return fail(Code::kNotFound, "repository {} has no comment {}", repo, id);
  return *std::move(comment);
}

}  // namespace

std::string labels_text(const std::vector<std::string>& labels) {
  json::array array;
  for (const auto& label : labels) array.emplace_back(label);
  return json::serialize(array);
}

std::vector<std::string> labels_from(std::string_view text) {
  std::vector<std::string> labels;
  const auto value = parse_json(text, "labels");
  if (!value || !value->is_array()) return labels;
  for (const auto& label : value->get_array()) {
    if (label.is_string()) labels.emplace_back(label.get_string());
  }
  return labels;
}

Result<void> check_labels(const std::vector<std::string>& labels) {
  if (labels.size() > kLabelsMax) return fail(Code::kInvalidArgument, "at most {} labels may be given", kLabelsMax);
  for (const auto& label : labels) {
    if (label.empty() || label.size() > 50) {
      return fail(Code::kInvalidArgument, "the label \"{}\" must have 1 to 50 characters", label.substr(0, 60));
    }
  }
  return {};
}

Result<void> check_assignees(const std::vector<std::string>& assignees) {
  if (assignees.size() <= kAssigneesMax) return {};
  return fail(Code::kInvalidArgument, "at most {} people may be assigned", kAssigneesMax);
}

Result<void> check_text(std::string_view title, std::string_view body) {
  if (title.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return fail(Code::kInvalidArgument, "the title must not be empty");
  }
  if (title.size() > kTitleMax) return fail(Code::kInvalidArgument, "the title may have {} bytes", kTitleMax);
  if (body.size() > kBodyMax) return fail(Code::kInvalidArgument, "the text may have {} bytes", kBodyMax);
  return {};
}

Result<std::int64_t> reserve_number(store::Database& db, const std::string& series) {
  return db.write_with<std::int64_t>([&](store::Transaction& tx) { return tx.next_id(series); });
}

std::string issue_series(const std::string& repo) {
  return "issue/" + repo;
}

Result<void> insert_issue(store::Transaction& tx, Issue& issue) {
  issue.created_at = issue.updated_at = tx.now();
  WEIR_TRY(ensure_labels(tx, issue.repo, issue.labels));
  WEIR_TRY(tx.execute(
      fmt::format("INSERT INTO forge_issues({}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", kIssueColumns),
      {issue.repo, issue.number, issue.is_pull, issue.open, issue.title, issue.author, issue.created_at,
       issue.updated_at, issue.closed_at, issue.closed_by, labels_text(issue.labels), issue.body, issue.author_rank,
       labels_text(issue.assignees)}));
  return {};
}

Result<Issue> load_issue(store::Reader& reader, const std::string& repo, std::int64_t number) {
  auto issue = WEIR_TRY(
      reader.first<Issue>(fmt::format("SELECT {} FROM forge_issues WHERE repo = ? AND number = ?", kIssueColumns),
                          {repo, number}, read_issue));
  if (!issue) return fail(Code::kNotFound, "repository {} has no issue or pull request {}", repo, number);
  return *std::move(issue);
}

Result<void> update_issue(store::Transaction& tx, const Issue& issue) {
  WEIR_TRY(ensure_labels(tx, issue.repo, issue.labels));
  WEIR_TRY(
      tx.execute("UPDATE forge_issues SET open = ?, title = ?, updated_at = ?, closed_at = ?, closed_by = ?, "
                 "labels = ?, body = ?, assignees = ? WHERE repo = ? AND number = ?",
                 {issue.open, issue.title, tx.now(), issue.closed_at, issue.closed_by, labels_text(issue.labels),
                  issue.body, labels_text(issue.assignees), issue.repo, issue.number}));
  return {};
}

Result<Issue> Issues::open(const std::string& repo, const std::string& title, const std::string& body,
                           const std::vector<std::string>& labels, const types::Identity& identity) {
  WEIR_TRY(check_text(title, body));
  WEIR_TRY(check_labels(labels));
  Issue issue{.repo = repo,
              .number = WEIR_TRY(reserve_number(db_, issue_series(repo))),
              .title = title,
              .body = body,
              .author = identity.name,
              .author_rank = rank_of(identity),
              .labels = labels};
  auto unlabeled = issue;
  unlabeled.labels.clear();
  auto activities = activities_of(unlabeled, issue);
  const auto events = events_of(issue, activities);
  activities.insert(activities.begin(), {.action = "opened"});
  const auto occurrences = occurrences_of(issue, std::move(activities), identity, standing_);
  WEIR_TRY(triggers_.occurred(repo, occurrences, identity, [&](store::Transaction& tx) -> Result<std::int64_t> {
    WEIR_TRY(insert_issue(tx, issue));
    WEIR_TRY(insert_issue_events(tx, issue, identity.name, events));
    return tx.append({.type = std::string(types::event_type::kIssueOpened),
                      .actor = identity.name,
                      .subject = subject_of(issue),
                      .payload = {{"title", title}}});
  }));
  return issue;
}

Result<Issue> Issues::change(const std::string& repo, std::int64_t number, const IssueChange& change,
                             const types::Identity& identity) {
  const std::scoped_lock lock(mutex_);
  const auto before = WEIR_TRY(find(repo, number));
  if (before.is_pull) return fail(Code::kInvalidArgument, "{} is a pull request; change it as one", number);
  auto issue = before;
  if (change.title) issue.title = *change.title;
  if (change.body) issue.body = *change.body;
  if (change.labels) issue.labels = *change.labels;
  if (change.assignees) issue.assignees = *change.assignees;
  if (change.open) issue.open = *change.open;
  WEIR_TRY(check_text(issue.title, issue.body));
  WEIR_TRY(check_labels(issue.labels));
  WEIR_TRY(check_assignees(issue.assignees));
  auto activities = activities_of(before, issue);
  const auto events = events_of(issue, activities);
  const auto occurrences = occurrences_of(issue, std::move(activities), identity, standing_);
  const bool closes = before.open && !issue.open;
  WEIR_TRY(triggers_.occurred(repo, occurrences, identity, [&](store::Transaction& tx) -> Result<std::int64_t> {
    if (closes) {
      issue.closed_at = tx.now();
      issue.closed_by = identity.name;
    } else if (issue.open) {
      issue.closed_at.reset();
      issue.closed_by.clear();
    }
    issue.updated_at = tx.now();
    WEIR_TRY(update_issue(tx, issue));
    WEIR_TRY(insert_issue_events(tx, issue, identity.name, events));
    const std::string_view action = occurrences.empty() ? "edited" : std::string_view(occurrences.front().info.action);
    return tx.append({.type = std::string(closes ? types::event_type::kIssueClosed : types::event_type::kIssueUpdated),
                      .actor = identity.name,
                      .subject = subject_of(issue),
                      .payload = {{"title", issue.title}, {"action", action}}});
  }));
  return issue;
}

Result<Issue> Issues::find(const std::string& repo, std::int64_t number) {
  return db_.load<Issue>([&](store::Reader& reader) { return load_issue(reader, repo, number); });
}

Result<std::vector<Issue>> Issues::list(const std::string& repo, const IssueFilter& filter) {
  std::string sql = fmt::format("SELECT {} FROM forge_issues WHERE repo = ? ", kIssueColumns);
  std::vector<store::Value> values{repo};
  const auto where = [&](std::string_view condition, store::Value value) {
    sql += fmt::format("AND {} ", condition);
    values.push_back(std::move(value));
  };
  if (filter.is_pull) where("is_pull = ?", *filter.is_pull);
  if (filter.open) where("open = ?", *filter.open);
  if (filter.before > 0) where("number < ?", filter.before);
  sql += "ORDER BY number DESC";
  std::vector<Issue> issues;
  const auto limit = static_cast<std::size_t>(std::clamp<std::int64_t>(filter.limit, 1, 100));
  if (filter.label.empty()) {
    sql += " LIMIT ?";
    values.emplace_back(static_cast<std::int64_t>(limit));
  }
  WEIR_TRY(db_.read([&](store::Reader& reader) {
    return reader.query(sql, store::Values(values), [&](const store::Row& row) {
      if (issues.size() == limit) return;
      auto issue = read_issue(row);
      const bool fits = filter.label.empty() || std::ranges::find(issue.labels, filter.label) != issue.labels.end();
      if (fits) issues.push_back(std::move(issue));
    });
  }));
  return issues;
}

// Writes a comment's coming, change or going, and starts what listens to it. Those on commits start nothing, as with
// GitHub.
Result<void> Issues::tell(const Comment& comment, std::string_view action, std::string_view type,
                          const types::Identity& identity, json::object changes,
                          const std::function<Result<void>(store::Transaction&)>& write) {
  std::vector<event::Occurrence> occurrences;
  std::string subject = fmt::format("repo/{}", comment.repo);
  if (const auto number = number_of(comment.subject); number != 0) {
    const auto issue = WEIR_TRY(find(comment.repo, number));
    subject = subject_of(issue);
    json::object payload{{"comment", to_json(comment, standing_)}};
    if (!changes.empty()) payload["changes"] = std::move(changes);
    if (issue.is_pull && !comment.path.empty()) {
      const auto pull =
          WEIR_TRY(db_.load<Pull>([&](store::Reader& reader) { return load_pull(reader, comment.repo, number); }));
      occurrences.push_back(
          occurrence_of(pull, "pull_request_review_comment", action, std::move(payload), identity, standing_));
    } else {
      payload["issue"] = to_json(issue, standing_);
      occurrences.push_back({.info = {.event = "issue_comment", .action = std::string(action)},
                             .payload = std::move(payload),
                             .title = issue.title,
                             .actor = identity.name});
    }
  }
  WEIR_TRY(triggers_.occurred(comment.repo, occurrences, identity, [&](store::Transaction& tx) -> Result<std::int64_t> {
    WEIR_TRY(write(tx));
    return tx.append({.type = std::string(type),
                      .actor = identity.name,
                      .subject = subject,
                      .payload = {{"comment", comment.id}, {"on", comment.subject}}});
  }));
  return {};
}

Result<Comment> Issues::comment(Comment comment, const types::Identity& identity) {
  WEIR_TRY(check_text("a comment", comment.body));
  if (comment.body.empty()) return fail(Code::kInvalidArgument, "the comment must not be empty");
  comment.author = identity.name;
  comment.author_rank = rank_of(identity);
  comment.id = WEIR_TRY(reserve_number(db_, "comment"));
  WEIR_TRY(
      tell(comment, "created", types::event_type::kCommentCreated, identity, {},
           [&](store::Transaction& tx) -> Result<void> {
             comment.created_at = comment.updated_at = tx.now();
             WEIR_TRY(tx.execute(
                 fmt::format("INSERT INTO forge_comments({}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", kCommentColumns),
                 {comment.id, comment.repo, comment.subject, comment.author, comment.path, comment.line, comment.commit,
                  comment.created_at, comment.updated_at, comment.body, comment.author_rank}));
             return {};
           }));
  return comment;
}

Result<Comment> Issues::change_comment(const std::string& repo, std::int64_t id, const std::string& body,
                                       const types::Identity& identity) {
  WEIR_TRY(check_text("a comment", body));
  if (body.empty()) return fail(Code::kInvalidArgument, "the comment must not be empty");
  const std::scoped_lock lock(mutex_);
  auto comment = WEIR_TRY(find_comment(repo, id));
  WEIR_TRY(may_edit(comment, identity));
  const auto before = std::exchange(comment.body, body);
  WEIR_TRY(tell(comment, "edited", types::event_type::kCommentUpdated, identity,
                {{"body", json::object{{"from", before}}}}, [&](store::Transaction& tx) -> Result<void> {
                  comment.updated_at = tx.now();
                  WEIR_TRY(tx.execute("UPDATE forge_comments SET body = ?, updated_at = ? WHERE id = ?",
                                      {body, comment.updated_at, id}));
                  return {};
                }));
  return comment;
}

Result<void> Issues::remove_comment(const std::string& repo, std::int64_t id, const types::Identity& identity) {
  const std::scoped_lock lock(mutex_);
  const auto comment = WEIR_TRY(find_comment(repo, id));
  WEIR_TRY(may_edit(comment, identity));
  return tell(comment, "deleted", types::event_type::kCommentDeleted, identity, {},
              [&](store::Transaction& tx) -> Result<void> {
                WEIR_TRY(tx.execute("DELETE FROM forge_comments WHERE id = ?", {id}));
                WEIR_TRY(forget_hidden(tx, id));
                return remove_reactions(tx, repo, fmt::format("comment/{}", id));
              });
}

Result<Comment> Issues::find_comment(const std::string& repo, std::int64_t id) {
  return db_.load<Comment>([&](store::Reader& reader) { return load_comment(reader, repo, id); });
}

Result<std::vector<Comment>> Issues::comments(const std::string& repo, std::string_view subject, std::int64_t after,
                                              std::int64_t limit) {
  return db_.load<std::vector<Comment>>([&](store::Reader& reader) {
    return reader.all<Comment>(
        fmt::format("SELECT {} FROM forge_comments WHERE repo = ? AND subject = ? AND id > ? ORDER BY id LIMIT ?",
                    kCommentColumns),
        {repo, subject, after, std::clamp<std::int64_t>(limit, 1, 100)}, read_comment);
  });
}

std::vector<Activity> activities_of(const Issue& before, const Issue& after) {
  std::vector<Activity> all;
  if (before.open != after.open) all.push_back({.action = after.open ? "reopened" : "closed"});
  const auto of_labels = [&](const Issue& has, const Issue& lacks, std::string_view action) {
    for (const auto& label : has.labels) {
      if (std::ranges::find(lacks.labels, label) != lacks.labels.end()) continue;
      all.push_back({.action = std::string(action), .payload = {{"label", json::object{{"name", label}}}}});
    }
  };
  of_labels(after, before, "labeled");
  of_labels(before, after, "unlabeled");
  const auto of_people = [&](const Issue& has, const Issue& lacks, std::string_view action) {
    for (const auto& name : has.assignees) {
      if (std::ranges::find(lacks.assignees, name) != lacks.assignees.end()) continue;
      all.push_back({.action = std::string(action), .payload = {{"assignee", event::user_payload(name)}}});
    }
  };
  of_people(after, before, "assigned");
  of_people(before, after, "unassigned");
  json::object changes;
  if (before.title != after.title) changes["title"] = json::object{{"from", before.title}};
  if (before.body != after.body) changes["body"] = json::object{{"from", before.body}};
  if (!changes.empty()) all.push_back({.action = "edited", .payload = {{"changes", std::move(changes)}}});
  return all;
}

json::object to_json(const Issue& issue, const Standing* standing) {
  json::array labels;
  for (const auto& label : issue.labels) labels.push_back(json::object{{"name", label}});
  json::array assignees;
  for (const auto& name : issue.assignees) assignees.push_back(event::user_payload(name));
  json::object object{{"id", issue.number},
                      {"number", issue.number},
                      {"state", issue.open ? "open" : "closed"},
                      {"title", issue.title},
                      {"body", issue.body},
                      {"user", event::user_payload(issue.author)},
                      {"labels", std::move(labels)},
                      {"assignee", assignees.empty() ? json::value() : assignees.front()},
                      {"assignees", assignees},
                      {"created_at", to_iso8601(issue.created_at)},
                      {"updated_at", to_iso8601(issue.updated_at)},
                      {"closed_at", issue.closed_at ? json::value(to_iso8601(*issue.closed_at)) : json::value()}};
  if (issue.is_pull) object["pull_request"] = json::object();
  object["author_association"] = association_of(issue.author_rank);
  if (standing != nullptr) standing->put(object, {issue.repo, issue.author, issue.author_rank, issue.is_pull});
  return object;
}

json::object to_json(const Comment& comment, const Standing* standing) {
  json::object object{{"id", comment.id},
                      {"body", comment.body},
                      {"user", event::user_payload(comment.author)},
                      {"author_association", association_of(comment.author_rank)},
                      {"path", comment.path.empty() ? json::value() : json::value(comment.path)},
                      {"line", comment.line ? json::value(*comment.line) : json::value()},
                      {"commit_id", comment.commit},
                      {"created_at", to_iso8601(comment.created_at)},
                      {"updated_at", to_iso8601(comment.updated_at)}};
  if (standing != nullptr) standing->put(object, {comment.repo, comment.author, comment.author_rank});
  return object;
}

}  // namespace weir::forge
