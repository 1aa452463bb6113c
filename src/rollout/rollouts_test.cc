#include "rollout/rollouts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "access/schema.h"
#include "io/file.h"
#include "io/http_client.h"
#include "io/http_server.h"
#include "registry/schema.h"
#include "rollout/schema.h"
#include "track/test_state.h"

// Rollouts on a real database with real processes; only the model in them is a few lines of Python.
namespace weir::rollout {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// Does what the file "behaviour" in the model's folder says: a number to predict, "nan", or "broken".
constexpr std::string_view kFakeWorker = R"(
import json, os, socket, struct, sys
head = struct.Struct("<IIQB")
sock = socket.socket(fileno=os.dup(0))
behaviour = open(sys.argv[-2] + "/behaviour").read()
if behaviour == "broken":
    sys.exit("cannot import forest")
def send(number, kind, header, body=b""):
    text = json.dumps(header).encode()
    sock.sendall(head.pack(len(text), len(body), number, kind) + text + body)
def exactly(size):
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk: sys.exit(0)
        data += chunk
    return data
send(0, 4, {"flavor": "fake", "signature": True})
while True:
    header_bytes, body_bytes, number, kind = head.unpack(exactly(head.size))
    exactly(header_bytes)
    rows = len(json.loads(exactly(body_bytes))["inputs"])
    value = None if behaviour == "nan" else float(behaviour)
    send(number, 2, {"status": 200}, json.dumps({"predictions": [value] * rows}).encode())
)";

