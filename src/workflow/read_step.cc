#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "text/suggest.h"
#include "workflow/expression_tree.h"
#include "workflow/file_reader.h"
#include "workflow/scopes.h"

namespace weir::workflow {
namespace {

using text::MapReader;
using text::YamlEntry;
using text::YamlNode;

constexpr std::size_t kStepsMax = 1'000;

class StepReader {
 public:
  StepReader(FileReader& reader, const YamlNode& node, std::string what)
      : reader_(reader),
        schema_(reader.schema()),
        node_(node),
        what_(std::move(what)),
        map_(reader.schema(), node, what_) {}

  Step read(std::set<std::string>& ids) {
    step_.position = node_.position();
    if (!map_.is_map()) return std::move(step_);
    read_id(ids);
    if (const YamlNode* name = map_.find("name")) step_.name = reader_.text(*name, of("name"), &scopes::kStep);
    if (const YamlNode* condition = map_.find("if"))
      step_.condition = reader_.condition(*condition, of("if"), scopes::kStepIf);
    if (const YamlNode* env = map_.find("env")) step_.env = reader_.env(*env, of("env"), scopes::kStep);
    if (const YamlNode* minutes = map_.find("timeout-minutes")) {
      step_.timeout_minutes = reader_.number(*minutes, of("timeout-minutes"), scopes::kStep);
    }
    if (const YamlNode* value = map_.find("continue-on-error")) {
      step_.continue_on_error = reader_.boolean(*value, of("continue-on-error"), scopes::kStep);
    }
    read_action();
    for (const auto* key : {"background", "wait", "wait-all", "cancel", "parallel"}) {
      map_.refuse(key, fmt::format("\"{}\" of a step is not supported yet; steps run one after the other", key));
    }
    map_.finish();
    return std::move(step_);
  }

 private:
  [[nodiscard]] std::string of(std::string_view key) const { return fmt::format("\"{}\" of {}", key, what_); }

  void read_id(std::set<std::string>& ids) {
    const YamlNode* id = map_.find("id");
    if (id == nullptr) return;
    step_.id = reader_.required_text(*id, of("id"), nullptr);
    if (step_.id.empty()) return;
    if (!is_identifier(step_.id) || step_.id.starts_with("__")) {
      schema_.error(
          *id, fmt::format(
                   "the id \"{}\" may hold letters, digits, - and _ only, starts with a letter or _, and not with __",
                   step_.id));
    } else if (!ids.insert(lower_case(step_.id)).second) {
      schema_.error(*id, fmt::format("two steps of this job have the id \"{}\"", step_.id));
    }
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
      schema_.error(node_, fmt::format("{} has neither \"run\" nor \"uses\"", what_));
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
      schema_.error(node, "actions from a container image are not supported yet");
    } else if (!uses.starts_with("./") && !uses.starts_with("../")) {
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
  MapReader map_;
  Step step_;
};

}  // namespace

std::vector<Step> read_steps(FileReader& reader, const YamlNode& node, std::string_view job_what, int job) {
  std::vector<Step> out;
  if (!node.is_sequence()) {
    reader.schema().error(node, fmt::format("\"steps\" of {} must be a list, not {}", job_what, node.kind_name()));
    return out;
  }
  if (node.items().empty()) reader.schema().error(node, fmt::format("\"steps\" of {} is empty", job_what));
  if (node.items().size() > kStepsMax) {
    reader.schema().error(node,
                          fmt::format("{} has {} steps; at most {} are run", job_what, node.items().size(), kStepsMax));
    return out;
  }
  std::set<std::string> ids;
  for (std::size_t i = 0; i < node.items().size(); ++i) {
    const YamlNode& item = *node.items()[i];
    reader.enter(job, static_cast<int>(i));
    out.push_back(StepReader(reader, item, fmt::format("step {} of {}", i + 1, job_what)).read(ids));
  }
  reader.enter(job, -1);
  return out;
}

}  // namespace weir::workflow
