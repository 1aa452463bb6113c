#include "io/http_server.h"

#include <gtest/gtest.h>

#include "io/http_test_support.h"

namespace weir::io {
namespace {

using testing::call;
using testing::Event;
using testing::eventually;
using testing::RawClient;
using testing::TestServer;

// A source of `size` bytes that repeat the alphabet.
class Alphabet final : public ByteSource {
 public:
  explicit Alphabet(std::size_t size) : left_(size) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    size = std::min(size, left_);
    for (std::size_t i = 0; i < size; ++i) buffer[i] = static_cast<char>('a' + at_++ % 26);
    left_ -= size;
    return size;
  }

 private:
  std::size_t left_;
  std::size_t at_ = 0;
};

std::string alphabet(std::size_t size) {
  std::string text(size, '\0');
  Alphabet{size}.read(text.data(), size).value();
  return text;
}

// Reads a streamed body to its end: "<bytes> <first error or ok>".
HttpResponse count_body(HttpRequest& request) {
  std::size_t bytes = 0;
  std::string piece(10'000, '\0');
  while (true) {
    const auto count = request.body_source->read(piece.data(), piece.size());
    if (!count) return text_response(400, fmt::format("{} {}", bytes, code_name(count.error().code)));
    if (*count == 0) return text_response(200, fmt::format("{} ok", bytes));
    bytes += *count;
  }
}

Router basic_router() {
  Router router;
  router.handle("GET", "/hello/{name}", [](HttpRequest& request) {
    return text_response(200,
                         fmt::format("hello {} from {} {}", request.params.find("name")->second,
                                     request.loopback ? "loopback" : "afar", request.query_value("x").value_or("-")));
  });
  router.handle("POST", "/echo", [](HttpRequest& request) { return text_response(200, request.body); },
                {.body_bytes_max = 1000});
  router.handle("POST", "/count", count_body, {.stream_request = true});
  router.handle("POST", "/ignore", [](HttpRequest&) { return text_response(401, "no"); }, {.stream_request = true});
  router.handle("GET", "/letters/{count}", [](HttpRequest& request) {
    HttpResponse response;
    response.body_source = std::make_unique<Alphabet>(std::stoul(request.params.find("count")->second));
    return response;
  });
  router.handle_async("POST", "/now",
                      [](HttpRequest request, HttpReply reply) { reply(text_response(200, request.body)); });
  router.handle_async("GET", "/drop", [](HttpRequest, HttpReply) {});
  router.handle("GET", "/throw", [](HttpRequest&) -> HttpResponse { throw std::runtime_error("boom"); });
  return router;
}

TEST(HttpServer, AnswersOneRequestAfterAnotherOnTheSameConnection) {
  TestServer server(basic_router());
  ASSERT_TRUE(server.ok());
  RawClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send("GET /hello/w%C3%A9ir?x=a+b%21 HTTP/1.1\r\nHost: h\r\n\r\n"));
    const std::string answer = client.read_answer();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_TRUE(answer.ends_with("hello w\u00e9ir from loopback a b!")) << answer;
    EXPECT_NE(answer.find("\r\nDate: "), std::string::npos);
  }
}

TEST(HttpServer, AnswersRequestsThatWereSentTogetherInTheirOrder) {
  TestServer server(basic_router());
  RawClient client(server.port());
  ASSERT_TRUE(client.send(
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none"
      "POST /now HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ntwo\r\n"
      "POST /count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
      "GET /hello/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  EXPECT_TRUE(client.read_answer().ends_with("\r\n\r\none"));
  EXPECT_TRUE(client.read_answer().ends_with("\r\n\r\ntwo"));
  EXPECT_TRUE(client.read_answer().ends_with("\r\n\r\n5 ok"));
  const std::string last = client.read_to_end();
  EXPECT_NE(last.find("Connection: close"), std::string::npos);
  EXPECT_TRUE(last.ends_with("hello x from loopback -"));
}

TEST(HttpServer, StreamsAnAnswerInChunks) {
  TestServer server(basic_router());
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{3'000'000}}) {
    const auto answer = call("GET", server.url(fmt::format("/letters/{}", size)));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->headers.get("transfer-encoding"), "chunked");
    EXPECT_EQ(answer->body, alphabet(size));
  }
}

