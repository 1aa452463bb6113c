#include "engine/reuse_view.h"

#include <set>
#include <string_view>

#include "engine/rows.h"

namespace weir::engine {
namespace {

// A page shows some hundreds; who wants them all asks git.
constexpr std::size_t kKeptMax = 1000;

Result<std::string> load_inputs(store::Reader& reader, std::int64_t job) {
  auto text = WEIR_TRY(reader.first<std::string>("SELECT inputs FROM engine_job_results WHERE job = ?", {job},
                                                 [](const store::Row& row) { return std::string(row.text(0)); }));
  return std::move(text).value_or("");
}

// The job that this one was compared with; 0: none.
Result<std::int64_t> load_comparison(store::Reader& reader, std::int64_t job, Reuse& reuse) {
  std::int64_t compared = 0;
  WEIR_TRY(reader.query("SELECT compared, count, differences FROM engine_job_comparisons WHERE job = ?", {job},
                        [&](const store::Row& found) {
                          compared = found.integer(0);
                          reuse.differences_count = found.integer(1);
                          auto list = parse_json(found.text(2), "what differs");
                          if (list && list->is_array()) reuse.differences = std::move(list->get_array());
                        }));
  return compared;
}

json::array to_array(const std::vector<std::string>& texts) {
  json::array array;
  for (const auto& text : texts) array.emplace_back(text);
  return array;
}

json::value key_json(const Reuse& reuse) {
  if (!reuse.key) return nullptr;
  const auto& key = *reuse.key;
  json::array parts;
  for (const auto& [name, digest] : key.parts) parts.emplace_back(name);
  json::object needs;
  for (const auto& [name, digest] : key.needs) needs[name] = digest;
  json::array files;
  for (const auto& file : reuse.files) files.push_back(json::object{{"path", file.path}, {"object", file.object}});
  return json::object{{"commit", key.commit},
                      {"definition", key.definition},
                      {"values", key.values},
                      {"parts", std::move(parts)},
                      {"needs", std::move(needs)},
                      {"every_file", !key.reads.has_value()},
                      {"files", std::move(files)},
                      {"files_count", reuse.files_count},
                      {"folders", key.reads ? to_array(key.reads->folders) : json::array{}}};
}

}  // namespace

Result<void> keep_comparison(store::Transaction& tx, std::int64_t job, std::int64_t compared,
                             const std::vector<Difference>& differences) {
  json::array kept;
  for (const auto& one : differences) {
    if (kept.size() == kKeptMax) break;
    kept.emplace_back(to_json(one));
  }
  WEIR_TRY(
      tx.execute("INSERT INTO engine_job_comparisons(job, compared, count, differences) VALUES(?, ?, ?, ?) "
                 "ON CONFLICT(job) DO UPDATE SET compared = excluded.compared, count = excluded.count, "
                 "differences = excluded.differences",
                 {job, compared, static_cast<std::int64_t>(differences.size()), json::serialize(kept)}));
  return {};
}

json::object to_json(const Reuse& reuse) {
  json::value earlier;
  if (reuse.earlier) {
    earlier = json::object{{"job", reuse.earlier->job}, {"run", reuse.earlier->run}, {"number", reuse.earlier->number}};
  }
  return {{"asked", reuse.asked},   {"reused", reuse.reused},           {"earlier", std::move(earlier)},
          {"key", key_json(reuse)}, {"differences", reuse.differences}, {"differences_count", reuse.differences_count}};
}

Result<Reuse> load_reuse(store::Reader& reader, std::int64_t job) {
  auto row = WEIR_TRY(load_job(reader, job));
  auto source = row.origin != 0 ? std::optional(WEIR_TRY(load_job(reader, row.origin))) : std::nullopt;
  if (source && source->run == row.run) {
    // The attempts of one run carry on each other's results without a question: what was asked was asked of that job.
    row = JobRow(*source);
    source.reset();
  }
  Reuse reuse{.asked = row.may_reuse, .reused = row.may_reuse && source};
  if (!source) {
    const auto compared = WEIR_TRY(load_comparison(reader, row.id, reuse));
    if (compared != 0) source = WEIR_TRY(load_job(reader, compared));
  }
  if (source) {
    reuse.earlier =
        Reuse::Earlier{.job = source->id, .run = source->run, .number = WEIR_TRY(load_run(reader, source->run)).number};
  }
  const auto text = WEIR_TRY(load_inputs(reader, row.origin != 0 ? row.origin : row.id));
  if (!text.empty()) reuse.key = job_inputs_from_json(WEIR_TRY(parse_json(text, "inputs of a job")));
  return reuse;
}

Result<void> add_files(const io::Git& git, Reuse& reuse) {
  if (!reuse.key) return {};
  const auto& reads = reuse.key->reads;
  std::set<std::string_view> read;
  if (reads) read.insert(reads->files.begin(), reads->files.end());
  for (auto& entry : WEIR_TRY(git.list(reuse.key->commit))) {
    // What it read and the commit does not have, it made itself.
    if (reads ? !read.contains(entry.path) : entry.path.starts_with(kWorkflowFolder)) continue;
    if (++reuse.files_count <= kKeptMax) reuse.files.push_back({std::move(entry.path), std::move(entry.object)});
  }
  return {};
}

}  // namespace weir::engine