std::vector<store::Migration> all_migrations() {
  std::vector<store::Migration> all;
  for (const auto part : {access::migrations(), registry::migrations(), migrations()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

class RolloutsTest : public testing::Test {
 protected:
  RolloutsTest() {
    EXPECT_TRUE(io::write_file_atomic(folder() / "worker.py", kFakeWorker).has_value());
    const std::string start = fmt::format("#!/bin/sh\nexec python3 -I -S {}/worker.py \"$@\"\n", folder().string());
    EXPECT_TRUE(io::write_file_atomic(folder() / "python", start, 0755).has_value());
    config::Config wanted;
    wanted.endpoints = {{.name = "flights",
                         .environments = {environment("staging", "candidate"), environment("production", "champion")},
                         .key = "flight_id"}};
    wanted.environments = {{.name = "production", .reviewers = {"bob"}}};
    config_ = std::make_shared<const config::Config>(std::move(wanted));
    access_ = access::Access::open(*state_.db, clock_, log_,
                                   {.keys_dir = folder() / "keys", .config = [this] { return config_; }})
                  .value();
    EXPECT_TRUE(registry_.create_model("delay", "", {}).has_value());
    start_server();
  }
  ~RolloutsTest() override { stop_server(); }

  static config::EndpointEnvironment environment(std::string name, std::string alias) {
    return {.name = std::move(name), .model = {.model = "delay", .alias = std::move(alias)}, .workers = 1};
  }
  const std::filesystem::path& folder() const { return state_.folder(); }

  void start_server() {
    gateway_ = std::make_unique<serve::Gateway>(serve::Gateway::Options{.server_version = "test"}, clock_);
    rollouts_ = std::make_unique<Rollouts>(
        Rollouts::Parts{.db = *state_.db,
                        .registry = registry_,
                        .access = *access_,
                        .gateway = *gateway_,
                        .clock = clock_,
                        .log = log_,
                        .config = [this] { return config_; }},
        Rollouts::Options{.models = folder() / "models",
                          .host = {.environments = {.folder = folder() / "envs", .ready_made = folder() / "python"}}});
    io::Router router;
    gateway_->add_routes(router);
    server_ = io::HttpServer::start({}, std::move(router), log_).value();
    rollouts_->start();
  }
  void stop_server() {
    server_.reset();
    rollouts_.reset();
    gateway_.reset();
  }

  // A registered version that does `behaviour`.
  std::int64_t add_version(std::string_view behaviour) {
    auto& tracking = *state_.tracking;
    const auto run = tracking.create_run({}, {})->info;
    const auto root = track::artifact_path_of(run.artifact_uri).value().value() + "/model";
    for (const auto& [name, text] :
         std::map<std::string, std::string>{{"MLmodel", "flavors: {python_function: {}}\n"},
                                            {"requirements.txt", "mlflow\n"},
                                            {"serving_input_example.json", R"({"inputs":[1,2,3]})"},
                                            {"behaviour", std::string(behaviour)}}) {
      EXPECT_TRUE(tracking.artifacts().put(root + "/" + name, text).has_value());
    }
    return registry_.create_version({.model = "delay", .source = fmt::format("runs:/{}/model", run.id)}, {})->version;
  }
  void set_alias(std::string_view alias, std::int64_t version, std::string actor = "alice") {
    ASSERT_TRUE(registry_.set_alias("delay", alias, version, {.name = std::move(actor)}).has_value());
  }

  const Record record(std::string_view environment) {
    for (const auto& status : rollouts_->statuses()) {
      if (status.record.environment == environment) return status.record;
    }
    return {};
  }
  void wait_for(std::string_view what, const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end)
          << what << "; wish of production: " << wish_state_name(record("production").wish.state) << " "
          << record("production").wish.reason;
      std::this_thread::yield();
    }
  }
  void wait_for_wish(std::string_view environment, std::int64_t version, WishState state) {
    wait_for(fmt::format("{} {} {}", environment, version, wish_state_name(state)), [&] {
      const auto wish = record(environment).wish;
      return wish.target.version == version && wish.state == state;
    });
  }
  // A version, approved and live in production.
  void bring_live(std::int64_t version) {
    set_alias("champion", version);
    wait_for_wish("production", version, WishState::kWaiting);
    const auto pending = access_->pending().value();
    ASSERT_EQ(pending.size(), 1U);
    EXPECT_THAT(pending[0].summary, HasSubstr(fmt::format("delay version {}", version)));
    ASSERT_TRUE(access_->grant(pending[0].id, {.name = "bob", .role = types::Role::kApprover}, "go").has_value());
    wait_for_wish("production", version, WishState::kLive);
  }
  std::string predict(std::string_view endpoint = "flights") {
    return io::http_exchange({.method = "POST",
                              .url = fmt::format("http://127.0.0.1:{}/{}/invocations", server_->port(), endpoint),
                              .body = R"({"inputs":[0]})"})
        .value()
        .body;
  }
  int ready() {
    return io::http_exchange({.url = fmt::format("http://127.0.0.1:{}/v2/health/ready", server_->port())})
        .value()
        .status;
  }

  SystemClock clock_;
  Log log_{clock_, 2, LogLevel::kError};
  std::vector<store::Migration> migrations_ = all_migrations();
  track::TestState state_{migrations_};
  registry::Registry registry_{*state_.db, *state_.tracking};
  std::shared_ptr<const config::Config> config_;
  std::unique_ptr<access::Access> access_;
  std::unique_ptr<serve::Gateway> gateway_;
  std::unique_ptr<Rollouts> rollouts_;
  std::unique_ptr<io::HttpServer> server_;
};

TEST_F(RolloutsTest, AVersionGoesLiveOnceItsAliasIsSetAndItsReviewerAgrees) {
  const auto version = add_version("0.25");
  set_alias("candidate", version);
  wait_for_wish("staging", version, WishState::kLive);
  EXPECT_EQ(predict("flights@staging"), R"({"predictions": [0.25]})");
  bring_live(version);
  EXPECT_EQ(predict(), R"({"predictions": [0.25]})");

  std::map<std::string, types::Event> newest;
  for (const auto& event : state_.events()) {
    if (event.subject == "endpoint/flights@production") newest[event.type] = event;
  }
  const auto& switched = newest.at("rollout.switched");
  EXPECT_EQ(switched.payload.at("model").as_string(), "delay");
  EXPECT_EQ(switched.payload.at("version").as_int64(), version);
  EXPECT_EQ(switched.payload.at("previous").as_int64(), 0);
  EXPECT_EQ(switched.payload.at("smoke").at("rows").to_number<int>(), 3);
  EXPECT_EQ(switched.actor, "alice");
  // The chain of causes: switched <- approval granted <- requested <- waiting <- alias set.
  std::vector<std::string> chain;
  for (auto cause = switched.cause; cause != 0;) {
    const auto event = state_.events().at(static_cast<std::size_t>(cause) - 1);
    chain.push_back(event.type);
    cause = event.cause;
  }
  EXPECT_THAT(chain, testing::ElementsAre("approval.granted", "approval.requested", "rollout.waiting", "alias.set"));
  EXPECT_EQ(state_.db
                ->load<std::optional<std::int64_t>>(
                    [](store::Reader& reader) { return live_version(reader, "delay", "production"); })
                .value(),
            version);
}

TEST_F(RolloutsTest, ARollbackMovesFactAndAliasTogetherInOneStep) {
  const auto one = add_version("1.0");
  const auto two = add_version("2.0");
  bring_live(one);
  bring_live(two);
  EXPECT_EQ(predict(), R"({"predictions": [2.0]})");
  const auto status = rollouts_->roll_back("flights", "production", "too many false alarms", {.name = "carol"});
  ASSERT_TRUE(status.has_value()) << status.error().message;
  EXPECT_EQ(status->record.live.version, one);
  EXPECT_EQ(predict(), R"({"predictions": [1.0]})");
  EXPECT_EQ(registry_.version_by_alias("delay", "champion")->version, one);
  const auto events = state_.events();
  EXPECT_EQ(events[events.size() - 2].type, "rollout.rolled_back");
  EXPECT_EQ(events.back().type, "alias.set");
  EXPECT_EQ(events.back().actor, "carol");
  EXPECT_EQ(events.back().cause, events[events.size() - 2].sequence);
  const auto again = rollouts_->roll_back("flights", "production", "", {.name = "carol"});
  EXPECT_FALSE(again.has_value());
}

TEST_F(RolloutsTest, AVersionThatCannotPredictItsExampleIsRefused) {
  bring_live(add_version("1.0"));
  const auto bad = add_version("nan");
  set_alias("champion", bad);
  wait_for_wish("production", bad, WishState::kWaiting);
  ASSERT_TRUE(
      access_->grant(access_->pending()->at(0).id, {.name = "bob", .role = types::Role::kApprover}, "").has_value());
  wait_for_wish("production", bad, WishState::kRefused);
  EXPECT_THAT(record("production").wish.reason, HasSubstr("row 0 is not a finite number"));
  EXPECT_EQ(predict(), R"({"predictions": [1.0]})");
}

TEST_F(RolloutsTest, AVersionThatDoesNotStartIsRefusedWithWhatItPrinted) {
  const auto broken = add_version("broken");
  set_alias("candidate", broken);
  wait_for_wish("staging", broken, WishState::kRefused);
  EXPECT_THAT(record("staging").wish.reason, HasSubstr("cannot import forest"));
}

TEST_F(RolloutsTest, WhatWasLiveIsServedAgainAfterARestart) {
  const auto one = add_version("1.0");
  const auto two = add_version("2.0");
  bring_live(one);
  bring_live(two);
  stop_server();
  start_server();
  wait_for("ready", [&] { return ready() == 200; });
  EXPECT_EQ(predict(), R"({"predictions": [2.0]})");
  ASSERT_TRUE(rollouts_->roll_back("flights", "production", "", {.name = "carol"}).has_value());
  EXPECT_EQ(predict(), R"({"predictions": [1.0]})");
}

TEST_F(RolloutsTest, DeployMovesTheAliasAndWaitsForTheReviewersAsAnyWishDoes) {
  const auto version = add_version("1.0");
  const auto status = rollouts_->deploy("flights", "production", version, {.name = "carol"});
  ASSERT_TRUE(status.has_value()) << status.error().message;
  EXPECT_EQ(status->record.wish.target.version, version);
  EXPECT_EQ(status->record.wish.state, WishState::kWaiting);
  EXPECT_THAT(status->record.wish.reason, HasSubstr("by bob"));
  EXPECT_EQ(registry_.version_by_alias("delay", "champion")->version, version);
  const auto missing = rollouts_->deploy("flights", "production", 99, {.name = "carol"});
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Code::kNotFound);
}

