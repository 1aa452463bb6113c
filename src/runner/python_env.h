#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runner/python_find.h"

namespace weir::runner {

// A job's virtual environment, made in well under a millisecond because nothing is copied into it:
//
//   <job dir>/venv/pyvenv.cfg                     names the interpreter
//                 /bin/python, python3, …         links to it
//                 /bin/pip, pip3                  run `python -m pip`
//                 /bin/<script>                   links to the console scripts of the layers
//                 /lib/python3.X/site-packages/_weir_layers.pth   brings in the layers below
//
// What the job installs lands here, on top. Below are the layers of jobs before it (nearest first), then the virtual
// environment that the server itself was started in, if any, then the base layer <envs_dir>/base-<hash>, which holds
// pip (and setuptools up to Python 3.11). The base layer is made once an interpreter, by `python -m venv`, when
// somebody first imports pip or setuptools: a hook in site-packages waits for that as long as the layer is missing.
//
// At the job's end an environment that is as it was made waits in <envs_dir>/spare for the next job that needs just
// that: making thirteen files costs more than to move a folder. One that something was installed into becomes a layer,
// <envs_dir>/layers/<job id>, which is never changed again. Its console scripts start the `python` beside the name they
// are called by, so that a link from an upper environment runs them there, with all that the upper one has.
struct PythonEnvSpec {
  std::filesystem::path folder;    // <job dir>/venv
  std::filesystem::path envs_dir;  // holds base-<hash> and layers/
  Interpreter interpreter;
  std::vector<std::filesystem::path> layers;  // nearest first, already flattened
  bool system_packages = false;               // also what is installed for the interpreter itself
};

class PythonEnv {
 public:
  // Makes the folder, replacing one that is there.
  static Result<PythonEnv> create(PythonEnvSpec spec);

  // Puts other layers, or another interpreter of the same minor version, under an environment that is there.
  static Result<PythonEnv> adopt(PythonEnvSpec spec);

  // Writes all of the environment's own files again, after a cache was unpacked over it: links to the interpreter,
  // layers, console scripts that name another environment's python.
  Result<void> refresh();

  [[nodiscard]] const PythonEnvSpec& spec() const { return spec_; }
  [[nodiscard]] std::filesystem::path bin() const { return spec_.folder / "bin"; }
  [[nodiscard]] std::filesystem::path site_packages() const;
  // Files of this class's own, below `folder`: a cache of the environment leaves them out.
  [[nodiscard]] bool is_own_file(const std::filesystem::path& path) const;

  // Makes the layer with pip, which is otherwise made when it is first wanted. Where that cannot be there is no pip.
  Result<void> make_base(const std::map<std::string, std::string>& env);

  // Whether anything was installed.
  [[nodiscard]] bool has_packages() const;

  // Turns the environment into the layer <envs_dir>/layers/<name> and gives its folder; the environment is gone then.
  // Left out are packages installed as editable: they point into the job's workspace (`left_out` gets their names).
  Result<std::filesystem::path> make_layer(std::string_view name, std::vector<std::string>& left_out);

  // Leaves an environment without packages to a later job, which looks whether anybody changed it. It is gone then.
  void retire() const;

 private:
  explicit PythonEnv(PythonEnvSpec spec) : spec_(std::move(spec)) {}
  // What makes the environment, without what is installed into it.
  struct OwnFile {
    enum class Kind : std::uint8_t { kFolder, kFile, kProgram, kLink, kScriptLink };
    Kind kind;
    std::filesystem::path path;  // below the environment's folder
    std::string text;            // a file's content, a link's target
  };
  [[nodiscard]] Result<std::vector<OwnFile>> own_files() const;
  Result<void> add_layer_scripts(std::vector<OwnFile>& files) const;
  [[nodiscard]] Result<void> write(const std::vector<OwnFile>& files) const;
  [[nodiscard]] bool holds_just(const std::vector<OwnFile>& files) const;
  [[nodiscard]] static std::string spare_prefix(const std::vector<OwnFile>& files);
  [[nodiscard]] bool take_spare(const std::vector<OwnFile>& files) const;
  [[nodiscard]] Result<std::filesystem::path> hook_folder(const std::filesystem::path& base) const;
  [[nodiscard]] std::filesystem::path library_dir(const std::filesystem::path& prefix) const;
  [[nodiscard]] std::filesystem::path base_dir() const;
  [[nodiscard]] Result<std::filesystem::path> scripts_of_outer_env() const;

  PythonEnvSpec spec_;
};

// What a layer's weir-layer.json says.
struct LayerInfo {
  PythonVersion version;
  std::filesystem::path interpreter;
  std::vector<std::filesystem::path> layers;  // those that it was made upon, nearest first
};
Result<LayerInfo> read_layer_info(const std::filesystem::path& layer);

// `layers` with all that they were made upon behind each, every one once, for an interpreter of `version`. Layers of
// another minor version, or that are gone, are left out; `dropped` gets a text for each.
std::vector<std::filesystem::path> flatten_layers(const std::vector<std::string>& layers, const PythonVersion& version,
                                                  std::vector<std::string>& dropped);

}  // namespace weir::runner
