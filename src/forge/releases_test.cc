#include "forge/releases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forge/issues.h"
#include "forge/test_world.h"

namespace weir::forge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A repository "flights" with the tag v1, whose workflow answers to releases.
class ReleasesTest : public testing::Test, protected TestWorld {
 protected:
  ReleasesTest() {
    commit_ = shell(
        "git init -q --bare -b main flights.git && git init -q -b main work && cd work && mkdir -p .github/workflows "
        "&& "
        "printf '%s\\n' 'on: {release: {types: [created, published, released, prereleased, edited, deleted]}}' "
        "'jobs: {a: {runs-on: x, steps: [{run: a}]}}' > .github/workflows/r.yml && git add -A && "
        "git -c user.name=a -c user.email=a@example.com commit -qm One && git tag v1 && "
        "git push -q ../flights.git main v1 && git rev-parse HEAD");
    releases_ = std::make_unique<Releases>(*db_, *triggers_);
  }

  Release of(std::string tag, bool draft = false) {
    return {.repo = "flights", .tag = std::move(tag), .name = "One", .draft = draft, .commit = commit_};
  }
  Result<ReleaseAsset> add(const Release& release, std::string name) {
    return releases_->add_asset(
        "flights", {.release = release.id, .name = std::move(name), .sha256 = "ab", .size_bytes = 3}, alice_);
  }
  // "release published refs/tags/v1" of each run since the last call.
  std::vector<std::string> started() {
    std::vector<std::string> all;
    for (const auto& run : std::exchange(starter_.runs, {})) {
      all.push_back(fmt::format("{} {}", json_string_or(run.event_payload, "action", ""), run.ref));
    }
    return all;
  }

  std::unique_ptr<Releases> releases_;
  std::string commit_;
  types::Identity alice_{.name = "alice", .role = types::Role::kDeveloper};
};

TEST_F(ReleasesTest, APublishedOneIsFoundByItsTagAndStartsWorkflowsAtIt) {
  const auto tried = releases_->create(of("v1"), alice_);
  ASSERT_TRUE(tried.has_value()) << tried.error().message;
  const auto& made = *tried;
  EXPECT_TRUE(made.published_at.has_value());
  EXPECT_THAT(started(), ElementsAre("published refs/tags/v1", "released refs/tags/v1"));
  const auto found = releases_->by_tag("flights", "v1").value();
  EXPECT_EQ(found.id, made.id);
  EXPECT_EQ(found.author, "alice");
  EXPECT_EQ(releases_->by_tag("other", "v1").error().code, Code::kNotFound);
  EXPECT_EQ(releases_->find("other", made.id).error().code, Code::kNotFound) << "ids of other repositories";

  auto early = of("v1-rc");
  early.prerelease = true;
  ASSERT_TRUE(releases_->create(early, alice_).has_value());
  EXPECT_THAT(started(), ElementsAre("published refs/tags/v1-rc", "prereleased refs/tags/v1-rc"));
}

TEST_F(ReleasesTest, ADraftHasNoTagUntilItIsPublished) {
  const auto draft = releases_->create(of("v1", true), alice_).value();
  EXPECT_FALSE(draft.published_at.has_value());
  EXPECT_EQ(releases_->by_tag("flights", "v1").error().code, Code::kNotFound);
  const auto second = releases_->create(of("v1", true), alice_).value();
  started();
  const auto publish = [&](std::int64_t id) {
    return releases_->update(
        "flights", id,
        [&](Release& release) -> Result<void> {
          release.draft = false;
          release.commit = commit_;
          return {};
        },
        alice_);
  };
  EXPECT_TRUE(publish(draft.id)->published_at.has_value());
  EXPECT_THAT(started(), ElementsAre("published refs/tags/v1", "released refs/tags/v1"));
  // What was refused changed and started nothing.
  EXPECT_EQ(publish(second.id).error().code, Code::kAlreadyExists);
  EXPECT_THAT(started(), IsEmpty());
  EXPECT_TRUE(releases_->find("flights", second.id)->draft);
}

