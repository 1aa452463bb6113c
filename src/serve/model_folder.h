#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace weir::serve {

// What the files of an MLflow model (https://mlflow.org/docs/latest/ml/model) say of how to run it.
struct ModelFolder {
  std::string python_version;             // that it was trained with, "3.11.2"; "" if it does not say
  std::vector<std::string> requirements;  // lines for pip, in order; mlflow itself is always among them
  std::string example;                    // a request of MLflow's scoring protocol; "" if there is none
};

// Reads MLmodel, requirements.txt or python_env.yaml or conda.yaml, and serving_input_example.json or the older
// input_example.json. Blocks. kNotFound if there is no MLmodel; kUnimplemented if the model has no python_function
// flavor, naming those that it has; kInvalidArgument for a broken file.
Result<ModelFolder> read_model_folder(const std::filesystem::path& folder);

}  // namespace weir::serve
