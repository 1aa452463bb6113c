#include "api/approval_links.h"

#include <gtest/gtest.h>

#include "access/test_world.h"
#include "api/authentication.h"
#include "io/http_client.h"
#include "io/http_server.h"

namespace weir::api {
namespace {

// A server of which every request must prove who sends it.
class ApprovalLinks : public testing::Test {
 protected:
  void SetUp() override {
    auto config = std::make_shared<config::Config>();
    config->environments = {{.name = "production", .reviewers = {"alice"}}};
    world.config = config;
    ASSERT_TRUE(world.open());
    io::Router router;
    router.before(authentication_filter(
        world.access(), [this] { return access::ListenAddress{"127.0.0.1", http ? http->port() : std::uint16_t{0}}; }));
    add_approval_link_routes(router, world.access());
    auto started = io::HttpServer::start({.host = "127.0.0.1", .port = 0}, std::move(router), world.log());
    ASSERT_TRUE(started) << started.error().message;
    http = *std::move(started);
    approval = world.db()
                   .write_with<access::Approval>([&](store::Transaction& tx) {
                     return world.access().request_approval(tx, {.environment = "production",
                                                                 .subject = "job/1",
                                                                 .summary = "deploy <b>now</b>",
                                                                 .requested_by = "dan"});
                   })
                   .value();
    link = world.access().approval_link(approval, "alice").value();
  }
  void TearDown() override {
    if (http) http->stop();
  }

  io::ClientResponse call(std::string method, std::string body = {}, std::string_view origin = {}) {
    const std::string address = fmt::format("http://127.0.0.1:{}", http->port());
    io::ClientRequest request{.method = std::move(method), .url = address + "/approval-link/" + link};
    request.body = std::move(body);
    request.headers.set("Content-Type", "application/x-www-form-urlencoded");
    if (!origin.empty()) request.headers.set("Origin", std::string(origin));
    return io::http_exchange(request).value();
  }
  access::ApprovalState state() { return world.access().approval(approval.id)->state; }

  access::TestWorld world;
  std::unique_ptr<io::HttpServer> http;
  access::Approval approval;
  std::string link;
};

TEST_F(ApprovalLinks, LookingDecidesNothingHoweverOften) {
  for (int i = 0; i < 3; ++i) {
    const auto shown = call("GET");
    EXPECT_EQ(shown.status, 200);
    EXPECT_NE(shown.body.find("deploy &lt;b&gt;now&lt;/b&gt;"), std::string::npos) << shown.body;
    EXPECT_NE(shown.body.find("decide as <b>alice</b>"), std::string::npos);
    EXPECT_EQ(shown.headers.get("Cache-Control"), "no-store");
  }
  EXPECT_EQ(call("HEAD").status / 100 == 5, false);
  EXPECT_EQ(state(), access::ApprovalState::kPending);
}

TEST_F(ApprovalLinks, AFormDecidesOnce) {
  EXPECT_EQ(call("POST", "comment=x").status, 400);
  EXPECT_EQ(call("POST", "decision=approve", "https://evil.example.com").status, 403);
  EXPECT_EQ(state(), access::ApprovalState::kPending);
  const auto done =
      call("POST", "comment=looks+good%21&decision=approve", fmt::format("http://127.0.0.1:{}", http->port()));
  EXPECT_EQ(done.status, 200) << done.body;
  EXPECT_EQ(state(), access::ApprovalState::kGranted);
  EXPECT_EQ(world.access().approval(approval.id)->comment, "looks good!");
  EXPECT_GE(call("POST", "decision=reject").status, 400);
  EXPECT_GE(call("GET").status, 400);
}

TEST_F(ApprovalLinks, AChangedLinkIsRefused) {
  link.back() = link.back() == '0' ? '1' : '0';
  EXPECT_EQ(call("GET").status, 403);
  EXPECT_EQ(call("POST", "decision=approve").status, 403);
  EXPECT_EQ(state(), access::ApprovalState::kPending);
}

}  // namespace
}  // namespace weir::api
