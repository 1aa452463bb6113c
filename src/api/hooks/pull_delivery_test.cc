#include "api/hooks/pull_delivery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::api {
namespace {

using testing::HasSubstr;

constexpr std::string_view kCommit = "0123456789abcdef0123456789abcdef01234567";

Delivery delivery(std::string event, std::string_view body) {
  auto payload = parse_json(body, "body").value().get_object();
  const auto action = json_string_or(payload, "action", "");
  return {.id = "1", .event = std::move(event), .action = action, .payload = std::move(payload)};
}

std::string github_body(std::string_view action, std::string_view head_repo, std::string_view head_ref = "better") {
  return fmt::format(
      R"({{"action": "{}", "number": 7, "sender": {{"login": "una"}}, "pull_request": {{"number": 7, "title": "Be better",
      "head": {{"ref": "{}", "sha": "{}", "repo": {}}}, "base": {{"ref": "main", "repo": {{"full_name": "acme/flights"}}}}}}}})",
      action, head_ref, kCommit, head_repo);
}

TEST(PullDelivery, GithubsBranchIsTrustedAndItsForkIsNot) {
  const auto read = [](std::string_view repo) {
    return read_pull(HookSource::kGithub, delivery("pull_request", github_body("opened", repo)), "flights");
  };
  const auto own = read(R"({"full_name": "acme/flights"})");
  ASSERT_TRUE(own.has_value()) << own.error().message;
  EXPECT_FALSE(own->is_foreign);
  EXPECT_EQ(own->repo, "flights");
  EXPECT_EQ(own->forge, "github");
  EXPECT_EQ(own->event, "pull_request");
  EXPECT_EQ(own->action, "opened");
  EXPECT_EQ(own->number, 7);
  EXPECT_EQ(own->title, "Be better");
  EXPECT_EQ(own->fetch_ref, "refs/pull/7/head");
  EXPECT_EQ(own->head_ref, "better");
  EXPECT_EQ(own->base_ref, "main");
  EXPECT_EQ(own->head_sha, kCommit);
  EXPECT_EQ(own->sender, "una");
  EXPECT_TRUE(read(R"({"full_name": "vera/flights"})")->is_foreign);
  EXPECT_TRUE(read("null")->is_foreign) << "a fork that was deleted";
  EXPECT_TRUE(read("{}")->is_foreign);
}

TEST(PullDelivery, WhatIsQueuedIsReadBack) {
  const auto pull =
      read_pull(HookSource::kGithub, delivery("pull_request", github_body("opened", "{}")), "flights").value();
  const auto back = event::upstream_pull_from_json(parse_json(json::serialize(event::to_json(pull)), "x").value());
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(json::serialize(event::to_json(*back)), json::serialize(event::to_json(pull)));
}

TEST(PullDelivery, GiteaSaysSomeThingsInOtherWords) {
  const auto read = [](std::string event, std::string_view action) {
    const auto pull =
        read_pull(HookSource::kGitea,
                  delivery(std::move(event), github_body(action, R"({"full_name": "acme/flights"})")), "flights")
            .value();
    return pull.event + " " + pull.action;
  };
  EXPECT_EQ(read("pull_request", "opened"), "pull_request opened");
  EXPECT_EQ(read("pull_request", "synchronized"), "pull_request synchronize");
  EXPECT_EQ(read("pull_request", "label_updated"), "pull_request labeled");
  EXPECT_EQ(read("pull_request_approved", "reviewed"), "pull_request_review submitted");
}

TEST(PullDelivery, GitlabsMergeRequestBecomesAPullRequest) {
  const auto read = [](std::string_view attributes, std::string_view more = "") {
    return read_pull(HookSource::kGitlab,
                     delivery("pull_request",
                              fmt::format(R"({{"object_attributes": {{"iid": 4, "title": "Be better", "state": "opened",
                             "source_branch": "better", "target_branch": "main", "last_commit": {{"id": "{}"}},
                             "source_project_id": 5, "target_project_id": 5, {}}},
                             "user": {{"username": "una"}}, "labels": [{{"title": "model"}}] {}}})",
                                          kCommit, attributes, more)),
                     "flights");
  };
  const auto opened = read(R"("action": "open")");
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  EXPECT_EQ(opened->action, "opened");
  EXPECT_EQ(opened->fetch_ref, "refs/merge-requests/4/head");
  EXPECT_FALSE(opened->is_foreign);
  const auto& pull = opened->payload.at("pull_request");
  EXPECT_EQ(pull.at("number"), 4);
  EXPECT_EQ(pull.at("state"), "open");
  EXPECT_EQ(pull.at("user").at("login"), "una");
  EXPECT_EQ(pull.at("labels").at(0).at("name"), "model");
  EXPECT_EQ(read(R"("action": "update", "oldrev": "abc")")->action, "synchronize");
  EXPECT_EQ(read(R"("action": "update")")->action, "edited");
  EXPECT_EQ(read(R"("action": "update")", R"(, "changes": {"labels": {"previous": [], "current": [{}]}})")->action,
            "labeled");
  EXPECT_EQ(read(R"("action": "merge", "state": "merged")")->action, "closed");
  EXPECT_EQ(read(R"("action": "approved")")->event, "pull_request_review");
  EXPECT_TRUE(read(R"("action": "open", "source_project_id": 6)")->is_foreign);
}

TEST(PullDelivery, NothingButABranchGetsIntoARefspec) {
  for (const std::string_view name : {"", "a b", "a:refs/heads/main", "*", "+a", "../a", "-a", "a..b", "a.lock", "/a",
                                      "a/", "a\\\\b", "a^", "a~1", "a@{1}", ".a", "a//b", "a/.b"}) {
    const auto pull =
        read_pull(HookSource::kGithub, delivery("pull_request", github_body("opened", "{}", name)), "flights");
    if (name == "+a") {
      EXPECT_TRUE(pull.has_value()) << "git takes a plus in a name";
      continue;
    }
    ASSERT_FALSE(pull.has_value()) << name;
    EXPECT_THAT(pull.error().message, HasSubstr("without a branch that it comes from"));
  }
  const auto pull = read_pull(HookSource::kGithub, delivery("pull_request", R"({"action": "opened"})"), "flights");
  ASSERT_FALSE(pull.has_value());
  EXPECT_THAT(pull.error().message, HasSubstr("no pull_request"));
}

}  // namespace
}  // namespace weir::api
