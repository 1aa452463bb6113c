#include <fmt/format.h>

#include <map>
#include <set>

#include "text/suggest.h"
#include "workflow/expression_tree.h"
#include "workflow/file_reader.h"
#include "workflow/scopes.h"
#include "workflow/support.h"

namespace weir::workflow {
namespace {

using text::MapReader;
using text::YamlEntry;
using text::YamlNode;

constexpr std::size_t kStepsMax = 1'000;
constexpr std::size_t kIdMax = 100;  // characters, and one less, as on GitHub

// Ids of the steps that have been read, as one job knows them.
struct StepIds {
  std::set<std::string> seen;              // in lower case
  std::map<std::string, bool> background;  // as written; whether the step runs in the background
  int groups = 0;                          // of parallel steps
};

class StepReader {
 public:
  // `parallel`: the step stands in a group of parallel steps.
  StepReader(FileReader& reader, const YamlNode& node, std::string what, StepIds& ids, bool parallel)
      : reader_(reader),
        schema_(reader.schema()),
        node_(node),
        what_(std::move(what)),
        ids_(ids),
        parallel_(parallel),
        map_(reader.schema(), node, what_) {}

  Step read() {
    step_.position = node_.position();
    if (!map_.is_map()) return std::move(step_);
    read_id();
    if (const YamlNode* name = map_.find("name")) step_.name = reader_.text(*name, of("name"), &scopes::kStep);
    if (const YamlNode* value = map_.find("continue-on-error")) {
      step_.continue_on_error = reader_.boolean(*value, of("continue-on-error"), scopes::kStep);
    }
    if (!read_control()) read_work();
    map_.finish();
    // What stands in a group is waited for at its end, and can be named nowhere else.
    if (!step_.id.empty() && !parallel_) ids_.background.emplace(step_.id, step_.background);
    return std::move(step_);
  }

 private:
  [[nodiscard]] std::string of(std::string_view key) const { return fmt::format("\"{}\" of {}", key, what_); }

  void read_id() {
    const YamlNode* id = map_.find("id");
    if (id == nullptr) return;
    step_.id = reader_.required_text(*id, of("id"), nullptr);
    if (step_.id.empty()) return;
    if (!is_identifier(step_.id) || step_.id.starts_with("__") || step_.id.size() >= kIdMax) {
      schema_.error(*id, fmt::format("the id \"{}\" may hold letters, digits, - and _ only, starts with a letter or _ "
                                     "and not with __, and has less than {} characters",
                                     step_.id, kIdMax));
    } else if (!ids_.seen.insert(lower_case(step_.id)).second) {
      schema_.error(*id, fmt::format("two steps of this job have the id \"{}\"", step_.id));
    }
  }

  // Steps that wait for others or end them; false for all other steps.
  bool read_control() {
    std::string_view kind;
    for (const std::string_view key : {"wait", "wait-all", "cancel"}) {
      if (node_.find(key) == nullptr) continue;
      if (!kind.empty()) {
        schema_.error(*node_.find(key), fmt::format("{} has both \"{}\" and \"{}\"", what_, kind, key));
        map_.ignore(key);
        continue;
      }
      kind = key;
      const YamlEntry& entry = *map_.find_entry(key);
      read_target(entry);
      reader_.needs(support::kBackgroundSteps, entry, "background steps");
      if (parallel_) schema_.error(entry, fmt::format("\"{}\" cannot stand in a group of parallel steps", key));
    }
    if (kind.empty()) return false;
    for (const auto* key : {"if", "run", "uses", "with", "env", "shell", "working-directory", "timeout-minutes",
                            "background", "parallel"}) {
      const YamlEntry* entry = map_.find_entry(key);
      if (entry == nullptr) continue;
      schema_.error(*entry, fmt::format("{} has \"{}\", and so no \"{}\"", what_, kind, key));
    }
    return true;
  }

