#include <gtest/gtest.h>

#include "io/http_test_support.h"

namespace weir::io {
namespace {

using testing::Event;
using testing::eventually;
using testing::RawClient;
using testing::TestServer;

// Keeps the streams that clients open.
struct Streams {
  std::mutex mutex;
  std::vector<std::shared_ptr<EventStream>> open;

  void add(std::shared_ptr<EventStream> stream) {
    const std::scoped_lock lock(mutex);
    open.push_back(std::move(stream));
  }
  std::size_t count() {
    const std::scoped_lock lock(mutex);
    return open.size();
  }
  void send(std::string_view event, std::string_view data, std::string_view id = {}) {
    const std::scoped_lock lock(mutex);
    std::erase_if(open, [&](const auto& stream) { return !stream->send(event, data, id); });
  }
  void clear() {
    const std::scoped_lock lock(mutex);
    open.clear();
  }
};

Router events_router(Streams& streams) {
  Router router;
  const auto answer = [&streams] {
    HttpResponse response;
    response.event_stream = [&streams](std::shared_ptr<EventStream> stream) { streams.add(std::move(stream)); };
    return response;
  };
  router.handle("GET", "/events", [answer](HttpRequest&) { return answer(); });
  router.handle_async("GET", "/async-events", [answer](HttpRequest, HttpReply reply) { reply(answer()); });
  return router;
}

constexpr std::string_view kAsk = "GET /events HTTP/1.1\r\nHost: h\r\n\r\n";

TEST(HttpEvents, ReachEveryClientWhole) {
  Streams streams;
  TestServer server(events_router(streams));
  std::vector<std::string> seen(4);
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    clients.emplace_back([&, i] {
      ClientRequest request;
      request.url = server.url(i % 2 == 0 ? "/events" : "/async-events");
      const auto ended = http_event_stream(request, [&](std::string_view event, std::string_view data) {
        seen[i] += fmt::format("[{}|{}]", event, data);
        return data != "last";
      });
      EXPECT_TRUE(ended) << ended.error().message;
    });
  }
  ASSERT_TRUE(eventually([&] { return streams.count() == seen.size(); }));
  streams.send("event", "{\"a\":1}", "7");
  streams.send("", "two\nlines\r\nor three");
  streams.send("log", std::string(100'000, 'x'));
  streams.send("event", "last");
  for (std::thread& client : clients) client.join();
  for (const std::string& text : seen) {
    EXPECT_EQ(text,
              "[event|{\"a\":1}][message|two\nlines\nor three][log|" + std::string(100'000, 'x') + "][event|last]");
  }
}

TEST(HttpEvents, AreSentInTheOrderOfSendingWithTheirIds) {
  Streams streams;
  TestServer server(events_router(streams));
  RawClient client(server.port());
  client.send(kAsk);
  const std::string head = client.read_until("\r\n\r\n");
  EXPECT_NE(head.find("Content-Type: text/event-stream\r\n"), std::string::npos);
  ASSERT_TRUE(eventually([&] { return streams.count() == 1; }));
  streams.send("event", "1", "41");
  EXPECT_NE(client.read_until("\n\n").find("id: 41\nevent: event\ndata: 1\n\n"), std::string::npos);
  streams.send("ev\nil: x", "2", "4\n2");
  EXPECT_NE(client.read_until("\n\n").find("id: 4\nevent: ev\ndata: 2\n\n"), std::string::npos);
}

TEST(HttpEvents, DroppingTheStreamEndsItAfterWhatWasSent) {
  Streams streams;
  TestServer server(events_router(streams));
  RawClient client(server.port());
  client.send(kAsk);
  ASSERT_TRUE(eventually([&] { return streams.count() == 1; }));
  streams.send("event", "only");
  streams.clear();
  EXPECT_TRUE(client.read_to_end().ends_with("\r\n0\r\n\r\n"));
}

TEST(HttpEvents, AClientThatLeftIsNoticed) {
  Streams streams;
  TestServer server(events_router(streams));
  RawClient client(server.port());
  client.send(kAsk);
  ASSERT_TRUE(eventually([&] { return streams.count() == 1; }));
  client.close();
  EXPECT_TRUE(eventually([&] {
    streams.send("event", "x");
    return streams.count() == 0;
  }));
}

TEST(HttpEvents, AClientThatDoesNotReadIsDroppedAndTheOthersGoOn) {
  Streams streams;
  TestServer server(events_router(streams), {.event_bytes_max = 200'000});
  RawClient slow(server.port());
  slow.send(kAsk);
  ASSERT_TRUE(eventually([&] { return streams.count() == 1; }));
  Event got_last;
  ClientRequest request;
  request.url = server.url("/events");
  std::thread reader([&] {
    const auto ended =
        http_event_stream(request, [&](std::string_view, std::string_view data) { return data != "last"; });
    EXPECT_TRUE(ended);
    got_last.set();
  });
  ASSERT_TRUE(eventually([&] { return streams.count() == 2; }));
  const std::string data(1000, 'x');
  EXPECT_TRUE(eventually([&] {
    for (int i = 0; i < 20; ++i) streams.send("event", data);
    return streams.count() == 1;
  }));
  streams.send("event", "last");
  EXPECT_TRUE(got_last.wait());
  reader.join();
}

TEST(HttpEvents, SilentStreamsSendComments) {
  Streams streams;
  TestServer server(events_router(streams), {.heartbeat = std::chrono::milliseconds{10}});
  RawClient client(server.port());
  client.send(kAsk);
  client.read_until("\r\n\r\n");
  EXPECT_TRUE(client.read_until(":\n\n").ends_with(":\n\n"));
  EXPECT_TRUE(client.read_until(":\n\n").ends_with(":\n\n"));
}

TEST(HttpEvents, StopEndsStreams) {
  Streams streams;
  TestServer server(events_router(streams));
  RawClient client(server.port());
  client.send(kAsk);
  ASSERT_TRUE(eventually([&] { return streams.count() == 1; }));
  server.stop();
  EXPECT_TRUE(client.closed());
  streams.send("event", "x");
  EXPECT_EQ(streams.count(), 0U);
}

TEST(HttpEvents, SendingFromManyThreadsLosesNothing) {
  Streams streams;
  TestServer server(events_router(streams), {.event_bytes_max = 16U << 20});
  std::thread reader;
  int seen = 0;
  reader = std::thread([&] {
    ClientRequest request;
    request.url = server.url("/events");
    const auto ended = http_event_stream(request, [&](std::string_view, std::string_view) { return ++seen < 4000; });
    EXPECT_TRUE(ended);
  });
  ASSERT_TRUE(eventually([&] { return streams.count() == 1; }));
  const auto stream = streams.open.front();
  std::vector<std::thread> senders;
  for (int i = 0; i < 4; ++i) {
    senders.emplace_back([&] {
      for (int k = 0; k < 1000; ++k) stream->send("event", "data");
    });
  }
  for (std::thread& sender : senders) sender.join();
  reader.join();
  EXPECT_EQ(seen, 4000);
}

}  // namespace
}  // namespace weir::io
