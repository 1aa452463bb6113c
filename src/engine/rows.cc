#include "engine/rows.h"

#include <algorithm>
#include <map>

namespace weir::engine {
namespace {

constexpr std::string_view kRunColumns =
    "id, number, attempt, repo, path, workflow, event, ref, commit_id, title, actor, state, conclusion, created_at, "
    "started_at, completed_at, reason, problem, cause, created_event, head_sha, head_ref";
constexpr std::string_view kRunRowColumns =
    "triggering_actor, cancel_requested, cancel_reason, group_name, group_held, base_ref, requirements_hash, "
    "workflow_sha256, options, inputs, payload, called";
// What a job is from its creation on, and what becomes of it.
constexpr std::string_view kJobFixed = "id, run, attempt, position, job_key, needs, created_at, origin, parent, calls";
constexpr std::string_view kJobChanging =
    "name, planned, leg, legs, fail_fast, max_parallel, state, conclusion, allowed_to_fail, environment, approval, "
    "group_name, group_cancels, group_held, labels, timeout_s, cancel_requested, waiting_for, queued_at, started_at, "
    "completed_at, layer, error, layers, matrix, outputs, environment_url, call_inputs, group_queues, "
    "cancel_limit_s, deployment, gpus, preemptions, may_reuse, reason, cache_mode";

// Columns in the order of the SELECT.
class Columns {
 public:
  explicit Columns(const store::Row& row) : row_(row) {}
  std::int64_t integer() { return row_.integer(next_++); }
  bool boolean() { return row_.boolean(next_++); }
  std::string string() { return row_.string(next_++); }
  TimePoint time() { return row_.time(next_++); }
  std::optional<TimePoint> time_or_null() {
    const int column = next_++;
    return row_.is_null(column) ? std::nullopt : std::optional(row_.time(column));
  }
  template <class Enum>
  Enum numbered() {
    return static_cast<Enum>(row_.integer(next_++));
  }
  template <class Enum>
  std::optional<Enum> numbered_or_null() {
    const int column = next_++;
    return row_.is_null(column) ? std::nullopt : std::optional(static_cast<Enum>(row_.integer(column)));
  }
  // What the engine itself wrote; a text that is damaged reads as null.
  json::value json() { return parse_json(row_.text(next_++), "stored text").value_or(json::value()); }
  json::object object() {
    auto value = json();
    return value.is_object() ? std::move(value.get_object()) : json::object();
  }
  std::vector<int> numbers() {
    std::vector<int> all;
    const auto value = json();
    if (const auto* array = value.if_array()) {
      for (const auto& element : *array) {
        if (element.is_int64()) all.push_back(static_cast<int>(element.get_int64()));
      }
    }
    return all;
  }
  std::vector<std::string> strings() {
    std::vector<std::string> texts;
    const auto value = json();
    if (const auto* array = value.if_array()) {
      for (const auto& element : *array) {
        if (element.is_string()) texts.emplace_back(element.get_string());
      }
    }
    return texts;
  }

