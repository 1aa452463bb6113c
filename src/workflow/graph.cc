#include "workflow/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "workflow/expression.h"
#include "workflow/plan.h"

namespace weir::workflow {
namespace {

constexpr int kSweeps = 8;  // over the columns, to have fewer lines cross

std::string last_part(std::string_view path) {
  const auto at = path.find('@');
  const auto slash = path.substr(0, at).rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::string image_of(const json::value& container) {
  if (container.is_string()) return std::string(container.get_string());
  return json_string_or(container, "image", "");
}

std::vector<std::string> notes_of(const Job& job) {
  std::vector<std::string> out;
  if (job.calls_workflow()) out.push_back("calls " + last_part(job.uses));
  if (job.has_matrix()) {
    const auto expansion = expand_matrix(job, {});
    // A matrix that depends on other jobs has no size yet.
    out.push_back(expansion ? fmt::format("matrix × {}", expansion->combinations.size()) : "matrix × ?");
  }
  if (job.environment && !job.environment->name.empty()) out.push_back("environment " + job.environment->name);
  if (const auto image = image_of(job.container); !image.empty()) out.push_back("in " + image);
  if (const auto* services = job.services.if_object(); services != nullptr && !services->empty()) {
    out.push_back(fmt::format("with {} service{}", services->size(), services->size() == 1 ? "" : "s"));
  }
  return out;
}

// Levels, edges and order of the jobs.
class Layout {
 public:
  explicit Layout(const Workflow& workflow) : workflow_(workflow) {
    graph_.title = workflow.name;
    graph_.events = fmt::format("{}", fmt::join(workflow.on.names(), ", "));
  }

  Graph run() {
    add_jobs();
    add_edges();
    place();
    return std::move(graph_);
  }

 private:
  void add_jobs() {
    for (const auto& job : workflow_.jobs) {
      const bool named = !job.name.empty() && !has_expression(job.name);
      graph_.nodes.push_back({.kind = job.calls_workflow() ? GraphNode::Kind::kCall : GraphNode::Kind::kJob,
                              .key = job.key,
                              .title = named ? job.name : job.key,
                              .notes = notes_of(job),
                              .guarded = job.environment.has_value()});
      index_.emplace(job.key, static_cast<int>(graph_.nodes.size()) - 1);
    }
    for (const std::size_t at : topological_order(workflow_)) {
      for (const int need : needs_of(static_cast<int>(at))) {
        graph_.nodes[at].level = std::max(graph_.nodes[at].level, node(need).level + 1);
      }
    }
  }

  GraphNode& node(int index) { return graph_.nodes[static_cast<std::size_t>(index)]; }

  [[nodiscard]] std::vector<int> needs_of(int job) const {
    std::vector<int> out;
    for (const auto& need : workflow_.jobs[static_cast<std::size_t>(job)].needs) {
      if (const auto found = index_.find(need); found != index_.end()) out.push_back(found->second);
    }
    return out;
  }

  // For each job, all that comes before it.
  [[nodiscard]] std::vector<std::vector<bool>> all_before() const {
    const std::size_t count = workflow_.jobs.size();
    std::vector<std::vector<bool>> before(count, std::vector<bool>(count, false));
    for (const std::size_t at : topological_order(workflow_)) {
      for (const int need : needs_of(static_cast<int>(at))) {
        const auto index = static_cast<std::size_t>(need);
        for (std::size_t i = 0; i < count; ++i) before[at][i] = before[at][i] || before[index][i];
        before[at][index] = true;
      }
    }
    return before;
  }

  void add_edges() {
    const int jobs = static_cast<int>(graph_.nodes.size());
    const auto before = all_before();
    for (int job = 0; job < jobs; ++job) {
      auto needs = needs_of(job);
      std::ranges::sort(needs);
      needs.erase(std::ranges::unique(needs).begin(), needs.end());
      for (const int need : needs) {
        // A need that another need has too says nothing new.
        const bool follows = std::ranges::any_of(
            needs, [&](int other) { return before[static_cast<std::size_t>(other)][static_cast<std::size_t>(need)]; });
        if (!follows) lead(need, job);
      }
    }
  }

  // An edge over several columns passes through each of them.
  void lead(int from, int to) {
    for (int level = node(from).level + 1; level < node(to).level; ++level) {
      graph_.nodes.push_back({.kind = GraphNode::Kind::kPassage, .level = level});
      const int passage = static_cast<int>(graph_.nodes.size()) - 1;
      graph_.edges.emplace_back(from, passage);
      from = passage;
    }
    graph_.edges.emplace_back(from, to);
  }

  void place() {
    for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) columns_[node(i).level].push_back(i);
    number();
    before_.resize(graph_.nodes.size());
    after_.resize(graph_.nodes.size());
    for (const auto& [from, to] : graph_.edges) {
      before_[static_cast<std::size_t>(to)].push_back(from);
      after_[static_cast<std::size_t>(from)].push_back(to);
    }
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
      const bool forward = sweep % 2 == 0;
      for (auto& [level, column] : columns_) arrange(column, forward);
    }
  }

  void number() {
    for (auto& [level, column] : columns_) {
      for (std::size_t i = 0; i < column.size(); ++i) node(column[i]).order = static_cast<int>(i);
    }
  }

  // Sorts a column by the middle of each node's neighbours in the column before, or after.
  void arrange(std::vector<int>& column, bool forward) {
    std::map<int, double> middle;
    for (const int at : column) {
      const auto& neighbours = (forward ? before_ : after_)[static_cast<std::size_t>(at)];
      double sum = 0;
      for (const int neighbour : neighbours) sum += node(neighbour).order;
      middle[at] = neighbours.empty() ? node(at).order : sum / static_cast<double>(neighbours.size());
    }
    std::ranges::sort(column, {}, [&](int at) { return std::pair(middle[at], node(at).order); });
    for (std::size_t i = 0; i < column.size(); ++i) node(column[i]).order = static_cast<int>(i);
  }

  const Workflow& workflow_;
  Graph graph_;
  std::map<std::string, int> index_;
  std::map<int, std::vector<int>> columns_;
  std::vector<std::vector<int>> before_;  // neighbours of each node
  std::vector<std::vector<int>> after_;
};

}  // namespace

Graph build_graph(const Workflow& workflow) {
  return Layout(workflow).run();
}

json::value graph_json(const Graph& graph, const Workflow& workflow) {
  json::array jobs;
  for (std::size_t i = 0; i < workflow.jobs.size(); ++i) {
    const auto& node = graph.nodes[i];
    jobs.push_back({{"key", node.key},
                    {"title", node.title},
                    {"notes", json::value_from(node.notes)},
                    {"stage", node.level + 1},
                    {"needs", json::value_from(workflow.jobs[i].needs)}});
  }
  return {{"title", graph.title}, {"events", graph.events}, {"jobs", std::move(jobs)}};
}

}  // namespace weir::workflow
