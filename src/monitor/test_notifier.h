// For tests: a notifier whose webhooks are the test's own.
#pragma once

#include "monitor/notifier.h"
#include "monitor/test_world.h"

namespace weir::monitor {

inline constexpr std::string_view kNotifyYaml = R"(
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
  // What relatives of Slack show of a message.
  static std::string text_of(const Delivery& post) {
    return json_string_or(parse_json(post.body, "body").value(), "text", "");
  }

  DeliveryDeps delivery_deps() {
    DeliveryDeps deps{.clock = &world.loop, .sendmail = sendmail};
    deps.config = [this] { return config; };
    deps.resolve = [](const config::Template& target) {
      return target.resolve(
          {}, {{"SLACK_WEBHOOK", "https://slack/secret"}, {"HOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}});
    };
    deps.post = [this](const Delivery& delivery) -> Attempt {
      posts.push_back(delivery);
      if (during) during();
      if (status != 0) return {.status = status};
      return {.outcome = outcome, .problem = "no answer"};
    };
    deps.approval_address = [](std::int64_t approval, const std::string& reviewer) -> Result<std::string> {
      return fmt::format("http://weir/approval-link/{}-{}", approval, reviewer);
    };
    if (!server_url.empty()) deps.server_url = [this] { return server_url; };
    return deps;
  }
  void start() {
    notifier = std::make_unique<Notifier>(
        NotifierDeps{.db = &world.db(),
                     .clock = &world.loop,
                     .log = &world.log(),
                     .loop = &world.box,
                     .delivery = delivery_deps(),
                     .run_facts = [this](store::Reader&, std::int64_t) -> Result<RunFacts> { return run_facts; }});
    ASSERT_TRUE(notifier->start().has_value());
    world.box.pump();
  }
  void queue(std::string subject, config::Severity severity = config::Severity::kWarning) {
    const auto queued = world.db().write([&](store::Transaction& tx) {
      return queue_message(tx, *config, {.subject = std::move(subject), .severity = severity, .text = "it broke"});
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
  std::shared_ptr<const config::Config> config = TestWorld::parse(kNotifyYaml);
  std::vector<Delivery> posts;
  int status = 200;  // 0: no answer
  Outcome outcome = Outcome::kNotTaken;
  std::function<void()> during;  // what happens while a message is sent
  std::filesystem::path sendmail;
  std::string server_url;  // "": messages bring no links
  RunFacts run_facts;      // of every run
  std::unique_ptr<Notifier> notifier;
};

}  // namespace weir::monitor
