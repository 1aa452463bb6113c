#include "access/config_store.h"

#include <algorithm>
#include <tuple>

#include "access/vault.h"
#include "config/parse.h"

namespace weir::access {
namespace {

// Puts what every repository configures into one list each; no two may name the same.
class Joiner {
 public:
  void begin(const std::string& repository) { repository_ = repository; }

  template <class T, class Name>
  Result<void> join(std::vector<T>& to, const std::vector<T>& from, std::string_view kind, Name name) {
    for (const auto& element : from) {
      const auto [owner, is_new] = owners_.emplace(fmt::format("{} \"{}\"", kind, name(element)), repository_);
      if (!is_new) {
        return fail(Code::kAlreadyExists,
                    "the weir.yaml of {} and that of {} both configure the {}: one of them has to "
                    "take another name",
                    owner->second, repository_, owner->first);
      }
      to.push_back(element);
    }
    return {};
  }

 private:
  std::string repository_;
  std::map<std::string, std::string> owners_;  // by what it is and its name
};

// Variables are kept with the text that they went into, so that it reads the same after a restart.
std::string variables_text(const std::map<std::string, std::string>& variables) {
  json::object object;
  for (const auto& [name, value] : variables) object[name] = value;
  return json::serialize(object);
}

std::map<std::string, std::string> read_variables_text(std::string_view text) {
  std::map<std::string, std::string> variables;
  const auto parsed = parse_json(text, "variables of a weir.yaml");
  if (!parsed || !parsed->is_object()) return variables;
  for (const auto& member : parsed->get_object()) {
    if (member.value().is_string()) variables[std::string(member.key())] = member.value().get_string();
  }
  return variables;
}

json::array to_json(const std::vector<config::Change>& changes) {
  json::array list;
  for (const auto& change : changes) {
    list.push_back({{"path", change.path}, {"before", change.before}, {"after", change.after}});
  }
  return list;
}

}  // namespace

Result<std::unique_ptr<ConfigStore>> ConfigStore::open(store::Database& db) {
  std::unique_ptr<ConfigStore> store(new ConfigStore(db));
  std::string problems;
  WEIR_TRY(db.read([&](store::Reader& reader) -> Result<void> {
    return reader.query(
        "SELECT repository, text, variables FROM access_configs ORDER BY repository", {}, [&](const store::Row& row) {
          auto parsed = config::parse_config(row.text(1), "weir.yaml", {.vars = read_variables_text(row.text(2))});
          if (parsed.config) {
            store->parts_[row.string(0)] = std::make_shared<config::Config>(*std::move(parsed.config));
            return;
          }
          problems += fmt::format("\nweir.yaml of the repository {}:\n", row.text(0));
          for (const auto& problem : parsed.diagnostics) problems += text::render(problem, row.text(1)) + "\n";
        });
  }));
  WEIR_TRY(db.read([&](store::Reader& reader) -> Result<void> {
    return reader.query("SELECT repository, problems FROM access_refused_configs", {},
                        [&](const store::Row& row) { store->refusals_[row.string(0)] = row.string(1); });
  }));
  // No start at all, instead of one without that file: its reviewers, gates and limits would silently be gone, while
  // jobs and pushes go on. What already runs goes on without the server, and nothing is lost by starting it later.
  if (!problems.empty()) {
    return fail(
        Code::kFailedPrecondition,
        "a weir.yaml that was in force cannot be read by this weir, and without it what it protects would be "
        "open:\n{}\nStart the weir that ran before, push a weir.yaml that `weir lint` of this one accepts, then "
        "start this one again. If weir was not changed, the state is damaged: run weir fsck",
        problems);
  }
  store->current_ = WEIR_TRY(merge(store->parts_));
  return Result<std::unique_ptr<ConfigStore>>(std::move(store));
}

std::shared_ptr<const config::Config> ConfigStore::current() const {
  const std::scoped_lock lock(mutex_);
  return current_;
}

std::shared_ptr<const config::Config> ConfigStore::of(const std::string& repository) const {
  const std::scoped_lock lock(mutex_);
  const auto found = parts_.find(repository);
  return found == parts_.end() ? std::make_shared<config::Config>() : found->second;
}

std::map<std::string, std::shared_ptr<const config::Config>> ConfigStore::all() const {
  const std::scoped_lock lock(mutex_);
  return parts_;
}

bool ConfigStore::has(const std::string& repository) const {
  const std::scoped_lock lock(mutex_);
  return parts_.contains(repository);
}

std::string ConfigStore::refusal(const std::string& repository) const {
  const std::scoped_lock lock(mutex_);
  const auto found = refusals_.find(repository);
  return found == refusals_.end() ? std::string() : found->second;
}

bool ConfigStore::is_guarded_elsewhere(const std::string& repository, std::string_view environment) const {
  const std::scoped_lock lock(mutex_);
  const auto asks = [&](const config::Config& config) {
    const auto* found = config.environment(environment);
    return found != nullptr && !found->reviewers.empty();
  };
  if (const auto own = parts_.find(repository); own != parts_.end() && asks(*own->second)) return false;
  return std::ranges::any_of(parts_, [&](const auto& one) { return one.first != repository && asks(*one.second); });
}

std::string ConfigStore::repository_of_endpoint(std::string_view endpoint) const {
  const std::scoped_lock lock(mutex_);
  for (const auto& [repository, config] : parts_) {
    if (config->endpoint(endpoint) != nullptr) return repository;
  }
  return {};
}

std::string ConfigStore::repository_of_model(std::string_view model) const {
  const std::scoped_lock lock(mutex_);
  for (const auto& [repository, config] : parts_) {
    if (config->retrain_of(model) != nullptr || config->gate(model) != nullptr) return repository;
  }
  return {};
}

Result<std::shared_ptr<const config::Config>> ConfigStore::merge(const Parts& parts) {
  auto merged = std::make_shared<config::Config>();
  const auto by_name = [](const auto& element) { return element.name; };
  const auto by_model = [](const auto& element) { return element.model; };
  Joiner joiner;
  for (const auto& [repository, part] : parts) {
    joiner.begin(repository);
    WEIR_TRY(joiner.join(merged->endpoints, part->endpoints, "endpoint", by_name));
    merged->environments_of[repository] = part->environments;
    for (const auto& environment : part->environments) {
      const bool shared = std::ranges::any_of(parts, [&](const auto& other) {
        return other.first != repository && other.second->environment(environment.name) != nullptr;
      });
      if (!shared) merged->environments.push_back(environment);
    }
    WEIR_TRY(joiner.join(merged->gates, part->gates, "gate of", by_model));
    WEIR_TRY(joiner.join(merged->monitors, part->monitors, "monitor of", [](const auto& m) { return m.endpoint; }));
    WEIR_TRY(joiner.join(merged->retrain, part->retrain, "retraining of", by_model));
    WEIR_TRY(joiner.join(merged->runners, part->runners, "runner", [](const auto& r) { return r.label; }));
    for (config::Notify entry : part->notify) {
      entry.repository = repository;
      merged->notify.push_back(std::move(entry));
    }
    if (part->mail && merged->mail && part->mail != merged->mail) {
      return fail(Code::kAlreadyExists, "another repository's weir.yaml names another server for mail");
    }
    if (part->mail) merged->mail = part->mail;
    for (const auto& endpoint : part->endpoints) merged->repositories["endpoint/" + endpoint.name] = repository;
    for (const auto& gate : part->gates) merged->repositories["model/" + gate.model] = repository;
    for (const auto& retrain : part->retrain) merged->repositories["model/" + retrain.model] = repository;
  }
  return merged;
}

Result<ConfigStore::Applied> ConfigStore::apply(const std::string& repository, const std::string& commit,
                                                const std::string& text, const std::string& actor, std::int64_t cause) {
  const std::scoped_lock applying(applying_);
  Applied applied;
  const auto variables = WEIR_TRY(db_.load<std::map<std::string, std::string>>(
      [&](store::Reader& reader) { return read_variables(reader, {.repository = repository, .environment = {}}); }));
  auto parsed = config::parse_config(text, "weir.yaml", {.vars = variables, .knows_time_zone = knows_time_zone_});
  Parts parts;
  {
    const std::scoped_lock lock(mutex_);
    parts = parts_;
  }
  std::shared_ptr<const config::Config> merged;
  if (parsed.config) {
    const auto before = of(repository);
    applied.changes = config::diff(*before, *parsed.config);
    if (applied.changes.empty() && parts.contains(repository) && refusal(repository).empty()) return applied;
    parts[repository] = std::make_shared<config::Config>(*std::move(parsed.config));
    if (auto joined = merge(parts)) {
      merged = *std::move(joined);
    } else {
      applied.problems.push_back({.file = "weir.yaml", .message = joined.error().message});
    }
  } else {
    applied.problems = std::move(parsed.diagnostics);
  }

  json::object payload{{"commit", commit}};
  std::string problems;
  for (const auto& problem : applied.problems) problems += text::render(problem, text) + "\n";
  if (merged) {
    payload["changes"] = to_json(applied.changes);
  } else {
    payload["problems"] = problems;
  }
  // In force before the event is heard, so that who hears it reads what it tells of; taken back if it was not stored.
  const auto put = [this](const Parts& new_parts, const std::shared_ptr<const config::Config>& new_current,
                          const std::map<std::string, std::string>& new_refusals) {
    const std::scoped_lock lock(mutex_);
    parts_ = new_parts;
    current_ = new_current;
    refusals_ = new_refusals;
  };
  const auto [parts_before, current_before, refusals_before] = [this] {
    const std::scoped_lock lock(mutex_);
    return std::tuple(parts_, current_, refusals_);
  }();
  auto refusals = refusals_before;
  if (merged) {
    refusals.erase(repository);
    put(parts, merged, refusals);
  } else {
    refusals[repository] = problems;
    put(parts_before, current_before, refusals);
  }
  const auto stored = db_.write([&](store::Transaction& tx) -> Result<void> {
    if (merged) {
      WEIR_TRY(tx.execute(
          "INSERT INTO access_configs(repository, commit_id, text, variables, applied_at) VALUES(?, ?, ?, ?, ?) "
          "ON CONFLICT(repository) DO UPDATE SET commit_id = excluded.commit_id, text = excluded.text, variables = "
          "excluded.variables, "
          "applied_at = excluded.applied_at",
          {repository, commit, text, variables_text(variables), tx.now()}));
      WEIR_TRY(tx.execute("DELETE FROM access_refused_configs WHERE repository = ?", {repository}));
    } else {
      WEIR_TRY(tx.execute(
          "INSERT INTO access_refused_configs(repository, commit_id, problems) VALUES(?, ?, ?) "
          "ON CONFLICT(repository) DO UPDATE SET commit_id = excluded.commit_id, problems = excluded.problems",
          {repository, commit, problems}));
    }
    WEIR_TRY(
        tx.append({.type = std::string(merged ? types::event_type::kConfigApplied : types::event_type::kConfigRefused),
                   .actor = actor,
                   .subject = "repo/" + repository,
                   .cause = cause,
                   .payload = payload}));
    return {};
  });
  if (!stored) {
    put(parts_before, current_before, refusals_before);
    return std::unexpected(stored.error());
  }
  applied.changed = merged != nullptr;
  return applied;
}

}  // namespace weir::access
