#include <array>

#include "track/names.h"
#include "track/rows.h"
#include "track/search_sql.h"
#include "track/tracking.h"

namespace weir::track {
namespace {

constexpr std::array<std::string_view, 2> kText = {"name", "experiment_id"};
constexpr std::array<std::string_view, 2> kNumeric = {"creation_time", "last_update_time"};
constexpr std::array<std::string_view, 1> kLists = {"experiment_id"};
constexpr std::array<std::string_view, 4> kOrder = {"name", "experiment_id", "creation_time", "last_update_time"};
constexpr FilterGrammar kGrammar{.text_attributes = kText,
                                 .numeric_attributes = kNumeric,
                                 .list_attributes = kLists,
                                 .order_attributes = kOrder,
                                 .tags = true};

std::string_view column_of(std::string_view attribute) {
  if (attribute == "name") return "e.name";
  if (attribute == "experiment_id") return "e.experiment";
  return attribute == "creation_time" ? "e.created_ms" : "e.updated_ms";
}

Result<void> check_location(std::string_view location) {
  if (location.empty()) return {};
  WEIR_TRY(check_length("artifact location", location, 2048));
  const auto colon = location.find(':');
  const bool has_scheme = colon != std::string_view::npos && colon > 1 && location.find('/') > colon;
  if (!has_scheme || location.starts_with("runs:") || location.starts_with("models:")) {
    return fail(Code::kInvalidArgument,
                "artifact location \"{}\" must be an absolute address such as s3://bucket/path; leave it out to keep "
                "artifacts in weir",
                location);
  }
  const auto path = WEIR_TRY(artifact_path_of(location));
  if (path && (*path == Artifacts::kVersionsRoot || path->starts_with(std::string(Artifacts::kVersionsRoot) + "/"))) {
    return fail(Code::kInvalidArgument, "artifact location \"{}\" is reserved for registered versions", location);
  }
  return {};
}

Result<void> check_tag(const KeyValue& tag) {
  WEIR_TRY(check_key("tag name", tag.key));
  return check_length("tag value", tag.value, kExperimentTagLengthMax);
}

Result<void> touch(store::Transaction& tx, std::int64_t id) {
  WEIR_TRY(tx.execute("UPDATE track_experiments SET updated_ms = ? WHERE experiment = ?", {to_millis(tx.now()), id}));
  return {};
}

std::unexpected<Error> name_taken(std::string_view name) {
  return fail(Code::kAlreadyExists,
              "experiment \"{}\" already exists, maybe deleted; restore it or choose another name", name);
}

// Experiment ids are numbers; the filter language writes them as text.
Result<void> add_attribute(Sql& sql, Comparison comparison) {
  if (comparison.key == "experiment_id") {
    if (comparison.op == Op::kLike || comparison.op == Op::kIlike) {
      return fail(Code::kInvalidArgument, "invalid comparator {} for experiment_id; use =, !=, IN or NOT IN",
                  op_text(comparison.op));
    }
    add_comparison(sql, "CAST(e.experiment AS TEXT)", comparison);
    return {};
  }
  add_comparison(sql, column_of(comparison.key), comparison);
  return {};
}

}  // namespace

Result<std::unique_ptr<Tracking>> Tracking::open(store::Database& db, store::BlobStore& blobs) {
  const auto there = WEIR_TRY(db.load<bool>([](store::Reader& reader) -> Result<bool> {
    return WEIR_TRY(reader.integer("SELECT 1 FROM track_experiments WHERE experiment = 0", {})).has_value();
  }));
  if (!there) {
    WEIR_TRY(db.write([](store::Transaction& tx) -> Result<void> {
      WEIR_TRY(
          tx.execute("INSERT INTO track_experiments(experiment, name, artifact_location, deleted, created_ms, "
                     "updated_ms) VALUES(0, 'Default', 'mlflow-artifacts:/0', 0, ?, ?) ON CONFLICT DO NOTHING",
                     {to_millis(tx.now()), to_millis(tx.now())}));
      return {};
    }));
  }
  return std::unique_ptr<Tracking>(new Tracking(db, blobs));
}

Result<std::int64_t> Tracking::create_experiment(std::string_view name, std::string_view artifact_location,
                                                 std::span<const KeyValue> tags) {
  WEIR_TRY(check_experiment_name(name));
  WEIR_TRY(check_location(artifact_location));
  for (const auto& tag : tags) WEIR_TRY(check_tag(tag));
  return db_.write_with<std::int64_t>([&](store::Transaction& tx) -> Result<std::int64_t> {
    if (WEIR_TRY(tx.integer("SELECT 1 FROM track_experiments WHERE name = ?", {name}))) return name_taken(name);
    const auto id = WEIR_TRY(tx.next_id("experiment"));
    const std::string location =
        artifact_location.empty() ? artifact_uri_of(std::to_string(id)) : std::string(artifact_location);
    const auto now = to_millis(tx.now());
    WEIR_TRY(
        tx.execute("INSERT INTO track_experiments(experiment, name, artifact_location, deleted, created_ms, "
                   "updated_ms) VALUES(?, ?, ?, 0, ?, ?)",
                   {id, name, location, now, now}));
    for (const auto& tag : tags) WEIR_TRY(set_key(tx, "track_experiment_tags", "experiment", id, tag));
    return id;
  });
}

Result<Experiment> Tracking::experiment(std::int64_t id) {
  return db_.load<Experiment>([&](store::Reader& reader) { return load_experiment(reader, id); });
}

Result<Experiment> Tracking::experiment_by_name(std::string_view name) {
  return db_.load<Experiment>([&](store::Reader& reader) -> Result<Experiment> {
    const auto id = WEIR_TRY(reader.integer("SELECT experiment FROM track_experiments WHERE name = ?", {name}));
    if (!id) return fail(Code::kNotFound, "no experiment with name \"{}\"", name);
    return load_experiment(reader, *id);
  });
}

Result<Page<Experiment>> Tracking::search_experiments(const ExperimentSearch& search) {
  WEIR_TRY(check_results_max(search.results_max, 50'000));
  Sql sql;
  sql.add("SELECT ").add(kExperimentColumns).add(" FROM track_experiments e WHERE 1 = 1");
  if (search.view != View::kAll) sql.add(" AND e.deleted = ?", search.view == View::kDeletedOnly);
  for (auto& comparison : WEIR_TRY(parse_filter(search.filter, kGrammar))) {
    sql.add(" AND ");
    if (comparison.entity == Entity::kTag) {
      add_key_value(sql, "track_experiment_tags", "t.experiment = e.experiment", comparison);
    } else {
      WEIR_TRY(add_attribute(sql, std::move(comparison)));
    }
  }
  std::string order;
  for (const auto& text : search.order_by) {
    const auto by = WEIR_TRY(parse_order_by(text, kGrammar));
    if (by.entity != Entity::kAttribute)
      return fail(Code::kInvalidArgument, "cannot order experiments by \"{}\"", text);
    order += fmt::format("{} {}, ", column_of(by.key), by.ascending ? "ASC" : "DESC");
  }
  const bool by_default = order.empty();
  sql.add(" ORDER BY ").add(by_default ? "e.created_ms DESC, e.experiment ASC" : order + "e.experiment DESC");
  const std::string query = sql.text + search.filter;
  const auto offset = WEIR_TRY(read_page_token(search.page_token, query));
  sql.add(" LIMIT ?", search.results_max + 1).add(" OFFSET ?", offset);
  return db_.load<Page<Experiment>>([&](store::Reader& reader) -> Result<Page<Experiment>> {
    Page<Experiment> page;
    WEIR_TRY(
        reader.query(sql.text, sql.values, [&](const store::Row& row) { page.items.push_back(read_experiment(row)); }));
    if (std::ssize(page.items) > search.results_max) {
      page.items.pop_back();
      page.next_token = make_page_token(offset + search.results_max, query);
    }
    for (auto& item : page.items) {
      item.tags = WEIR_TRY(keys_of(reader, "track_experiment_tags", "experiment", item.id));
    }
    return page;
  });
}

Result<void> Tracking::rename_experiment(std::int64_t id, std::string_view name) {
  WEIR_TRY(check_experiment_name(name));
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto experiment = WEIR_TRY(load_experiment(tx, id));
    if (experiment.deleted) {
      return fail(Code::kFailedPrecondition, "experiment {} is deleted; restore it before renaming it", id);
    }
    const auto other = WEIR_TRY(tx.integer("SELECT experiment FROM track_experiments WHERE name = ?", {name}));
    if (other && *other != id) return name_taken(name);
    WEIR_TRY(tx.execute("UPDATE track_experiments SET name = ? WHERE experiment = ?", {name, id}));
    return touch(tx, id);
  });
}

Result<void> Tracking::set_experiment_deleted(std::int64_t id, bool deleted) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto experiment = WEIR_TRY(load_experiment(tx, id));
    if (experiment.deleted == deleted) {
      return fail(Code::kNotFound, "no {} experiment with id {}", deleted ? "active" : "deleted", id);
    }
    WEIR_TRY(tx.execute("UPDATE track_experiments SET deleted = ? WHERE experiment = ?", {deleted, id}));
    WEIR_TRY(tx.execute("UPDATE track_runs SET deleted = ? WHERE experiment = ?", {deleted, id}));
    return touch(tx, id);
  });
}

Result<void> Tracking::set_experiment_tag(std::int64_t id, const KeyValue& tag) {
  WEIR_TRY(check_tag(tag));
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(load_active_experiment(tx, id));
    return set_key(tx, "track_experiment_tags", "experiment", id, tag);
  });
}

Result<void> Tracking::delete_experiment_tag(std::int64_t id, std::string_view key) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(load_active_experiment(tx, id));
    const auto gone =
        WEIR_TRY(tx.execute("DELETE FROM track_experiment_tags WHERE experiment = ? AND key = ?", {id, key}));
    if (gone == 0) return fail(Code::kNotFound, "experiment {} has no tag \"{}\"", id, key);
    return {};
  });
}

}  // namespace weir::track
