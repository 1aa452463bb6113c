// Who is told what, when and in which words.
#include "base/base64.h"
#include "base/hash.h"
#include "monitor/test_notifier.h"

namespace weir::monitor {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class RoutesTest : public NotifierTest {
 protected:
  void use(std::string_view yaml) { config = TestWorld::parse(yaml); }
  void tell(const types::EventDraft& draft) {
    ASSERT_TRUE(world.db()
                    .write([&](store::Transaction& tx) -> Result<void> {
                      WEIR_TRY(tx.append(draft));
                      return {};
                    })
                    .has_value());
    world.box.pump();
  }
  void message(std::string subject, config::Severity severity, About about = {}, std::string text = "it broke") {
    const auto queued = world.db().write([&](store::Transaction& tx) {
      return queue_message(
          tx, *config,
          {.subject = std::move(subject), .severity = severity, .text = std::move(text), .about = std::move(about)});
    });
    ASSERT_TRUE(queued.has_value()) << queued.error().message;
    notifier->wake();
    world.box.pump();
  }
  [[nodiscard]] std::vector<std::string> told() const {
    std::vector<std::string> all;
    for (const Delivery& post : posts) all.push_back(post.url + " " + text_of(post));
    return all;
  }
  json::object view(std::int64_t id) {
    return world.db().load<json::object>([&](store::Reader& reader) { return notification_view(reader, id); }).value();
  }

