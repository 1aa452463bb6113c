#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "workflow/workflow.h"

namespace weir::workflow {

// The plan of a workflow as a drawing: its jobs in columns, each to the right of all that it needs. Pure.
struct GraphNode {
  enum class Kind { kJob, kCall, kPassage };
  Kind kind = Kind::kJob;
  std::string key;
  std::string title;
  std::vector<std::string> notes;  // "matrix × 6", "environment production", "calls train.yml"
  bool guarded = false;            // has an environment
  int level = 0;                   // column, from 0
  int order = 0;                   // within its column, from 0; passages, which only lead edges through, count too
};

struct Graph {
  std::string title;                       // of the workflow
  std::string events;                      // "push, schedule"
  std::vector<GraphNode> nodes;            // jobs in the order of the file, then passages
  std::vector<std::pair<int, int>> edges;  // from and to, neighbouring columns; what follows from others is left out
};

Graph build_graph(const Workflow& workflow);

// Lines of box drawing characters; where they would be wider than `columns`, a list of the stages instead.
std::string graph_text(const Graph& graph, int columns);

// An SVG image that fits light and dark pages.
std::string graph_svg(const Graph& graph);

// {"title":…, "jobs":[{"key":…, "title":…, "notes":[…], "stage":1, "needs":[…]}]}: stages from 1.
json::value graph_json(const Graph& graph, const Workflow& workflow);

// Columns that a text takes on a terminal.
int display_width(std::string_view text);

}  // namespace weir::workflow