TEST(HttpServer, StreamsARequestBodyOfAnySizeToItsHandler) {
  TestServer server(basic_router());
  const auto answer = call("POST", server.url("/count"), alphabet(20'000'000));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "20000000 ok");
}

TEST(HttpServer, SendsContinueOnlyWhenTheBodyIsWanted) {
  TestServer server(basic_router());
  for (const std::string_view path : {"/echo", "/count"}) {
    RawClient client(server.port());
    client.send(fmt::format("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", path));
    EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ab");
    EXPECT_TRUE(client.read_answer().starts_with("HTTP/1.1 200 OK\r\n"));
  }
  RawClient refused(server.port());
  refused.send("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  const std::string answer = refused.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n")) << answer;
  RawClient other(server.port());
  other.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: miracles\r\n\r\nab");
  EXPECT_TRUE(other.read_answer().starts_with("HTTP/1.1 417 "));
}

TEST(HttpServer, RefusesBodiesAboveTheLimitOfTheirRoute) {
  TestServer server(basic_router());
  const auto announced = call("POST", server.url("/echo"), std::string(1001, 'x'));
  ASSERT_TRUE(announced);
  EXPECT_EQ(announced->status, 413);
  EXPECT_NE(announced->body.find("larger than the 1000 bytes"), std::string::npos);
  EXPECT_EQ(call("POST", server.url("/echo"), std::string(1000, 'x'))->body.size(), 1000U);
  EXPECT_EQ(call("POST", server.url("/echo"), std::string(50'000'000, 'x'))->status, 413);

  RawClient chunked(server.port());
  chunked.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + std::string(2000, 'x') +
               "\r\n0\r\n\r\n");
  EXPECT_TRUE(chunked.read_to_end().starts_with("HTTP/1.1 413 "));
}

