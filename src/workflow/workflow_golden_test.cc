#include <gtest/gtest.h>

#include "base/golden.h"
#include "workflow/workflow.h"

namespace weir::workflow {
namespace {

// Each <name>.yml has its <name>.out: the problems as a user sees them, then, if there is no error, the workflow as it
// was understood. What is read but not run yet is no problem here.
TEST(WorkflowGolden, FilesReadAsWritten) {
  for (const auto& file : golden::files(golden::folder("workflow"), ".yml")) {
    SCOPED_TRACE(file.filename().string());
    const std::string text = golden::read(file);
    const auto result =
        parse_workflow(text, ".github/workflows/" + file.filename().string(), {.refuse_unbuilt = false});
    std::string actual = lint_text(result, text);
    EXPECT_EQ(result.workflow.has_value(), !text::has_errors(result.diagnostics));
    if (result.workflow) actual += pretty_json(to_json(*result.workflow)) + "\n";
    golden::expect(std::filesystem::path(file).replace_extension(".out"), actual);
  }
  if (golden::updating()) GTEST_SKIP() << "golden files were rewritten";
}

// Files of users' own, word for word: nothing in them may be a problem.
TEST(WorkflowGolden, TheDocumentsFilesHaveNoProblem) {
  for (const char* name : {"ml-pipeline.yml", "deploy.yml", "ml-cicd.yml", "model-ci-cd.yml", "testing.yml"}) {
    const std::string text = golden::read(golden::folder("workflow") / name);
    const auto result = parse_workflow(text, name);
    EXPECT_TRUE(result.workflow.has_value()) << name;
    EXPECT_EQ(lint_text(result, text), "") << name;
  }
}

}  // namespace
}  // namespace weir::workflow
