#include "monitor/notifier.h"

#include "io/file.h"
#include "monitor/test_world.h"

namespace weir::monitor {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view kYaml = R"(
endpoints:
  flights:
    environments:
      production: {model: models:/flight-delay@champion}
notify:
  - {to: "${{ secrets.SLACK_WEBHOOK }}", severity: [page, warning]}
  - {to: https://hooks.example.com/gate, events: [gate.refused]}
)";

class NotifierTest : public testing::Test {
 protected:
  struct Post {
    std::string url;
    std::string body;
  };

  void start() {
    notifier = std::make_unique<Notifier>(
        NotifierDeps{.db = &world.db(),
                     .clock = &world.loop,
                     .log = &world.log(),
                     .loop = &world.box,
                     .config = [this] { return config; },
                     .resolve =
                         [](const config::Template& target) {
                           return target.resolve({}, {{"SLACK_WEBHOOK", "https://slack/secret"}});
                         },
                     .post = [this](const std::string& url, const std::string& body) -> Result<int> {
                       posts.push_back({url, body});
                       if (status == 0) return fail(Code::kUnavailable, "connection refused");
                       return status;
                     },
                     .sendmail = sendmail});
    ASSERT_TRUE(notifier->start().has_value());
    world.box.pump();
  }
  void queue(std::string subject, config::Severity severity = config::Severity::kWarning) {
    const auto queued = world.db().write([&](store::Transaction& tx) {
      return queue_message(tx, config->notify,
                           {.subject = std::move(subject), .severity = severity, .text = "it broke"});
    });
    ASSERT_TRUE(queued.has_value()) << queued.error().message;
    notifier->wake();
    world.box.pump();
  }
  void append(std::string type) {
    ASSERT_TRUE(world.db()
                    .write([&](store::Transaction& tx) -> Result<void> {
                      WEIR_TRY(tx.append({.type = std::move(type),
                                          .actor = "alice",
                                          .subject = "model/m",
                                          .payload = {{"reason", "auc is 0.5"}}}));
                      return {};
                    })
                    .has_value());
    notifier->wake();
    world.box.pump();
  }

  TestWorld world;
  std::shared_ptr<const config::Config> config = TestWorld::parse(kYaml);
  std::vector<Post> posts;
  int status = 200;
  std::filesystem::path sendmail;
  std::unique_ptr<Notifier> notifier;
};

TEST_F(NotifierTest, SendsWhatSlacksWebhooksTake) {
  start();
  queue("alert/1/fired");
  ASSERT_EQ(posts.size(), 1U);
  EXPECT_EQ(posts[0].url, "https://slack/secret");
  EXPECT_EQ(posts[0].body, R"({"text":"it broke"})");
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
  std::string pattern = (std::filesystem::temp_directory_path() / "weir-sendmail-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
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
  EXPECT_TRUE(text.starts_with("To: <ml@example.com>\nSubject: [weir] gate.refused model/m: auc is 0.5\n")) << text;
  EXPECT_TRUE(posts.empty());
  std::filesystem::remove_all(folder);
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
  EXPECT_EQ(posts[0].body, R"({"text":"it broke"})");
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
  EXPECT_EQ(posts[0].body, R"({"text":"gate.refused model/m: auc is 0.5"})");

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
  EXPECT_EQ(posts[1].body, R"x({"text":"gate.refused model/n (by bob)"})x");
}

TEST(TargetFor, KeepsSecretsAsReferencesAndTakesNone) {
  const std::map<std::string, std::string> secrets = {{"HOOK", "https://slack/T1/B2"}, {"PIN", "12"}};
  EXPECT_EQ(target_for("https://slack/T1/B2", secrets).value(), "${{ secrets.HOOK }}");
  EXPECT_EQ(target_for("https://slack/T1/B2/x?12", secrets).value(), "${{ secrets.HOOK }}/x?12");
  EXPECT_EQ(target_for("http://127.0.0.1:9000/hook", secrets).value(), "http://127.0.0.1:9000/hook");
  EXPECT_FALSE(target_for("https://evil/${{ secrets.HOOK }}", secrets).has_value());
  EXPECT_FALSE(target_for("file:///etc/passwd", secrets).has_value());
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
