#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "event/triggers.h"
#include "forge/standing.h"
#include "store/database.h"
#include "types/identity.h"

namespace weir::forge {

// What people and jobs write about a repository's work: issues, and comments on issues, pull requests and commits.
// GitHub's model: https://docs.github.com/en/rest/issues

struct Issue {
  std::string repo;
  std::int64_t number = 0;  // shared with pull requests
  bool is_pull = false;
  bool open = true;
  std::string title;
  std::string body;  // Markdown, not to be trusted
  std::string author;
  std::int64_t author_rank = kRankUnknown;  // standing.h
  std::vector<std::string> labels;
  std::vector<std::string> assignees;  // who is to do it
  TimePoint created_at;
  TimePoint updated_at;
  std::optional<TimePoint> closed_at;
  std::string closed_by;
};

struct Comment {
  std::int64_t id = 0;
  std::string repo;
  std::string subject;  // "issue/7", for pull requests too, or "commit/<sha>"
  std::string author;
  std::int64_t author_rank = kRankUnknown;  // standing.h
  std::string body;
  std::string path;                  // of a comment on a file; "" otherwise
  std::optional<std::int64_t> line;  // in it
  std::string commit;                // that the path is of
  TimePoint created_at;
  TimePoint updated_at;
};

struct IssueFilter {
  std::optional<bool> open;
  std::optional<bool> is_pull;
  std::string label;        // "": any
  std::int64_t before = 0;  // numbers below it; 0: from the newest
  std::int64_t limit = 30;  // 1 to 100
};

// What changes of an issue; what is not set stays.
struct IssueChange {
  std::optional<std::string> title;
  std::optional<std::string> body;
  std::optional<bool> open;
  std::optional<std::vector<std::string>> labels;
  std::optional<std::vector<std::string>> assignees = std::nullopt;
};

// The longest title and body that are taken, in bytes.
inline constexpr std::size_t kTitleMax = 1'024;
inline constexpr std::size_t kBodyMax = 1U << 20;

// Any thread; functions block for the commit. kInvalidArgument for what is too long or empty, kNotFound for a number
// that is none.
class Issues {
 public:
  // Without `standing` nothing is known of authors but what they could do when writing.
  Issues(store::Database& db, event::Triggers& triggers, const Standing* standing = nullptr)
      : db_(db), triggers_(triggers), standing_(standing) {}

  [[nodiscard]] const Standing* standing() const { return standing_; }

  // Event `issues`. A pull request is changed by Pulls: kInvalidArgument here.
  Result<Issue> open(const std::string& repo, const std::string& title, const std::string& body,
                     const std::vector<std::string>& labels, const types::Identity& identity);
  Result<Issue> change(const std::string& repo, std::int64_t number, const IssueChange& change,
                       const types::Identity& identity);
  Result<Issue> find(const std::string& repo, std::int64_t number);
  Result<std::vector<Issue>> list(const std::string& repo, const IssueFilter& filter);

  // On "issue/7" or "commit/<sha>". Events `issue_comment` and, on a line of what a pull request changes,
  // `pull_request_review_comment`: created, edited, deleted.
  Result<Comment> comment(Comment comment, const types::Identity& identity);
  // Its author, or a person with the role approver or more.
  Result<Comment> change_comment(const std::string& repo, std::int64_t id, const std::string& body,
                                 const types::Identity& identity);
  Result<void> remove_comment(const std::string& repo, std::int64_t id, const types::Identity& identity);
  Result<Comment> find_comment(const std::string& repo, std::int64_t id);
  // Oldest first, after the comment `after`.
  Result<std::vector<Comment>> comments(const std::string& repo, std::string_view subject, std::int64_t after,
                                        std::int64_t limit);

 private:
  Result<void> tell(const Comment& comment, std::string_view action, std::string_view type,
                    const types::Identity& identity, json::object changes,
                    const std::function<Result<void>(store::Transaction&)>& write);

  store::Database& db_;
  event::Triggers& triggers_;
  const Standing* standing_;
  std::mutex mutex_;  // one change at a time
};

// What a change of an issue or pull request is to workflows, as `types` of `on:` names it.
struct Activity {
  std::string action;
  json::object payload;  // what github.event has for it: the label that came or went, the texts that changed
};
// `edited` last; nothing if nothing changed.
std::vector<Activity> activities_of(const Issue& before, const Issue& after);

// For those who write issues in transactions of their own (pulls.cc).
// Numbers come first, in a transaction of their own: the payload of what happens names them.
Result<std::int64_t> reserve_number(store::Database& db, const std::string& series);
std::string issue_series(const std::string& repo);
Result<void> insert_issue(store::Transaction& tx, Issue& issue);
Result<Issue> load_issue(store::Reader& reader, const std::string& repo, std::int64_t number);
Result<void> update_issue(store::Transaction& tx, const Issue& issue);
Result<void> check_labels(const std::vector<std::string>& labels);
Result<void> check_assignees(const std::vector<std::string>& assignees);
// How the column has them.
std::string labels_text(const std::vector<std::string>& labels);
std::vector<std::string> labels_from(std::string_view text);
Result<void> check_text(std::string_view title, std::string_view body);

// Members as GitHub's webhooks and REST API name them, without addresses. `author_association` is as of the writing, or
// as of now where `standing` is given.
json::object to_json(const Issue& issue, const Standing* standing = nullptr);
json::object to_json(const Comment& comment, const Standing* standing = nullptr);

}  // namespace weir::forge
