#include "engine/reuse.h"

#include <algorithm>
#include <set>

#include "base/hash.h"
#include "text/suggest.h"

namespace weir::engine {
namespace {

constexpr std::size_t kTreesKept = 8;
constexpr int kCandidatesMax = 5;
constexpr std::size_t kPartDigits = 16;  // enough to see a change; names, not trust, hang on it

std::string digest(const json::value& value) {
  return sha256_hex(json::serialize(value));
}

// Names directly in a folder, with the kind of each.
std::set<std::string> names_in(const Trees::Tree& tree, const std::string& folder) {
  std::set<std::string> names;
  const auto prefix = folder.empty() ? std::string() : folder + "/";
  for (auto at = tree.lower_bound(prefix); at != tree.end() && at->first.starts_with(prefix); ++at) {
    const auto rest = std::string_view(at->first).substr(prefix.size());
    names.emplace(rest.substr(0, rest.find('/') == std::string_view::npos ? rest.size() : rest.find('/') + 1));
  }
  return names;
}

using Kind = Difference::Kind;
using Change = Difference::Change;

bool of_definition(std::string_view part) {
  return part.find('.') == std::string_view::npos || part.starts_with("env.") || part == kCommitPart;
}

void compare_parts(Kind kind, const JobInputs& before, const JobInputs& now, std::vector<Difference>& out) {
  const auto count = out.size();
  const bool wanted = kind == Kind::kDefinition;
  if (!before.parts.empty() && !now.parts.empty()) {
    for (const auto& [name, value] : now.parts) {
      if (of_definition(name) != wanted) continue;
      const auto old = before.parts.find(name);
      if (old == before.parts.end()) {
        out.push_back({kind, Change::kNew, name});
      } else if (old->second != value) {
        out.push_back({kind, Change::kChanged, name});
      }
    }
    for (const auto& [name, value] : before.parts) {
      if (of_definition(name) == wanted && !now.parts.contains(name)) out.push_back({kind, Change::kGone, name});
    }
  }
  if (out.size() == count) out.push_back({kind, Change::kChanged, {}});
}

// `gone`: the files that were told of already; what a job both read and listed is told of once.
void compare_file(const std::string& path, const Trees::Tree& before, const Trees::Tree& now,
                  std::set<std::string>& gone, std::vector<Difference>& out) {
  const auto old = before.find(path);
  if (old == before.end()) return;  // not of the commit: the job made it itself
  const auto found = now.find(path);
  if (found == now.end()) {
    if (gone.insert(path).second) out.push_back({Kind::kFile, Change::kGone, path});
  } else if (found->second != old->second) {
    out.push_back({Kind::kFile, Change::kChanged, path});
  }
}

void compare_folder(const std::string& folder, const Trees::Tree& before, const Trees::Tree& now,
                    std::set<std::string>& gone, std::vector<Difference>& out) {
  const auto old = names_in(before, folder);
  const auto found = names_in(now, folder);
  const auto prefix = folder.empty() ? std::string() : folder + "/";
  for (const auto& name : found) {
    if (!old.contains(name)) out.push_back({Kind::kFile, Change::kNew, prefix + name});
  }
  for (const auto& name : old) {
    if (found.contains(name) || !gone.insert(prefix + name).second) continue;
    out.push_back({Kind::kFile, Change::kGone, prefix + name});
  }
}

}  // namespace

JobInputs inputs_of(const LegBody& body, const Facts& facts, std::string_view commit) {
  const auto definition = json::serialize(
      json::object{{"steps", body.steps}, {"env", body.env}, {"outputs", body.outputs}, {"defaults", body.defaults}});
  JobInputs inputs{.commit = std::string(commit),
                   .values = digest({facts.inputs, facts.vars, facts.matrix.is_null() ? json::value() : facts.matrix})};
  // One that asks for the commit is of that commit only.
  const bool asks =
      definition.find("github.sha") != std::string::npos || definition.find("GITHUB_SHA") != std::string::npos;
  inputs.definition = sha256_hex(asks ? definition + inputs.commit : definition);
  const auto part = [&inputs](std::string name, const json::value& value) {
    inputs.parts[std::move(name)] = digest(value).substr(0, kPartDigits);
  };
  const auto parts = [&part](std::string_view prefix, const json::object& values) {
    for (const auto& one : values) part(fmt::format("{}.{}", prefix, std::string_view(one.key())), one.value());
  };
  part("steps", body.steps);
  part("outputs", body.outputs);
  part("defaults", body.defaults);
  parts("env", body.env);
  if (asks) part(std::string(kCommitPart), json::value_from(inputs.commit));
  parts("inputs", facts.inputs);
  parts("vars", facts.vars);
  if (facts.matrix.is_object()) parts("matrix", facts.matrix.get_object());
  return inputs;
}

Result<std::shared_ptr<const Trees::Tree>> Trees::of(const io::Git& git, const std::string& commit) {
  for (const auto& [known, tree] : kept_) {
    if (known == commit) return tree;
  }
  auto tree = std::make_shared<Tree>();
  for (auto& entry : WEIR_TRY(git.list(commit))) (*tree)[std::move(entry.path)] = entry.mode + " " + entry.object;
  if (kept_.size() == kTreesKept) kept_.erase(kept_.begin());
  kept_.emplace_back(commit, tree);
  return tree;
}

std::vector<Difference> differences(const JobInputs& before, const JobInputs& now, const Trees::Tree& tree_before,
                                    const Trees::Tree& tree_now) {
  std::vector<Difference> out;
  if (before.definition != now.definition) compare_parts(Kind::kDefinition, before, now, out);
  if (before.values != now.values) compare_parts(Kind::kValue, before, now, out);
  for (const auto& [key, value] : now.needs) {
    const auto found = before.needs.find(key);
    if (found == before.needs.end() || found->second != value) out.push_back({Kind::kNeed, Change::kChanged, key});
  }
  std::set<std::string> gone;
  if (before.reads) {
    for (const auto& path : before.reads->files) compare_file(path, tree_before, tree_now, gone, out);
    for (const auto& folder : before.reads->folders) compare_folder(folder, tree_before, tree_now, gone, out);
  } else {
    // The workflow files are compared by what they say of the job.
    for (const auto& [path, object] : tree_before) {
      if (!path.starts_with(kWorkflowFolder)) compare_file(path, tree_before, tree_now, gone, out);
    }
    for (const auto& [path, object] : tree_now) {
      if (!path.starts_with(kWorkflowFolder) && !tree_before.contains(path)) {
        out.push_back({Kind::kFile, Change::kNew, path});
      }
    }
  }
  return out;
}

Result<std::vector<Candidate>> load_candidates(store::Reader& reader, const RunRow& run, const JobRow& job) {
  std::vector<Candidate> candidates;
  WEIR_TRY(
      reader.query("SELECT j.id, r.id, r.number, s.inputs FROM engine_runs r JOIN engine_jobs j ON j.run = r.id "
                   "JOIN engine_job_results s ON s.job = j.id "
                   "WHERE r.path = ? AND r.repo = ? AND r.id < ? AND j.job_key = ? AND j.leg = ? AND j.conclusion = ? "
                   "AND j.origin = 0 AND s.inputs <> '' ORDER BY r.id DESC, j.id DESC LIMIT ?",
                   {run.path, run.repo, run.id, job.key, job.leg,
                    static_cast<std::int64_t>(types::Conclusion::kSuccess), kCandidatesMax},
                   [&](const store::Row& row) {
                     const auto value = parse_json(row.text(3), "inputs of a job");
                     auto inputs = value ? job_inputs_from_json(*value) : std::nullopt;
                     if (inputs)
                       candidates.push_back({row.integer(0), row.integer(1), row.integer(2), *std::move(inputs)});
                   }));
  return candidates;
}

NeedResult::NeedResult(KeyNode& key) : outputs_(engine::digest(results_of({&key}))) {
  for (const auto& leg : key.legs) jobs_.emplace_back(leg->row.id, leg->row.origin);
}

Result<std::string> NeedResult::digest(store::Reader& reader, std::int64_t run) const {
  const std::scoped_lock lock(mutex_);
  if (!digest_.empty()) return digest_;
  std::map<std::int64_t, std::string> artifacts;  // names and digests, by job
  WEIR_TRY(reader.query(
      "SELECT job_id, name, sha256 FROM engine_artifacts WHERE run_id = ? ORDER BY name", {run},
      [&](const store::Row& row) { artifacts[row.integer(0)] += fmt::format("{}\n{}\n", row.text(1), row.text(2)); }));
  std::string text = outputs_;
  for (const auto& [id, origin] : jobs_) {
    const auto found = artifacts.contains(id) ? artifacts.find(id) : artifacts.find(origin);
    if (found != artifacts.end()) text += "\n" + found->second;
  }
  digest_ = sha256_hex(text);
  return digest_;
}

NeedResults need_results(const KeyNode& key) {
  NeedResults results;
  for (auto* need : key.needs) {
    if (need->as_need == nullptr) need->as_need = std::make_shared<const NeedResult>(*need);
    results[std::string(local_key(need->legs.front()->row.key))] = need->as_need;
  }
  return results;
}

Result<void> add_needs(store::Reader& reader, std::int64_t run, const NeedResults& results, JobInputs& inputs) {
  for (const auto& [key, result] : results) inputs.needs[key] = WEIR_TRY(result->digest(reader, run));
  return {};
}

namespace {

Result<std::vector<std::size_t>> indices_of(const Plan& plan, const std::vector<std::string>& keys) {
  std::vector<std::size_t> indices;
  for (const auto& key : keys) {
    const auto found = plan.find(key);
    if (!found) {
      std::vector<std::string> known;
      known.reserve(plan.size());
      for (std::size_t i = 0; i < plan.size(); ++i) known.push_back(plan.key(i));
      const auto hint = text::did_you_mean(key, known);
      return fail(Code::kInvalidArgument, "the workflow has no job \"{}\"; {}", key,
                  hint.empty() ? fmt::format("its jobs are {}", fmt::join(known, ", ")) : hint);
    }
    indices.push_back(*found);
  }
  return indices;
}

// `marked` and everything that it needs, directly or not.
void mark_needs(const Plan& plan, std::vector<bool>& marked) {
  for (bool grown = true; grown;) {
    grown = false;
    for (std::size_t job = 0; job < plan.size(); ++job) {
      if (!marked[job]) continue;
      for (const auto& need : plan.needs(job)) {
        const auto index = plan.find(need);
        if (!index || marked[*index]) continue;
        marked[*index] = grown = true;
      }
    }
  }
}

// `marked` and everything that needs it, directly or not.
void mark_dependents(const Plan& plan, std::vector<bool>& marked) {
  for (bool grown = true; grown;) {
    grown = false;
    for (std::size_t job = 0; job < plan.size(); ++job) {
      if (marked[job]) continue;
      marked[job] = std::ranges::any_of(plan.needs(job), [&](const auto& need) {
        const auto index = plan.find(need);
        return index && marked[*index];
      });
      grown = marked[job] || grown;
    }
  }
}

}  // namespace

Result<Stages> stages(const Plan& plan, const std::vector<std::string>& from, const std::vector<std::string>& to) {
  const auto first = WEIR_TRY(indices_of(plan, from));
  const auto last = WEIR_TRY(indices_of(plan, to));
  std::vector<bool> behind(plan.size(), from.empty());
  std::vector<bool> before(plan.size(), to.empty());
  for (const auto job : first) behind[job] = true;
  for (const auto job : last) before[job] = true;
  if (!from.empty()) mark_dependents(plan, behind);
  if (!to.empty()) mark_needs(plan, before);
  Stages result{.runs = std::vector<bool>(plan.size()), .needed = {}};
  for (std::size_t job = 0; job < plan.size(); ++job) result.runs[job] = behind[job] && before[job];
  for (const auto job : first) {
    if (before[job]) continue;
    return fail(Code::kInvalidArgument, "no way leads from job \"{}\" to \"{}\"", plan.key(job),
                fmt::join(to, "\" or \""));
  }
  for (const auto job : last) {
    if (behind[job]) continue;
    return fail(Code::kInvalidArgument, "no way leads from \"{}\" to job \"{}\"", fmt::join(from, "\" or \""),
                plan.key(job));
  }
  result.needed = result.runs;
  mark_needs(plan, result.needed);
  for (std::size_t job = 0; job < plan.size(); ++job) result.needed[job] = result.needed[job] && !result.runs[job];
  return result;
}

}  // namespace weir::engine
