#include "forge/deployments.h"

#include <algorithm>
#include <array>

#include "event/occurrence.h"
#include "event/payload.h"
#include "forge/checks.h"
#include "forge/issues.h"
#include "types/event.h"

namespace weir::forge {
namespace {

namespace event_type = types::event_type;

constexpr std::string_view kColumns =
    "id, repo, commit_id, ref, full_ref, task, environment, original_environment, description, payload, transient, "
    "production, state, creator, job, created_at, updated_at";
constexpr std::string_view kStatusColumns =
    "id, deployment, state, environment, description, environment_url, log_url, creator, created_at";
constexpr std::int64_t kReadMax = 1'000;
constexpr std::size_t kNameMax = 255;
constexpr std::size_t kDescriptionMax = 140;  // as GitHub takes
constexpr std::size_t kPayloadMax = 64U << 10;

constexpr std::array<std::string_view, 7> kStates = {"error",  "failure", "inactive", "in_progress",
                                                     "queued", "pending", "success"};

Result<void> check_name(std::string_view member, std::string_view name) {
  if (!name.empty() && name.size() <= kNameMax) return {};
  return fail(Code::kInvalidArgument, "{} must have 1 to {} bytes", member, kNameMax);
}

// GitHub counts characters; whatever is one byte long or more is within four times that.
Result<void> check_description(std::string_view text) {
  const auto characters =
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
  if (static_cast<std::size_t>(characters) <= kDescriptionMax) return {};
  return fail(Code::kInvalidArgument, "description may have {} characters", kDescriptionMax);
}

Result<void> check_deployment(const Deployment& deployment) {
  WEIR_TRY(check_name("ref", deployment.ref));
  WEIR_TRY(check_name("task", deployment.task));
  WEIR_TRY(check_name("environment", deployment.environment));
  WEIR_TRY(check_description(deployment.description));
  if (json::serialize(deployment.payload).size() <= kPayloadMax) return {};
  return fail(Code::kInvalidArgument, "payload may have {} bytes", kPayloadMax);
}

Result<void> check_status(const DeploymentStatus& status) {
  if (std::ranges::find(kStates, status.state) == kStates.end()) {
    return fail(Code::kInvalidArgument, "state must be one of {}, not \"{}\"", fmt::join(kStates, ", "),
                status.state.substr(0, 80));
  }
  if (!status.environment.empty()) WEIR_TRY(check_name("environment", status.environment));
  WEIR_TRY(check_description(status.description));
  WEIR_TRY(check_link("environment_url", status.environment_url));
  return check_link("log_url", status.log_url);
}

Deployment read_deployment(const store::Row& row) {
  return {.id = row.integer(0),
          .repo = row.string(1),
          .commit = row.string(2),
          .ref = row.string(3),
          .full_ref = row.string(4),
          .task = row.string(5),
          .environment = row.string(6),
          .original_environment = row.string(7),
          .description = row.string(8),
          .payload = parse_json(row.text(9), "payload").value_or(json::value()),
          .transient = row.boolean(10),
          .production = row.boolean(11),
          .state = row.string(12),
          .creator = row.string(13),
          .job = row.integer(14),
          .created_at = row.time(15),
          .updated_at = row.time(16)};
}

DeploymentStatus read_status(const store::Row& row) {
  return {.id = row.integer(0),
          .deployment = row.integer(1),
          .state = row.string(2),
          .environment = row.string(3),
          .description = row.string(4),
          .environment_url = row.string(5),
          .log_url = row.string(6),
          .creator = row.string(7),
          .created_at = row.time(8)};
}

Result<Deployment> load_deployment(store::Reader& reader, const std::string& repo, std::int64_t id) {
  auto found = WEIR_TRY(
      reader.first<Deployment>(fmt::format("SELECT {} FROM forge_deployments WHERE id = ? AND repo = ?", kColumns),
                               {id, repo}, read_deployment));
  if (!found) return fail(Code::kNotFound, "repository {} has no deployment {}", repo, id);
  return *std::move(found);
}

std::string subject_of(const Deployment& deployment) {
  return fmt::format("deployment/{}/{}", deployment.repo, deployment.id);
}

// Workflows run at what was deployed, with the files that are there.
event::Occurrence occurrence_of(const Deployment& deployment, std::string_view event, json::object payload,
                                std::string reason, const types::Identity& identity) {
  payload["action"] = "created";
  payload["deployment"] = to_json(deployment);
  // What started it, where it was a workflow: here it never is.
  payload["workflow"] = nullptr;
  payload["workflow_run"] = nullptr;
  return {.info = {.event = std::string(event)},
          .files_commit = deployment.commit,
          .commit = deployment.commit,
          .ref = deployment.full_ref,
          .payload = std::move(payload),
          .title = fmt::format("{} to {}", deployment.ref, deployment.environment),
          .reason = std::move(reason),
          .actor = identity.name};
}

// Ends what was live in the environment before.
Result<void> end_others(store::Transaction& tx, const Deployment& deployment, const DeploymentStatus& by) {
  const auto others = WEIR_TRY(tx.all<std::int64_t>(
      "SELECT id FROM forge_deployments WHERE repo = ? AND environment = ? AND state = 'success' AND transient = 0 "
      "AND production = 0 AND id < ? ORDER BY id DESC LIMIT ?",
      {deployment.repo, by.environment, deployment.id, kReadMax},
      [](const store::Row& row) { return row.integer(0); }));
  for (const auto id : others) {
    const auto other = WEIR_TRY(load_deployment(tx, deployment.repo, id));
    DeploymentStatus ended{.deployment = id, .state = "inactive", .creator = by.creator};
    WEIR_TRY(insert_deployment_status(tx, other, ended, false));
  }
  return {};
}

}  // namespace

Result<std::int64_t> insert_deployment(store::Transaction& tx, Deployment& deployment, std::int64_t cause) {
  if (deployment.id == 0) deployment.id = WEIR_TRY(tx.next_id("deployment"));
  deployment.original_environment = deployment.environment;
  if (to_micros(deployment.created_at) == 0) deployment.created_at = deployment.updated_at = tx.now();
  WEIR_TRY(tx.execute(
      fmt::format("INSERT INTO forge_deployments({}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  kColumns),
      {deployment.id, deployment.repo, deployment.commit, deployment.ref, deployment.full_ref, deployment.task,
       deployment.environment, deployment.original_environment, deployment.description,
       json::serialize(deployment.payload), deployment.transient, deployment.production, deployment.state,
       deployment.creator, deployment.job, deployment.created_at, deployment.updated_at}));
  return tx.append({.type = std::string(event_type::kDeploymentCreated),
                    .actor = deployment.creator,
                    .subject = subject_of(deployment),
                    .cause = cause,
                    .payload = {{"environment", deployment.environment},
                                {"ref", deployment.ref},
                                {"commit", deployment.commit},
                                {"task", deployment.task}}});
}

Result<std::int64_t> insert_deployment_status(store::Transaction& tx, const Deployment& deployment,
                                              DeploymentStatus& status, bool auto_inactive, std::int64_t cause) {
  if (status.id == 0) status.id = WEIR_TRY(tx.next_id("deployment_status"));
  status.deployment = deployment.id;
  if (status.environment.empty()) status.environment = deployment.environment;
  if (to_micros(status.created_at) == 0) status.created_at = tx.now();
  WEIR_TRY(tx.execute(
      fmt::format("INSERT INTO forge_deployment_statuses({}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", kStatusColumns),
      {status.id, status.deployment, status.state, status.environment, status.description, status.environment_url,
       status.log_url, status.creator, status.created_at}));
  WEIR_TRY(tx.execute("UPDATE forge_deployments SET state = ?, environment = ?, updated_at = ? WHERE id = ?",
                      {status.state, status.environment, status.created_at, deployment.id}));
  const auto sequence =
      WEIR_TRY(tx.append({.type = std::string(event_type::kDeploymentStatus),
                          .actor = status.creator,
                          .subject = subject_of(deployment),
                          .cause = cause,
                          .payload = {{"environment", status.environment}, {"state", status.state}}}));
  if (status.state == "success" && auto_inactive) WEIR_TRY(end_others(tx, deployment, status));
  return sequence;
}

Result<std::optional<Deployment>> deployment_of_job(store::Reader& reader, std::int64_t job) {
  return reader.first<Deployment>(
      fmt::format("SELECT {} FROM forge_deployments WHERE job = ? ORDER BY id DESC LIMIT 1", kColumns), {job},
      read_deployment);
}

Result<Deployment> Deployments::create(Deployment deployment, const types::Identity& identity) {
  WEIR_TRY(check_deployment(deployment));
  deployment.creator = identity.name;
  deployment.id = WEIR_TRY(reserve_number(db_, "deployment"));
  deployment.original_environment = deployment.environment;
  deployment.created_at = deployment.updated_at = clock_.now();
  const auto occurrence = occurrence_of(
      deployment, "deployment", {},
      fmt::format("deployment of {} to {} by {}", deployment.ref, deployment.environment, identity.name), identity);
  WEIR_TRY(triggers_.occurred(deployment.repo, {occurrence}, identity,
                              [&](store::Transaction& tx) { return insert_deployment(tx, deployment); }));
  return deployment;
}

Result<Deployment> Deployments::find(const std::string& repo, std::int64_t id) {
  return db_.load<Deployment>([&](store::Reader& reader) { return load_deployment(reader, repo, id); });
}

Result<std::vector<Deployment>> Deployments::list(const std::string& repo, const DeploymentFilter& filter) {
  std::string sql = fmt::format("SELECT {} FROM forge_deployments WHERE repo = ? ", kColumns);
  std::vector<store::Value> values{repo};
  for (const auto& [column, wanted] : {std::pair{"commit_id", &filter.commit},
                                       {"ref", &filter.ref},
                                       {"task", &filter.task},
                                       {"environment", &filter.environment}}) {
    if (wanted->empty()) continue;
    sql += fmt::format("AND {} = ? ", column);
    values.emplace_back(*wanted);
  }
  sql += "ORDER BY id DESC LIMIT ? OFFSET ?";
  values.emplace_back(std::clamp<std::int64_t>(filter.limit, 1, 101));
  values.emplace_back(std::max<std::int64_t>(filter.offset, 0));
  std::vector<Deployment> all;
  WEIR_TRY(db_.read([&](store::Reader& reader) {
    return reader.query(sql, store::Values(values),
                        [&](const store::Row& row) { all.push_back(read_deployment(row)); });
  }));
  return all;
}

Result<void> Deployments::remove(const std::string& repo, std::int64_t id, const types::Identity& identity) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto deployment = WEIR_TRY(load_deployment(tx, repo, id));
    const auto others =
        WEIR_TRY(tx.integer("SELECT COUNT(*) FROM forge_deployments WHERE repo = ? AND id <> ?", {repo, id}));
    if (deployment.state != "inactive" && others.value_or(0) > 0) {
      return fail(Code::kFailedPrecondition,
                  "We cannot delete an active deployment unless it is the only deployment in a given repository.");
    }
    WEIR_TRY(tx.execute("DELETE FROM forge_deployment_statuses WHERE deployment = ?", {id}));
    WEIR_TRY(tx.execute("DELETE FROM forge_deployments WHERE id = ?", {id}));
    WEIR_TRY(tx.append({.type = std::string(event_type::kDeploymentDeleted),
                        .actor = identity.name,
                        .subject = subject_of(deployment),
                        .payload = {{"environment", deployment.environment}}}));
    return {};
  });
}

