#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "store/database.h"
#include "text/diagnostic.h"

namespace weir::access {

// The live configuration: the weir.yaml of every repository's default branch, put together. Any thread.
//
// Kept in the database as text, so that a newer weir reads it anew, and in memory as an immutable snapshot. Two
// repositories cannot configure the same endpoint, gate, monitor or retraining; environments are each repository's own.
class ConfigStore {
 public:
  // Loads what was applied before. kFailedPrecondition, naming every repository, if a stored text no longer parses.
  static Result<std::unique_ptr<ConfigStore>> open(store::Database& db);

  // From now on, quiet hours of what is applied must be in a time zone that this knows. Before others use the store.
  void check_time_zones(std::function<bool(std::string_view name)> knows) { knows_time_zone_ = std::move(knows); }

  // What applies now; never null. It holds the environments that one repository alone names.
  [[nodiscard]] std::shared_ptr<const config::Config> current() const;
  // The configuration of one repository; defaults if it has no weir.yaml.
  [[nodiscard]] std::shared_ptr<const config::Config> of(const std::string& repository) const;
  // The configurations of all repositories that have one, by their names.
  [[nodiscard]] std::map<std::string, std::shared_ptr<const config::Config>> all() const;
  [[nodiscard]] bool has(const std::string& repository) const;
  // What is wrong with the newest weir.yaml of a repository, for people; "" if it is in force. What it would protect is
  // not known: nobody enters an environment that the one before does not name.
  [[nodiscard]] std::string refusal(const std::string& repository) const;
  // Whether another repository asks for reviewers of an environment of that name, and this one does not.
  [[nodiscard]] bool is_guarded_elsewhere(const std::string& repository, std::string_view environment) const;
  // The repository whose weir.yaml names the endpoint, or the model in `retrain` or `gates`. "" if none does.
  [[nodiscard]] std::string repository_of_endpoint(std::string_view endpoint) const;
  [[nodiscard]] std::string repository_of_model(std::string_view model) const;

  struct Applied {
    bool changed = false;  // false: the same as before, nothing recorded
    std::vector<config::Change> changes;
    std::vector<text::Diagnostic> problems;  // not empty: refused, the old one stays, event config.refused
  };
  // Applies `text`, the weir.yaml at `commit` ("" if the file is gone), with event config.applied or config.refused.
  Result<Applied> apply(const std::string& repository, const std::string& commit, const std::string& text,
                        const std::string& actor, std::int64_t cause);

 private:
  explicit ConfigStore(store::Database& db) : db_(db) {}
  // Puts all repositories together; names the first thing that two of them configure.
  using Parts = std::map<std::string, std::shared_ptr<const config::Config>>;
  static Result<std::shared_ptr<const config::Config>> merge(const Parts& parts);

  store::Database& db_;
  std::function<bool(std::string_view name)> knows_time_zone_;
  std::mutex applying_;       // one change at a time
  mutable std::mutex mutex_;  // guards what follows
  Parts parts_;
  std::map<std::string, std::string> refusals_;  // by repository
  std::shared_ptr<const config::Config> current_ = std::make_shared<config::Config>();
};

}  // namespace weir::access
