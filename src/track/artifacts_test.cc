#include "track/artifacts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/file.h"
#include "track/names.h"
#include "track/test_state.h"

namespace weir::track {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ArtifactsTest : public testing::Test {
 protected:
  std::vector<std::string> names(std::string_view folder) {
    std::vector<std::string> found;
    for (const auto& info : artifacts.list(folder).value()) found.push_back(info.path + (info.is_folder ? "/" : ""));
    return found;
  }

  TestState state;
  Artifacts& artifacts = state.tracking->artifacts();
};

TEST_F(ArtifactsTest, FoldersAreMadeAndListed) {
  ASSERT_TRUE(artifacts.put("0/r/artifacts/model/MLmodel", "x").has_value());
  ASSERT_TRUE(artifacts.put("0/r/artifacts/note.txt", "hello").has_value());
  EXPECT_THAT(names("0/r/artifacts"), ElementsAre("model/", "note.txt"));
  EXPECT_THAT(names(""), ElementsAre("0/"));
  EXPECT_THAT(names("0/r/artifacts/note.txt"), ElementsAre());
  EXPECT_EQ(artifacts.read("0/r/artifacts/note.txt").value(), "hello");
  EXPECT_EQ(artifacts.file("0/r/artifacts/model").error().code, Code::kNotFound);
}

TEST_F(ArtifactsTest, AStreamThatBreaksOffOrHasAnotherLengthLeavesNothing) {
  PiecewiseSource broken("half of it", true);
  EXPECT_FALSE(artifacts.put("0/a", broken).has_value());
  PiecewiseSource shorter("12345");
  EXPECT_FALSE(artifacts.put("0/b", shorter, 9).has_value());
  EXPECT_THAT(names(""), ElementsAre());
  PiecewiseSource whole("123456789");
  EXPECT_EQ(artifacts.put("0/b", whole, 9)->size_bytes, 9);
}

TEST_F(ArtifactsTest, AFileAndAFolderNeverShareAName) {
  ASSERT_TRUE(artifacts.put("0/a/b", "x").has_value());
  EXPECT_THAT(artifacts.put("0/a", "y").error().message, HasSubstr("is a folder"));
  EXPECT_THAT(artifacts.put("0/a/b/c", "y").error().message, HasSubstr("is a file"));
}

TEST_F(ArtifactsTest, PathsThatClimbOrHideSomethingAreRefused) {
  for (const char* path : {"..", "../a", "a/../b", "a/..", "/a", "a//b", "a/", "a\\b", "a#b", "%2e%2e/a", "a/%2E%2E/b",
                           "a%2fb", "%252e", "a\nb", "a\x7f", ".", "a/./b"}) {
    EXPECT_EQ(artifacts.put(path, "x").error().code, Code::kInvalidArgument) << path;
    EXPECT_FALSE(artifacts.file(path).has_value()) << path;
    EXPECT_FALSE(artifacts.list(path).has_value()) << path;
    EXPECT_FALSE(artifacts.remove(path).has_value()) << path;
  }
  EXPECT_FALSE(artifacts.put("", "x").has_value());
  EXPECT_TRUE(artifacts.put("0/Flüge 航班/a b+c=d@e,100%.txt", "x").has_value());
}

TEST_F(ArtifactsTest, RemovalTakesWhatIsBelowAndEmptyFoldersAbove) {
  for (const char* path : {"0/a/b/c", "0/a/b/d/e", "0/ab/x", "0/a0/x"})
    ASSERT_TRUE(artifacts.put(path, "x").has_value());
  ASSERT_TRUE(artifacts.remove("0/a/b").has_value());
  EXPECT_THAT(names("0"), ElementsAre("a0/", "ab/"));
  ASSERT_TRUE(artifacts.remove("0/a0/x").has_value());
  EXPECT_THAT(names("0"), ElementsAre("ab/"));
  ASSERT_TRUE(artifacts.remove("0/nothing").has_value());
  EXPECT_FALSE(artifacts.remove("").has_value());
}

TEST_F(ArtifactsTest, CopiesStayAsTheyWere) {
  ASSERT_TRUE(artifacts.put("0/é/model/MLmodel", "one").has_value());
  ASSERT_TRUE(artifacts.put("0/é/model/data/x", "two").has_value());
  const auto copied = state.db->write_with<std::int64_t>(
      [](store::Transaction& tx) { return Artifacts::copy(tx, "0/é/model", "versions/1"); });
  EXPECT_EQ(copied.value(), 2);
  ASSERT_TRUE(artifacts.put("0/é/model/MLmodel", "changed").has_value());
  EXPECT_EQ(artifacts.read("versions/1/MLmodel").value(), "one");
  EXPECT_EQ(artifacts.read("versions/1/data/x").value(), "two");
  EXPECT_EQ(artifacts.put("versions/1/MLmodel", "x").error().code, Code::kFailedPrecondition);
  EXPECT_EQ(artifacts.remove("versions/1").error().code, Code::kFailedPrecondition);
  EXPECT_EQ(artifacts.remove("versions").error().code, Code::kFailedPrecondition);
}

TEST_F(ArtifactsTest, MaterialisedFoldersAreWhole) {
  ASSERT_TRUE(artifacts.put("0/m/MLmodel", "one").has_value());
  ASSERT_TRUE(artifacts.put("0/m/data/x", "two").has_value());
  const auto target = state.folder() / "out" / "model";
  ASSERT_TRUE(artifacts.materialise("0/m", target).has_value());
  EXPECT_EQ(io::read_file(target / "data" / "x").value(), "two");
  ASSERT_TRUE(artifacts.materialise("0/m", target).has_value());
  EXPECT_EQ(artifacts.materialise("0/nothing", state.folder() / "other").error().code, Code::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(state.folder() / "other"));
  // Nothing but the model is left in the folder above.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(state.folder() / "out"), {}), 1);
}

TEST_F(ArtifactsTest, EveryBlobInUseIsNamed) {
  const auto one = artifacts.put("0/a", "one").value();
  ASSERT_TRUE(artifacts.put("0/b", "one").has_value());
  std::vector<std::string> blobs;
  ASSERT_TRUE(state.db
                  ->read([&](store::Reader& reader) {
                    return Artifacts::for_each_blob(reader, [&](std::string_view blob) { blobs.emplace_back(blob); });
                  })
                  .has_value());
  EXPECT_THAT(blobs, ElementsAre(one.sha256));
}

TEST(ArtifactPath, AddressesOfThisServerHaveOne) {
  EXPECT_EQ(artifact_path_of("mlflow-artifacts:/7/x").value(), "7/x");
  EXPECT_EQ(artifact_path_of("mlflow-artifacts:///7/x/").value(), "7/x");
  EXPECT_EQ(artifact_path_of("mlflow-artifacts://host:80/7/x").value(), "7/x");
  EXPECT_EQ(artifact_path_of("http://host:80/api/2.0/mlflow-artifacts/artifacts/7/x").value(), "7/x");
  EXPECT_EQ(artifact_path_of("s3://bucket/x").value(), std::nullopt);
  EXPECT_EQ(artifact_path_of("http://host/other").value(), std::nullopt);
  EXPECT_FALSE(artifact_path_of("mlflow-artifacts:/7/../x").has_value());
  EXPECT_FALSE(artifact_path_of("mlflow-artifacts:/%2e%2e/x").has_value());
}

TEST(Names, LengthsCountCharacters) {
  EXPECT_EQ(length("aé航✈"), 4U);
  EXPECT_EQ(first_characters("aé航✈", 2), "aé");
  EXPECT_EQ(first_characters("aé", 5), "aé");
  EXPECT_TRUE(check_key("name", std::string(250, 'x')).has_value());
  EXPECT_FALSE(check_key("name", std::string(251, 'x')).has_value());
}

}  // namespace
}  // namespace weir::track