 private:
  const store::Row& row_;
  int next_ = 0;
};

void read_run(Columns& columns, Run& run) {
  run.id = columns.integer();
  run.number = columns.integer();
  run.attempt = columns.integer();
  run.repo = columns.string();
  run.path = columns.string();
  run.workflow = columns.string();
  run.event = columns.string();
  run.ref = columns.string();
  run.commit = columns.string();
  run.title = columns.string();
  run.actor = columns.string();
  run.state = columns.numbered<RunState>();
  run.conclusion = columns.numbered_or_null<types::Conclusion>();
  run.created_at = columns.time();
  run.started_at = columns.time_or_null();
  run.completed_at = columns.time_or_null();
  run.reason = columns.string();
  run.problem = columns.string();
  run.cause = columns.integer();
  run.created_event = columns.integer();
  run.head_sha = columns.string();
  run.head_ref = columns.string();
}

JobRow read_job(const store::Row& row) {
  Columns columns(row);
  JobRow job;
  job.id = columns.integer();
  job.run = columns.integer();
  job.attempt = columns.integer();
  job.position = columns.integer();
  job.key = columns.string();
  job.needs = columns.strings();
  job.created_at = columns.time();
  job.origin = columns.integer();
  job.parent = columns.integer();
  job.calls = columns.string();
  job.name = columns.string();
  job.planned = columns.boolean();
  job.leg = static_cast<int>(columns.integer());
  job.legs = static_cast<int>(columns.integer());
  job.fail_fast = columns.boolean();
  job.max_parallel = static_cast<int>(columns.integer());
  job.state = columns.numbered<JobState>();
  job.conclusion = columns.numbered_or_null<types::Conclusion>();
  job.allowed_to_fail = columns.boolean();
  job.environment = columns.string();
  job.approval = columns.integer();
  job.group_name = columns.string();
  job.group_cancels = columns.boolean();
  job.group_held = columns.boolean();
  job.labels = columns.strings();
  job.timeout_s = columns.integer();
  job.cancel_requested = columns.boolean();
  job.waiting_for = columns.string();
  job.queued_at = columns.time_or_null();
  job.started_at = columns.time_or_null();
  job.completed_at = columns.time_or_null();
  job.layer = columns.string();
  job.error = columns.string();
  job.layers = columns.strings();
  job.matrix = columns.json();
  job.outputs = columns.object();
  job.environment_url = columns.string();
  job.call_inputs = columns.object();
  job.group_queues = columns.boolean();
  job.cancel_limit_s = columns.integer();
  job.deployment = columns.boolean();
  job.gpus = columns.numbers();
  job.preemptions = static_cast<int>(columns.integer());
  job.may_reuse = columns.boolean();
  job.reason = columns.string();
  job.cache_mode = columns.numbered<types::CacheMode>();
  return job;
}

// Each call followed by what it called; `jobs` are in order among those of the same parent.
std::vector<JobRow> callees_after_calls(std::vector<JobRow> jobs) {
  std::map<std::int64_t, std::vector<std::size_t>> of_parent;
  for (std::size_t i = 0; i < jobs.size(); ++i) of_parent[jobs[i].parent].push_back(i);
  std::vector<JobRow> ordered;
  ordered.reserve(jobs.size());
  const auto add = [&](const auto& self, std::int64_t parent) -> void {
    const auto found = of_parent.find(parent);
    if (found == of_parent.end()) return;
    for (const auto index : found->second) {
      const auto id = jobs[index].id;
      ordered.push_back(std::move(jobs[index]));
      self(self, id);
    }
  };
  add(add, 0);
  return ordered;
}

template <class Enum>
store::Value number_or_null(const std::optional<Enum>& value) {
  return value ? store::Value(static_cast<std::int64_t>(*value)) : store::Value(nullptr);
}

template <class Enum>
store::Value number(Enum value) {
  return store::Value(static_cast<std::int64_t>(value));
}

template <class T>
std::string serialize(const std::vector<T>& elements) {
  json::array array;
  for (const auto& element : elements) array.emplace_back(element);
  return json::serialize(array);
}

Result<std::vector<std::string>> strings_from(std::string_view text) {
  std::vector<std::string> texts;
  const auto value = WEIR_TRY(parse_json(text, "stored layers"));
  if (const auto* array = value.if_array()) {
    for (const auto& element : *array) {
      if (element.is_string()) texts.emplace_back(element.get_string());
    }
  }
  return texts;
}

Step step_from_json(const json::value& value) {
  Step step;
  step.index = static_cast<int>(json_int(value, "index").value_or(0));
  step.name = json_string_or(value, "name", "");
  step.state = json_string_or(value, "state", "completed");
  if (const auto conclusion = types::parse_conclusion(json_string_or(value, "conclusion", ""))) {
    step.conclusion = *conclusion;
  }
  if (const auto time = parse_iso8601(json_string_or(value, "started_at", ""))) step.started_at = *time;
  if (const auto time = parse_iso8601(json_string_or(value, "completed_at", ""))) step.completed_at = *time;
  return step;
}

}  // namespace

std::string_view local_key(std::string_view key) {
  const auto slash = key.rfind('/');
  return slash == std::string_view::npos ? key : key.substr(slash + 1);
}

json::object to_json(const event::RunOptions& options) {
  json::object object;
  const auto add = [&](std::string_view key, const std::vector<std::string>& texts) {
    if (texts.empty()) return;
    auto& array = object[key].emplace_array();
    for (const auto& text : texts) array.emplace_back(text);
  };
  add("only_jobs", options.only_jobs);
  add("from", options.from);
  add("to", options.to);
  if (!options.matrix.empty()) {
    auto& matrix = object["matrix"].emplace_object();
    for (const auto& [key, value] : options.matrix) matrix[key] = value;
  }
  if (!options.env.empty()) object["env"] = options.env;
  if (!options.vars.empty()) object["vars"] = options.vars;
  if (options.strict) object["strict"] = true;
  if (options.foreign) object["foreign"] = true;
  if (options.level > 0) object["level"] = options.level;
  return object;
}

event::RunOptions options_from_json(const json::value& value) {
  event::RunOptions options;
  const auto read = [&](std::string_view key, std::vector<std::string>& texts) {
    const auto* array = json_find(value, key);
    if (array == nullptr || !array->is_array()) return;
    for (const auto& one : array->get_array()) {
      if (one.is_string()) texts.emplace_back(one.get_string());
    }
  };
  read("only_jobs", options.only_jobs);
  read("from", options.from);
  read("to", options.to);
  if (const auto* matrix = json_find(value, "matrix"); matrix != nullptr && matrix->is_object()) {
    for (const auto& member : matrix->get_object()) {
      if (member.value().is_string()) options.matrix[member.key()] = std::string(member.value().get_string());
    }
  }
  if (const auto* env = json_find(value, "env"); env != nullptr && env->is_object()) options.env = env->get_object();
  if (const auto* vars = json_find(value, "vars"); vars != nullptr && vars->is_object()) {
    options.vars = vars->get_object();
  }
  options.strict = json_bool_or(value, "strict", false);
  options.foreign = json_bool_or(value, "foreign", false);
  options.level = static_cast<int>(json_int(value, "level").value_or(0));
  return options;
}

Result<Run> load_run(store::Reader& reader, std::int64_t id) {
  auto run = WEIR_TRY(reader.first<Run>(fmt::format("SELECT {} FROM engine_runs WHERE id = ?", kRunColumns), {id},
                                        [](const store::Row& row) {
                                          Columns columns(row);
                                          Run found;
                                          read_run(columns, found);
                                          return found;
                                        }));
  if (!run) return fail(Code::kNotFound, "there is no run {}; `weir runs` lists them", id);
  return *std::move(run);
}

Result<RunRow> load_run_row(store::Reader& reader, std::int64_t id) {
  auto run = WEIR_TRY(
      reader.first<RunRow>(fmt::format("SELECT {}, {} FROM engine_runs WHERE id = ?", kRunColumns, kRunRowColumns),
                           {id}, [](const store::Row& row) {
                             Columns columns(row);
                             RunRow found;
                             read_run(columns, found);
                             found.triggering_actor = columns.string();
                             found.cancel_requested = columns.boolean();
                             found.cancel_reason = columns.string();
                             found.group_name = columns.string();
                             found.group_held = columns.boolean();
                             found.base_ref = columns.string();
                             found.requirements_hash = columns.string();
                             found.workflow_sha256 = columns.string();
                             found.options = options_from_json(columns.json());
                             found.inputs = columns.object();
                             found.payload = columns.object();
                             found.called = columns.object();
                             return found;
                           }));
  if (!run) return fail(Code::kNotFound, "there is no run {}; `weir runs` lists them", id);
  return *std::move(run);
}

Result<std::vector<Run>> list_runs(store::Reader& reader, std::optional<std::string> repo,
                                   std::optional<std::string> path, std::optional<RunState> state,
                                   std::optional<std::string> commit, std::int64_t before, int limit) {
  std::string sql = fmt::format("SELECT {} FROM engine_runs WHERE ", kRunColumns);
  std::vector<store::Value> values;
  const auto where = [&](std::string_view condition, store::Value value) {
    sql += fmt::format("{} AND ", condition);
    values.push_back(std::move(value));
  };
  if (repo) where("repo = ?", *repo);
  if (path) where("path = ?", *path);
  if (state) where("state = ?", number(*state));
  if (commit) {
    where("(commit_id = ? OR head_sha = ?)", *commit);
    values.emplace_back(*commit);
  }
  sql += "id < ? ORDER BY id DESC LIMIT ?";
  values.emplace_back(before > 0 ? before : std::numeric_limits<std::int64_t>::max());
  values.emplace_back(limit);
  std::vector<Run> runs;
  WEIR_TRY(reader.query(sql, store::Values(values), [&](const store::Row& row) {
    Columns columns(row);
    read_run(columns, runs.emplace_back());
  }));
  return runs;
}

Result<std::vector<std::int64_t>> unfinished_runs(store::Reader& reader) {
  return reader.all<std::int64_t>(
      "SELECT id FROM engine_runs WHERE state IN (?, ?, ?) ORDER BY id",
      {number(RunState::kQueued), number(RunState::kWaiting), number(RunState::kInProgress)},
      [](const store::Row& row) { return row.integer(0); });
}

Result<std::vector<JobRow>> load_jobs(store::Reader& reader, std::int64_t run, std::int64_t attempt) {
  auto jobs = WEIR_TRY(reader.all<JobRow>(
      fmt::format("SELECT {}, {} FROM engine_jobs WHERE run = ? AND attempt = ? ORDER BY position, id", kJobFixed,
                  kJobChanging),
      {run, attempt}, read_job));
  if (std::ranges::all_of(jobs, [](const JobRow& job) { return job.parent == 0; })) return jobs;
  return callees_after_calls(std::move(jobs));
}

Result<JobRow> load_job(store::Reader& reader, std::int64_t id) {
  auto job = WEIR_TRY(reader.first<JobRow>(
      fmt::format("SELECT {}, {} FROM engine_jobs WHERE id = ?", kJobFixed, kJobChanging), {id}, read_job));
  if (!job) return fail(Code::kNotFound, "there is no job {}; `weir runs` lists runs with their jobs", id);
  return *std::move(job);
}

Result<JobResult> load_result(store::Reader& reader, std::int64_t job) {
  auto result = WEIR_TRY(reader.first<JobResult>(
      "SELECT steps, annotations, summary FROM engine_job_results WHERE job = ?", {job}, [](const store::Row& row) {
        Columns columns(row);
        JobResult found;
        const auto steps = columns.json();
        if (steps.is_array()) {
          for (const auto& step : steps.get_array()) found.steps.push_back(step_from_json(step));
        }
        auto annotations = columns.json();
        if (annotations.is_array()) found.annotations = std::move(annotations.get_array());
        found.summary = columns.string();
        return found;
      }));
  return std::move(result).value_or(JobResult{});
}

Result<std::string> load_summary(store::Reader& reader, std::int64_t job) {
  auto summary = WEIR_TRY(reader.first<std::string>("SELECT summary FROM engine_job_results WHERE job = ?", {job},
                                                    [](const store::Row& row) { return row.string(0); }));
  return std::move(summary).value_or("");
}

Result<std::string> load_workflow_text(store::Reader& reader, std::string_view sha256) {
  auto text = WEIR_TRY(reader.first<std::string>("SELECT text FROM engine_workflow_texts WHERE sha256 = ?", {sha256},
                                                 [](const store::Row& row) { return row.string(0); }));
  if (!text) return fail(Code::kCorrupt, "the workflow text {} is not in the database; run: weir fsck", sha256);
  return *std::move(text);
}

Result<std::vector<std::string>> load_layers(store::Reader& reader, std::string_view repo, std::string_view hash) {
  if (hash.empty()) return std::vector<std::string>{};
  const auto text =
      WEIR_TRY(reader.first<std::string>("SELECT layers FROM engine_layers WHERE repo = ? AND requirements_hash = ?",
                                         {repo, hash}, [](const store::Row& row) { return row.string(0); }));
  return text ? strings_from(*text) : std::vector<std::string>{};
}

Result<std::int64_t> newest_event(store::Reader& reader, std::string_view subject) {
  return WEIR_TRY(
             reader.integer("SELECT sequence FROM events WHERE subject = ? ORDER BY sequence DESC LIMIT 1", {subject}))
      .value_or(0);
}

Result<void> insert_run(store::Transaction& tx, const RunRow& run) {
  WEIR_TRY(tx.execute(
      "INSERT INTO engine_runs(id, number, attempt, repo, path, workflow, event, ref, commit_id, title, actor, state, "
      "conclusion, created_at, started_at, completed_at, reason, problem, cause, created_event, triggering_actor, "
      "cancel_requested, cancel_reason, group_name, group_held, folders, head_ref, base_ref, requirements_hash, "
      "workflow_sha256, options, inputs, payload, called, head_sha) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
      "?, ?, ?, ?, "
      "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {run.id,
       run.number,
       run.attempt,
       run.repo,
       run.path,
       run.workflow,
       run.event,
       run.ref,
       run.commit,
       run.title,
       run.actor,
       number(run.state),
       number_or_null(run.conclusion),
       run.created_at,
       run.started_at,
       run.completed_at,
       run.reason,
       run.problem,
       run.cause,
       run.created_event,
       run.triggering_actor,
       run.cancel_requested,
       run.cancel_reason,
       run.group_name,
       run.group_held,
       1,
       run.head_ref,
       run.base_ref,
       run.requirements_hash,
       run.workflow_sha256,
       json::serialize(to_json(run.options)),
       json::serialize(run.inputs),
       json::serialize(run.payload),
       json::serialize(run.called),
       run.head_sha}));
  return {};
}

