#include "registry/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/file.h"
#include "registry/schema.h"
#include "track/test_state.h"

namespace weir::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using track::job_identity;

class RegistryTest : public testing::Test {
 protected:
  // A run with a logged model "model" of two files, made by a job of workflow run 7.
  struct Trained {
    std::string run_id;
    track::LoggedModel model;
  };
  Trained train() {
    Trained trained;
    trained.run_id =
        tracking.create_run({.tags = {{"mlflow.source.git.commit", "abc123"}}}, job_identity(42, 7))->info.id;
    trained.model = tracking.create_model({.name = "model", .source_run = trained.run_id}, job_identity(42, 7)).value();
    const auto root = track::artifact_path_of(trained.model.artifact_uri).value().value();
    EXPECT_TRUE(tracking.artifacts().put(root + "/MLmodel", "flavors").has_value());
    EXPECT_TRUE(tracking.artifacts().put(root + "/data/model.pkl", "pickle").has_value());
    return trained;
  }
  Version add(const std::string& source, const types::Identity& actor = {}) {
    (void)registry.create_model("flights", "", {});
    const auto version = registry.create_version({.model = "flights", .source = source}, actor);
    EXPECT_TRUE(version.has_value()) << version.error().message;
    return version.value_or(Version{});
  }
  Error refusal(const Registry::NewVersion& draft) {
    (void)registry.create_model("flights", "", {});
    const auto version = registry.create_version(draft, {});
    EXPECT_FALSE(version.has_value()) << draft.source;
    return version ? Error{} : version.error();
  }
  std::vector<std::string> event_types() {
    std::vector<std::string> types;
    for (const auto& event : state.events()) types.push_back(event.type);
    return types;
  }

  track::TestState state{migrations()};
  track::Tracking& tracking = *state.tracking;
  Registry registry{*state.db, tracking};
};

TEST_F(RegistryTest, AVersionKeepsItsFilesAsTheyWere) {
  const auto trained = train();
  const auto version = add("models:/" + trained.model.id);
  EXPECT_EQ(version.run_id, trained.run_id);
  EXPECT_EQ(version.model_id, trained.model.id);
  const auto root = track::artifact_path_of(trained.model.artifact_uri).value().value();
  ASSERT_TRUE(tracking.artifacts().put(root + "/MLmodel", "changed").has_value());

  const auto folder = state.folder() / "served";
  ASSERT_TRUE(registry.materialise("flights", 1, folder).has_value());
  EXPECT_EQ(io::read_file(folder / "MLmodel").value(), "flavors");
  EXPECT_EQ(io::read_file(folder / "data" / "model.pkl").value(), "pickle");
}

TEST_F(RegistryTest, CreationIsAnEventWithTheWholeLineage) {
  const auto trained = train();
  ASSERT_TRUE(state.db
                  ->write([](store::Transaction& tx) -> Result<void> {
                    WEIR_TRY(tx.append({.type = "job.started", .actor = "weir", .subject = "job/43"}));
                    return {};
                  })
                  .has_value());
  add(fmt::format("runs:/{}/model", trained.run_id), job_identity(43, 8));
  const auto event = state.events().back();
  EXPECT_EQ(event.type, types::event_type::kVersionCreated);
  EXPECT_EQ(event.subject, "model/flights/1");
  EXPECT_EQ(event.actor, "job:43");
  EXPECT_EQ(event.cause, 1);
  EXPECT_EQ(event.payload.at("version").as_int64(), 1);
  EXPECT_EQ(event.payload.at("run_id").as_string(), trained.run_id);
  EXPECT_EQ(event.payload.at("workflow_run").as_int64(), 8);
  EXPECT_EQ(event.payload.at("job").as_int64(), 43);
  EXPECT_EQ(event.payload.at("trained_by_workflow_run").as_int64(), 7);
  EXPECT_EQ(event.payload.at("commit").as_string(), "abc123");
}