  void read_target(const YamlEntry& entry) {
    const YamlNode& node = *entry.value;
    if (entry.key == "wait-all") {
      step_.wait_all = true;
      if (!node.is_null() && !(node.kind() == text::YamlKind::kBool && node.as_bool())) {
        schema_.error(node, fmt::format("{} takes no value, or true", of("wait-all")));
      }
    } else if (entry.key == "wait") {
      step_.wait = reader_.texts(node, of("wait"), nullptr);
      for (std::size_t i = 0; i < step_.wait.size(); ++i) {
        check_target(node.is_sequence() ? *node.items()[i] : node, step_.wait[i]);
      }
      if (step_.wait.empty()) schema_.error(node, fmt::format("{} names no step", of("wait")));
    } else {
      step_.cancel = reader_.required_text(node, of("cancel"), nullptr);
      check_target(node, step_.cancel);
    }
  }

  void check_target(const YamlNode& place, const std::string& id) {
    if (id.empty()) return;
    const auto found = ids_.background.find(id);
    if (found == ids_.background.end()) {
      std::vector<std::string> known;
      known.reserve(ids_.background.size());
      for (const auto& [name, background] : ids_.background) known.push_back(name);
      schema_.error(place, fmt::format("no step before {} has the id \"{}\"", what_, id),
                    text::did_you_mean(id, known));
    } else if (!found->second) {
      schema_.warning(place, fmt::format("the step \"{}\" does not run in the background, so it has ended here", id),
                      "give it \"background: true\"");
    }
  }

  void read_work() {
    if (const YamlNode* condition = map_.find("if"))
      step_.condition = reader_.condition(*condition, of("if"), scopes::kStepIf);
    if (const YamlNode* env = map_.find("env")) step_.env = reader_.env(*env, of("env"), scopes::kStep);
    if (const YamlNode* minutes = map_.find("timeout-minutes")) {
      step_.timeout_minutes = reader_.number(*minutes, of("timeout-minutes"), scopes::kStep);
    }
    if (const YamlEntry* background = map_.find_entry("background")) {
      if (background->value->kind() != text::YamlKind::kBool) {
        schema_.error(*background->value, fmt::format("{} must be true or false, not {}", of("background"),
                                                      background->value->kind_name()));
      } else if (parallel_) {
        schema_.error(*background, "\"background\" cannot stand in a group of parallel steps; they all run so");
      }
      step_.background = background->value->as_bool();
      reader_.needs(support::kBackgroundSteps, *background, "background steps");
    }
    read_action();
  }

  void read_action() {
    const YamlEntry* run = map_.find_entry("run");
    const YamlEntry* uses = map_.find_entry("uses");
    const YamlEntry* with = map_.find_entry("with");
    const YamlEntry* shell = map_.find_entry("shell");
    const YamlEntry* folder = map_.find_entry("working-directory");
    if (run != nullptr && uses != nullptr) {
      schema_.error(*uses, fmt::format("{} has both \"run\" and \"uses\"; a step has one of them", what_));
    } else if (run == nullptr && uses == nullptr) {
      schema_.error(node_, fmt::format("{} has neither \"run\" nor \"uses\"", what_),
                    "it may also be wait, wait-all, cancel or parallel");
    }
    if (run != nullptr) step_.run = reader_.required_text(*run->value, of("run"), &scopes::kStep);
    if (uses != nullptr) read_uses(*uses->value);
    if (with != nullptr) {
      if (uses == nullptr) schema_.error(*with, fmt::format("\"with\" goes with \"uses\", which {} lacks", what_));
      step_.with = reader_.text_map(*with->value, of("with"), scopes::kStep);
    }
    if (shell != nullptr) {
      if (run == nullptr) schema_.error(*shell, fmt::format("\"shell\" goes with \"run\", which {} lacks", what_));
      step_.shell = read_shell(reader_, *shell->value, of("shell"), nullptr);
    }
    if (folder != nullptr) {
      if (run == nullptr)
        schema_.error(*folder, fmt::format("\"working-directory\" goes with \"run\", which {} lacks", what_));
      step_.working_directory = reader_.required_text(*folder->value, of("working-directory"), &scopes::kStep);
    }
  }