  // Reading goes on: as with a full disk.
  void writes_fail(bool fail) {
    const auto* sql =
        fail ? "CREATE TRIGGER full BEFORE UPDATE ON monitor_notifications BEGIN SELECT RAISE(ABORT, 'no room'); END"
             : "DROP TRIGGER full";
    ASSERT_TRUE(world.db()
                    .write([&](store::Transaction& tx) -> Result<void> {
                      WEIR_TRY(tx.execute(sql, {}));
                      return {};
                    })
                    .has_value());
  }
};

TEST_F(RoutesTest, EnvironmentsAndModelsLimitWhatATargetHears) {
  use(R"(
notify:
  - {to: https://h/all}
  - {to: https://h/production, environments: [production]}
  - {to: https://h/flights, models: ["flight-*", "!flight-test"]}
)");
  start();
  const auto warning = config::Severity::kWarning;
  message("a", warning, {.model = "flight-delay", .environment = "production"}, "a");
  message("b", warning, {.model = "flight-test", .environment = "staging"}, "b");
  message("c", warning, {}, "c");
  EXPECT_EQ(told(), (std::vector<std::string>{"https://h/all a", "https://h/production a", "https://h/flights a",
                                              "https://h/all b", "https://h/all c"}));
}

TEST_F(RoutesTest, EventsAreKnownByTheirEnvironmentModelAndRepository) {
  use(R"(
notify:
  - {to: https://h/gates, events: [gate.refused], models: [flight-delay]}
  - {to: https://h/rollouts, events: [rollout.refused], environments: [production]}
)");
  start();
  tell({.type = "gate.refused", .actor = "a", .subject = "model/other"});
  tell({.type = "gate.refused", .actor = "a", .subject = "model/flight-delay"});
  tell({.type = "rollout.refused", .actor = "a", .subject = "endpoint/flights@staging"});
  tell({.type = "rollout.refused", .actor = "a", .subject = "endpoint/flights@production"});
  EXPECT_EQ(told(),
            (std::vector<std::string>{"https://h/gates gate.refused model/flight-delay (by a)",
                                      "https://h/rollouts rollout.refused endpoint/flights@production (by a)"}));
}

TEST_F(RoutesTest, ARepositoryHearsOfWhatIsItsOwnAlone) {
  auto both = *TestWorld::parse("notify:\n  - {to: https://h/one}\n  - {to: https://h/two}\n");
  both.notify[0].repository = "one";
  both.notify[1].repository = "two";
  both.repositories = {{"model/m", "two"}};
  config = std::make_shared<const config::Config>(both);
  start();
  tell({.type = "run.created", .actor = "a", .subject = "run/7", .payload = {{"repo", "one"}}});
  tell({.type = "run.completed", .actor = "a", .subject = "run/7", .payload = {{"conclusion", "failure"}}});
  // A job's event names the run only.
  tell({.type = "approval.requested",
        .actor = "a",
        .subject = "approval/1",
        .payload = {{"run", 7}, {"summary", "deploy"}, {"reviewers", json::array{"alice"}}}});
  message("m", config::Severity::kWarning, {.model = "m"}, "about m");
  message("x", config::Severity::kWarning, {}, "about the server");
  EXPECT_EQ(told(),
            (std::vector<std::string>{"https://h/one run.completed run/7: failure",
                                      "https://h/one approval.requested approval/1: deploy", "https://h/two about m",
                                      "https://h/one about the server", "https://h/two about the server"}));
}

TEST_F(RoutesTest, ARunThatRanOverATimeLimitIsToldOfLikeOneThatFailed) {
  config = TestWorld::parse("notify:\n  - {to: https://h/one}\n");
  start();
  tell({.type = "run.completed", .actor = "weir", .subject = "run/7", .payload = {{"conclusion", "cancelled"}}});
  tell({.type = "run.completed",
        .actor = "weir",
        .subject = "run/8",
        .payload = {{"conclusion", "cancelled"}, {"timed_out", true}, {"reason", "ran over the time limit: train"}}});
  EXPECT_EQ(told(), (std::vector<std::string>{"https://h/one run.completed run/8: ran over the time limit: train"}));
}

TEST_F(RoutesTest, ATemplateSeesWhatItIsAbout) {
  server_url = "https://weir.example.com";
  use(R"(
notify:
  - to: https://h/a
    template: >-
      ${{ message.severity == 'page' && 'URGENT ' || '' }}${{ message.text }} [${{ model }} in ${{ environment }}]
      ${{ links.page }} ${{ links.model }}${{ links.decide }}
)");
  start();
  message("a", config::Severity::kPage, {.model = "m", .endpoint = "flights", .environment = "production"});
  ASSERT_EQ(posts.size(), 1U);
  EXPECT_EQ(text_of(posts[0]),
            "URGENT it broke [m in production] https://weir.example.com/#/endpoints/flights "
            "https://weir.example.com/#/models/m");
}

TEST_F(RoutesTest, ATemplateThatFailsOrSaysNothingSwallowsNoMessage) {
  use(R"(
notify:
  - {to: https://h/a, template: "${{ fromJSON(message.text).x }}"}
  - {to: https://h/b, template: "${{ links.run }} "}
)");
  start();
  message("a", config::Severity::kPage);
  EXPECT_EQ(told(), (std::vector<std::string>{"https://h/a it broke", "https://h/b it broke"}));
}

TEST_F(RoutesTest, AMessageLeadsToItsPage) {
  server_url = "https://weir.example.com";
  use("notify:\n  - {to: https://h/a}\n");
  start();
  message("a", config::Severity::kPage, {.run = 7});
  EXPECT_EQ(told(), (std::vector<std::string>{"https://h/a it broke\nhttps://weir.example.com/#/runs/7"}));
  EXPECT_NE(posts[0].body.find("<https://weir.example.com/#/runs/7|Open in weir>"), std::string::npos);
}

TEST_F(RoutesTest, MessagesOfTheNightComeAsOneInTheMorning) {
  world.loop.advance(hours{22} - minutes{30});  // from midnight, 1 January, UTC: 22:30 in Berlin
  use(R"(
notify:
  - {to: https://h/a, severity: [info, warning, page],
     quiet: {from: "22:00", to: "07:00", time_zone: Europe/Berlin}}
)");
  start();
  message("a", config::Severity::kInfo, {}, "first\nwith details");
  message("b", config::Severity::kWarning, {}, "second");
  message("c", config::Severity::kPage, {}, "urgent");
  EXPECT_EQ(told(), (std::vector<std::string>{"https://h/a urgent"}));
  EXPECT_EQ(view(1).at("state"), "held");
  EXPECT_EQ(view(1).at("next_attempt_at"), "2026-01-02T06:00:00Z");
  notifier.reset();
  world.reopen();
  posts.clear();
  start();
  EXPECT_TRUE(posts.empty());
  world.box.advance(hours{8} + minutes{29});
  EXPECT_TRUE(posts.empty());
  world.box.advance(minutes{2});
  EXPECT_EQ(told(), (std::vector<std::string>{"https://h/a 2 messages came in quiet hours\n- first\n- second"}));
  EXPECT_EQ(view(1).at("state"), "merged");
  EXPECT_EQ(view(2).at("digest"), 4);
  EXPECT_EQ(view(4).at("state"), "sent");
  EXPECT_EQ(view(4).at("severity"), "warning");
  message("d", config::Severity::kInfo, {}, "third");
  EXPECT_EQ(posts.size(), 2U) << "it is day";
}

TEST_F(RoutesTest, OneMessageOfTheNightComesAsItIs) {
  world.loop.advance(hours{23});
  use("notify:\n  - {to: https://h/a, quiet: {from: \"22:00\", to: \"07:00\"}}\n");
  start();
  message("a", config::Severity::kWarning);
  EXPECT_TRUE(posts.empty());
  world.box.advance(hours{8} + minutes{1});
  EXPECT_EQ(told(), (std::vector<std::string>{"https://h/a it broke"}));
}

TEST(Quiet, EndsAtTheTimeOfItsOwnClocks) {
  const auto at = [](std::string_view text) { return parse_iso8601(text).value(); };
  const config::Quiet night{.from = 22 * 60, .to = 7 * 60, .time_zone = "Europe/Berlin"};
  EXPECT_EQ(quiet_until(night, at("2026-07-01T20:00:00Z")), at("2026-07-02T05:00:00Z"));
  EXPECT_EQ(quiet_until(night, at("2026-07-02T04:59:59Z")), at("2026-07-02T05:00:00Z"));
  EXPECT_FALSE(quiet_until(night, at("2026-07-02T05:00:00Z")).has_value());
  EXPECT_FALSE(quiet_until(night, at("2026-07-01T19:59:59Z")).has_value());
  // In the night of 29 March clocks are put forward.
  EXPECT_EQ(quiet_until(night, at("2026-03-28T21:30:00Z")), at("2026-03-29T05:00:00Z"));
  const config::Quiet noon{.from = 12 * 60, .to = 13 * 60 + 30};
  EXPECT_EQ(quiet_until(noon, at("2026-07-01T12:00:00Z")), at("2026-07-01T13:30:00Z"));
  EXPECT_FALSE(quiet_until(noon, at("2026-07-01T13:30:00Z")).has_value());
  const config::Quiet nowhere{.from = 0, .to = 1'439, .time_zone = "Nowhere/City"};
  EXPECT_FALSE(quiet_until(nowhere, at("2026-07-01T12:00:00Z")).has_value()) << "rather too early than too late";
}

TEST_F(RoutesTest, ASignedWebhookGetsAllThatIsKnown) {
  use("notify:\n  - {to: https://h/a, secret: \"${{ secrets.HOOK_SECRET }}\"}\n");
  start();
  status = 503;
  message("a", config::Severity::kPage, {.event = "alert.fired", .repository = "flights", .model = "m"});
  status = 200;
  world.box.advance(seconds{1});
  ASSERT_EQ(posts.size(), 2U);
  const auto header = [&](std::size_t post, std::string_view name) {
    for (const auto& [key, value] : posts[post].headers) {
      if (key == name) return value;
    }
    return std::string();
  };
  EXPECT_EQ(header(0, "webhook-id"), posts[0].id);
  EXPECT_EQ(header(1, "webhook-id"), posts[0].id);
  EXPECT_NE(header(1, "webhook-timestamp"), header(0, "webhook-timestamp"));
  const std::string key = base64_decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").value();
  EXPECT_EQ(header(0, "webhook-signature"),
            "v1," + base64_encode(hmac_sha256(
                        key, fmt::format("{}.{}.{}", posts[0].id, header(0, "webhook-timestamp"), posts[0].body))));
  const auto body = parse_json(posts[0].body, "body").value();
  EXPECT_EQ(body.at("type"), "alert.fired");
  EXPECT_EQ(body.at("data").at("text"), "it broke");
  EXPECT_EQ(body.at("data").at("repo"), "flights");
  EXPECT_EQ(body.at("data").at("severity"), "page");
}

TEST(Signature, WantsASecretOfTheStandardsForm) {
  for (const std::string_view wrong : {"", "hunter22", "whsec_", "whsec_c2hvcnQ=", "whsec_***"}) {
    EXPECT_FALSE(signature_headers(wrong, "id", TimePoint{}, "{}").has_value()) << wrong;
  }
}

TEST_F(RoutesTest, WhatIsSentNowDoesNotWaitForOthersToTheSameTarget) {
  start();
  status = 0;
  message("a", config::Severity::kPage);
  message("b", config::Severity::kPage);
  const std::int64_t before = view(2).at("attempts").as_int64();
  ASSERT_TRUE(world.db()
                  .write([](store::Transaction& tx) -> Result<void> {
                    WEIR_TRY(
                        tx.execute("UPDATE monitor_notifications SET next_attempt_at = ? WHERE id = 1", {tx.now()}));
                    return retry_message(tx, 2);
                  })
                  .has_value());
  EXPECT_EQ(view(2).at("next_attempt_at"), view(2).at("created_at"));
  notifier->wake();
  world.box.pump();
  EXPECT_EQ(view(2).at("attempts").as_int64(), before + 1);
}

TEST_F(RoutesTest, WhatWasGivenUpIsTriedAgainWhenAsked) {
  start();
  status = 404;
  message("a", config::Severity::kPage);
  EXPECT_EQ(view(1).at("state"), "retrying");
  EXPECT_EQ(view(1).at("problem"), "the answer was 404");
  world.box.advance(hours{25});
  EXPECT_EQ(view(1).at("state"), "given_up");
  const std::size_t tries = posts.size();
  const auto retry = [&] {
    const auto done = world.db().write([](store::Transaction& tx) { return retry_message(tx, 1); });
    notifier->wake();
    world.box.pump();
    return done.has_value();
  };
  EXPECT_TRUE(retry());
  EXPECT_EQ(posts.size(), tries + 1);
  EXPECT_EQ(view(1).at("state"), "retrying") << "it has another day";
  status = 200;
  EXPECT_TRUE(retry());
  EXPECT_EQ(view(1).at("state"), "sent");
  EXPECT_EQ(posts.back().id, posts.front().id);
  EXPECT_FALSE(retry()) << "it was sent";
  const auto list =
      world.db()
          .load<json::object>([](store::Reader& reader) { return notifications_view(reader, {.state = "sent"}); })
          .value();
  EXPECT_EQ(list.at("notifications").as_array().size(), 1U);
  EXPECT_EQ(list.at("counts").at("sent"), 1);
  EXPECT_FALSE(
      world.db()
          .load<json::object>([](store::Reader& reader) { return notifications_view(reader, {.state = "lost"}); })
          .has_value());
}

TEST_F(RoutesTest, AMailTargetUsesTheServerThatIsNamed) {
  use("notify:\n  - {to: mailto:ml@example.com}\n"
      "mail: {server: smtp://127.0.0.1:1, from: weir@example.com}\n");
  start();
  message("a", config::Severity::kPage);
  EXPECT_NE(std::string(view(1).at("problem").as_string()).find("cannot reach 127.0.0.1 at port 1"), std::string::npos)
      << view(1).at("problem");
}

TEST_F(RoutesTest, ATargetThatDoesNotAnswerKeepsOthersWaitingOnce) {
  use("notify:\n  - {to: https://h/dead}\n  - {to: https://h/good}\n");
  start();
  world.loop.advance(seconds{1});
  status = 0;
  during = [&] { status = posts.back().url.ends_with("/good") ? 200 : 0; };
  ASSERT_TRUE(world.db()
                  .write([&](store::Transaction& tx) -> Result<void> {
                    for (const char* subject : {"a", "b", "c"}) {
                      WEIR_TRY(queue_message(
                          tx, *config, {.subject = subject, .severity = config::Severity::kPage, .text = subject}));
                    }
                    return {};
                  })
                  .has_value());
  notifier->wake();
  world.box.pump();
  EXPECT_EQ(told(),
            (std::vector<std::string>{"https://h/dead a", "https://h/good a", "https://h/good b", "https://h/good c"}));
  during = [&] { status = 200; };
  status = 200;
  world.box.advance(seconds{2});
  EXPECT_EQ(told().size(), 7U) << "all of them, as soon as it answers";
  EXPECT_EQ(world.number("SELECT COUNT(*) FROM monitor_notifications WHERE state = 2"), 6);
}

TEST_F(RoutesTest, ASecretThatIsNoAddressIsNotToldToAnybody) {
  for (const std::string& secret :
       std::initializer_list<std::string>{"hunter22", "mailto:hunter22@a,hunter22@b", "https://hunter22 x",
                                          "https://" + std::string(300, 'h') + " hunter22"}) {
    auto deps = delivery_deps();
    deps.resolve = [&](const config::Template&) -> Result<std::string> { return secret; };
    deps.post = nullptr;
    const Attempt attempt = deliver(deps, {.target = "${{ secrets.X }}", .text = "it broke"});
    EXPECT_EQ(attempt.status, 0);
    EXPECT_EQ(attempt.problem.find("hunter22"), std::string::npos) << attempt.problem;
    EXPECT_EQ(attempt.problem.find("hhh"), std::string::npos) << attempt.problem;
  }
}

// Reading goes on, writing fails: as with a full disk.
TEST_F(RoutesTest, ADatabaseThatTakesNothingIsNotAskedOnAndOn) {
  start();
  writes_fail(true);
  message("a", config::Severity::kPage);
  for (int i = 0; i < 10; ++i) {
    notifier->wake();
    world.box.pump();
  }
  EXPECT_TRUE(posts.empty()) << "nothing is sent that could not be recorded";
  writes_fail(false);
  world.box.advance(seconds{2});
  EXPECT_EQ(posts.size(), 1U);
}

TEST_F(RoutesTest, WhatWasSentAndCouldNotBeRecordedIsNotSentAgain) {
  start();
  during = [&] {
    during = nullptr;
    writes_fail(true);
  };
  message("a", config::Severity::kPage);
  EXPECT_EQ(posts.size(), 1U);
  world.box.advance(minutes{5});
  writes_fail(false);
  world.box.advance(minutes{5});
  EXPECT_EQ(posts.size(), 1U);
  EXPECT_EQ(view(1).at("state"), "sent");
  EXPECT_EQ(view(1).at("possibly_repeated"), false);
}

}  // namespace
}  // namespace weir::monitor
