#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/python_version.h"

namespace weir::runner {

// A CPython that is installed on this machine.
struct Interpreter {
  std::filesystem::path executable;  // the program itself, links resolved, e.g. /usr/bin/python3.11
  PythonVersion version;
  bool patch_known = false;           // false: version.patch is 0 because nobody asked the program yet
  std::filesystem::path virtual_env;  // the virtual environment through which PATH led to it; empty: none
};

// Where to look. Values come from the job's environment.
struct PythonPlaces {
  std::string path;                   // PATH
  std::filesystem::path home;         // HOME
  std::filesystem::path tool_dir;     // RUNNER_TOOL_CACHE, searched as GitHub lays it out: Python/<version>/x64
  std::filesystem::path pyenv_root;   // "" : <home>/.pyenv
  std::filesystem::path uv_dir;       // "" : <home>/.local/share/uv/python
  std::filesystem::path memory_file;  // remembers which program has which version
};

// The interpreter that `python3` (or `python`) means in PATH, without starting it where its name or place tells its
// version. pyenv's shims are seen through. Nothing if there is none.
std::optional<Interpreter> default_interpreter(const PythonPlaces& places);

// All that are installed: tool cache, PATH, /usr/bin, /usr/local/bin, pyenv's and uv's; each once.
std::vector<Interpreter> installed_interpreters(const PythonPlaces& places);

// Asks the program for its full version unless that is known or remembered. False if it does not run.
bool complete_version(Interpreter& interpreter, const PythonPlaces& places);

// The newest of `all` that fits; nothing if none does. Asks programs where the patch number decides.
std::optional<Interpreter> find_interpreter(std::vector<Interpreter> all, const PythonRange& range,
                                            const PythonPlaces& places);

// The one of `all` whose version is nearest to what was asked for; nothing if there is none at all.
std::optional<Interpreter> nearest_interpreter(std::vector<Interpreter> all, const PythonRange& range,
                                               const PythonPlaces& places);

}  // namespace weir::runner
