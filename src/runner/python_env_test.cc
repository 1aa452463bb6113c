#include "runner/python_env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <utility>

#include "io/file.h"
#include "io/process.h"
#include "io/test_folder.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// With a real interpreter: the point is what Python makes of the files. Packages are wheels written here, so that
// nothing comes from the network.
class PythonEnvTest : public ::testing::Test {
 protected:
  // The base layer with pip takes seconds to make: the tests share one.
  static void SetUpTestSuite() { envs_ = new io::TestFolder; }
  static void TearDownTestSuite() { delete std::exchange(envs_, nullptr); }

  void SetUp() override {
    places_ = {.path = std::getenv("PATH"), .home = std::getenv("HOME"), .memory_file = folder_ / "interpreters.json"};
    auto interpreter = default_interpreter(places_);
    if (!interpreter) GTEST_SKIP() << "there is no python3 on PATH";
    interpreter_ = *interpreter;
    interpreter_.virtual_env.clear();
  }

  [[nodiscard]] PythonEnv make_env(const std::string& name, std::vector<fs::path> layers = {}) const {
    fs::create_directories((folder_ / name).parent_path());
    auto env = PythonEnv::create({.folder = folder_ / name,
                                  .envs_dir = envs_->path(),
                                  .interpreter = interpreter_,
                                  .layers = std::move(layers)});
    EXPECT_TRUE(env.has_value());
    return *std::move(env);
  }

  // Runs a program of the environment, by name.
  static std::string run(const PythonEnv& env, std::vector<std::string> argv) {
    io::ProcessOptions options;
    options.argv = std::move(argv);
    options.env = {{"PATH", env.bin().string() + ":/usr/bin:/bin"},
                   {"VIRTUAL_ENV", env.spec().folder.string()},
                   {"PIP_NO_INDEX", "1"},
                   {"PIP_DISABLE_PIP_VERSION_CHECK", "1"},
                   {"PIP_NO_CACHE_DIR", "1"}};
    const auto captured = io::run_process(std::move(options), {}, std::chrono::minutes{2});
    EXPECT_TRUE(captured.has_value()) << (captured ? "" : captured.error().message);
    if (!captured) return {};
    return captured->out + captured->err;
  }

  // Writes greet-<version>-py3-none-any.whl: a module `greet` and a console script of that name.
  [[nodiscard]] std::string write_wheel(const PythonEnv& env, const std::string& version,
                                        const std::string& package = "greet") const {
    const std::string script = fmt::format(
        "import zipfile\n"
        "name = '{0}'; version = '{1}'\n"
        "info = f'{{name}}-{{version}}.dist-info'\n"
        "with zipfile.ZipFile(f'{{name}}-{{version}}-py3-none-any.whl', 'w') as z:\n"
        "    z.writestr(f'{{name}}/__init__.py', f'version = \"{{version}}\"\\n'\n"
        "        'def main():\\n    import sys\\n    print(\"hello from\", version, sys.prefix)\\n')\n"
        "    z.writestr(f'{{info}}/METADATA', f'Metadata-Version: 2.1\\nName: {{name}}\\nVersion: {{version}}\\n')\n"
        "    z.writestr(f'{{info}}/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
        "    z.writestr(f'{{info}}/entry_points.txt', f'[console_scripts]\\n{{name}} = {{name}}:main\\n')\n"
        "    z.writestr(f'{{info}}/RECORD', '')\n",
        package, version);
    folder_.write("wheel.py", script);
    io::ProcessOptions options;
    options.argv = {(env.bin() / "python").string(), (folder_ / "wheel.py").string()};
    options.working_dir = folder_.path();
    EXPECT_TRUE(io::run_checked(std::move(options)).has_value());
    return (folder_ / fmt::format("{}-{}-py3-none-any.whl", package, version)).string();
  }

  static inline io::TestFolder* envs_ = nullptr;
  io::TestFolder folder_;
  PythonPlaces places_;
  Interpreter interpreter_;
};

TEST_F(PythonEnvTest, PythonRunsInItAndSeesItself) {
  const PythonEnv env = make_env("venv");
  const std::string out = run(env, {"python3", "-c", "import sys; print(sys.prefix, sys.prefix != sys.base_prefix)"});
  EXPECT_EQ(out, env.spec().folder.string() + " True\n");
  EXPECT_FALSE(env.has_packages());
}