Result<DeploymentStatus> Deployments::add_status(const std::string& repo, DeploymentStatus status, bool auto_inactive,
                                                 const types::Identity& identity) {
  WEIR_TRY(check_status(status));
  auto deployment = WEIR_TRY(find(repo, status.deployment));
  status.creator = identity.name;
  status.id = WEIR_TRY(reserve_number(db_, "deployment_status"));
  if (status.environment.empty()) status.environment = deployment.environment;
  status.created_at = deployment.updated_at = clock_.now();
  deployment.environment = status.environment;
  std::vector<event::Occurrence> occurrences;
  if (status.state != "inactive") {
    occurrences.push_back(occurrence_of(deployment, "deployment_status",
                                        {{"deployment_status", to_json(status)}, {"check_run", nullptr}},
                                        fmt::format("deployment of {} to {}: {} by {}", deployment.ref,
                                                    status.environment, status.state, identity.name),
                                        identity));
  }
  WEIR_TRY(triggers_.occurred(repo, occurrences, identity, [&](store::Transaction& tx) -> Result<std::int64_t> {
    WEIR_TRY(load_deployment(tx, repo, deployment.id));  // that it is there still
    return insert_deployment_status(tx, deployment, status, auto_inactive);
  }));
  return status;
}

Result<DeploymentStatus> Deployments::find_status(const std::string& repo, std::int64_t deployment, std::int64_t id) {
  return db_.load<DeploymentStatus>([&](store::Reader& reader) -> Result<DeploymentStatus> {
    WEIR_TRY(load_deployment(reader, repo, deployment));
    auto found = WEIR_TRY(reader.first<DeploymentStatus>(
        fmt::format("SELECT {} FROM forge_deployment_statuses WHERE id = ? AND deployment = ?", kStatusColumns),
        {id, deployment}, read_status));
    if (!found) return fail(Code::kNotFound, "deployment {} has no status {}", deployment, id);
    return *std::move(found);
  });
}

