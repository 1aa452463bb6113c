#include "api/hooks/delivery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"

namespace weir::api {
namespace {

using testing::HasSubstr;

const TimePoint kNow = parse_iso8601("2026-03-01T12:00:00Z").value();
constexpr std::string_view kBody = R"({"ref": "refs/heads/main", "action": "published"})";

io::HttpHeaders headers(std::initializer_list<std::pair<std::string, std::string>> fields) {
  io::HttpHeaders all;
  for (const auto& [name, value] : fields) all.set(name, value);
  return all;
}

std::string hex(std::string_view secret, std::string_view body) {
  return hex_encode(hmac_sha256(secret, body));
}

TEST(Delivery, GithubsSignatureIsThatOfItsDocumentation) {
  // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries, testing the validation
  EXPECT_EQ(hex("It's a Secret to Everybody", "Hello, World!"),
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
  const auto read = read_delivery(HookSource::kGithub,
                                  headers({{"X-Hub-Signature-256", "sha256=" + hex("s", kBody)},
                                           {"X-GitHub-Event", "release"},
                                           {"X-GitHub-Delivery", "72d3162e"}}),
                                  kBody, "s", kNow);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->event, "release");
  EXPECT_EQ(read->action, "published");
  EXPECT_EQ(read->id, "72d3162e");
}

TEST(Delivery, WithoutTheRightSecretNothingIsRead) {
  const auto refused = [](HookSource source, const io::HttpHeaders& fields, std::string_view secret) {
    const auto read = read_delivery(source, fields, kBody, secret, kNow);
    return !read && read.error().code == Code::kUnauthenticated;
  };
  const auto github = headers({{"X-Hub-Signature-256", "sha256=" + hex("other", kBody)}, {"X-GitHub-Event", "push"}});
  EXPECT_TRUE(refused(HookSource::kGithub, github, "s"));
  EXPECT_TRUE(refused(HookSource::kGithub, headers({}), "s"));
  EXPECT_TRUE(refused(HookSource::kGithub, headers({{"X-Hub-Signature-256", "sha256=" + hex("", kBody)}}), ""));
  EXPECT_TRUE(refused(HookSource::kGitea, headers({{"X-Gitea-Signature", ""}}), "s"));
  EXPECT_TRUE(refused(HookSource::kGitlab, headers({{"X-Gitlab-Token", "t"}}), "s"));
  EXPECT_TRUE(refused(HookSource::kCloudEvents, headers({}), "s"));
}

TEST(Delivery, GitlabAndGiteaSpeakInGithubsWords) {
  const auto push = read_delivery(
      HookSource::kGitlab,
      headers({{"X-Gitlab-Token", "s"}, {"X-Gitlab-Event", "Tag Push Hook"}, {"X-Gitlab-Event-UUID", "1"}}), kBody, "s",
      kNow);
  EXPECT_EQ(push->event, "push");
  EXPECT_EQ(push->ref, "refs/heads/main");
  const auto odd = read_delivery(
      HookSource::kGitlab,
      headers({{"X-Gitlab-Token", "s"}, {"X-Gitlab-Event", "Wiki Page Hook"}, {"X-Gitlab-Event-UUID", "1"}}), kBody,
      "s", kNow);
  EXPECT_THAT(odd.error().message, HasSubstr("\"Wiki Page Hook\" starts nothing"));
  EXPECT_EQ(read_delivery(
                HookSource::kGitea,
                headers({{"X-Gitea-Signature", hex("s", kBody)}, {"X-Gitea-Event", "push"}, {"X-Gitea-Delivery", "d"}}),
                kBody, "s", kNow)
                ->event,
            "push");
}

io::HttpHeaders standard(std::string_view body, TimePoint sent, std::string_view secret = "s") {
  const auto stamp =
      fmt::format("{}", std::chrono::duration_cast<std::chrono::seconds>(sent.time_since_epoch()).count());
  return headers({{"webhook-id", "msg_1"},
                  {"webhook-timestamp", stamp},
                  {"webhook-signature",
                   "v1,AAAA v1," + base64_encode(hmac_sha256(secret, fmt::format("msg_1.{}.{}", stamp, body)))},
                  {"Content-Type", "application/cloudevents+json; charset=utf-8"}});
}

TEST(Delivery, CloudEventsAreSignedWithTheirTime) {
  constexpr std::string_view kData =
      R"({"specversion": "1.0", "id": "17", "source": "/lake", "type": "table.updated", "data": {"rows": 3}})";
  const auto read = read_delivery(HookSource::kCloudEvents, standard(kData, kNow), kData, "s", kNow);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->event, "repository_dispatch");
  EXPECT_EQ(read->action, "table.updated");
  EXPECT_EQ(read->id, "/lake 17");
  EXPECT_EQ(read->message, "msg_1");
  EXPECT_EQ(read->payload.at("data").at("rows").as_int64(), 3);
  const auto old =
      read_delivery(HookSource::kCloudEvents, standard(kData, kNow - std::chrono::minutes{6}), kData, "s", kNow);
  EXPECT_THAT(old.error().message, HasSubstr("five minutes"));
  EXPECT_FALSE(read_delivery(HookSource::kCloudEvents, standard("other", kNow), kData, "s", kNow).has_value());
  const auto structured = standard(R"({"id": "1", "source": "/x", "specversion": "1.0"})", kNow);
  EXPECT_THAT(read_delivery(HookSource::kCloudEvents, structured,
                            R"({"id": "1", "source": "/x", "specversion": "1.0"})", "s", kNow)
                  .error()
                  .message,
              HasSubstr("has no type"));
}

TEST(Delivery, CloudEventsSayNothingInHeadersThatNobodySigned) {
  constexpr std::string_view kData =
      R"({"specversion": "1.0", "id": "17", "source": "/lake", "type": "table.updated"})";
  auto structured = standard(kData, kNow);
  structured.set("ce-type", "deploy.production");
  structured.set("ce-id", "18");
  const auto read = read_delivery(HookSource::kCloudEvents, structured, kData, "s", kNow);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->action, "table.updated");
  EXPECT_EQ(read->id, "/lake 17");
  for (const std::string_view type : {"application/json", "", "text/plain", "application/cloudevents-batch+json"}) {
    auto binary = standard(kData, kNow);
    binary.set("Content-Type", std::string(type));
    for (const std::string_view name : {"id", "source", "type", "specversion"})
      binary.set(fmt::format("ce-{}", name), "x");
    const auto refused = read_delivery(HookSource::kCloudEvents, binary, kData, "s", kNow);
    ASSERT_FALSE(refused.has_value()) << type;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_THAT(refused.error().message, HasSubstr("Content-Type: application/cloudevents+json"));
  }
}

}  // namespace
}  // namespace weir::api
