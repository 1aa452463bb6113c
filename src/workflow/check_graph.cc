#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "text/suggest.h"
#include "workflow/expression_tree.h"
#include "workflow/expression_value.h"
#include "workflow/file_reader.h"

namespace weir::workflow {
namespace {

using text::YamlNode;

// The node of the `needs` of job `key`, or of one name in it.
const YamlNode& place_of_need(const YamlNode& jobs, const std::string& key, std::size_t index) {
  const auto* needs = jobs.find(key)->value->find("needs")->value;
  return needs->is_sequence() && index < needs->items().size() ? *needs->items()[index] : *needs;
}

// Depth-first search for jobs that need themselves.
class CycleFinder {
 public:
  CycleFinder(const Workflow& workflow, const std::map<std::string, std::size_t>& index)
      : workflow_(workflow), index_(index) {
    state_.resize(workflow.jobs.size(), State::kNew);
  }

  // Calls `report(job, need index, path)` once for each need that closes a cycle.
  template <class Report>
  void run(const Report& report) {
    for (std::size_t start = 0; start < workflow_.jobs.size(); ++start) {
      if (state_[start] != State::kNew) continue;
      std::vector<Frame> path{{start, 0}};
      state_[start] = State::kOpen;
      while (!path.empty()) {
        Frame& top = path.back();
        const auto& needs = workflow_.jobs[top.job].needs;
        if (top.next == needs.size()) {
          state_[top.job] = State::kDone;
          path.pop_back();
          continue;
        }
        const std::size_t need = top.next++;
        const auto found = index_.find(needs[need]);
        if (found == index_.end()) continue;
        if (state_[found->second] == State::kNew) {
          state_[found->second] = State::kOpen;
          path.push_back({found->second, 0});
        } else if (state_[found->second] == State::kOpen) {
          report(top.job, need, cycle(path, found->second));
        }
      }
    }
  }

 private:
  enum class State : std::uint8_t { kNew, kOpen, kDone };
  struct Frame {
    std::size_t job;
    std::size_t next;
  };

  [[nodiscard]] std::string cycle(const std::vector<Frame>& path, std::size_t first) const {
    auto from = std::ranges::find(path, first, &Frame::job);
    std::string out;
    for (; from != path.end(); ++from) out += workflow_.jobs[from->job].key + " needs ";
    return out + workflow_.jobs[first].key;
  }

  const Workflow& workflow_;
  const std::map<std::string, std::size_t>& index_;
  std::vector<State> state_;
};

}  // namespace

void check_graph(FileReader& reader, const Workflow& workflow, const YamlNode& jobs) {
  std::map<std::string, std::size_t> index;
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < workflow.jobs.size(); ++i) {
    index.emplace(workflow.jobs[i].key, i);
    keys.push_back(workflow.jobs[i].key);
  }
  for (const auto& job : workflow.jobs) {
    for (std::size_t i = 0; i < job.needs.size(); ++i) {
      if (job.needs[i].empty() || index.contains(job.needs[i])) continue;
      reader.schema().error(place_of_need(jobs, job.key, i),
                            fmt::format("job \"{}\" needs \"{}\", which is no job", job.key, job.needs[i]),
                            text::did_you_mean(job.needs[i], keys));
    }
  }
  CycleFinder(workflow, index).run([&](std::size_t job, std::size_t need, const std::string& path) {
    reader.schema().error(place_of_need(jobs, workflow.jobs[job].key, need),
                          fmt::format("jobs wait for each other: {}", path));
  });
}

namespace {

// Checks what expressions mention against the file. GitHub gives null for what is not there, so these are warnings.
class MentionChecker {
 public:
  MentionChecker(FileReader& reader, const Workflow& workflow) : reader_(reader), workflow_(workflow) {}

  void check(const Mention& mention) {
    if (mention.path.size() < 2) return;
    const std::string& context = mention.path[0];
    if (context == "needs") check_needs(mention);
    if (context == "steps") check_steps(mention);
    if (context == "inputs") check_input(mention, mention.path[1]);
    if (context == "github" && mention.path.size() > 3 && mention.path[1] == "event" && mention.path[2] == "inputs") {
      check_input(mention, mention.path[3]);
    }
    if (context == "matrix") check_matrix(mention);
    if (context == "github") check_members(mention, kGithub);
    if (context == "runner") check_members(mention, kRunner);
    if (context == "strategy") check_members(mention, kStrategy);
    if (context == "job") check_members(mention, kJob);
  }