TEST(HttpServer, RefusesHeadersAboveTheLimit) {
  TestServer server(basic_router(), {.header_bytes_max = 4096});
  RawClient client(server.port());
  client.send("GET /hello/x HTTP/1.1\r\nHost: h\r\nX: " + std::string(10'000, 'x') + "\r\n\r\n");
  EXPECT_TRUE(client.read_to_end().starts_with("HTTP/1.1 431 "));
  RawClient line(server.port());
  line.send("GET /" + std::string(10'000, 'x'));
  EXPECT_TRUE(line.read_to_end().starts_with("HTTP/1.1 431 "));
}

TEST(HttpServer, KeepsTheConnectionWhenAShortBodyWasIgnored) {
  TestServer server(basic_router());
  RawClient client(server.port());
  client.send("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x'));
  EXPECT_TRUE(client.read_answer().starts_with("HTTP/1.1 401 "));
  client.send("GET /hello/y HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(client.read_answer().ends_with("hello y from loopback -"));
}

TEST(HttpServer, AnswersALongIgnoredBodyBeforeItCloses) {
  TestServer server(basic_router());
  const auto answer = call("POST", server.url("/ignore"), std::string(5'000'000, 'x'));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 401);
  EXPECT_EQ(answer->headers.get("connection"), "close");
}

TEST(HttpServer, GarbageGetsAnErrorAndHarmsNobody) {
  TestServer server(basic_router());
  for (const std::string_view garbage :
       {"\x16\x03\x01\x02nonsense\r\n\r\n", "GET\r\n\r\n", "GET /hello/x HTTP/9.9\r\n\r\n", "GET /%zz HTTP/1.1\r\n\r\n",
        "GET /%2 HTTP/1.1\r\n\r\n", "GET /a/../b HTTP/1.1\r\n\r\n", "GET /a/%2e%2E HTTP/1.1\r\n\r\n",
        "GET /a%2f..%2fb HTTP/1.1\r\n\r\n", "GET /a%00b HTTP/1.1\r\n\r\n", "GET hello HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header\r\n\r\n", "POST /echo HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        "POST /echo HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "POST /echo HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        "POST /count HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n\r\n"}) {
    RawClient client(server.port());
    client.send(garbage);
    client.finish_sending();
    const std::string answer = client.read_to_end();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 505 ")) << garbage << "\n"
                                                                                            << answer;
  }
  EXPECT_EQ(call("GET", server.url("/hello/x"))->status, 200);
}

TEST(HttpServer, UnknownPathsAre404AndWrongMethods405) {
  TestServer server(basic_router());
  EXPECT_EQ(call("GET", server.url("/nothing"))->status, 404);
  const auto wrong = call("DELETE", server.url("/hello/x"));
  EXPECT_EQ(wrong->status, 405);
  EXPECT_EQ(wrong->headers.get("Allow"), "GET");
  const auto options = call("OPTIONS", server.url("/hello/x"));
  EXPECT_EQ(options->status, 204);
  EXPECT_EQ(options->headers.get("Allow"), "GET");
}

TEST(HttpServer, HeadGivesTheHeaderOfGetWithoutABody) {
  TestServer server(basic_router());
  RawClient client(server.port());
  client.send(
      "HEAD /hello/x HTTP/1.1\r\nHost: h\r\n\r\nHEAD /letters/5 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_NE(client.read_until("\r\n\r\n").find("Content-Length: 23\r\n"), std::string::npos);
  const std::string second = client.read_to_end();
  EXPECT_TRUE(second.starts_with("HTTP/1.1 200 OK")) << second;
  EXPECT_TRUE(second.ends_with("\r\n\r\n")) << second;
}

TEST(HttpServer, SpeaksHttp10WithoutChunks) {
  TestServer server(basic_router());
  RawClient client(server.port());
  client.send("GET /letters/30 HTTP/1.0\r\n\r\n");
  const std::string answer = client.read_to_end();
  EXPECT_EQ(answer.find("chunked"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n" + alphabet(30))) << answer;
  RawClient kept(server.port());
  kept.send("GET /hello/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_NE(kept.read_answer().find("Connection: keep-alive\r\n"), std::string::npos);
}

TEST(HttpServer, AnAnswerMayComeFromAnotherThreadLater) {
  std::thread worker;
  Router router;
  router.handle_async("GET", "/later", [&](HttpRequest, HttpReply reply) {
    worker = std::thread([reply = std::move(reply)]() mutable { reply(text_response(200, "late")); });
  });
  TestServer server(std::move(router));
  EXPECT_EQ(call("GET", server.url("/later"))->body, "late");
  worker.join();
}

TEST(HttpServer, ADroppedRequestAndAThrowingHandlerAre500) {
  TestServer server(basic_router());
  EXPECT_EQ(call("GET", server.url("/drop"))->status, 500);
  EXPECT_EQ(call("GET", server.url("/throw"))->status, 500);
}

TEST(HttpServer, FiltersSeeEveryRequestFirstAndCanAnswer) {
  Router router = basic_router();
  router.before([](HttpRequest& request) -> std::optional<HttpResponse> {
    request.identity.name = std::string{request.headers.get("X-Name")};
    if (request.headers.get("Host") == "evil") return text_response(421, "wrong host");
    return std::nullopt;
  });
  router.handle("GET", "/who", [](HttpRequest& request) { return text_response(200, request.identity.name); });
  TestServer server(std::move(router));
  RawClient client(server.port());
  client.send("GET /nothing HTTP/1.1\r\nHost: evil\r\n\r\nGET /who HTTP/1.1\r\nHost: h\r\nx-name: ann\r\n\r\n");
  EXPECT_TRUE(client.read_answer().starts_with("HTTP/1.1 421 "));
  EXPECT_TRUE(client.read_answer().ends_with("\r\n\r\nann"));
}

TEST(HttpServer, HeaderValuesCannotBreakOutOfTheirLine) {
  Router router;
  router.handle("GET", "/x", [](HttpRequest&) {
    HttpResponse response = text_response(200, "ok");
    response.headers.set("X-Name", "a\r\nSet-Cookie: stolen=1");
    return response;
  });
  TestServer server(std::move(router));
  const auto answer = call("GET", server.url("/x"));
  EXPECT_EQ(answer->headers.get("Set-Cookie"), "");
  EXPECT_EQ(answer->headers.get("X-Name"), "a  Set-Cookie: stolen=1");
}

TEST(HttpServer, GivesUpClientsThatDribble) {
  TestServer server(basic_router(),
                    {.header_timeout = std::chrono::milliseconds{60}, .idle_timeout = std::chrono::milliseconds{60}});
  RawClient header(server.port());
  header.send("GET /hello/x HTTP/1.1\r\nHost:");
  EXPECT_TRUE(header.read_to_end().starts_with("HTTP/1.1 408 "));
  RawClient body(server.port());
  body.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_TRUE(body.read_to_end().starts_with("HTTP/1.1 408 "));
  RawClient streamed(server.port());
  streamed.send("POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_TRUE(streamed.read_to_end().ends_with("3 deadline_exceeded"));
  RawClient silent(server.port());
  EXPECT_TRUE(silent.closed());
}

TEST(HttpServer, AHandlerLearnsThatTheClientBrokeOff) {
  TestServer server(basic_router());
  RawClient client(server.port());
  client.send("POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  client.finish_sending();
  EXPECT_TRUE(client.read_to_end().ends_with("3 unavailable"));
}

TEST(HttpServer, IdleConnectionsMakeRoomWhenThereAreTooMany) {
  TestServer server(basic_router(), {.connections_max = 2});
  RawClient first(server.port());
  RawClient second(server.port());
  EXPECT_EQ(call("GET", server.url("/hello/x"))->status, 200);
}

TEST(HttpServer, ATakenPortIsNamed) {
  TestServer server(basic_router());
  const TestServer other(basic_router(), {.port = server.port()});
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, Code::kFailedPrecondition);
  EXPECT_NE(other.error().message.find(fmt::format("port {} on 127.0.0.1 is taken", server.port())), std::string::npos);
}

TEST(HttpServer, TakesItsPortAgainAtOnce) {
  auto first = std::make_unique<TestServer>(basic_router());
  const std::uint16_t port = first->port();
  RawClient client(port);
  client.send("GET /hello/x HTTP/1.1\r\nHost: h\r\n\r\n");
  client.read_answer();
  first.reset();
  const TestServer second(basic_router(), {.port = port});
  EXPECT_TRUE(second.ok());
}

TEST(HttpServer, ServesOnASocketFileThatOnlyItsUserMayOpen) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("weir-http-{}", ::getpid());
  std::filesystem::create_directories(folder);
  const auto path = folder / "s ock";
  {
    TestServer server(basic_router(), {.unix_socket = path});
    ASSERT_TRUE(server.ok()) << server.error().message;
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms{0600});
    const auto answer = call("GET", fmt::format("http+unix://{}/hello/x?x=1", percent_encode(path.string())));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->body, "hello x from loopback 1");
    const TestServer other(basic_router(), {.unix_socket = path});
    EXPECT_EQ(other.error().code, Code::kFailedPrecondition);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  const int stale = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(stale, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(stale);
  const TestServer again(basic_router(), {.unix_socket = path});
  EXPECT_TRUE(again.ok());
  std::filesystem::remove_all(folder);
}

TEST(HttpServer, StopLetsRequestsUnderWayFinish) {
  Event entered;
  Event leave;
  Router router;
  router.handle("GET", "/slow", [&](HttpRequest&) {
    entered.set();
    leave.wait();
    return text_response(200, "done");
  });
  TestServer server(std::move(router));
  RawClient idle(server.port());
  RawClient client(server.port());
  client.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(entered.wait());
  std::thread stopper([&] { server.stop(); });
  EXPECT_TRUE(idle.closed());
  EXPECT_TRUE(eventually([&] { return !RawClient(server.port()).connected(); }));
  leave.set();
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(answer.ends_with("done")) << answer;
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  stopper.join();
}

TEST(HttpServer, StopEndsWhatDoesNotFinishInTime) {
  std::vector<HttpReply> kept;
  std::mutex mutex;
  Router router = basic_router();
  router.handle_async("GET", "/never", [&](HttpRequest, HttpReply reply) {
    const std::scoped_lock lock(mutex);
    kept.push_back(std::move(reply));
  });
  TestServer server(std::move(router), {.stop_grace = std::chrono::milliseconds{20}});
  RawClient waiting(server.port());
  waiting.send("GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
  RawClient uploading(server.port());
  uploading.send("POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  RawClient stuck(server.port());
  stuck.send("GET /letters/500000000 HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(stuck.read_until("abc").starts_with("HTTP/1.1 200"));
  ASSERT_TRUE(eventually([&] {
    const std::scoped_lock lock(mutex);
    return kept.size() == 1;
  }));
  server.stop();
  EXPECT_TRUE(waiting.closed());
  EXPECT_TRUE(uploading.closed());
  kept.front()(text_response(200, "too late"));  // nobody is there to take it
}

// Waits in read until it is cancelled.
class Silence final : public ByteSource {
 public:
  Silence(Event& reading, Event& cancelled) : reading_(reading), cancelled_(cancelled) {}
  Result<std::size_t> read(char*, std::size_t) override {
    reading_.set();
    cancelled_.wait();
    return fail(Code::kCancelled, "cancelled");
  }
  void cancel() override { cancelled_.set(); }

 private:
  Event& reading_;
  Event& cancelled_;
};

TEST(HttpServer, StopCancelsAnswersWhoseSourceIsSilent) {
  Event reading;
  Event cancelled;
  Router router;
  router.handle("GET", "/silent", [&](HttpRequest&) {
    HttpResponse response;
    response.body_source = std::make_unique<Silence>(reading, cancelled);
    return response;
  });
  TestServer server(std::move(router), {.stop_grace = std::chrono::milliseconds{10}});
  RawClient client(server.port());
  client.send("GET /silent HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(reading.wait());
  server.stop();
  EXPECT_TRUE(cancelled.wait(std::chrono::seconds{0}));
  EXPECT_TRUE(client.closed());
}

TEST(HttpServer, ASourceThatFailsAtOnceIsAnErrorAndLaterBreaksTheConnection) {
  class Failing final : public ByteSource {
   public:
    explicit Failing(int good) : good_(good) {}
    Result<std::size_t> read(char* buffer, std::size_t) override {
      if (good_-- <= 0) return fail(Code::kUnavailable, "the store is away");
      *buffer = 'x';
      return 1;
    }

   private:
    int good_;
  };
  Router router;
  router.handle("GET", "/after/{count}", [](HttpRequest& request) {
    HttpResponse response;
    response.body_source = std::make_unique<Failing>(std::stoi(request.params.find("count")->second));
    return response;
  });
  TestServer server(std::move(router));
  EXPECT_EQ(call("GET", server.url("/after/0"))->status, 503);
  const auto broken = call("GET", server.url("/after/2"));
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, Code::kUnavailable);
}

TEST(HttpServer, ManyClientsOnSeveralThreadsAllGetTheirOwnAnswers) {
  TestServer server(basic_router(), {.network_threads = 3});
  std::atomic<int> right = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] {
      RawClient client(server.port());
      for (int k = 0; k < 200; ++k) {
        const std::string text = fmt::format("{}-{}", i, k);
        const std::string_view path = k % 2 == 0 ? "/echo" : "/now";
        client.send(
            fmt::format("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{}", path, text.size(), text));
        if (client.read_answer().ends_with("\r\n\r\n" + text)) ++right;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 1600);
}

}  // namespace
}  // namespace weir::io
