#include "monitor/notifier.h"

#include "io/file.h"
#include "io/test_folder.h"
#include "monitor/test_notifier.h"

namespace weir::monitor {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_F(NotifierTest, SendsWhatSlacksWebhooksTake) {
  start();
  queue("alert/1/fired");
  ASSERT_EQ(posts.size(), 1U);
  EXPECT_EQ(posts[0].url, "https://slack/secret");
  EXPECT_EQ(text_of(posts[0]), "it broke");
}

TEST_F(NotifierTest, SendsOneMessageOfASubjectToATarget) {
  start();
  queue("alert/1/fired");
  queue("alert/1/fired");
  queue("alert/1/resolved");
  EXPECT_EQ(posts.size(), 2U);
}

TEST_F(NotifierTest, LeavesOutSeveritiesThatATargetDoesNotTake) {
  start();
  queue("note/1", config::Severity::kInfo);
  EXPECT_TRUE(posts.empty());
}

TEST_F(NotifierTest, TriesAgainWithGrowingPausesUntilTheTargetTakesIt) {
  start();
  status = 0;
  queue("alert/1/fired");
  EXPECT_EQ(posts.size(), 1U);
  status = 503;
  world.box.advance(seconds{1});
  EXPECT_EQ(posts.size(), 2U);
  world.box.advance(seconds{1});
  EXPECT_EQ(posts.size(), 2U);
  world.box.advance(seconds{1});
  EXPECT_EQ(posts.size(), 3U);
  status = 200;
  world.box.advance(seconds{4});
  EXPECT_EQ(posts.size(), 4U);
  world.box.advance(hours{2});
  EXPECT_EQ(posts.size(), 4U) << "it was delivered";
}

TEST_F(NotifierTest, MailsWhereMailtoSaysAndTriesAgainWhenTheProgramFails) {
  const io::TestFolder folder;
  sendmail = folder / "sendmail";
  ASSERT_TRUE(io::write_file_atomic(sendmail, "#!/bin/sh\ntest -e \"$0.up\" && cat >\"$0.mail\"\n").has_value());
  std::filesystem::permissions(sendmail, std::filesystem::perms::owner_all);
  config = TestWorld::parse("notify:\n  - {to: mailto:ml@example.com, events: [gate.refused]}\n");
  start();
  append("gate.refused");
  const std::string mail = sendmail.string() + ".mail";
  EXPECT_FALSE(std::filesystem::exists(mail));
  ASSERT_TRUE(io::write_file_atomic(sendmail.string() + ".up", "").has_value());
  world.box.advance(seconds{1});
  world.box.pump();
  const std::string text = io::read_file(mail).value_or("");
  EXPECT_TRUE(text.find("\nMessage-ID: <weir-") != std::string::npos) << text;
  EXPECT_TRUE(text.starts_with("To: <ml@example.com>\nSubject: [weir] gate.refused model/m: auc is 0.5\n")) << text;
  EXPECT_TRUE(posts.empty());
}

TEST_F(NotifierTest, GivesUpAfterADay) {
  start();
  status = 404;
  queue("alert/1/fired");
  world.box.advance(hours{25});
  const std::size_t tries = posts.size();
  EXPECT_GT(tries, 100U);
  world.box.advance(hours{25});
  EXPECT_EQ(posts.size(), tries);
  EXPECT_EQ(world.number("SELECT state FROM monitor_notifications"), 3);
}

TEST_F(NotifierTest, AQueuedMessageOutlivesTheServer) {
  start();
  status = 0;
  queue("alert/1/fired");
  notifier.reset();
  world.box.pump();
  world.reopen();
  status = 200;
  world.loop.advance(minutes{1});
  posts.clear();
  start();
  ASSERT_EQ(posts.size(), 1U);
  EXPECT_EQ(text_of(posts[0]), "it broke");
}

TEST_F(NotifierTest, TellsOfEventsThatAreAskedForOnceAlsoAcrossARestart) {
  ASSERT_TRUE(world.db()
                  .write([&](store::Transaction& tx) -> Result<void> {
                    WEIR_TRY(tx.append({.type = "gate.refused", .actor = "bob", .subject = "model/old"}));
                    return {};
                  })
                  .has_value());
  start();
  append("gate.refused");
  append("gate.passed");
  ASSERT_EQ(posts.size(), 1U);
  EXPECT_EQ(posts[0].url, "https://hooks.example.com/gate");
  EXPECT_EQ(text_of(posts[0]), "gate.refused model/m: auc is 0.5");

  notifier.reset();
  world.box.pump();
  ASSERT_TRUE(world.db()
                  .write([&](store::Transaction& tx) -> Result<void> {
                    WEIR_TRY(tx.append({.type = "gate.refused", .actor = "bob", .subject = "model/n"}));
                    return {};
                  })
                  .has_value());
  start();
  ASSERT_EQ(posts.size(), 2U) << "what happened while nobody listened";
  EXPECT_EQ(text_of(posts[1]), "gate.refused model/n (by bob)");
}

TEST_F(NotifierTest, TellsOfWaitingApprovalsAndFailedRunsUnasked) {
  start();
  const auto tell = [&](std::string type, json::object payload) {
    ASSERT_TRUE(
        world.db()
            .write([&](store::Transaction& tx) -> Result<void> {
              WEIR_TRY(tx.append(
                  {.type = std::move(type), .actor = "weir", .subject = "run/7", .payload = std::move(payload)}));
              return {};
            })
            .has_value());
    world.box.pump();
  };
  tell("approval.requested", {{"summary", "deploy"}, {"reviewers", json::array{}}});
  tell("run.completed", {{"conclusion", "success"}});
  EXPECT_TRUE(posts.empty());
  tell("approval.requested", {{"summary", "deploy"}, {"reviewers", json::array{"alice"}}});
  tell("run.completed", {{"conclusion", "failure"}});
  ASSERT_EQ(posts.size(), 2U);
  EXPECT_EQ(text_of(posts[0]), "approval.requested run/7: deploy");
  EXPECT_EQ(text_of(posts[1]), "run.completed run/7: failure");
  // As the server writes them.
  run_facts = {.title = "Fix the scaler", .actor = "alice"};
  tell("run.completed", {{"conclusion", "failure"},
                         {"workflow", "Deploy"},
                         {"repo", "flights"},
                         {"ref", "refs/pull/5/merge"},
                         {"number", 3}});
  tell("approval.requested",
       {{"summary", "deploy"}, {"reviewers", json::array{"alice"}}, {"requested_by", "dan"}, {"run", 7}});
  ASSERT_EQ(posts.size(), 4U);
  EXPECT_EQ(
      text_of(posts[2]),
      "run.completed run/7: failure, Deploy #3 of flights at pull request #5, \"Fix the scaler\", started by alice");
  EXPECT_EQ(text_of(posts[3]), "approval.requested run/7: deploy, \"Fix the scaler\", asked for by dan");
}

TEST_F(NotifierTest, AReviewerGetsALinkThatIsKeptNowhere) {
  config = TestWorld::parse(
      "notify:\n  - {to: https://hooks.example.com/alice, reviewer: alice}\n"
      "  - {to: https://hooks.example.com/all}\n  - {to: https://hooks.example.com/carol, reviewer: carol}\n");
  start();
  ASSERT_TRUE(world.db()
                  .write([&](store::Transaction& tx) -> Result<void> {
                    WEIR_TRY(tx.append({.type = "approval.requested",
                                        .actor = "dan",
                                        .subject = "approval/5",
                                        .payload = {{"summary", "deploy"}, {"reviewers", json::array{"alice"}}}}));
                    return {};
                  })
                  .has_value());
  world.box.pump();
  ASSERT_EQ(posts.size(), 3U);
  for (const Delivery& post : posts) {
    const bool hers = post.url.ends_with("/alice");
    EXPECT_EQ(text_of(post).find("Decide as alice: http://weir/approval-link/5-alice") != std::string::npos, hers);
  }
  EXPECT_EQ(world.number("SELECT COUNT(*) FROM monitor_notifications WHERE message LIKE '%approval-link%'"), 0);
}

TEST(TargetFor, KeepsSecretsAsReferencesAndTakesNone) {
  const std::map<std::string, std::string> secrets = {{"HOOK", "https://slack/T1/B2"}, {"PIN", "12"}};
  EXPECT_EQ(target_for("https://slack/T1/B2", secrets).value(), "${{ secrets.HOOK }}");
  EXPECT_EQ(target_for("https://slack/T1/B2/x?12", secrets).value(), "${{ secrets.HOOK }}/x?12");
  EXPECT_EQ(target_for("http://127.0.0.1:9000/hook", secrets).value(), "http://127.0.0.1:9000/hook");
  EXPECT_FALSE(target_for("https://evil/${{ secrets.HOOK }}", secrets).has_value());
  EXPECT_FALSE(target_for("file:///etc/passwd", secrets).has_value());
}

TEST(TargetFor, LiesBelowWhatTheServersPeopleNamed) {
  EXPECT_TRUE(lies_below("https://slack/T1/B2", "https://slack/T1/B2"));
  EXPECT_TRUE(lies_below("https://slack/T1/B2/x?12", "https://slack/T1/B2"));
  EXPECT_TRUE(lies_below("https://slack/T1", "https://slack/"));
  EXPECT_FALSE(lies_below("https://slack/T1/B23", "https://slack/T1/B2"));
  EXPECT_FALSE(lies_below("https://slack@127.0.0.1/", "https://slack"));
  EXPECT_FALSE(lies_below("https://slack.evil/", "https://slack"));
  EXPECT_FALSE(lies_below("http://127.0.0.1/", "http://"));
  EXPECT_FALSE(lies_below("http:///x", "http:///"));
  EXPECT_FALSE(lies_below("http://127.0.0.1/", "http"));
  EXPECT_FALSE(lies_below("http://127.0.0.1/", ""));
}

TEST_F(NotifierTest, AnAttemptThatWasRefusedIsNoRepetition) {
  start();
  status = 503;
  queue("alert/1/fired");
  status = 0;
  world.box.advance(seconds{1});
  status = 200;
  world.box.advance(seconds{2});
  ASSERT_EQ(posts.size(), 3U);
  for (const Delivery& post : posts) {
    EXPECT_FALSE(post.possibly_repeated);
    EXPECT_EQ(post.id, posts[0].id);
  }
}

TEST_F(NotifierTest, AnAttemptWithoutAnAnswerMarksAllThatFollow) {
  start();
  status = 0;
  outcome = Outcome::kUnknown;
  queue("alert/1/fired");
  EXPECT_FALSE(posts.at(0).possibly_repeated);
  status = 503;
  world.box.advance(seconds{1});
  status = 200;
  world.box.advance(seconds{2});
  ASSERT_EQ(posts.size(), 3U);
  EXPECT_TRUE(posts[1].possibly_repeated);
  EXPECT_TRUE(posts[2].possibly_repeated) << "the first one may have arrived";
  EXPECT_EQ(posts[2].id, posts[0].id);
  EXPECT_NE(text_of(posts[2]).find("may have reached you before"), std::string::npos);
  EXPECT_NE(posts[2].body.find("context"), std::string::npos);
}

TEST_F(NotifierTest, ACrashBetweenSendingAndRecordingMarksTheNextAttempt) {
  start();
  // The row as a server leaves it that is killed at this moment.
  std::int64_t sending = -1;
  during = [&] { sending = world.number("SELECT sending FROM monitor_notifications"); };
  queue("alert/1/fired");
  EXPECT_EQ(sending, 1);
  EXPECT_EQ(world.number("SELECT sending FROM monitor_notifications"), 0);
  during = nullptr;
  notifier.reset();
  ASSERT_TRUE(world.db()
                  .write([](store::Transaction& tx) -> Result<void> {
                    WEIR_TRY(tx.execute("UPDATE monitor_notifications SET state = 1, attempts = 0, sending = 1", {}));
                    return {};
                  })
                  .has_value());
  world.reopen();
  start();
  ASSERT_EQ(posts.size(), 2U);
  EXPECT_TRUE(posts[1].possibly_repeated);
  EXPECT_EQ(posts[1].id, posts[0].id);
  EXPECT_EQ(world.number("SELECT state FROM monitor_notifications"), 2);
}

TEST_F(NotifierTest, SlackReadsNoMarkupIntoAMessage) {
  start();
  const auto sent = world.db().write([&](store::Transaction& tx) {
    return queue_message(tx, *config,
                         {.subject = "note/1", .severity = config::Severity::kPage, .text = "a < b\n<!channel> & all"});
  });
  ASSERT_TRUE(sent.has_value());
  notifier->wake();
  world.box.pump();
  ASSERT_EQ(posts.size(), 1U);
  EXPECT_EQ(posts[0].body.find('<'), std::string::npos) << posts[0].body;
  const auto body = parse_json(posts[0].body, "body").value();
  EXPECT_EQ(json::serialize(body.at("blocks").at(0)),
            R"({"type":"section","text":{"type":"mrkdwn","text":":rotating_light: a &lt; b"}})");
  EXPECT_EQ(body.at("blocks").as_array().size(), 3U);
}

TEST_F(NotifierTest, StoresNoSecret) {
  start();
  status = 0;
  queue("alert/1/fired");
  EXPECT_EQ(world.number("SELECT COUNT(*) FROM monitor_notifications WHERE target LIKE '%slack/secret%' OR note LIKE "
                         "'%slack/secret%'"),
            0);
}

}  // namespace
}  // namespace weir::monitor
