#include "io/http_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "io/http_test_support.h"

namespace weir::io {
namespace {

using testing::RawClient;
using testing::TestServer;

class HttpFile : public ::testing::Test {
 protected:
  HttpFile() {
    std::filesystem::create_directories(folder_);
    write("short.json", "0123456789");
    for (int i = 0; i < 100'000; ++i) long_text_ += fmt::format("{:09}\n", i);
    write("long", long_text_);
    write("empty.txt", "");
  }
  ~HttpFile() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, std::string_view text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  Router router() const {
    Router router;
    const auto answer = [this](const HttpRequest& request) {
      HttpResponse response;
      response.file_path = folder_ / request.params.find("name")->second;
      if (const auto tag = request.query_value("tag")) response.headers.set("ETag", *tag);
      return response;
    };
    router.handle("GET", "/files/{name}", answer);
    router.handle_async("GET", "/async/{name}",
                        [answer](const HttpRequest& request, HttpReply reply) { reply(answer(request)); });
    return router;
  }

  static ClientResponse get(const TestServer& server, std::string_view target, const HttpHeaders& headers = {}) {
    ClientRequest request;
    request.url = server.url(target);
    request.headers = headers;
    auto response = http_exchange(request);
    EXPECT_TRUE(response) << response.error().message;
    return response.value_or(ClientResponse{});
  }

  static HttpHeaders header(std::string name, std::string value) {
    HttpHeaders headers;
    headers.set(std::move(name), std::move(value));
    return headers;
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / fmt::format("weir-files-{}", ::getpid());
  std::string long_text_;
};

TEST_F(HttpFile, IsSentWholeWithItsTypeAndLength) {
  TestServer server(router());
  const auto text = get(server, "/files/short.json");
  EXPECT_EQ(text.status, 200);
  EXPECT_EQ(text.body, "0123456789");
  EXPECT_EQ(text.headers.get("Content-Type"), "application/json");
  EXPECT_EQ(text.headers.get("Content-Length"), "10");
  EXPECT_EQ(text.headers.get("Accept-Ranges"), "bytes");
  EXPECT_EQ(get(server, "/async/long").body, long_text_);
  EXPECT_EQ(get(server, "/files/empty.txt").body, "");
  EXPECT_EQ(get(server, "/files/absent").status, 404);
}

TEST_F(HttpFile, PartsAreSentAsAsked) {
  TestServer server(router());
  const auto part = [&](std::string_view name, std::string range) {
    const auto response = get(server, fmt::format("/files/{}", name), header("Range", "bytes=" + range));
    return fmt::format("{} {} {}", response.status, response.headers.get("Content-Range"), response.body.substr(0, 40));
  };
  EXPECT_EQ(part("short.json", "2-4"), "206 bytes 2-4/10 234");
  EXPECT_EQ(part("short.json", "7-"), "206 bytes 7-9/10 789");
  EXPECT_EQ(part("short.json", "-3"), "206 bytes 7-9/10 789");
  EXPECT_EQ(part("short.json", "-30"), "206 bytes 0-9/10 0123456789");
  EXPECT_EQ(part("short.json", "5-500"), "206 bytes 5-9/10 56789");
  EXPECT_TRUE(part("short.json", "10-").starts_with("416 bytes */10"));
  EXPECT_TRUE(part("empty.txt", "0-").starts_with("416 bytes */0"));
  for (const char* odd : {"5-2", "x", "1-2,4-5", "-", "99999999999999999999999-"}) {
    EXPECT_EQ(part("short.json", odd), "200  0123456789") << odd;
  }
  const auto large = get(server, "/files/long", header("Range", "bytes=100000-899999"));
  EXPECT_EQ(large.status, 206);
  EXPECT_EQ(large.body, long_text_.substr(100'000, 800'000));
}

TEST_F(HttpFile, AClientThatHasTheVersionGetsNoBody) {
  TestServer server(router());
  const std::string tag{get(server, "/files/short.json").headers.get("ETag")};
  ASSERT_FALSE(tag.empty());
  for (const std::string& list : {tag, "\"x\", " + tag, "W/" + tag, std::string{"*"}}) {
    const auto same = get(server, "/files/short.json", header("If-None-Match", list));
    EXPECT_EQ(same.status, 304) << list;
    EXPECT_EQ(same.body, "");
    EXPECT_EQ(same.headers.get("ETag"), tag);
  }
  EXPECT_EQ(get(server, "/files/short.json", header("If-None-Match", "\"other\"")).status, 200);
  EXPECT_EQ(get(server, "/files/short.json?tag=%22mine%22", header("If-None-Match", "\"mine\"")).status, 304);

  HttpHeaders stale = header("Range", "bytes=0-1");
  stale.set("If-Range", "\"old\"");
  EXPECT_EQ(get(server, "/files/short.json", stale).status, 200);
  stale.set("If-Range", tag);
  EXPECT_EQ(get(server, "/files/short.json", stale).status, 206);
}

TEST_F(HttpFile, HeadTellsTheLengthOnly) {
  TestServer server(router());
  RawClient client(server.port());
  client.send("HEAD /files/long HTTP/1.1\r\nHost: h\r\n\r\nGET /files/short.json HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.read_until("\r\n\r\n").find("Content-Length: 1000000\r\n"), std::string::npos);
  EXPECT_TRUE(client.read_answer().ends_with("0123456789"));
}

TEST_F(HttpFile, DatesAreWrittenAsHttpWantsThem) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(951782400), "Tue, 29 Feb 2000 00:00:00 GMT");
}

}  // namespace
}  // namespace weir::io
