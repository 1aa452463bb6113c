#include "io/http_router.h"

#include <gtest/gtest.h>

namespace weir::io {
namespace {

Router make_router(std::initializer_list<std::pair<std::string_view, std::string_view>> routes) {
  Router router;
  for (const auto& [method, pattern] : routes) {
    router.handle(method, pattern, [name = std::string{pattern}](HttpRequest&) { return text_response(200, name); });
  }
  return router;
}

// "<pattern> <param>=<value> …", "405 <allowed>", "404" or "400".
std::string look_up(const Router& router, std::string_view method, std::string_view path) {
  const auto target = parse_target(path);
  if (!target) return "400";
  const auto match = router.impl().find(method, *target);
  if (match.route == nullptr)
    return match.allowed.empty() ? "404" : fmt::format("405 {}", fmt::join(match.allowed, " "));
  HttpRequest request;
  std::string text = match.route->blocking(request).body;
  for (std::size_t i = 0; i < match.values.size(); ++i) {
    text += fmt::format(" {}={}", match.route->param_names[i], match.values[i]);
  }
  return text;
}

TEST(Router, LiteralsWinOverParametersAndThoseOverTheRest) {
  const Router router = make_router({{"GET", "/a/{x}"}, {"GET", "/a/b"}, {"GET", "/{rest*}"}, {"GET", "/a/{y}/c"}});
  EXPECT_EQ(look_up(router, "GET", "/a/b"), "/a/b");
  EXPECT_EQ(look_up(router, "GET", "/a/d"), "/a/{x} x=d");
  EXPECT_EQ(look_up(router, "GET", "/a/b/c"), "/a/{y}/c y=b");
  EXPECT_EQ(look_up(router, "GET", "/a/b/d"), "/{rest*} rest=a/b/d");
  EXPECT_EQ(look_up(router, "GET", "/"), "/{rest*} rest=");
  EXPECT_EQ(look_up(router, "GET", "/a/"), "/{rest*} rest=a/");
}

TEST(Router, GoesBackWhenALiteralBranchEndsInNothing) {
  const Router router =
      make_router({{"GET", "/v2/models/{m}"}, {"POST", "/{endpoint}/invocations"}, {"GET", "/v2/{x}/z"}});
  EXPECT_EQ(look_up(router, "POST", "/v2/invocations"), "/{endpoint}/invocations endpoint=v2");
  EXPECT_EQ(look_up(router, "GET", "/v2/models/z"), "/v2/models/{m} m=z");
  EXPECT_EQ(look_up(router, "GET", "/v2/other/z"), "/v2/{x}/z x=other");
}

TEST(Router, TextAroundAParameterMustMatch) {
  const Router router =
      make_router({{"GET", "/git/{repo}.git/info/refs"}, {"GET", "/runs/{id}"}, {"POST", "/runs/{id}:stop"}});
  EXPECT_EQ(look_up(router, "GET", "/git/fli.ghts.git/info/refs"), "/git/{repo}.git/info/refs repo=fli.ghts");
  EXPECT_EQ(look_up(router, "GET", "/git/.git/info/refs"), "404");
  EXPECT_EQ(look_up(router, "GET", "/git/flights/info/refs"), "404");
  EXPECT_EQ(look_up(router, "POST", "/runs/7:stop"), "/runs/{id}:stop id=7");
  EXPECT_EQ(look_up(router, "GET", "/runs/7:stop"), "/runs/{id} id=7:stop");
}

TEST(Router, TellsMissingPathsFromMissingMethods) {
  const Router router = make_router({{"GET", "/a/{x}"}, {"PUT", "/a/{x}"}, {"DELETE", "/a/b"}});
  EXPECT_EQ(look_up(router, "POST", "/a/b"), "405 DELETE GET PUT");
  EXPECT_EQ(look_up(router, "PUT", "/a/b"), "/a/{x} x=b");
  EXPECT_EQ(look_up(router, "GET", "/a"), "404");
  EXPECT_EQ(look_up(router, "GET", "/a/"), "404");
  EXPECT_EQ(look_up(router, "HEAD", "/a/q"), "/a/{x} x=q");
}

TEST(Router, EscapesAreDecodedInsideTheirSegment) {
  const Router router = make_router({{"GET", "/a/{x}"}, {"GET", "/b/{path*}"}, {"GET", "/c d"}});
  EXPECT_EQ(look_up(router, "GET", "/a/x%2Fy%20z+"), "/a/{x} x=x/y z+");
  EXPECT_EQ(look_up(router, "GET", "/b/x%2Fy/z"), "/b/{path*} path=x/y/z");
  EXPECT_EQ(look_up(router, "GET", "/c%20d"), "/c d");
  EXPECT_EQ(look_up(router, "GET", "http://host:1/a/q?x"), "/a/{x} x=q");
  for (const char* bad : {"/a/%", "/a/%g0", "/a/..", "/a/%2e./b", "/b/x%2f..", "/a/%00", "a", "", "/a?x=%1"}) {
    EXPECT_EQ(look_up(router, "GET", bad), "400") << bad;
  }
  EXPECT_EQ(look_up(router, "GET", "/a/..b"), "/a/{x} x=..b");
}

TEST(RouterDeathTest, WrongPatternsEndTheProcess) {
  EXPECT_DEATH(make_router({{"GET", "a"}}), "must begin");
  EXPECT_DEATH(make_router({{"GET", "/{}"}}), "broken parameter");
  EXPECT_DEATH(make_router({{"GET", "/{x*}/b"}}), "must end");
  EXPECT_DEATH(make_router({{"GET", "/{x}"}, {"GET", "/{y}"}}), "twice");
}

TEST(Query, IsTakenApartInOrder) {
  const auto target = parse_target("/p?a=1&b=&c&&a=2%263&d=x=y+z");
  ASSERT_TRUE(target);
  const std::vector<std::pair<std::string, std::string>> expected{
      {"a", "1"}, {"b", ""}, {"c", ""}, {"a", "2&3"}, {"d", "x=y z"}};
  EXPECT_EQ(target->query, expected);
}

TEST(HttpHeaders, NamesCompareWithoutCase) {
  HttpHeaders headers;
  headers.add("Set-Cookie", "a");
  headers.add("set-cookie", "b");
  EXPECT_EQ(headers.get("SET-COOKIE"), "a");
  headers.set("SET-cookie", "c");
  EXPECT_EQ(headers.all().size(), 1U);
  EXPECT_EQ(headers.get("set-cookie"), "c");
}

TEST(PercentEncoding, ReturnsToTheSameText) {
  std::string every;
  for (int c = 0; c < 256; ++c) every += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(every)), every);
  EXPECT_EQ(percent_encode("/run/a b.sock"), "%2Frun%2Fa%20b.sock");
}

}  // namespace
}  // namespace weir::io
