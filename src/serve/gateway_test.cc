#include "serve/gateway.h"

#include <gtest/gtest.h>

#include "base/fake_loop.h"
#include "io/http_client.h"
#include "io/http_server.h"
#include "serve/fake_backend.h"

namespace weir::serve {
namespace {

using namespace std::chrono_literals;

class Captures final : public CaptureSink {
 public:
  void capture(Capture capture) noexcept override {
    const std::scoped_lock lock(mutex_);
    all_.push_back(std::move(capture));
  }
  std::vector<Capture> all() const {
    const std::scoped_lock lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Capture> all_;
};

class Feedbacks final : public FeedbackSink {
 public:
  Result<void> feedback(std::vector<Feedback> feedback, const types::Identity&) override {
    for (auto& one : feedback) all.push_back(std::move(one));
    return {};
  }
  std::vector<Feedback> all;
};

class GatewayTest : public testing::Test {
 protected:
  void SetUp() override {
    gateway_.add_routes(router_);
    auto server = io::HttpServer::start({}, std::move(router_), log_);
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = *std::move(server);
    gateway_.configure({.endpoint = "flights", .key_column = "flight_id", .allowed_columns = {"flight_id"}});
  }

  io::ClientResponse call(std::string method, std::string path, std::string body = "",
                          std::vector<std::pair<std::string, std::string>> headers = {}) {
    io::ClientRequest request{.method = std::move(method),
                              .url = fmt::format("http://127.0.0.1:{}{}", server_->port(), path),
                              .body = std::move(body)};
    request.headers.set("Content-Type", "application/json");
    for (auto& [name, value] : headers) request.headers.set(name, value);
    auto response = io::http_exchange(request);
    EXPECT_TRUE(response.has_value()) << response.error().message;
    return response ? *std::move(response) : io::ClientResponse{};
  }

  static Deployment deployment(std::string version, std::shared_ptr<Backend> backend) {
    return {.model = "flight-delay", .version = std::move(version), .backend = std::move(backend)};
  }
  static std::shared_ptr<FakeBackend> answering(std::string body) {
    return std::make_shared<FakeBackend>(InferAnswer{.body = std::move(body)});
  }