  void read_uses(const YamlNode& node) {
    step_.uses = reader_.required_text(node, of("uses"), nullptr);
    const std::string_view uses = step_.uses;
    if (uses.empty() || has_expression(uses)) return;
    if (uses.starts_with("docker://")) {
      if (uses.size() == std::string_view("docker://").size()) {
        schema_.error(node, fmt::format("{} names no image after docker://", of("uses")));
      }
      reader_.needs(support::kDockerActions, *map_.find_entry("uses"), "actions from a container image");
    } else if (uses.starts_with("$/")) {
      reader_.needs(support::kSelfRepository, *map_.find_entry("uses"), "actions of the executing repository ($/)");
    } else if (!uses.starts_with("./") && !uses.starts_with("../") && !uses.starts_with(".\\")) {
      const auto at = uses.find('@');
      const auto slash = uses.substr(0, at).find('/');
      const bool named = slash != std::string_view::npos && slash > 0 && slash + 1 < uses.substr(0, at).size();
      if (!named || at == std::string_view::npos || at + 1 == uses.size()) {
        schema_.error(node, fmt::format("\"uses\" must be owner/repository@version or ./folder, not \"{}\"", uses),
                      named ? fmt::format("name a version: {}@v4", uses.substr(0, at)) : "");
      }
    }
  }

  FileReader& reader_;
  text::SchemaReader& schema_;
  const YamlNode& node_;
  std::string what_;
  StepIds& ids_;
  bool parallel_;
  MapReader map_;
  Step step_;
};

// All steps of a job.
class StepsReader {
 public:
  StepsReader(FileReader& reader, std::string_view job_what, int job)
      : reader_(reader), schema_(reader.schema()), job_what_(job_what), job_(job) {}

  std::vector<Step> read(const YamlNode& node) {
    if (!check_list(node, fmt::format("\"steps\" of {}", job_what_))) return {};
    for (std::size_t i = 0; i < node.items().size(); ++i) {
      const YamlNode& item = *node.items()[i];
      const std::string what = fmt::format("step {} of {}", i + 1, job_what_);
      const auto* group = item.is_map() ? item.find("parallel") : nullptr;
      group == nullptr ? read_step(item, what, false) : read_group(item, *group, what);
    }
    if (out_.size() > kStepsMax) {
      schema_.error(node, fmt::format("{} has {} steps; at most {} are run", job_what_, out_.size(), kStepsMax));
      out_.clear();
    }
    reader_.enter(job_, -1);
    return std::move(out_);
  }

 private:
  bool check_list(const YamlNode& node, const std::string& what) {
    if (!node.is_sequence()) {
      schema_.error(node, fmt::format("{} must be a list, not {}", what, node.kind_name()));
    } else if (node.items().empty()) {
      schema_.error(node, fmt::format("{} is empty", what));
    } else if (node.items().size() > kStepsMax) {
      schema_.error(node, fmt::format("{} has {} items; at most {} are run", what, node.items().size(), kStepsMax));
    } else {
      return true;
    }
    return false;
  }

  void read_step(const YamlNode& node, const std::string& what, bool parallel) {
    reader_.enter(job_, static_cast<int>(out_.size()));
    out_.push_back(StepReader(reader_, node, what, ids_, parallel).read());
  }

  // Its steps as background steps, and one that waits for them.
  void read_group(const YamlNode& node, const YamlEntry& group, const std::string& what) {
    text::MapReader map(schema_, node, what);
    map.ignore("parallel");
    map.finish();
    reader_.needs(support::kBackgroundSteps, group, "background steps");
    if (!check_list(*group.value, fmt::format("\"parallel\" of {}", what))) return;
    const int number = ++ids_.groups;
    Step wait{.id = fmt::format("__parallel{}", number), .name = "Parallel group"};
    wait.position = node.position();
    for (const YamlNode* item : group.value->items()) {
      const auto index = wait.wait.size() + 1;
      const std::string item_what = fmt::format("parallel step {} in {}", index, what);
      if (const auto* nested = item->is_map() ? item->find("parallel") : nullptr) {
        schema_.error(*nested, "a group of parallel steps cannot stand in another one");
        continue;
      }
      read_step(*item, item_what, true);
      out_.back().background = true;
      if (out_.back().id.empty()) out_.back().id = fmt::format("__parallel{}_{}", number, index);
      wait.wait.push_back(out_.back().id);
    }
    out_.push_back(std::move(wait));
  }

  FileReader& reader_;
  text::SchemaReader& schema_;
  std::string_view job_what_;
  int job_;
  StepIds ids_;
  std::vector<Step> out_;
};

}  // namespace

std::vector<Step> read_steps(FileReader& reader, const YamlNode& node, std::string_view job_what, int job) {
  return StepsReader(reader, job_what, job).read(node);
}

}  // namespace weir::workflow