TEST_F(PythonEnvTest, AnUnchangedOneServesTheNextJobAndAChangedOneDoesNot) {
  const auto inode = [](const PythonEnv& env) {
    struct stat info{};
    EXPECT_EQ(::stat(env.spec().folder.c_str(), &info), 0);
    return info.st_ino;
  };
  const PythonEnv first = make_env("job1/venv");
  const auto number = inode(first);
  first.retire();
  EXPECT_FALSE(fs::exists(first.spec().folder));
  const PythonEnv second = make_env("job2/venv");
  EXPECT_EQ(inode(second), number);
  EXPECT_EQ(run(second, {"python3", "-c", "import sys; print(sys.prefix)"}), second.spec().folder.string() + "\n");

  for (const char* changed : {"pyvenv.cfg", "bin/pip", "bin/another"}) {
    const PythonEnv env = make_env("job3/venv");
    folder_.write(fmt::format("job3/venv/{}", changed), "x");
    env.retire();
    const PythonEnv next = make_env("job3/venv");
    EXPECT_NE(io::read_file(next.spec().folder / changed).value_or(""), "x") << changed;
  }
  // One that was damaged while it waited, by a power cut, say, is thrown away.
  second.retire();
  for (const auto& spare : fs::directory_iterator(*envs_ / "spare")) {
    std::ofstream(spare.path() / "pyvenv.cfg", std::ios::trunc).flush();
  }
  const PythonEnv third = make_env("job4/venv");
  EXPECT_EQ(run(third, {"python3", "-c", "import sys; print(sys.prefix)"}), third.spec().folder.string() + "\n");
}

TEST_F(PythonEnvTest, PackagesOfAJobServeTheNextOneAndStayAsTheyAre) {
  std::vector<std::string> left_out;
  PythonEnv first = make_env("job1");
  const std::string old_wheel = write_wheel(first, "1.0");
  EXPECT_THAT(run(first, {"pip", "install", old_wheel}), HasSubstr("Successfully installed greet-1.0"));
  ASSERT_TRUE(first.has_packages());
  const auto layer = first.make_layer("41", left_out);
  ASSERT_TRUE(layer.has_value()) << layer.error().message;
  EXPECT_EQ(*layer, *envs_ / "layers/41");
  EXPECT_FALSE(fs::exists(folder_ / "job1"));
  EXPECT_FALSE(fs::exists(*layer / "bin/python"));
  EXPECT_FALSE(fs::exists(*layer / "bin/pip"));

  // The second job finds it installed, and its console script runs in the second environment.
  PythonEnv second = make_env("job2", {*layer});
  EXPECT_THAT(run(second, {"python", "-m", "pip", "install", "greet"}), HasSubstr("already satisfied"));
  EXPECT_EQ(run(second, {"greet"}), "hello from 1.0 " + second.spec().folder.string() + "\n");
  EXPECT_FALSE(second.has_packages());

  // An upgrade lands on top.
  EXPECT_THAT(run(second, {"pip", "install", write_wheel(second, "2.0")}),
              HasSubstr("Successfully installed greet-2.0"));
  EXPECT_EQ(run(second, {"greet"}), "hello from 2.0 " + second.spec().folder.string() + "\n");
  const PythonEnv third = make_env("job3", {*layer});
  EXPECT_EQ(run(third, {"greet"}), "hello from 1.0 " + third.spec().folder.string() + "\n");

  // Layers upon layers: nearest first.
  const auto upper = second.make_layer("42", left_out);
  ASSERT_TRUE(upper.has_value());
  EXPECT_TRUE(left_out.empty());
  std::vector<std::string> dropped;
  const auto flat = flatten_layers({upper->string()}, interpreter_.version, dropped);
  EXPECT_THAT(flat, ElementsAre(*upper, *layer));
  EXPECT_TRUE(dropped.empty());
  const PythonEnv fourth = make_env("job4", flat);
  EXPECT_EQ(run(fourth, {"greet"}), "hello from 2.0 " + fourth.spec().folder.string() + "\n");
}

TEST_F(PythonEnvTest, LayersOfAnotherPythonAreLeftOutByName) {
  std::vector<std::string> left_out;
  PythonEnv env = make_env("job1");
  run(env, {"pip", "install", write_wheel(env, "1.0")});
  const auto layer = env.make_layer("41", left_out);
  ASSERT_TRUE(layer.has_value());
  std::vector<std::string> dropped;
  PythonVersion other = interpreter_.version;
  ++other.minor;
  EXPECT_TRUE(flatten_layers({layer->string(), "/no/such/layer"}, other, dropped).empty());
  ASSERT_EQ(dropped.size(), 2U);
  EXPECT_THAT(dropped[0], HasSubstr("is for Python 3."));
  EXPECT_THAT(dropped[1], HasSubstr("is gone"));
}