  SystemClock clock_;
  Log log_{clock_, 2, LogLevel::kError};
  Captures captures_;
  Feedbacks feedbacks_;
  io::Router router_;
  Gateway gateway_{{.server_version = "1.2.3", .captures = &captures_, .feedback = &feedbacks_}, clock_};
  std::unique_ptr<io::HttpServer> server_;
};

TEST_F(GatewayTest, AnswersThroughTheLiveVersionAndNamesItInTheHeaders) {
  gateway_.switch_to("flights", "production", deployment("3", answering(R"({"predictions":[1]})")), std::nullopt);
  const auto response = call("POST", "/flights/invocations", "{}", {{"X-Request-Id", "abc-1"}});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"predictions":[1]})");
  EXPECT_EQ(response.headers.get("X-Request-Id"), "abc-1");
  EXPECT_EQ(response.headers.get("X-Weir-Model-Version"), "3");
  EXPECT_FALSE(call("POST", "/flights/invocations", "{}").headers.get("X-Request-Id").empty());
}

TEST_F(GatewayTest, RoutesAnEnvironmentByItsName) {
  gateway_.configure({.endpoint = "flights", .environment = "staging"});
  gateway_.switch_to("flights", "production", deployment("1", answering("one")), std::nullopt);
  gateway_.switch_to("flights", "staging", deployment("2", answering("two")), std::nullopt);
  EXPECT_EQ(call("POST", "/flights/invocations").body, "one");
  EXPECT_EQ(call("POST", "/flights@production/invocations").body, "one");
  EXPECT_EQ(call("POST", "/flights@staging/invocations").body, "two");
  EXPECT_EQ(call("POST", "/v2/models/flights@staging/infer").body, "two");
}

TEST_F(GatewayTest, FinishesRequestsInFlightOnTheVersionThatTheyStartedOn) {
  auto old = std::make_shared<FakeBackend>();
  const std::weak_ptr<FakeBackend> watched = old;
  gateway_.switch_to("flights", "production", deployment("1", old), std::nullopt);
  io::ClientResponse late;
  std::thread client([&] { late = call("POST", "/flights/invocations", "x"); });
  while (old->requests().empty()) std::this_thread::yield();
  gateway_.switch_to("flights", "production", deployment("2", answering("new")), std::nullopt);
  EXPECT_EQ(call("POST", "/flights/invocations").body, "new");
  old->answer_all({.body = "old"});
  client.join();
  EXPECT_EQ(late.body, "old");
  EXPECT_EQ(late.headers.get("X-Weir-Model-Version"), "1");
  old.reset();
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (!watched.expired()) ASSERT_LT(std::chrono::steady_clock::now(), end) << "the old version is still held";
}

TEST_F(GatewayTest, SaysWhatThereIsWhenAnEndpointIsUnknownOrEmpty) {
  const auto unknown = call("POST", "/fligths/invocations");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_NE(unknown.body.find("flights@production"), std::string::npos) << unknown.body;
  const auto empty = call("POST", "/flights/invocations");
  EXPECT_EQ(empty.status, 503);
  EXPECT_EQ(empty.headers.get("Retry-After"), "5");
}

TEST_F(GatewayTest, ServesTheWarmVersionToThoseWhoNameIt) {
  gateway_.switch_to("flights", "production", deployment("2", answering("two")), deployment("1", answering("one")));
  EXPECT_EQ(call("POST", "/v2/models/flights/versions/1/infer").body, "one");
  EXPECT_EQ(call("POST", "/v2/models/flights/versions/2/infer").body, "two");
  const auto other = call("POST", "/v2/models/flights/versions/7/infer");
  EXPECT_EQ(other.status, 404);
  EXPECT_NE(other.body.find("live is 2"), std::string::npos) << other.body;
}

TEST_F(GatewayTest, TellsTheModelsMetadata) {
  auto backend = answering("");
  backend->mutable_info().flavor = "sklearn";
  backend->mutable_info().inputs =
      parse_json(R"([{"name":"distance","datatype":"FP64","shape":[-1],"type":"double","required":true}])", "inputs")
          ->get_array();
  gateway_.switch_to("flights", "production", deployment("2", backend), deployment("1", answering("")));
  const auto metadata = parse_json(call("GET", "/v2/models/flights").body, "metadata");
  ASSERT_TRUE(metadata.has_value());
  EXPECT_EQ(json::serialize(*metadata),
            R"({"name":"flights","versions":["2","1"],"platform":"mlflow_sklearn","inputs":[{"name":"distance",)"
            R"("datatype":"FP64","shape":[-1]}],"outputs":[]})");
  EXPECT_EQ(call("GET", "/v2/models/flights/ready").status, 200);
  EXPECT_EQ(call("GET", "/v2/models/other/ready").status, 404);
  EXPECT_NE(call("GET", "/v2").body.find("1.2.3"), std::string::npos);
}

TEST_F(GatewayTest, IsReadyOnlyOnceToldSo) {
  EXPECT_EQ(call("GET", "/v2/health/live").status, 200);
  EXPECT_EQ(call("GET", "/v2/health/ready").status, 503);
  gateway_.set_ready(true);
  EXPECT_EQ(call("GET", "/v2/health/ready").status, 200);
}

TEST_F(GatewayTest, HandsRequestsAndAnswersToTheCaptureSink) {
  gateway_.switch_to("flights", "production", deployment("3", answering("answer")), std::nullopt);
  call("POST", "/flights/invocations", "question", {{"X-Request-Id", "r1"}});
  const auto all = captures_.all();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].endpoint, "flights");
  EXPECT_EQ(all[0].environment, "production");
  EXPECT_EQ(all[0].model, "flight-delay");
  EXPECT_EQ(all[0].version, "3");
  EXPECT_EQ(all[0].request_id, "r1");
  EXPECT_EQ(all[0].request_body, "question");
  EXPECT_EQ(all[0].response_body, "answer");
}

TEST_F(GatewayTest, CapturesTheShareThatItIsAskedFor) {
  gateway_.configure({.endpoint = "flights", .capture_sample = 0.25});
  gateway_.switch_to("flights", "production", deployment("3", answering("answer")), std::nullopt);
  for (int i = 0; i < 400; ++i) call("POST", "/flights/invocations", "q", {{"X-Request-Id", fmt::format("id-{}", i)}});
  EXPECT_GT(captures_.all().size(), 60U);
  EXPECT_LT(captures_.all().size(), 140U);
}

