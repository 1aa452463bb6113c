#include "api/github/forward.h"

#include <gtest/gtest.h>

namespace weir::api::github {
namespace {

TEST(Forward, GoesOnlyToTheServerThatTheTokenIsFor) {
  const std::string api = "https://api.github.com";
  EXPECT_EQ(upstream_of("https://github.com/me/flights.git", api), "https://api.github.com/repos/me/flights");
  EXPECT_EQ(upstream_of("https://github.com/me/flights/", api), "https://api.github.com/repos/me/flights");
  EXPECT_EQ(upstream_of("https://ghe.example/me/flights.git", "https://ghe.example/api/v3/"),
            "https://ghe.example/api/v3/repos/me/flights");
  for (const char* other :
       {"https://gitlab.com/me/flights.git", "https://github.com.evil.example/me/flights",
        "http://github.com/me/flights", "https://github.com/me", "https://github.com/me/a/b",
        "https://github.com/me/..", "https://user@github.com/me/flights", "file:///me/flights", ""}) {
    EXPECT_EQ(upstream_of(other, api), "") << other;
  }
  EXPECT_EQ(upstream_of("https://github.com/me/flights.git", "https://ghe.example/api/v3"), "");
  EXPECT_EQ(upstream_of("https://ghe.example:444/me/flights", "https://ghe.example/api/v3"), "");
}

TEST(Forward, KnowsWhereGraphQLIs) {
  EXPECT_EQ(upstream_graphql({"https://api.github.com/repos/me/flights", ""}), "https://api.github.com/graphql");
  EXPECT_EQ(upstream_graphql({"https://ghe.example/api/v3/repos/repos/repos", ""}), "https://ghe.example/api/graphql");
  EXPECT_EQ(upstream_api({"https://ghe.example/api/v3/repos/repos/repos", ""}), "https://ghe.example/api/v3");
}

TEST(Forward, TakesWhatIsSaidOfCommitsAndIssues) {
  for (const char* path : {"/issues/1/comments", "/issues/comments/7", "/comments/7", "/statuses/abc", "/check-runs/1",
                           "/commits/main/status", "/commits/main/check-runs?per_page=2"}) {
    EXPECT_TRUE(is_forwarded(path)) << path;
  }
  for (const char* path : {"", "/issues/1", "/pulls/1/comments", "/contents/comments/status", "/commits/main"}) {
    EXPECT_FALSE(is_forwarded(path)) << path;
  }
}

}  // namespace
}  // namespace weir::api::github
