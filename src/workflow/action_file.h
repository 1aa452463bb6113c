#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/diagnostic.h"
#include "workflow/workflow.h"

namespace weir::workflow {

// An action's metadata, `action.yml`, as plain structs:
// https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax
// Texts that may hold expressions are kept as written. Immutable once parsed; any thread may share one.

struct ActionInput {
  std::string name;
  std::string description;
  bool required = false;  // for people: GitHub does not check it, actions do
  std::string fallback;   // `default`: may hold expressions; "" if not given
  std::string deprecation;
};

struct ActionOutput {
  std::string name;
  std::string description;
  std::string value;  // of a composite action: may hold expressions
};

enum class ActionKind : std::uint8_t { kComposite, kNode, kDocker };

struct ActionFile {
  std::string file;  // "action.yml", for messages
  std::string name;
  std::string description;
  std::vector<ActionInput> inputs;
  std::vector<ActionOutput> outputs;
  ActionKind kind = ActionKind::kComposite;

  // Conditions of what runs before the job's steps and after them.
  std::string pre_if = "always()";
  std::string post_if = "always()";

  // kNode: files below the action's folder; "" if not given.
  int node_version = 0;  // 12, 16, 20, 24
  std::string main;
  std::string pre;
  std::string post;

  // kDocker
  std::string image;  // "Dockerfile", or "docker://alpine:3"
  std::string entrypoint;
  std::string pre_entrypoint;
  std::string post_entrypoint;
  std::vector<std::string> args;  // may hold expressions over `inputs`
  json::object env;               // the same

  // kComposite
  std::vector<Step> steps;

  // The input called `input`, without regard to case; null if there is none.
  [[nodiscard]] const ActionInput* find_input(std::string_view input) const;
};

struct ActionParse {
  std::optional<ActionFile> action;           // without errors only
  std::vector<text::Diagnostic> diagnostics;  // all of the file, in its order; warnings too
};

// Reads an action's metadata: every problem of it, not the first alone. `file` is for messages.
ActionParse parse_action(std::string_view text, std::string_view file);

}  // namespace weir::workflow