TEST_F(GatewayTest, PassesWhatTheWorkerNeedsToKnow) {
  auto backend = answering("x");
  gateway_.switch_to("flights", "production", deployment("3", backend), std::nullopt);
  call("POST", "/v2/models/flights/infer", R"({"inputs":[]}rest)", {{"Inference-Header-Content-Length", "13"}});
  ASSERT_EQ(backend->requests().size(), 1U);
  const auto request = backend->requests()[0];
  EXPECT_EQ(request.protocol, Protocol::kOpenInference);
  EXPECT_EQ(request.json_bytes, 13U);
  EXPECT_EQ(request.name, "flights");
  EXPECT_EQ(request.version, "3");
  EXPECT_EQ(request.allowed_columns, std::vector<std::string>{"flight_id"});
  const auto wrong = call("POST", "/v2/models/flights/infer", "{}", {{"Inference-Header-Content-Length", "13"}});
  EXPECT_EQ(wrong.status, 400);
}

TEST_F(GatewayTest, CountsRequestsErrorsAndLatency) {
  gateway_.switch_to("flights", "production", deployment("3", answering("ok")), std::nullopt);
  for (int i = 0; i < 10; ++i) call("POST", "/flights/invocations");
  gateway_.switch_to("flights", "production",
                     deployment("4", std::make_shared<FakeBackend>(InferAnswer{.status = 500})),
                     deployment("3", answering("ok")));
  call("POST", "/flights/invocations");
  const auto all = gateway_.snapshot();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE(all[0].live);
  EXPECT_EQ(all[0].version, "4");
  EXPECT_EQ(all[0].total.errors_server, 1);
  EXPECT_FALSE(all[1].live);
  EXPECT_EQ(all[1].version, "3");
  EXPECT_EQ(all[1].total.requests, 10);
  EXPECT_GT(all[1].p95_ms, 0.0);
}

TEST_F(GatewayTest, TakesFeedbackByRequestOrByKey) {
  EXPECT_EQ(call("POST", "/flights/feedback", R"({"request_id":"r1","label":1})").status, 200);
  EXPECT_EQ(
      call("POST", "/flights/feedback", R"([{"key":"UA-1","label":true},{"key":{"flight_id":17},"label":0}])").body,
      R"({"accepted":2})");
  ASSERT_EQ(feedbacks_.all.size(), 3U);
  EXPECT_EQ(feedbacks_.all[0].request_id, "r1");
  EXPECT_EQ(feedbacks_.all[1].key, "UA-1");
  EXPECT_EQ(feedbacks_.all[2].key, "17");
  EXPECT_EQ(feedbacks_.all[2].environment, "production");
  const auto wrong = call("POST", "/flights/feedback", R"([{"key":"a","label":1},{"lable":1}])");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_NE(wrong.body.find("entry 1"), std::string::npos) << wrong.body;
  EXPECT_NE(wrong.body.find("lable"), std::string::npos) << wrong.body;
}

TEST(TrafficStats, ForgetsOldTrafficInItsRecentCounts) {
  TrafficStats stats;
  const TrafficStats::SteadyTime begin{1000s};
  for (int i = 0; i < 100; ++i) stats.record(200, 10ms, begin);
  EXPECT_EQ(stats.recent(begin + 60s).requests, 100);
  EXPECT_EQ(stats.recent(begin + 400s).requests, 0);
  EXPECT_EQ(stats.total().requests, 100);
}

TEST(TrafficStats, EstimatesQuantilesWithinTheirBucket) {
  TrafficStats stats;
  const TrafficStats::SteadyTime now{1000s};
  for (int i = 0; i < 95; ++i) stats.record(200, 2500us, now);
  for (int i = 0; i < 5; ++i) stats.record(200, 90ms, now);
  const auto counts = stats.recent(now).latency;
  EXPECT_NEAR(latency_quantile(counts, 0.5), 0.0025, 0.0005);
  EXPECT_GT(latency_quantile(counts, 0.99), 0.075);
  EXPECT_LE(latency_quantile(counts, 0.99), 0.1);
}

}  // namespace
}  // namespace weir::serve
