#include <sys/ioctl.h>

#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "app/cli/print.h"
#include "io/file.h"
#include "text/diagnostic.h"
#include "workflow/graph.h"

// weir graph: the plan of a workflow file as a drawing.
namespace weir::app {
namespace {

constexpr int kColumns = 120;  // where nothing tells the width

int terminal_columns() {
  winsize size{};
  if (is_terminal(1) && ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kColumns;
}

Result<int> draw(const Cli& cli, const std::string& file, const std::string& svg, int columns) {
  const std::string text = WEIR_TRY(io::read_file(file, 64U << 20));
  const auto parsed = workflow::parse_workflow(text, file, {.refuse_unbuilt = false});
  if (!parsed.workflow) {
    fmt::print(stderr, "{}", text::render_all(parsed.diagnostics, text, colours(2)));
    return fail(Code::kInvalidArgument, "{} has mistakes", file);
  }
  const auto graph = workflow::build_graph(*parsed.workflow);
  if (!svg.empty()) {
    WEIR_TRY(io::write_file_atomic(svg, workflow::graph_svg(graph)));
    if (!cli.json) print_line(fmt::format("{} {}", styled(Style::kGood, "✓"), svg));
  }
  if (cli.json) {
    print_json(workflow::graph_json(graph, *parsed.workflow));
  } else if (svg.empty()) {
    fmt::print("{}", workflow::graph_text(graph, columns > 0 ? columns : terminal_columns()));
  }
  return 0;
}

struct GraphOptions {
  std::string file;
  std::string svg;
  int columns = 0;
};

}  // namespace

void add_graph(CLI::App& app, Cli& cli) {
  const auto options = std::make_shared<GraphOptions>();
  auto* command = app.add_subcommand("graph", "Draw the plan of a workflow");
  command->add_option("FILE", options->file, "a workflow file")->required();
  command->add_option("--svg", options->svg, "write an SVG image to this file");
  command->add_option("--columns", options->columns, "width of the drawing (default: of the terminal)");
  command->add_flag("--json", cli.json, "print JSON");
  set_examples(
      *command,
      "weir graph .github/workflows/ml-pipeline.yml\nweir graph .github/workflows/ml-pipeline.yml --svg plan.svg");
  command->callback([&cli, options] {
    cli.action = [&cli, options] { return draw(cli, options->file, options->svg, options->columns); };
  });
}

}  // namespace weir::app
