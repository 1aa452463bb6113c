#include "io/http_client.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "io/http_stream.h"
#include "io/http_test_support.h"

namespace weir::io {
namespace {

using testing::call;
using testing::TestServer;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class HttpClient : public ::testing::Test {
 protected:
  HttpClient() { std::filesystem::create_directories(folder_); }
  ~HttpClient() override { std::filesystem::remove_all(folder_); }
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / fmt::format("weir-client-{}", ::getpid());
};

// Answers each connection with the next of `answers`, as they stand, then closes it.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::string> answers) : answers_(std::move(answers)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(fd_, 16) != 0) std::abort();
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~ScriptedServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}/x", port_); }
  [[nodiscard]] int served() const { return served_; }

 private:
  void serve() {
    for (const std::string& answer : answers_) {
      const int peer = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (peer < 0) return;
      ++served_;
      char request[4096];
      if (!answer.empty() && ::recv(peer, request, sizeof request, 0) > 0) {
        ::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
      }
      ::close(peer);
    }
  }

  std::vector<std::string> answers_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> served_ = 0;
  std::thread thread_;
};

TEST_F(HttpClient, SendsAndReceivesFiles) {
  Router router;
  router.handle("PUT", "/store",
                [&](HttpRequest& request) {
                  std::string body;
                  std::string piece(1 << 16, '\0');
                  while (const auto count = request.body_source->read(piece.data(), piece.size()).value_or(0)) {
                    body.append(piece, 0, count);
                  }
                  return text_response(200, fmt::format("{} {}", request.headers.get("Content-Length"), body));
                },
                {.stream_request = true});
  TestServer server(std::move(router));
  std::string text;
  for (int i = 0; i < 300'000; ++i) text += fmt::format("{:06}\n", i);
  std::ofstream(folder_ / "up", std::ios::binary) << text;

  ClientRequest request;
  request.method = "PUT";
  request.url = server.url("/store");
  request.body_file = folder_ / "up";
  request.response_file = folder_ / "down";
  const auto response = http_exchange(request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "");
  EXPECT_EQ(read_file(folder_ / "down"), "2100000 " + text);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 2) << "a temporary file was left";
}

TEST_F(HttpClient, LeavesNoFileBehindWhenTheAnswerIsNotWhole) {
  ScriptedServer server({"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                         "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
                         "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"});
  ClientRequest request;
  request.url = server.url();
  request.response_file = folder_ / "down";
  const auto broken = http_exchange(request);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, Code::kUnavailable);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  EXPECT_EQ(http_exchange(request)->body, "no");
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  EXPECT_EQ(http_exchange(request)->status, 200);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "down"));
}

TEST_F(HttpClient, TakesAnswersOfEveryFraming) {
  ScriptedServer server({"HTTP/1.1 200 OK\r\n\r\nto the end", "HTTP/1.0 200 OK\r\n\r\nold",
                         "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                         "HTTP/1.1 204 No Content\r\n\r\n"});
  for (const char* body : {"to the end", "old", "ok", "abc", ""}) {
    const auto response = call("GET", server.url());
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, body);
  }
}

TEST_F(HttpClient, NamesWhatIsWrong) {
  ScriptedServer server({"no http\r\n\r\n", ""});
  EXPECT_EQ(call("GET", server.url()).error().code, Code::kUnavailable);
  const auto closed = call("GET", server.url());
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, Code::kUnavailable);
  EXPECT_TRUE(closed.error().message.starts_with(fmt::format("GET {}: ", server.url()))) << closed.error().message;

  std::uint16_t free_port = 0;
  {
    TestServer gone{Router{}};
    free_port = gone.port();
  }
  const auto refused = call("GET", fmt::format("http://127.0.0.1:{}/a?secret=1", free_port));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_NE(refused.error().message.find("Connection refused"), std::string::npos);
  EXPECT_EQ(refused.error().message.find("secret"), std::string::npos);

  for (const char* url : {"ftp://x/", "http://", "http://a b/", "http://h:99999/", "http://u:p@h/", "http://h:/", "x",
                          "http+unix:///x", "http://h/\r\nX: y"}) {
    const auto bad = call("GET", url);
    ASSERT_FALSE(bad) << url;
    EXPECT_EQ(bad.error().code, Code::kInvalidArgument) << url << bad.error().message;
  }
}