TEST_F(RegistryTest, SourcesOfEveryKindLeadToTheFiles) {
  const auto trained = train();
  const auto root = tracking.run(trained.run_id)->info.artifact_uri;
  ASSERT_TRUE(
      tracking.artifacts().put(track::artifact_path_of(root).value().value() + "/old/MLmodel", "old").has_value());
  EXPECT_EQ(add("models:/" + trained.model.id).run_id, trained.run_id);
  EXPECT_EQ(add("runs:/" + trained.run_id + "/model").model_id, trained.model.id);
  EXPECT_EQ(add("runs:/7/model").source, "runs:/" + trained.run_id + "/model");
  EXPECT_EQ(add("runs:/7/old").run_id, trained.run_id);
  EXPECT_EQ(add(root + "/old").run_id, trained.run_id);
  EXPECT_EQ(add(trained.model.artifact_uri).model_id, trained.model.id);
  EXPECT_EQ(add("models:/flights/1").model_id, trained.model.id);
  ASSERT_TRUE(registry.set_alias("flights", "champion", 4, {}).has_value());
  EXPECT_EQ(add("models:/flights@champion").source, "models:/flights/4");
  for (int version = 1; version <= 8; ++version) {
    const auto resolved = registry.resolve(fmt::format("flights/{}", version)).value();
    EXPECT_THAT(resolved.artifact_path, testing::StartsWith("versions/")) << version;
    EXPECT_EQ(resolved.run_id, trained.run_id) << version;
  }
  EXPECT_EQ(tracking.artifacts().read(registry.resolve("models:/flights@champion")->artifact_path + "/MLmodel").value(),
            "old");
  EXPECT_EQ(add("s3://bucket/model").storage_uri, "s3://bucket/model");
  EXPECT_EQ(registry.materialise("flights", 9, state.folder() / "x").error().code, Code::kFailedPrecondition);
}

TEST_F(RegistryTest, SourcesThatDoNotBelongTogetherAreRefused) {
  const auto one = train();
  const auto two = train();
  EXPECT_THAT(refusal({.model = "flights", .source = "models:/" + one.model.id, .run_id = two.run_id}).message,
              HasSubstr("belongs to run"));
  EXPECT_THAT(
      refusal({.model = "flights", .source = "runs:/" + one.run_id + "/model", .model_id = two.model.id}).message,
      HasSubstr("belongs to logged model"));
  for (const char* source :
       {"/etc", "./x", "file:///etc", "s3://a/../b", "mlflow-artifacts:/0/../x", "s3://a/%2e%2e/b", "x", "c:\\x"}) {
    EXPECT_EQ(refusal({.model = "flights", .source = source}).code, Code::kInvalidArgument) << source;
  }
  EXPECT_EQ(refusal({.model = "flights", .source = "models:/m-00000000000000000000000000000000"}).code,
            Code::kNotFound);
  EXPECT_EQ(refusal({.model = "flights", .source = "models:/flights/1"}).code, Code::kNotFound);
  EXPECT_EQ(refusal({.model = "flights", .source = "runs:/99/model"}).code, Code::kNotFound);
  EXPECT_EQ(refusal({.model = "nothing", .source = "s3://a/b"}).code, Code::kNotFound);
  EXPECT_TRUE(registry.versions("flights")->empty());
}

TEST_F(RegistryTest, NumbersAreNeverGivenTwice) {
  add("s3://a/b");
  add("s3://a/b");
  ASSERT_TRUE(registry.delete_version("flights", 2, {}).has_value());
  EXPECT_EQ(add("s3://a/b").version, 3);
  ASSERT_TRUE(registry.delete_model("flights", {}).has_value());
  EXPECT_EQ(add("s3://a/b").version, 4);
  ASSERT_TRUE(registry.rename_model("flights", "planes", {}).has_value());
  EXPECT_EQ(registry.create_version({.model = "planes", .source = "s3://a/b"}, {})->version, 5);
  EXPECT_EQ(add("s3://a/b").version, 5);
}