Result<std::vector<DeploymentStatus>> Deployments::statuses(const std::string& repo, std::int64_t deployment) {
  return db_.load<std::vector<DeploymentStatus>>([&](store::Reader& reader) -> Result<std::vector<DeploymentStatus>> {
    WEIR_TRY(load_deployment(reader, repo, deployment));
    return reader.all<DeploymentStatus>(
        fmt::format("SELECT {} FROM forge_deployment_statuses WHERE deployment = ? ORDER BY id DESC LIMIT ?",
                    kStatusColumns),
        {deployment, kReadMax}, read_status);
  });
}

Result<std::vector<DeployedTo>> Deployments::environments(const std::string& repo) {
  return db_.load<std::vector<DeployedTo>>([&](store::Reader& reader) {
    return reader.all<DeployedTo>(
        "SELECT environment, MIN(created_at), MAX(updated_at) FROM forge_deployments WHERE repo = ? "
        "GROUP BY environment ORDER BY environment LIMIT ?",
        {repo, kReadMax}, [](const store::Row& row) {
          return DeployedTo{.name = row.string(0), .first = row.time(1), .last = row.time(2)};
        });
  });
}

json::object to_json(const Deployment& deployment) {
  return {{"id", deployment.id},
          {"sha", deployment.commit},
          {"ref", deployment.ref},
          {"task", deployment.task},
          {"environment", deployment.environment},
          {"original_environment", deployment.original_environment},
          {"description", deployment.description.empty() ? json::value() : json::value(deployment.description)},
          {"payload", deployment.payload},
          {"transient_environment", deployment.transient},
          {"production_environment", deployment.production},
          {"creator", event::user_payload(deployment.creator)},
          {"created_at", to_iso8601(deployment.created_at)},
          {"updated_at", to_iso8601(deployment.updated_at)}};
}

json::object to_json(const DeploymentStatus& status) {
  return {{"id", status.id},
          {"state", status.state},
          {"environment", status.environment},
          {"description", status.description},
          {"environment_url", status.environment_url},
          {"log_url", status.log_url},
          {"target_url", status.log_url},
          {"creator", event::user_payload(status.creator)},
          {"created_at", to_iso8601(status.created_at)},
          {"updated_at", to_iso8601(status.created_at)}};
}

}  // namespace weir::forge
