#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "workflow/expression_tree.h"
#include "workflow/file_reader.h"
#include "workflow/letters.h"
#include "workflow/scopes.h"
#include "workflow/workflow.h"

namespace weir::workflow {
namespace {

using text::MapReader;
using text::YamlNode;

constexpr std::size_t kJobsMax = 500;
constexpr std::size_t kProblemsMax = 200;  // that are reported; a file has more when something general is wrong
constexpr text::YamlLimits kLimits{.nodes_max = 20'000};

// Keeps the first problems, but never warnings alone if there is an error.
void cut(std::vector<text::Diagnostic>& problems) {
  if (problems.size() <= kProblemsMax) return;
  const auto left_out = problems.size() - kProblemsMax;
  const auto error = std::ranges::find(problems, text::Severity::kError, &text::Diagnostic::severity);
  if (error != problems.end() && error - problems.begin() >= static_cast<std::ptrdiff_t>(kProblemsMax)) {
    problems[kProblemsMax - 1] = *error;
  }
  problems.resize(kProblemsMax);
  problems.back().hint +=
      fmt::format("{}{} more problems are not shown", problems.back().hint.empty() ? "" : "; ", left_out);
}

void read_jobs(FileReader& reader, const YamlNode& node, Workflow& workflow) {
  if (!node.is_map() || node.entries().empty()) {
    reader.schema().error(
        node, node.is_map() ? "\"jobs\" is empty" : fmt::format("\"jobs\" must be a map, not {}", node.kind_name()));
    return;
  }
  if (node.entries().size() > kJobsMax) {
    reader.schema().error(node,
                          fmt::format("the workflow has {} jobs; at most {} are run", node.entries().size(), kJobsMax));
    return;
  }
  for (const auto& entry : node.entries()) {
    workflow.jobs.push_back(read_job(reader, entry, static_cast<int>(workflow.jobs.size())));
  }
}

// As GitHub has it, keys of a map that differ in case only are the same key.
void check_cases(FileReader& reader, const YamlNode& node, std::set<const YamlNode*>& seen) {
  if (!seen.insert(&node).second) return;
  for (const YamlNode* item : node.items()) check_cases(reader, *item, seen);
  std::map<std::string, const std::string*> keys;
  for (const auto& entry : node.entries()) {
    const auto [first, added] = keys.emplace(fold_case(entry.key), &entry.key);
    if (!added) {
      reader.schema().error(entry,
                            fmt::format("the keys \"{}\" and \"{}\" differ in case only", *first->second, entry.key));
    }
    check_cases(reader, *entry.value, seen);
  }
}

// Needs as the jobs call themselves: GitHub compares the names without regard to case.
void name_needs(Workflow& workflow) {
  for (auto& job : workflow.jobs) {
    for (auto& need : job.needs) {
      const auto same = [&need](const Job& other) { return equal_ignoring_case(other.key, need); };
      if (const auto found = std::ranges::find_if(workflow.jobs, same); found != workflow.jobs.end()) need = found->key;
    }
  }
}

Workflow read_workflow(FileReader& reader, const YamlNode& root, std::string_view file) {
  Workflow out;
  out.file = file;
  MapReader map(reader.schema(), root, "the workflow");
  if (!map.is_map()) return out;
  if (const YamlNode* name = map.find("name")) out.name = reader.text(*name, "\"name\" of the workflow", nullptr);
  if (out.name.empty()) out.name = file;
  if (const YamlNode* about = map.find("description"))
    out.description = reader.text(*about, "\"description\" of the workflow", nullptr);
  if (const YamlNode* name = map.find("run-name")) out.run_name = reader.text(*name, "\"run-name\"", &scopes::kRunName);
  if (const YamlNode* on = map.require("on")) out.on = read_on(reader, *on);
  if (const YamlNode* env = map.find("env"))
    out.env = reader.env(*env, "\"env\" of the workflow", scopes::kWorkflowEnv);
  if (const YamlNode* defaults = map.find("defaults")) {
    out.defaults = read_defaults(reader, *defaults, "\"defaults\" of the workflow", nullptr);
  }
  if (const YamlNode* rule = map.find("concurrency")) {
    out.concurrency = read_concurrency(reader, *rule, "\"concurrency\" of the workflow", scopes::kWorkflowConcurrency);
  }
  if (const YamlNode* permissions = map.find("permissions")) {
    out.permissions = read_permissions(reader, *permissions, "\"permissions\" of the workflow");
  }
  if (const YamlNode* mode = map.find("cache-mode")) {
    out.cache_mode = read_cache_mode(reader, *mode, "\"cache-mode\" of the workflow");
  }
  if (const YamlNode* jobs = map.require("jobs")) {
    read_jobs(reader, *jobs, out);
    name_needs(out);
    if (jobs->is_map()) {
      check_graph(reader, out, *jobs);
      check_calls(reader, out, *jobs);
    }
  }
  map.finish();
  check_mentions(reader, out);
  return out;
}

}  // namespace

ParseResult parse_workflow(std::string_view text, std::string_view file, const ParseOptions& options) {
  ParseResult result;
  auto yaml = text::parse_yaml(text, file, kLimits);
  result.diagnostics = std::move(yaml.diagnostics);
  if (!yaml.document) return result;
  FileReader reader(*yaml.document, options);
  Workflow workflow = read_workflow(reader, yaml.document->root(), file);
  std::set<const YamlNode*> seen;
  check_cases(reader, yaml.document->root(), seen);
  for (auto& diagnostic : reader.schema().take()) result.diagnostics.push_back(std::move(diagnostic));
  text::sort_and_deduplicate(result.diagnostics);
  const bool failed = text::has_errors(result.diagnostics);
  cut(result.diagnostics);
  if (!failed) result.workflow = std::move(workflow);
  return result;
}

}  // namespace weir::workflow