Result<void> update_run(store::Transaction& tx, const RunRow& run) {
  WEIR_TRY(
      tx.execute("UPDATE engine_runs SET state = ?, conclusion = ?, started_at = ?, completed_at = ?, problem = ?, "
                 "group_name = ?, group_held = ? WHERE id = ?",
                 {number(run.state), number_or_null(run.conclusion), run.started_at, run.completed_at, run.problem,
                  run.group_name, run.group_held, run.id}));
  return {};
}

Result<void> mark_cancelled(store::Transaction& tx, std::int64_t run, std::string_view reason) {
  WEIR_TRY(tx.execute("UPDATE engine_runs SET cancel_requested = 1, cancel_reason = ? WHERE id = ?", {reason, run}));
  return {};
}

// In the order of kJobChanging.
std::vector<store::Value> changing_values(const JobRow& job) {
  return {job.name,
          job.planned,
          job.leg,
          job.legs,
          job.fail_fast,
          job.max_parallel,
          number(job.state),
          number_or_null(job.conclusion),
          job.allowed_to_fail,
          job.environment,
          job.approval,
          job.group_name,
          job.group_cancels,
          job.group_held,
          serialize(job.labels),
          job.timeout_s,
          job.cancel_requested,
          job.waiting_for,
          job.queued_at,
          job.started_at,
          job.completed_at,
          job.layer,
          job.error,
          serialize(job.layers),
          json::serialize(job.matrix),
          json::serialize(job.outputs),
          job.environment_url,
          json::serialize(job.call_inputs),
          job.group_queues,
          job.cancel_limit_s,
          job.deployment,
          serialize(job.gpus),
          job.preemptions,
          job.may_reuse,
          job.reason,
          number(job.cache_mode)};
}

