#include "serve/environments.h"

#include <gtest/gtest.h>

#include <future>

#include "base/hash.h"
#include "io/file.h"

namespace weir::serve {
namespace {

// An installer of a few lines in place of uv: "venv" makes the folder with a python that is a script, "pip install"
// notes what it was asked for, and fails for a package named "broken".
constexpr std::string_view kFakeInstaller = R"(#!/bin/sh
if [ "$1" = venv ]; then
  for target; do :; done
  mkdir -p "$target/bin"
  printf '#!/bin/sh\nexit 0\n' > "$target/bin/python"; chmod +x "$target/bin/python"
  printf '#!%s/bin/python\n' "$target" > "$target/bin/tool"
  echo made >> "$(dirname "$0")/calls"
  exit 0
fi
for list; do :; done
if grep -q broken "$list"; then echo "ERROR: No matching distribution found for broken" >&2; exit 1; fi
exit 0
)";

class EnvironmentsTest : public testing::Test {
 protected:
  EnvironmentsTest() : folder_(std::filesystem::temp_directory_path() / ("weir-envs-" + random_hex(6))) {
    EXPECT_TRUE(io::make_dirs(folder_).has_value());
    EXPECT_TRUE(io::write_file_atomic(folder_ / "uv", kFakeInstaller, 0755).has_value());
  }
  ~EnvironmentsTest() override { std::filesystem::remove_all(folder_); }

  Environments::Options options() {
    return {.folder = folder_ / "envs",
            .find_interpreter = [](std::string_view) -> Result<Interpreter> {
              return Interpreter{"/usr/bin/python3", "3.11.2"};
            },
            .uv = folder_ / "uv"};
  }
  std::string calls() { return io::read_file(folder_ / "calls").value_or(""); }

  SystemClock clock_;
  Log log_{clock_, 2, LogLevel::kError};
  std::filesystem::path folder_;
};

TEST_F(EnvironmentsTest, BuildsAnEnvironmentOnceHoweverManyAsk) {
  Environments environments(options(), log_);
  std::vector<std::future<Result<std::filesystem::path>>> asked;
  for (int i = 0; i < 8; ++i) {
    asked.push_back(std::async(std::launch::async, [&] { return environments.ensure("3.11.2", {"mlflow"}, folder_); }));
  }
  for (auto& one : asked) {
    const auto python = one.get();
    ASSERT_TRUE(python.has_value()) << python.error().message;
    EXPECT_TRUE(std::filesystem::exists(*python));
  }
  EXPECT_EQ(calls(), "made\n");
}

TEST_F(EnvironmentsTest, KeepsEnvironmentsOfOtherRequirementsApart) {
  Environments environments(options(), log_);
  const auto one = environments.ensure("3.11.2", {"mlflow==3.1"}, folder_);
  const auto two = environments.ensure("3.11.2", {"mlflow==3.2"}, folder_);
  ASSERT_TRUE(one && two);
  EXPECT_NE(*one, *two);
}

TEST_F(EnvironmentsTest, TellsWhatTheInstallerSaidAndLeavesNothingBehind) {
  Environments environments(options(), log_);
  const auto python = environments.ensure("3.11.2", {"broken"}, folder_);
  ASSERT_FALSE(python.has_value());
  EXPECT_NE(python.error().message.find("No matching distribution found for broken"), std::string::npos)
      << python.error().message;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "envs")) {
    EXPECT_EQ(entry.path().extension(), ".lock") << entry.path();
  }
}

TEST_F(EnvironmentsTest, CorrectsThePathsInScriptsAfterMovingTheFolder) {
  Environments environments(options(), log_);
  const auto python = environments.ensure("3.11.2", {"mlflow"}, folder_);
  ASSERT_TRUE(python.has_value());
  EXPECT_EQ(io::read_file(python->parent_path() / "tool").value(), fmt::format("#!{}\n", python->string()));
}

TEST_F(EnvironmentsTest, StartsOverAfterAnInterruptedBuild) {
  Environments environments(options(), log_);
  const auto python = environments.ensure("3.11.2", {"mlflow"}, folder_);
  ASSERT_TRUE(python.has_value());
  std::filesystem::remove(python->parent_path().parent_path() / "weir-environment.json");
  ASSERT_TRUE(environments.ensure("3.11.2", {"mlflow"}, folder_).has_value());
  EXPECT_EQ(calls(), "made\nmade\n");
}

TEST_F(EnvironmentsTest, GivesUpWhenItIsCancelled) {
  Environments environments(options(), log_);
  ASSERT_TRUE(io::write_file_atomic(folder_ / "uv", "#!/bin/sh\nexec sleep 600\n", 0755).has_value());
  auto asked = std::async(std::launch::async, [&] { return environments.ensure("", {"mlflow"}, folder_); });
  environments.cancel();
  const auto python = asked.get();
  ASSERT_FALSE(python.has_value());
  EXPECT_NE(python.error().message.find("the server stops"), std::string::npos);
}

TEST(CleanEnvironment, HoldsNoVariableThatIsNotKnownToBeHarmless) {
  ::setenv("WEIR_TEST_TOKEN", "secret", 1);
  EXPECT_FALSE(clean_environment().contains("WEIR_TEST_TOKEN"));
  EXPECT_TRUE(clean_environment().contains("PATH"));
}

}  // namespace
}  // namespace weir::serve