TEST_F(PythonEnvTest, RefreshingPutsForeignScriptsRight) {
  PythonEnv env = make_env("venv");
  folder_.write("venv/bin/tool", "#!/elsewhere/venv/bin/python3\nimport sys\nprint('tool in', sys.prefix)\n");
  fs::permissions(folder_ / "venv/bin/tool", fs::perms::owner_all);
  fs::remove(folder_ / "venv/bin/python");
  ASSERT_TRUE(env.refresh().has_value());
  EXPECT_EQ(run(env, {"tool"}), "tool in " + env.spec().folder.string() + "\n");
}

TEST_F(PythonEnvTest, EditableInstallationsAreNotKept) {
  PythonEnv env = make_env("venv");
  const fs::path site = env.site_packages().lexically_relative(folder_.path());
  folder_.write(site / "mine-0.1.dist-info/direct_url.json",
                R"({"url": "file:///ws", "dir_info": {"editable": true}})");
  folder_.write(site / "__editable__.mine-0.1.pth", "/ws/src\n");
  folder_.write(site / "other/__init__.py", "");
  std::vector<std::string> left_out;
  const auto layer = env.make_layer("7", left_out);
  ASSERT_TRUE(layer.has_value());
  EXPECT_THAT(left_out, ElementsAre("mine"));
  const fs::path kept = *layer / "lib" / ("python" + minor_version(interpreter_.version)) / "site-packages";
  EXPECT_TRUE(fs::exists(kept / "other"));
  EXPECT_FALSE(fs::exists(kept / "mine-0.1.dist-info"));
  EXPECT_FALSE(fs::exists(kept / "__editable__.mine-0.1.pth"));
}

TEST_F(PythonEnvTest, TheVirtualEnvironmentOfTheServerIsTheLowestLayer) {
  PythonEnv outer = make_env("outer");
  run(outer, {"pip", "install", write_wheel(outer, "1.0")});
  places_.path = outer.bin().string() + ":" + places_.path;
  const auto found = default_interpreter(places_);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->virtual_env, outer.spec().folder);
  interpreter_ = *found;
  const PythonEnv env = make_env("venv");
  EXPECT_EQ(run(env, {"greet"}), "hello from 1.0 " + env.spec().folder.string() + "\n");
}

TEST(FindInterpreter, KnowsVersionsByPlaceAndPicksTheNewestThatFits) {
  const io::TestFolder folder;
  // Any program will do: where it lies tells its version.
  const auto install = [&](const std::string& place) {
    fs::create_directories((folder / place).parent_path());
    fs::copy_file("/bin/true", folder / place);
  };
  install("pyenv/versions/3.9.18/bin/python3");
  install("pyenv/versions/3.12.1/bin/python3");
  install("uv/cpython-3.10.13-linux-x86_64-gnu/bin/python3");
  install("uv/cpython-3.10.2-linux-x86_64-gnu/bin/python3");
  install("pyenv/versions/2.7.18/bin/python3");
  const PythonPlaces places{
      .path = "/nowhere", .home = folder / "home", .pyenv_root = folder / "pyenv", .uv_dir = folder / "uv"};
  std::vector<Interpreter> all;
  for (auto& interpreter : installed_interpreters(places)) {
    if (interpreter.executable.string().starts_with(folder.path().string())) all.push_back(interpreter);
  }
  ASSERT_EQ(all.size(), 4U);
  const auto find = [&](std::string_view wanted) { return find_interpreter(all, *PythonRange::parse(wanted), places); };
  EXPECT_EQ(to_string(find("3.10")->version), "3.10.13");
  EXPECT_EQ(to_string(find("3.x")->version), "3.12.1");
  EXPECT_FALSE(find("3.11").has_value());
  EXPECT_EQ(to_string(nearest_interpreter(all, *PythonRange::parse("3.11"), places)->version), "3.12.1");
  EXPECT_EQ(to_string(nearest_interpreter(all, *PythonRange::parse("3.7.13"), places)->version), "3.9.18");
}

}  // namespace
}  // namespace weir::runner