 private:
  static constexpr std::string_view kGithub[] = {"action",
                                                 "action_path",
                                                 "action_ref",
                                                 "action_repository",
                                                 "action_status",
                                                 "actor",
                                                 "actor_id",
                                                 "api_url",
                                                 "artifact_cache_size_limit",
                                                 "base_ref",
                                                 "env",
                                                 "event",
                                                 "event_name",
                                                 "event_path",
                                                 "graphql_url",
                                                 "head_ref",
                                                 "job",
                                                 "job_workflow_sha",
                                                 "path",
                                                 "ref",
                                                 "ref_name",
                                                 "ref_protected",
                                                 "ref_type",
                                                 "repository",
                                                 "repository_id",
                                                 "repository_owner",
                                                 "repository_owner_id",
                                                 "repository_visibility",
                                                 "repositoryurl",
                                                 "retention_days",
                                                 "run_attempt",
                                                 "run_id",
                                                 "run_number",
                                                 "secret_source",
                                                 "server_url",
                                                 "sha",
                                                 "state",
                                                 "step_summary",
                                                 "token",
                                                 "triggering_actor",
                                                 "workflow",
                                                 "workflow_ref",
                                                 "workflow_sha",
                                                 "workspace",
                                                 "output"};
  static constexpr std::string_view kRunner[] = {"name",       "os",    "arch",        "temp",
                                                 "tool_cache", "debug", "environment", "workspace"};
  static constexpr std::string_view kStrategy[] = {"fail-fast", "job-index", "job-total", "max-parallel"};
  static constexpr std::string_view kJob[] = {
      "status",       "container",           "services",          "check_run_id", "workflow_ref",
      "workflow_sha", "workflow_repository", "workflow_file_path"};
  static constexpr std::string_view kNeed[] = {"result", "outputs"};
  static constexpr std::string_view kStepMembers[] = {"outputs", "outcome", "conclusion"};

  void warn(const Mention& mention, std::string message, std::string hint = {}) {
    reader_.schema().report(text::Severity::kWarning, mention.position, mention.length, std::move(message),
                            std::move(hint));
  }

  void check_members(const Mention& mention, std::span<const std::string_view> known) {
    if (std::ranges::find(known, mention.path[1]) != known.end()) return;
    warn(mention, fmt::format("\"{}\" has no member \"{}\"; this is empty", mention.path[0], mention.path[1]),
         text::did_you_mean(mention.path[1], known));
  }

  void check_result(const Mention& mention, std::string_view what, std::span<const std::string_view> known) {
    if (mention.path.size() < 3 || std::ranges::find(known, mention.path[2]) != known.end()) return;
    warn(mention,
         fmt::format("{} has {}, but no \"{}\"; this is empty", what, text::quoted_list(known, "and"), mention.path[2]),
         text::did_you_mean(mention.path[2], known));
  }

  void check_needs(const Mention& mention) {
    if (mention.job < 0) return;
    const Job& job = workflow_.jobs[static_cast<std::size_t>(mention.job)];
    const std::string& name = mention.path[1];
    const auto need = std::ranges::find_if(job.needs, [&](const auto& key) { return equal_ignoring_case(key, name); });
    if (need == job.needs.end()) {
      const bool exists =
          std::ranges::any_of(workflow_.jobs, [&](const Job& other) { return equal_ignoring_case(other.key, name); });
      warn(mention, fmt::format("job \"{}\" does not need \"{}\"; this is empty", job.key, name),
           exists ? fmt::format("add \"{}\" to its needs", name) : text::did_you_mean(name, job.needs));
      return;
    }
    check_result(mention, "a needed job", kNeed);
    const Job* other = workflow_.find(*need);
    if (other == nullptr || mention.path.size() < 4 || mention.path[2] != "outputs") return;
    std::vector<std::string> outputs;
    if (other->calls_workflow()) {
      const Workflow* callee = reader_.local().callee(other->uses);
      if (callee == nullptr || !callee->on.call) return;
      for (const auto& output : callee->on.call->outputs) outputs.push_back(output.name);
    } else {
      for (const auto& member : other->outputs) outputs.emplace_back(member.key());
    }
    if (std::ranges::any_of(outputs, [&](const auto& output) { return equal_ignoring_case(output, mention.path[3]); }))
      return;
    warn(mention, fmt::format("job \"{}\" has no output \"{}\"; this is empty", *need, mention.path[3]),
         text::did_you_mean(mention.path[3], outputs));
  }

