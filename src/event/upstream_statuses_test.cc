#include "event/upstream_statuses.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace weir::event {
namespace {

using std::chrono::seconds;

json::object body(const RunStatus& status, const std::string& server_url = "") {
  return parse_json(status_body(status, 7, server_url), "body").value().get_object();
}

TEST(StatusBody, SaysHowARunGoesInGithubsWords) {
  RunStatus status{.repo = "flights", .commit = "abc", .workflow = "CI", .event = "pull_request"};
  auto pending = body(status);
  EXPECT_EQ(pending.at("state"), "pending");
  EXPECT_EQ(pending.at("context"), "weir / CI (pull_request)");
  EXPECT_FALSE(pending.contains("target_url"));
  status.conclusion = "success";
  status.took = seconds{95};
  const auto done = body(status, "https://weir.example.com");
  EXPECT_EQ(done.at("state"), "success");
  EXPECT_EQ(std::string(done.at("description").as_string()), "success after " + format_duration(seconds{95}));
  EXPECT_EQ(done.at("target_url"), "https://weir.example.com/#/runs/7");
  for (const auto& [conclusion, state] : {std::pair{"skipped", "success"}, std::pair{"cancelled", "error"},
                                          std::pair{"timed_out", "failure"}, std::pair{"failure", "failure"}}) {
    status.conclusion = conclusion;
    EXPECT_EQ(body(status).at("state"), state) << conclusion;
  }
}

TEST(StatusBody, NamesWhatFailedWithinGithubsLimit) {
  RunStatus status{.workflow = "CI", .event = "push", .conclusion = "failure", .took = seconds{1}};
  status.failed_jobs = {"test", "train (3.11)"};
  EXPECT_TRUE(std::string(body(status).at("description").as_string()).ends_with(": test, train (3.11)"));
  status.failed_jobs = {"a", "b", "c", "d", "e"};
  EXPECT_TRUE(std::string(body(status).at("description").as_string()).ends_with(": a, b, c and 2 more"));
  std::string wide;
  for (int i = 0; i < 100; ++i) wide += "堰";
  status.failed_jobs = {wide};
  const auto text = std::string(body(status).at("description").as_string());
  EXPECT_LE(text.size(), 140U);
  EXPECT_TRUE(text.ends_with("堰…")) << text;
}

TEST(StatusBody, SaysHowARunGoesInGitlabsWords) {
  RunStatus status{.workflow = "CI", .event = "push"};
  const auto told = [&] {
    return parse_json(status_body(status, 7, "https://weir.example.com", StatusPlace::Kind::kGitlab), "body")
        .value()
        .get_object();
  };
  EXPECT_EQ(told().at("name"), "weir / CI (push)");
  EXPECT_FALSE(told().contains("context"));
  EXPECT_EQ(told().at("target_url"), "https://weir.example.com/#/runs/7");
  for (const auto& [conclusion, state] :
       {std::pair{"", "pending"}, std::pair{"success", "success"}, std::pair{"skipped", "success"},
        std::pair{"cancelled", "canceled"}, std::pair{"failure", "failed"}}) {
    status.conclusion = conclusion;
    EXPECT_EQ(told().at("state"), state) << conclusion;
  }
}

TEST(GitlabProject, IsOfTheServerThatTheTokenIsForAndNoOther) {
  const std::string api = "https://gitlab.com/api/v4";
  EXPECT_EQ(gitlab_project("https://gitlab.com/me/flights.git", api),
            "https://gitlab.com/api/v4/projects/me%2Fflights");
  EXPECT_EQ(gitlab_project("https://gitlab.com/team/ml/flights/", api + "/"),
            "https://gitlab.com/api/v4/projects/team%2Fml%2Fflights");
  EXPECT_EQ(gitlab_project("https://host.example/git/me/flights", "https://host.example/git/api/v4"),
            "https://host.example/git/api/v4/projects/me%2Fflights");
  for (const char* other : {"https://github.com/me/flights.git", "https://gitlab.com.evil.example/me/flights",
                            "http://gitlab.com/me/flights", "https://gitlab.com/flights", "https://gitlab.com/me/..",
                            "https://gitlab.com//me/flights", "https://user@gitlab.com/me/flights",
                            "https://gitlab.com/me/flights?x", "file:///me/flights", ""}) {
    EXPECT_EQ(gitlab_project(other, api), "") << other;
  }
  for (const char* wrong : {"https://gitlab.com", "gitlab.com/api/v4", "", "https:///api/v4"}) {
    EXPECT_EQ(gitlab_project("https://gitlab.com/me/flights", wrong), "") << wrong;
  }
}

}  // namespace
}  // namespace weir::event
