#include "serve/model_folder.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "io/file.h"

namespace weir::serve {
namespace {

class ModelFolderTest : public testing::Test {
 protected:
  ModelFolderTest() : folder_(std::filesystem::temp_directory_path() / ("weir-model-" + random_hex(6))) {
    write("MLmodel",
          "flavors:\n  python_function:\n    python_version: 3.10.4\n  sklearn: {}\nmlflow_version: 3.1.0\n");
  }
  ~ModelFolderTest() override { std::filesystem::remove_all(folder_); }

  void write(std::string_view name, std::string_view text) {
    ASSERT_TRUE(io::make_dirs(folder_).has_value());
    ASSERT_TRUE(io::write_file_atomic(folder_ / name, text).has_value());
  }

  std::filesystem::path folder_;
};

TEST_F(ModelFolderTest, TakesPipRequirementsAndThePythonOfItsEnvironment) {
  write("requirements.txt", "# made by mlflow\nmlflow==3.1.0\n\nscikit-learn==1.5.0\n");
  write("python_env.yaml", "python: 3.11.2\nbuild_dependencies: [pip]\ndependencies: [-r requirements.txt]\n");
  const auto model = read_model_folder(folder_);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(model->python_version, "3.11.2");
  EXPECT_EQ(model->requirements, (std::vector<std::string>{"mlflow==3.1.0", "scikit-learn==1.5.0"}));
}

TEST_F(ModelFolderTest, FallsBackToTheCondaFile) {
  write("conda.yaml", "dependencies:\n- python=3.9.1\n- pip\n- numpy=1.26\n- pip:\n  - xgboost==2.0\n");
  const auto model = read_model_folder(folder_);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(model->python_version, "3.9.1");
  EXPECT_EQ(model->requirements, (std::vector<std::string>{"numpy==1.26", "xgboost==2.0", "mlflow==3.1.0"}));
}

TEST_F(ModelFolderTest, NamesTheFlavorsOfAModelThatPyfuncCannotLoad) {
  write("MLmodel", "flavors:\n  spark: {}\n");
  const auto model = read_model_folder(folder_);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, Code::kUnimplemented);
  EXPECT_NE(model.error().message.find("spark"), std::string::npos);
}

TEST_F(ModelFolderTest, RefusesAFolderThatSaysNothingOfItsRequirements) {
  const auto model = read_model_folder(folder_);
  ASSERT_FALSE(model.has_value());
  EXPECT_NE(model.error().message.find("requirements.txt"), std::string::npos);
}

TEST_F(ModelFolderTest, RefusesBrokenYamlByName) {
  write("MLmodel", "flavors: [");
  const auto model = read_model_folder(folder_);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, Code::kInvalidArgument);
  EXPECT_NE(model.error().message.find("MLmodel"), std::string::npos);
}

TEST_F(ModelFolderTest, MakesARequestOfTheExample) {
  write("requirements.txt", "mlflow\n");
  write("input_example.json", R"({"columns":["a"],"data":[[1]]})");
  EXPECT_EQ(read_model_folder(folder_)->example, R"({"dataframe_split":{"columns":["a"],"data":[[1]]}})");
  write("serving_input_example.json", R"({"inputs":[1]})");
  EXPECT_EQ(read_model_folder(folder_)->example, R"({"inputs":[1]})");
}

}  // namespace
}  // namespace weir::serve
