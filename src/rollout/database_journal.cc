#include "rollout/database_journal.h"

#include <algorithm>
#include <charconv>

#include "registry/registry.h"

namespace weir::rollout {
namespace {

constexpr std::int64_t kEventsSearched = 500;

std::string history_text(const std::vector<ModelVersion>& history) {
  json::array all;
  for (const auto& one : history) all.push_back(json::array{json::value(one.model), json::value(one.version)});
  return json::serialize(all);
}

std::vector<ModelVersion> read_history(std::string_view text) {
  std::vector<ModelVersion> history;
  const auto parsed = parse_json(text, "history of an endpoint");
  if (!parsed || !parsed->is_array()) return history;
  for (const auto& one : parsed->get_array()) {
    if (!one.is_array() || one.get_array().size() != 2) continue;
    const auto& pair = one.get_array();
    if (pair[0].is_string() && pair[1].is_int64())
      history.push_back({std::string(pair[0].get_string()), pair[1].get_int64()});
  }
  return history;
}

Record read_record(const store::Row& row) {
  return {.endpoint = row.string(0),
          .environment = row.string(1),
          .wish = {.target = {row.string(2), row.integer(3)},
                   .reference = row.string(4),
                   .state = static_cast<WishState>(row.integer(5)),
                   .reason = row.string(6),
                   .actor = row.string(7),
                   .cause = row.integer(8),
                   .approval = row.integer(9),
                   .changed_at = row.time(10)},
          .live = {row.string(11), row.integer(12)},
          .live_since = row.time(13),
          .live_event = row.integer(14),
          .history = read_history(row.text(15))};
}

Result<void> write_record(store::Transaction& tx, const Record& record) {
  const auto& wish = record.wish;
  WEIR_TRY(tx.execute(
      "INSERT INTO rollout_environments(endpoint, environment, wish_model, wish_version, wish_reference, wish_state, "
      "wish_reason, wish_actor, wish_cause, wish_approval, wish_changed_at, live_model, live_version, live_since, "
      "live_event, history) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT(endpoint, environment) DO UPDATE SET wish_model = excluded.wish_model, "
      "wish_version = excluded.wish_version, wish_reference = excluded.wish_reference, "
      "wish_state = excluded.wish_state, wish_reason = excluded.wish_reason, wish_actor = excluded.wish_actor, "
      "wish_cause = excluded.wish_cause, wish_approval = excluded.wish_approval, "
      "wish_changed_at = excluded.wish_changed_at, live_model = excluded.live_model, "
      "live_version = excluded.live_version, live_since = excluded.live_since, live_event = excluded.live_event, "
      "history = excluded.history",
      {record.endpoint, record.environment, wish.target.model, wish.target.version, wish.reference,
       static_cast<int>(wish.state), wish.reason, wish.actor, wish.cause, wish.approval, wish.changed_at,
       record.live.model, record.live.version, record.live_since, record.live_event, history_text(record.history)}));
  return {};
}

Result<void> move_reference(store::Transaction& tx, const Change::Move& move) {
  const auto& reference = move.reference;
  if (!reference.alias.empty()) {
    return registry::Registry::set_alias(tx, reference.model, reference.alias, move.version, move.actor, move.cause);
  }
  const auto stage = WEIR_TRY(registry::parse_stage(reference.stage));
  const bool archive = stage == registry::Stage::kStaging || stage == registry::Stage::kProduction;
  WEIR_TRY(registry::Registry::set_stage(tx, reference.model, move.version, stage, archive, move.actor));
  return {};
}

// The newest event that made `reference` name `version`.
Result<std::optional<types::Event>> moved_by(store::Reader& reader, const config::ModelReference& reference,
                                             std::int64_t version) {
  const bool alias = !reference.alias.empty();
  if (!alias && reference.stage.empty()) return std::nullopt;
  const std::string subject = alias ? "model/" + reference.model : fmt::format("model/{}/{}", reference.model, version);
  for (auto& event : WEIR_TRY(store::events_about(reader, subject, kEventsSearched))) {
    const auto& named = alias ? reference.alias : reference.stage;
    if (event.type == (alias ? types::event_type::kAliasSet : types::event_type::kStageSet) &&
        json_string_or(event.payload, alias ? "alias" : "stage", "") == named) {
      return std::move(event);
    }
  }
  return std::nullopt;
}

// "alice" for "job:42" of a run that alice's push has started; others stand for themselves.
Result<std::string> person_behind(store::Reader& reader, const std::string& actor) {
  if (!actor.starts_with("job:")) return actor;
  for (const auto& queued : WEIR_TRY(store::events_about(reader, "job/" + actor.substr(4), kEventsSearched))) {
    const auto run = json_int(queued.payload, "run");
    if (!run) continue;
    for (const auto& created : WEIR_TRY(store::events_about(reader, fmt::format("run/{}", *run), kEventsSearched))) {
      if (created.type == types::event_type::kRunCreated) return created.actor;
    }
  }
  return actor;
}

// Whose weir.yaml names the endpoint; "" if none does.
std::string repository_of(const config::Config* config, std::string_view endpoint) {
  if (config == nullptr) return {};
  const auto found = config->repositories.find(fmt::format("endpoint/{}", endpoint));
  return found == config->repositories.end() ? std::string() : found->second;
}

}  // namespace

Result<std::vector<Record>> DatabaseJournal::load() {
  return db_.load<std::vector<Record>>([](store::Reader& reader) {
    return reader.all<Record>(
        "SELECT endpoint, environment, wish_model, wish_version, wish_reference, wish_state, wish_reason, wish_actor, "
        "wish_cause, wish_approval, wish_changed_at, live_model, live_version, live_since, live_event, history "
        "FROM rollout_environments ORDER BY endpoint, environment",
        {}, read_record);
  });
}

Result<Observation> DatabaseJournal::observe(const Target& target) {
  auto seen = WEIR_TRY(db_.load<Observation>([&](store::Reader& reader) -> Result<Observation> {
    Observation observation{.actor = "weir", .person = "weir"};
    const auto resolved = registry::Registry::resolve(reader, target.reference.text());
    if (!resolved) {
      if (resolved.error().code == Code::kNotFound) return observation;
      return std::unexpected(resolved.error());
    }
    observation.target = {resolved->model, resolved->version};
    if (const auto event = WEIR_TRY(moved_by(reader, target.reference, resolved->version))) {
      observation.actor = event->actor;
      observation.cause = event->sequence;
      observation.person = WEIR_TRY(person_behind(reader, event->actor));
    }
    return observation;
  }));
  if (seen.target.exists()) seen.may_enter = WEIR_TRY(may_enter(seen.actor, target));
  return seen;
}

Result<bool> DatabaseJournal::may_enter(const std::string& actor, const Target& target) {
  const auto& environment = target.settings.environment;
  const auto config = config_();
  const auto repository = repository_of(config.get(), target.settings.endpoint);
  const auto* protection = config ? config->environment_of(repository, environment) : nullptr;
  if (protection == nullptr || (protection->reviewers.empty() && protection->wait == Duration{0})) return true;
  if (!actor.starts_with("job:")) return false;
  const auto granted =
      WEIR_TRY(access_.approvals({.state = access::ApprovalState::kGranted, .subject = "job/" + actor.substr(4)}));
  return std::ranges::any_of(granted, [&](const auto& approval) {
    return approval.environment == environment && (approval.repository == repository || approval.repository.empty());
  });
}

Result<ApprovalView> DatabaseJournal::approval(std::int64_t id) {
  const auto approval = WEIR_TRY(access_.approval(id));
  ApprovalView view{
      .reviewer = approval.reviewed_by.value_or(""), .comment = approval.comment, .event = approval.event};
  switch (approval.state) {
    case access::ApprovalState::kPending: view.decision = Decision::kPending; break;
    case access::ApprovalState::kGranted: view.decision = Decision::kGranted; break;
    case access::ApprovalState::kRejected: view.decision = Decision::kRejected; break;
    case access::ApprovalState::kExpired:
      view.decision = Decision::kRejected;
      view.reviewer.clear();
      break;
  }
  return view;
}

Result<void> DatabaseJournal::ask(store::Transaction& tx, const Change::Approval& ask, std::int64_t cause,
                                  Record& record) {
  const auto approval =
      WEIR_TRY(access_.request_approval(tx, {.repository = repository_of(config_().get(), record.endpoint),
                                             .environment = record.environment,
                                             .subject = target_subject(record.endpoint, record.environment),
                                             .summary = ask.summary,
                                             .requested_by = ask.requested_by,
                                             .cause = cause}));
  record.wish.approval = approval.id;
  if (approval.state == access::ApprovalState::kGranted) {
    record.wish.state = WishState::kPreparing;
    record.wish.reason.clear();
    return {};
  }
  std::string reviewers;
  for (const auto& reviewer : approval.reviewers) reviewers += (reviewers.empty() ? "" : " or ") + reviewer;
  record.wish.reason = fmt::format("waits for approval {}{}", approval.id, reviewers.empty() ? "" : " by " + reviewers);
  return {};
}

Result<Record> DatabaseJournal::commit(Change change) {
  return db_.write_with<Record>([&](store::Transaction& tx) -> Result<Record> {
    Record record = change.record;
    if (change.remove) {
      WEIR_TRY(tx.execute("DELETE FROM rollout_environments WHERE endpoint = ? AND environment = ?",
                          {record.endpoint, record.environment}));
    }
    std::int64_t sequence = 0;
    if (change.event) sequence = WEIR_TRY(tx.append(*change.event));
    if (change.event && (change.event->type == types::event_type::kRolloutSwitched ||
                         change.event->type == types::event_type::kRolloutRolledBack)) {
      record.live_event = sequence;
    }
    if (change.expire_approval != 0) {
      WEIR_TRY(access_.expire(tx, change.expire_approval, "another version took its place", sequence));
    }
    if (change.move) {
      if (sequence != 0) change.move->cause = sequence;
      WEIR_TRY(move_reference(tx, *change.move));
    }
    if (change.approval) WEIR_TRY(ask(tx, *change.approval, sequence, record));
    if (!change.remove) WEIR_TRY(write_record(tx, record));
    return record;
  });
}

Result<std::optional<std::int64_t>> live_version(store::Reader& reader, std::string_view model,
                                                 std::string_view environment) {
  return reader.integer(
      "SELECT MAX(live_version) FROM rollout_environments "
      "WHERE live_model = ? AND environment = ? AND live_version > 0",
      {model, environment});
}

}  // namespace weir::rollout
