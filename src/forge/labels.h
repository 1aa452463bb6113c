#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "event/triggers.h"
#include "store/database.h"
#include "types/identity.h"

namespace weir::forge {

// A name that issues and pull requests of a repository may carry. Letters' case does not tell two apart.
struct Label {
  std::string name;
  std::string color = "ededed";  // six hexadecimal digits
  std::string description;
  bool operator==(const Label&) const = default;
};

// Any thread; functions block for the commit. kInvalidArgument names the member that is wrong, kAlreadyExists a name
// that is taken, kNotFound one that is not there. A label that an issue is given is there from then on.
class Labels {
 public:
  Labels(store::Database& db, event::Triggers& triggers) : db_(db), triggers_(triggers) {}

  // By name.
  Result<std::vector<Label>> list(const std::string& repo);
  Result<Label> find(const std::string& repo, std::string_view name);
  // Those of an issue, in its order.
  Result<std::vector<Label>> of(const std::string& repo, const std::vector<std::string>& names);

  // Event `label`: created, edited, deleted. Whatever carries it follows.
  Result<Label> create(const std::string& repo, Label label, const types::Identity& identity);
  Result<Label> update(const std::string& repo, std::string_view name,
                       const std::function<Result<void>(Label&)>& change, const types::Identity& identity);
  Result<void> remove(const std::string& repo, std::string_view name, const types::Identity& identity);

 private:
  Result<void> tell(const std::string& repo, const Label& label, std::string_view action, json::object changes,
                    const types::Identity& identity, const std::function<Result<void>(store::Transaction&)>& write);

  store::Database& db_;
  event::Triggers& triggers_;
  std::mutex mutex_;  // one change at a time
};

// In the transaction that gives them to an issue.
Result<void> ensure_labels(store::Transaction& tx, const std::string& repo, const std::vector<std::string>& names);

// Members as GitHub's webhooks and REST API name them, without addresses.
json::object to_json(const Label& label);

}  // namespace weir::forge
