#include "serve/model_folder.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <exception>

#include "base/json.h"
#include "io/file.h"

namespace weir::serve {
namespace {

constexpr std::uint64_t kFileBytesMax = 4U << 20;
constexpr std::uint64_t kExampleBytesMax = 64U << 20;

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

// Nothing if the file is not there.
Result<std::optional<std::string>> read_optional(const std::filesystem::path& path, std::uint64_t bytes_max) {
  auto text = io::read_file(path, bytes_max);
  if (text) return *std::move(text);
  if (text.error().code == Code::kNotFound) return std::nullopt;
  return std::unexpected(text.error());
}

Result<YAML::Node> parse_yaml(const std::string& text, const std::filesystem::path& path) {
  try {
    return YAML::Load(text);
  } catch (const std::exception& error) {
    return fail(Code::kInvalidArgument, "{} is not YAML: {}", path.string(), error.what());
  }
}

std::string scalar(const YAML::Node& node) {
  return node.IsScalar() ? node.Scalar() : std::string();
}

// A member of a map; an undefined node otherwise.
YAML::Node member(const YAML::Node& node, const char* key) {
  return node.IsMap() ? node[key] : YAML::Node(YAML::NodeType::Undefined);
}

std::vector<std::string> requirement_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string line = trimmed(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.front() != '#') lines.push_back(std::move(line));
  }
  return lines;
}

// conda's "numpy=1.26" is pip's "numpy==1.26"; python and pip themselves are not packages to install.
void add_conda_package(const std::string& package, ModelFolder& model) {
  const auto name_end = package.find_first_of("=<>! ");
  const std::string name = package.substr(0, name_end);
  if (name == "python") {
    const auto version = package.find_first_of("0123456789", name.size());
    if (version != std::string::npos && model.python_version.empty()) model.python_version = package.substr(version);
  } else if (name != "pip" && !name.empty()) {
    const auto equals = package.find('=');
    const bool single = equals == name_end && equals != std::string::npos && package.compare(equals, 2, "==") != 0;
    model.requirements.push_back(single ? name + "=" + package.substr(equals) : package);
  }
}

void read_conda(const YAML::Node& conda, bool packages, ModelFolder& model) {
  ModelFolder found;
  for (const auto& entry : member(conda, "dependencies")) {
    if (entry.IsScalar()) add_conda_package(entry.Scalar(), found);
    for (const auto& line : member(entry, "pip")) {
      if (line.IsScalar()) found.requirements.push_back(line.Scalar());
    }
  }
  if (model.python_version.empty()) model.python_version = found.python_version;
  if (packages) model.requirements = std::move(found.requirements);
}

bool is_mlflow(const std::string& line) {
  const auto name = line.substr(0, line.find_first_of("=<>!~[; @"));
  return name == "mlflow" || name == "mlflow-skinny";
}

Result<void> read_requirements(const std::filesystem::path& folder, ModelFolder& model) {
  const auto text = WEIR_TRY(read_optional(folder / "requirements.txt", kFileBytesMax));
  if (text) model.requirements = requirement_lines(*text);
  bool found = text.has_value();

  if (const auto env = WEIR_TRY(read_optional(folder / "python_env.yaml", kFileBytesMax))) {
    const auto yaml = WEIR_TRY(parse_yaml(*env, folder / "python_env.yaml"));
    if (const auto python = member(yaml, "python")) model.python_version = scalar(python);
    for (const auto& line : member(yaml, "dependencies")) {
      if (!found && line.IsScalar() && !line.Scalar().starts_with("-r ")) model.requirements.push_back(line.Scalar());
    }
    found = found || !model.requirements.empty();
  }
  if (const auto conda = WEIR_TRY(read_optional(folder / "conda.yaml", kFileBytesMax))) {
    read_conda(WEIR_TRY(parse_yaml(*conda, folder / "conda.yaml")), !found, model);
    found = true;
  }
  if (!found) {
    return fail(Code::kInvalidArgument,
                "{} has no requirements.txt, python_env.yaml or conda.yaml: log the model with "
                "mlflow's log_model, which writes them",
                folder.string());
  }
  return {};
}

// input_example.json of models that were saved before MLflow wrote serving_input_example.json.
std::string wrap_example(std::string_view text) {
  const auto value = parse_json(text, "input_example.json");
  if (!value) return {};
  if (json_find(*value, "columns") && json_find(*value, "data")) {
    return json::serialize(json::object{{"dataframe_split", *value}});
  }
  if (json_find(*value, "inputs") || json_find(*value, "instances")) return std::string(text);
  return json::serialize(json::object{{"inputs", *value}});
}

Result<void> read_example(const std::filesystem::path& folder, ModelFolder& model) {
  if (auto text = WEIR_TRY(read_optional(folder / "serving_input_example.json", kExampleBytesMax))) {
    model.example = *std::move(text);
  } else if (const auto older = WEIR_TRY(read_optional(folder / "input_example.json", kExampleBytesMax))) {
    model.example = wrap_example(*older);
  }
  return {};
}

Result<ModelFolder> read_checked(const std::filesystem::path& folder) {
  const auto path = folder / "MLmodel";
  const auto text = WEIR_TRY(read_optional(path, kFileBytesMax));
  if (!text) return fail(Code::kNotFound, "{} is no MLflow model: it has no file MLmodel", folder.string());
  const auto mlmodel = WEIR_TRY(parse_yaml(*text, path));
  const auto flavors = member(mlmodel, "flavors");
  const auto pyfunc = flavors ? member(flavors, "python_function") : flavors;
  if (!pyfunc) {
    std::string names;
    if (flavors) {
      for (const auto& flavor : flavors) names += (names.empty() ? "" : ", ") + scalar(flavor.first);
    }
    return fail(Code::kUnimplemented,
                "{} has no flavor python_function (it has: {}); only models that mlflow.pyfunc "
                "can load are served",
                folder.string(), names.empty() ? "none" : names);
  }
  ModelFolder model;
  WEIR_TRY(read_requirements(folder, model));
  if (model.python_version.empty()) {
    if (const auto version = member(pyfunc, "python_version")) model.python_version = scalar(version);
  }
  if (std::ranges::none_of(model.requirements, is_mlflow)) {
    const auto version = member(mlmodel, "mlflow_version");
    model.requirements.push_back(version ? "mlflow==" + scalar(version) : "mlflow");
  }
  WEIR_TRY(read_example(folder, model));
  return model;
}

}  // namespace

Result<ModelFolder> read_model_folder(const std::filesystem::path& folder) {
  try {
    return read_checked(folder);
  } catch (const YAML::Exception& error) {
    return fail(Code::kInvalidArgument, "a YAML file of the model in {} is not as MLflow writes it: {}",
                folder.string(), error.what());
  }
}

}  // namespace weir::serve
