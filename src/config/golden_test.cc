#include "base/golden.h"

#include <gtest/gtest.h>

#include "config/parse.h"
#include "config/schema.h"

namespace weir::config {
namespace {

// Each <name>.yaml has its <name>.out: the problems as a user sees them, then, if there is no error, the configuration
// with every default.
TEST(ConfigGolden, FilesReadAsWritten) {
  for (const auto& file : golden::files(golden::folder("config"), ".yaml")) {
    SCOPED_TRACE(file.filename().string());
    const std::string text = golden::read(file);
    const auto result = parse_config(text, "weir.yaml");
    std::string actual = text::render_all(result.diagnostics, text);
    EXPECT_EQ(result.config.has_value(), !text::has_errors(result.diagnostics));
    if (result.config) actual += pretty_json(to_json(*result.config)) + "\n";
    golden::expect(std::filesystem::path(file).replace_extension(".out"), actual);
  }
  if (golden::updating()) GTEST_SKIP() << "golden files were rewritten";
}

TEST(ConfigGolden, TheSchemaIsTheOneThatEditorsGet) {
  golden::expect(golden::folder("config") / "schema.json", json_schema());
  if (golden::updating()) GTEST_SKIP() << "golden files were rewritten";
}

TEST(ConfigGolden, GateTriggerAndExperimentFitInFiveLines) {
  for (const char* name : {"second-document-gate.yaml", "second-document-trigger.yaml", "fourth-document-ab.yaml"}) {
    const std::string text = golden::read(golden::folder("config") / name);
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 5) << name;
  }
}

}  // namespace
}  // namespace weir::config