TEST_F(HttpClient, AddressesAreTakenApart) {
  const auto url = parse_url("http://[::1]:8080/a?b#c");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->port, 8080);
  EXPECT_EQ(url->authority, "[::1]:8080");
  EXPECT_EQ(url->target, "/a?b");
  EXPECT_EQ(parse_url("https://host?x")->port, 443);
  EXPECT_EQ(parse_url("https://host?x")->target, "/?x");
  EXPECT_EQ(parse_url("http+unix://%2Frun%2Fw.sock/v")->host, "/run/w.sock");
}

TEST_F(HttpClient, HeadersWithLineBreaksAreNotSent) {
  TestServer server{Router{}};
  ClientRequest request;
  request.url = server.url("/");
  request.headers.set("X", "a\r\nY: b");
  EXPECT_EQ(http_exchange(request).error().code, Code::kInvalidArgument);
}

TEST_F(HttpClient, GivesUpWaitingAfterItsLimit) {
  Router router;
  std::vector<HttpReply> kept;
  router.handle_async("GET", "/never", [&](HttpRequest, HttpReply reply) { kept.push_back(std::move(reply)); });
  TestServer server(std::move(router), {.stop_grace = std::chrono::milliseconds{1}});
  ClientRequest request;
  request.url = server.url("/never");
  request.timeout = std::chrono::milliseconds{50};
  EXPECT_EQ(http_exchange(request).error().code, Code::kDeadlineExceeded);
}

TEST_F(HttpClient, RefusesAnswersThatAreTooLarge) {
  ScriptedServer server({"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n01234567890"});
  ClientRequest request;
  request.url = server.url();
  request.response_bytes_max = 10;
  EXPECT_EQ(http_exchange(request).error().code, Code::kResourceExhausted);
}

TEST_F(HttpClient, TriesAgainWhileTheServerIsAway) {
  ScriptedServer server({"", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "broken",
                         "HTTP/1.1 502 Bad Gateway\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"});
  ClientRequest request;
  request.url = server.url();
  const auto response = http_exchange_retrying(request, std::chrono::seconds{30});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "ok");
  EXPECT_EQ(server.served(), 5);
}

TEST_F(HttpClient, StopsTryingWhenTheTimeIsUp) {
  std::vector<std::string> answers(100, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
  ScriptedServer server(answers);
  ClientRequest request;
  request.url = server.url();
  const auto response = http_exchange_retrying(request, std::chrono::milliseconds{300});
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 503);
  EXPECT_GE(server.served(), 2);
  EXPECT_LE(server.served(), 8);
}

TEST_F(HttpClient, DoesNotRepeatWhatTheServerRefused) {
  ScriptedServer server({"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"});
  ClientRequest request;
  request.url = server.url();
  EXPECT_EQ(http_exchange_retrying(request, std::chrono::seconds{30})->status, 400);
}

TEST_F(HttpClient, ARefusedEventStreamIsAnError) {
  ScriptedServer server({"HTTP/1.1 401 Unauthorized\r\nContent-Length: 8\r\n\r\nno token"});
  ClientRequest request;
  request.url = server.url();
  const auto ended = http_event_stream(request, [](std::string_view, std::string_view) { return true; });
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Code::kUnauthenticated);
  EXPECT_NE(ended.error().message.find("no token"), std::string::npos);
}

TEST_F(HttpClient, EventsMayEndTheirLinesInAnyWay) {
  ScriptedServer server(
      {"HTTP/1.1 200 OK\r\n\r\n: hi\ndata: 1\r\ndata:2\r\r\nid: 5\nevent: e\r\ndata\r\n\r\nevent: lost\n\ndata: "
       "end\n\ndata: cut"});
  ClientRequest request;
  request.url = server.url();
  std::string seen;
  const auto ended = http_event_stream(request, [&](std::string_view event, std::string_view data) {
    seen += fmt::format("[{}|{}]", event, data);
    return true;
  });
  EXPECT_TRUE(ended);
  EXPECT_EQ(seen, "[message|1\n2][e|][message|end]");
}

}  // namespace
}  // namespace weir::io