TEST_F(RegistryTest, AliasEventsSayFromWhereToWhere) {
  add("s3://a/b");
  add("s3://a/b");
  ASSERT_TRUE(registry.set_alias("flights", "champion", 1, {.name = "alice"}).has_value());
  ASSERT_TRUE(registry.set_alias("flights", "champion", 1, {.name = "alice"}).has_value());
  ASSERT_TRUE(registry.set_alias("flights", "champion", 2, {.name = "bob"}).has_value());
  ASSERT_TRUE(registry.delete_alias("flights", "champion", {.name = "bob"}).has_value());
  ASSERT_TRUE(registry.delete_alias("flights", "champion", {.name = "bob"}).has_value());
  EXPECT_THAT(event_types(),
              ElementsAre("version.created", "version.created", "alias.set", "alias.set", "alias.deleted"));
  const auto moved = state.events()[3];
  EXPECT_EQ(moved.subject, "model/flights");
  EXPECT_EQ(moved.actor, "bob");
  EXPECT_EQ(moved.payload.at("alias").as_string(), "champion");
  EXPECT_EQ(moved.payload.at("version").as_int64(), 2);
  EXPECT_EQ(moved.payload.at("previous").as_int64(), 1);
}

TEST_F(RegistryTest, AnAliasCanMoveInsideAnothersTransaction) {
  add("s3://a/b");
  const auto moved = state.db->write([](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(Registry::set_alias(tx, "flights", "champion", 1, {.name = "weir"}, 1));
    WEIR_TRY(Registry::set_version_tag(tx, "flights", 1, {"weir.gate", "passed"}));
    return fail(Code::kCancelled, "the rollout changed its mind");
  });
  EXPECT_FALSE(moved.has_value());
  EXPECT_FALSE(registry.version_by_alias("flights", "champion").has_value());
  EXPECT_TRUE(registry.version("flights", 1)->tags.empty());
  EXPECT_EQ(state.events().size(), 1U);
}

TEST_F(RegistryTest, StageEventsIncludeTheArchivedOnes) {
  add("s3://a/b");
  add("s3://a/b");
  ASSERT_TRUE(registry.set_stage("flights", 1, Stage::kProduction, false, {}).has_value());
  ASSERT_TRUE(registry.set_stage("flights", 2, Stage::kProduction, true, {}).has_value());
  ASSERT_TRUE(registry.set_stage("flights", 2, Stage::kProduction, true, {}).has_value());
  std::vector<std::string> moves;
  for (const auto& event : state.events()) {
    if (event.type == types::event_type::kStageSet) {
      moves.push_back(fmt::format("{} {}", event.subject, std::string_view(event.payload.at("stage").as_string())));
    }
  }
  EXPECT_THAT(moves,
              ElementsAre("model/flights/1 Production", "model/flights/1 Archived", "model/flights/2 Production"));
  EXPECT_EQ(registry.resolve("flights/Production").error().code, Code::kFailedPrecondition);  // kept in s3
  EXPECT_FALSE(registry.set_stage("flights", 1, Stage::kNone, true, {}).has_value());
}

TEST_F(RegistryTest, DeletionTakesAliasesAndFilesAlong) {
  const auto trained = train();
  const auto version = add("models:/" + trained.model.id);
  const auto kept = track::artifact_path_of(version.storage_uri).value().value();
  ASSERT_TRUE(registry.set_alias("flights", "champion", 1, {}).has_value());
  ASSERT_TRUE(registry.delete_version("flights", 1, {}).has_value());
  EXPECT_THAT(event_types(), ElementsAre("version.created", "alias.set", "alias.deleted", "version.deleted"));
  EXPECT_TRUE(tracking.artifacts().list(kept)->empty());
  EXPECT_EQ(registry.version("flights", 1).error().code, Code::kNotFound);
  EXPECT_TRUE(registry.versions("flights")->empty());
}

TEST_F(RegistryTest, NamesOfModelsAreResolved) {
  const auto trained = train();
  add("models:/" + trained.model.id);
  add("models:/" + trained.model.id);
  EXPECT_EQ(registry.resolve("models:/flights/latest")->version, 2);
  EXPECT_EQ(registry.resolve("models:/flights@latest")->version, 2);
  EXPECT_EQ(registry.resolve("models:/" + trained.model.id)->model_id, trained.model.id);
  EXPECT_EQ(registry.resolve("runs:/7/model")->model_id, trained.model.id);
  for (const char* wrong : {"flights", "models:/flights/Shelf", "models:/flights/0", "flights@", "", "models:/"}) {
    EXPECT_FALSE(registry.resolve(wrong).has_value()) << wrong;
  }
  EXPECT_THAT(registry.resolve("flights@champion").error().message, HasSubstr("no alias \"champion\""));
}

}  // namespace
}  // namespace weir::registry
