#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/diagnostic.h"

namespace weir::workflow {

// What is no mistake of the language, but unsafe. Each rule has a name, under which it is reported, and can be
// switched. A comment "weir: ignore NAME" in the line of a finding, or in the one above, silences it.
struct LintRule {
  std::string_view name;
  std::string_view what;  // one line for people
  bool by_default = true;
};

std::span<const LintRule> lint_rules();

struct RuleOptions {
  std::set<std::string, std::less<>> rules;  // those that are on
  // Whether an action ("actions/checkout") may be taken at a tag: it is part of weir, or its owner is trusted.
  std::function<bool(std::string_view action)> is_builtin;
};

// Those that are on by default.
std::set<std::string, std::less<>> default_rules();

// Warnings about a workflow file that parses, in its order.
std::vector<text::Diagnostic> check_rules(std::string_view text, std::string_view file, const RuleOptions& options);

}  // namespace weir::workflow