TEST_F(RolloutsTest, StagesAreWishesToo) {
  auto changed = *config_;
  changed.endpoints[0].environments[0].model = {.model = "delay", .stage = "Staging"};
  config_ = std::make_shared<const config::Config>(std::move(changed));
  ASSERT_TRUE(
      state_.db
          ->write([](store::Transaction& tx) -> Result<void> {
            WEIR_TRY(tx.append(
                {.type = std::string(types::event_type::kConfigApplied), .actor = "alice", .subject = "repo/x"}));
            return {};
          })
          .has_value());
  const auto one = add_version("1.0");
  const auto two = add_version("2.0");
  ASSERT_TRUE(registry_.set_stage("delay", one, registry::Stage::kStaging, true, {.name = "alice"}).has_value());
  wait_for_wish("staging", one, WishState::kLive);
  ASSERT_TRUE(registry_.set_stage("delay", two, registry::Stage::kStaging, true, {.name = "alice"}).has_value());
  wait_for_wish("staging", two, WishState::kLive);
  ASSERT_TRUE(rollouts_->roll_back("flights", "staging", "", {.name = "carol"}).has_value());
  EXPECT_EQ(registry_.version("delay", one)->stage, registry::Stage::kStaging);
  EXPECT_EQ(registry_.version("delay", two)->stage, registry::Stage::kArchived);
  EXPECT_EQ(predict("flights@staging"), R"({"predictions": [1.0]})");
}

TEST_F(RolloutsTest, TheDashboardSeesWishFactAndTraffic) {
  bring_live(add_version("1.0"));
  predict();
  const auto endpoints = endpoints_json(rollouts_->statuses(), gateway_->snapshot());
  ASSERT_EQ(endpoints.size(), 1U);
  EXPECT_EQ(endpoints[0].at("name").as_string(), "flights");
  const auto& production = endpoints[0].at("environments").at(1);
  EXPECT_EQ(production.at("name").as_string(), "production");
  EXPECT_EQ(production.at("wish").at("state").as_string(), "live");
  EXPECT_EQ(production.at("wish").at("reference").as_string(), "models:/delay@champion");
  EXPECT_EQ(production.at("live").at("version").as_int64(), 1);
  EXPECT_TRUE(production.at("previous").is_null());
  EXPECT_EQ(production.at("requests").as_int64(), 1);
  EXPECT_EQ(production.at("workers").as_int64(), 1);
}

}  // namespace
}  // namespace weir::rollout