TEST_F(ReleasesTest, AChangeIsTakenWholeOrNotAtAll) {
  const auto made = releases_->create(of("v1"), alice_).value();
  started();
  const auto edit = [&](std::string name, Result<void> verdict) {
    return releases_->update(
        "flights", made.id,
        [&](Release& release) {
          release.name = name;
          return verdict;
        },
        alice_);
  };
  EXPECT_EQ(edit("Two", {})->name, "Two");
  EXPECT_THAT(started(), ElementsAre(HasSubstr("edited")));
  EXPECT_FALSE(edit("Three", fail(Code::kInvalidArgument, "no")).has_value());
  EXPECT_EQ(edit(std::string(kTitleMax + 1, 'x'), {}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(releases_->find("flights", made.id)->name, "Two");
  EXPECT_THAT(started(), IsEmpty());
  EXPECT_EQ(releases_->update(
                         "flights", 99, [](Release&) -> Result<void> { return {}; }, alice_)
                .error()
                .code,
            Code::kNotFound);
}

TEST_F(ReleasesTest, WrongValuesAreNamed) {
  EXPECT_THAT(releases_->create(of(""), alice_).error().message, HasSubstr("tag_name"));
  auto wordy = of("v1");
  wordy.body = std::string(kBodyMax + 1, 'x');
  EXPECT_THAT(releases_->create(wordy, alice_).error().message, HasSubstr("body may have"));
  EXPECT_THAT(*releases_->list("flights"), IsEmpty());
}

TEST_F(ReleasesTest, FilesComeByNameGoAloneAndWithTheirRelease) {
  const auto release = releases_->create(of("v1"), alice_).value();
  const auto model = add(release, "model.tar").value();
  ASSERT_TRUE(add(release, "card.md").has_value());
  EXPECT_EQ(add(release, "model.tar").error().code, Code::kAlreadyExists);
  for (const char* bad : {"", ".hidden", "a/b", "a\\b", "a\nb"}) {
    EXPECT_EQ(add(release, bad).error().code, Code::kInvalidArgument) << bad;
  }
  EXPECT_EQ(add({.id = 99}, "x").error().code, Code::kNotFound);
  const auto found = releases_->find("flights", release.id).value();
  ASSERT_EQ(found.assets.size(), 2U);
  EXPECT_EQ(found.assets[0].name, "card.md");
  EXPECT_EQ(found.assets[1].uploader, "alice");
  EXPECT_EQ(releases_->find_asset("other", model.id).error().code, Code::kNotFound);
  EXPECT_EQ(releases_->remove_asset("other", model.id, alice_).error().code, Code::kNotFound);
  ASSERT_TRUE(releases_->remove_asset("flights", model.id, alice_).has_value());
  EXPECT_EQ(releases_->find("flights", release.id)->assets.size(), 1U);

  started();
  EXPECT_EQ(releases_->remove("other", release.id, alice_).error().code, Code::kNotFound);
  ASSERT_TRUE(releases_->remove("flights", release.id, alice_).has_value());
  EXPECT_THAT(started(), ElementsAre(HasSubstr("deleted")));
  EXPECT_EQ(releases_->find_asset("flights", found.assets[0].id).error().code, Code::kNotFound);
  // The tag is free again, and ids are not used a second time.
  EXPECT_GT(releases_->create(of("v1"), alice_)->id, release.id);
}

TEST_F(ReleasesTest, AreListedNewestFirst) {
  for (const char* tag : {"v1", "v2"}) ASSERT_TRUE(releases_->create(of(tag), alice_).has_value());
  const auto all = releases_->list("flights").value();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].tag, "v2");
  EXPECT_THAT(*releases_->list("other"), IsEmpty());
}

TEST_F(ReleasesTest, JsonHasGithubsNames) {
  const auto release = releases_->create(of("v1", true), alice_).value();
  ASSERT_TRUE(add(release, "card.md").has_value());
  const auto json = to_json(releases_->find("flights", release.id).value());
  EXPECT_EQ(json.at("tag_name"), "v1");
  EXPECT_TRUE(json.at("published_at").is_null());
  EXPECT_EQ(json.at("author").at("login"), "alice");
  EXPECT_EQ(json.at("assets").at(0).at("digest"), "sha256:ab");
  EXPECT_EQ(json.at("assets").at(0).at("size"), 3);
}

}  // namespace
}  // namespace weir::forge