  void check_steps(const Mention& mention) {
    if (mention.job < 0) return;
    const Job& job = workflow_.jobs[static_cast<std::size_t>(mention.job)];
    const std::string& id = mention.path[1];
    const auto step =
        std::ranges::find_if(job.steps, [&](const Step& s) { return !s.id.empty() && equal_ignoring_case(s.id, id); });
    if (step == job.steps.end()) {
      std::vector<std::string> ids;
      ids.reserve(job.steps.size());
      for (const auto& other : job.steps) ids.push_back(other.id);
      warn(mention, fmt::format("no step of job \"{}\" has the id \"{}\"; this is empty", job.key, id),
           text::did_you_mean(id, ids));
    } else if (mention.step >= 0 && step - job.steps.begin() >= mention.step) {
      warn(mention, fmt::format("the step \"{}\" has not run yet here; this is empty", id));
    } else {
      check_result(mention, "a step", kStepMembers);
    }
  }

  void check_input(const Mention& mention, const std::string& name) {
    const On& on = workflow_.on;
    if (!on.dispatch && !on.call) {
      warn(mention, "the workflow has no workflow_dispatch, so it has no inputs; this is empty");
      return;
    }
    if ((on.dispatch && on.dispatch->find(name) != nullptr) || (on.call && on.call->find(name) != nullptr)) return;
    std::vector<std::string> known;
    if (on.dispatch) {
      for (const auto& input : on.dispatch->inputs) known.push_back(input.name);
    }
    if (on.call) {
      for (const auto& input : on.call->inputs) known.push_back(input.name);
    }
    warn(mention,
         fmt::format("{} declares no input \"{}\"; this is empty", on.dispatch ? "workflow_dispatch" : "workflow_call",
                     name),
         text::did_you_mean(name, known));
  }

  void check_matrix(const Mention& mention) {
    if (mention.job < 0) return;
    const Job& job = workflow_.jobs[static_cast<std::size_t>(mention.job)];
    if (job.strategy.is_string()) return;
    const auto* matrix = json_find(job.strategy, "matrix");
    if (matrix == nullptr) {
      warn(mention, fmt::format("job \"{}\" has no matrix; this is empty", job.key));
      return;
    }
    std::vector<std::string> known;
    if (!matrix->is_object() || !collect_matrix_keys(matrix->get_object(), known)) return;
    if (std::ranges::any_of(known, [&](const auto& key) { return equal_ignoring_case(key, mention.path[1]); })) return;
    warn(mention, fmt::format("the matrix of job \"{}\" has no key \"{}\"; this is empty", job.key, mention.path[1]),
         text::did_you_mean(mention.path[1], known));
  }

  // False if an expression may bring keys of its own.
  static bool collect_matrix_keys(const json::object& matrix, std::vector<std::string>& keys) {
    for (const auto& member : matrix) {
      if (member.key() == "exclude") continue;
      if (member.key() != "include") {
        keys.emplace_back(member.key());
        continue;
      }
      if (!member.value().is_array()) return member.value().is_null();
      for (const auto& item : member.value().get_array()) {
        if (!item.is_object()) return false;
        for (const auto& extra : item.get_object()) keys.emplace_back(extra.key());
      }
    }
    return true;
  }

  FileReader& reader_;
  const Workflow& workflow_;
};

}  // namespace

void check_mentions(FileReader& reader, const Workflow& workflow) {
  MentionChecker checker(reader, workflow);
  for (const auto& mention : reader.mentions()) checker.check(mention);
}

}  // namespace weir::workflow