Result<void> insert_job(store::Transaction& tx, const JobRow& job) {
  std::vector<store::Value> values = {
      job.id,         job.run,    job.attempt, job.position, job.key, serialize(job.needs),
      job.created_at, job.origin, job.parent,  job.calls};
  std::ranges::move(changing_values(job), std::back_inserter(values));
  std::string places = "?";
  for (std::size_t i = 1; i < values.size(); ++i) places += ", ?";
  WEIR_TRY(
      tx.execute(fmt::format("INSERT INTO engine_jobs({}, {}) VALUES({})", kJobFixed, kJobChanging, places), values));
  return {};
}

Result<void> update_job(store::Transaction& tx, const JobRow& job) {
  static const std::string kUpdate = [] {
    std::string text;
    for (const char c : kJobChanging) text += c == ',' ? std::string(" = ?,") : std::string(1, c);
    return fmt::format("UPDATE engine_jobs SET {} = ? WHERE id = ?", text);
  }();
  auto values = changing_values(job);
  values.emplace_back(job.id);
  WEIR_TRY(tx.execute(kUpdate, values));
  return {};
}

Result<void> insert_result(store::Transaction& tx, std::int64_t job, const JobResult& result,
                           const std::string& inputs) {
  json::array steps;
  for (const auto& step : result.steps) steps.emplace_back(to_json(step));
  WEIR_TRY(
      tx.execute("INSERT INTO engine_job_results(job, steps, annotations, summary, inputs) VALUES(?, ?, ?, ?, ?) "
                 "ON CONFLICT(job) DO NOTHING",
                 {job, json::serialize(steps), json::serialize(result.annotations), result.summary, inputs}));
  return {};
}

Result<void> insert_workflow_text(store::Transaction& tx, std::string_view sha256, std::string_view text) {
  WEIR_TRY(tx.execute("INSERT INTO engine_workflow_texts(sha256, text) VALUES(?, ?) ON CONFLICT(sha256) DO NOTHING",
                      {sha256, text}));
  return {};
}

Result<void> record_layers(store::Transaction& tx, std::string_view repo, std::string_view hash,
                           const std::vector<std::string>& layers) {
  if (hash.empty() || layers.empty()) return {};
  WEIR_TRY(
      tx.execute("INSERT INTO engine_layers(repo, requirements_hash, layers, recorded_at) VALUES(?, ?, ?, ?) "
                 "ON CONFLICT(repo, requirements_hash) DO UPDATE SET layers = excluded.layers, "
                 "recorded_at = excluded.recorded_at",
                 {repo, hash, serialize(layers), tx.now()}));
  return {};
}

}  // namespace weir::engine
