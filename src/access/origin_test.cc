#include "access/origin.h"

#include <gtest/gtest.h>

namespace weir::access {
namespace {

const ListenAddress kLocal{"127.0.0.1", 4510};

TEST(Host, OnLoopbackOnlyNamesOfThisMachineArePassed) {
  for (const char* host : {"localhost:4510", "LOCALHOST:4510", "127.0.0.1:4510", "127.8.9.10:4510", "[::1]:4510",
                           "weir.localhost:4510", "localhost.:4510"}) {
    EXPECT_TRUE(allowed_host(host, kLocal)) << host;
  }
  for (const char* host : {"", "evil.example:4510", "localhost", "localhost:80", "localhost.evil.example:4510",
                           "127.0.0.1.evil.example:4510", "127.0.0.1@evil.example:4510", "10.0.0.1:4510", "127.1:4510",
                           "[::1", "[::1]4510", "localhost:4510x", "localhost:99999", ":4510", "notlocalhost:4510",
                           "127.0.0.256:4510", "local host:4510", "localhost:"}) {
    EXPECT_FALSE(allowed_host(host, kLocal)) << host;
  }
}

TEST(Host, APortOf80MayBeLeftOut) {
  EXPECT_TRUE(allowed_host("localhost", {"localhost", 80}));
  EXPECT_TRUE(allowed_host("[::1]", {"::1", 80}));
}

TEST(Host, BeyondLoopbackAnyWellFormedNamePasses) {
  EXPECT_TRUE(allowed_host("ml.example.com", {"0.0.0.0", 4510}));
  EXPECT_TRUE(allowed_host("192.0.2.7:4510", {"192.0.2.7", 4510}));
  EXPECT_FALSE(allowed_host("a b", {"0.0.0.0", 4510}));
}

TEST(Origin, OnlyTheServersOwnPagesMayChangeSomething) {
  EXPECT_TRUE(allowed_origin("", "localhost:4510"));
  EXPECT_TRUE(allowed_origin("http://localhost:4510", "localhost:4510"));
  EXPECT_TRUE(allowed_origin("https://ml.example.com", "ml.example.com"));
  EXPECT_TRUE(allowed_origin("http://[::1]:4510", "[::1]:4510"));
  for (const char* origin :
       {"null", "http://evil.example", "http://localhost:4511", "http://127.0.0.1:4510", "file://localhost:4510",
        "http://localhost:4510.evil.example", "localhost:4510", "http://localhost:4510/path"}) {
    EXPECT_FALSE(allowed_origin(origin, "localhost:4510")) << origin;
  }
}

TEST(Loopback, IsThisMachineOnly) {
  for (const char* host : {"localhost", "127.0.0.1", "127.255.0.3", "::1", "[::1]"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "192.168.0.1", "example.com", "", "127", "127.0.0"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

TEST(AllowedHost, TakesTheNameThatPeopleUseThroughAProxy) {
  const ListenAddress behind{"127.0.0.1", 4510, "weir.example.com:8443"};
  EXPECT_TRUE(allowed_host("weir.example.com:8443", behind));
  EXPECT_TRUE(allowed_host("WEIR.example.com", behind));
  EXPECT_TRUE(allowed_host("127.0.0.1:4510", behind));
  EXPECT_FALSE(allowed_host("evil.example.com", behind));
  EXPECT_FALSE(allowed_host("weir.example.com.evil.org", behind));
  EXPECT_FALSE(allowed_host("weir.example.com", kLocal));
}

}  // namespace
}  // namespace weir::access
