#include "workflow/graph.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace weir::workflow {
namespace {

Workflow workflow_of(const std::string& jobs) {
  const std::string text = "name: Plan\non: push\njobs:\n" + jobs;
  auto result = parse_workflow(text, "w.yml", {.refuse_unbuilt = false});
  EXPECT_TRUE(result.workflow) << lint_text(result, text);
  return result.workflow ? std::move(*result.workflow) : Workflow{};
}

constexpr const char* kSteps = "runs-on: x, steps: [{run: x}]";

std::string job(const std::string& key, const std::string& more = "") {
  return fmt::format("  {}: {{{}{}}}\n", key, more.empty() ? "" : more + ", ", kSteps);
}

TEST(Graph, JobsStandBehindAllThatTheyNeed) {
  const auto graph = build_graph(workflow_of(job("c", "needs: [a, b]") + job("a") + job("b", "needs: a")));
  EXPECT_EQ(graph.nodes[0].level, 2);
  EXPECT_EQ(graph.nodes[1].level, 0);
  EXPECT_EQ(graph.nodes[2].level, 1);
  // c follows from a through b.
  EXPECT_EQ(graph.edges, (std::vector<std::pair<int, int>>{{2, 0}, {1, 2}}));
}

TEST(Graph, NotesNameMatricesCallsEnvironmentsAndContainers) {
  const auto graph = build_graph(workflow_of(
      job("m", "strategy: {matrix: {a: [1, 2, 3], b: [1, 2]}}") +
      job("f", "strategy: {matrix: '${{ fromJSON(needs.m.outputs.x) }}'}, needs: m") +
      "  c: {uses: ./.github/workflows/train.yml, strategy: {matrix: {a: [1, 2]}}}\n" +
      job("e", "environment: prod, container: {image: alpine}, services: {db: pg, q: rabbit}, name: Ship")));
  EXPECT_EQ(graph.nodes[0].notes, std::vector<std::string>{"matrix × 6"});
  EXPECT_EQ(graph.nodes[1].notes, std::vector<std::string>{"matrix × ?"});
  EXPECT_EQ(graph.nodes[2].notes, (std::vector<std::string>{"calls train.yml", "matrix × 2"}));
  EXPECT_EQ(graph.nodes[3].notes, (std::vector<std::string>{"environment prod", "in alpine", "with 2 services"}));
  EXPECT_EQ(graph.nodes[3].title, "Ship");
}

TEST(Graph, TheDrawingLeadsFromLeftToRight) {
  const auto graph =
      build_graph(workflow_of(job("build") + job("test") + job("ship", "needs: [build, test], environment: prod")));
  EXPECT_EQ(graph_text(graph, 100),
            "Plan  (push)\n"
            "\n"
            "╭───────╮\n"
            "│ build │─╮     ╭──────────────────╮\n"
            "╰───────╯ ╰─┬──▶│ ship             │\n"
            "            │   │ environment prod │\n"
            "╭───────╮   │   ╰──────────────────╯\n"
            "│ test  │───╯\n"
            "╰───────╯\n");
}

TEST(Graph, ANarrowTerminalGetsAList) {
  const auto graph = build_graph(workflow_of(job("build") + job("ship", "needs: build, environment: prod")));
  EXPECT_EQ(graph_text(graph, 20), "Plan  (push)\n\n● stage 1\n│   build\n▼ stage 2\n│   ship  (environment prod)\n");
}

TEST(Graph, AnEdgeOverSeveralColumnsPassesThroughThem) {
  const auto graph = build_graph(workflow_of(job("a") + job("b", "needs: a") + job("x") + job("c", "needs: [b, x]")));
  ASSERT_EQ(graph.nodes.size(), 5);
  EXPECT_EQ(graph.nodes[4].kind, GraphNode::Kind::kPassage);
  EXPECT_EQ(graph.nodes[4].level, 1);
}

TEST(Graph, AnImageHoldsNoMarkupOfTheFile) {
  const auto graph = build_graph(workflow_of(job("a", "name: '<b>&\"x\"'")));
  const std::string svg = graph_svg(graph);
  EXPECT_EQ(svg.find("<b>"), std::string::npos);
  EXPECT_NE(svg.find("&lt;b&gt;&amp;&quot;x&quot;"), std::string::npos);
}

TEST(Graph, HundredsOfJobsAreDrawnAtOnce) {
  std::string jobs;
  std::string all;
  for (int i = 0; i < 499; ++i) {
    jobs += job(fmt::format("j{}", i), all.empty() ? "" : fmt::format("needs: [{}]", all.substr(2)));
    if (i % 10 == 0) all += fmt::format(", j{}", i);
  }
  const auto graph = build_graph(workflow_of(jobs));
  EXPECT_FALSE(graph_svg(graph).empty());
  EXPECT_FALSE(graph_text(graph, 200).empty());
}

TEST(Graph, WideLettersTakeTwoColumns) {
  EXPECT_EQ(display_width("abc"), 3);
  EXPECT_EQ(display_width("航班"), 4);
  EXPECT_EQ(display_width("a…é×"), 4);
  EXPECT_EQ(display_width("🚀"), 2);
}

}  // namespace
}  // namespace weir::workflow
