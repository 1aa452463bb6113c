#include "config/mail_address.h"

#include <gtest/gtest.h>

#include "config/parse.h"

namespace weir::config {
namespace {

TEST(MailAddress, TakesOnePlainAddress) {
  EXPECT_EQ(mail_address("mailto:ml-team+alerts@mail.example.com").value(), "ml-team+alerts@mail.example.com");
}

TEST(MailAddress, RefusesWhatCouldReachOthersOrAddHeaders) {
  for (const std::string_view target :
       {"mailto:", "mailto:ml", "mailto:@example.com", "mailto:ml@", "mailto:a@b@c", "mailto:a@b,c@d",
        "mailto:a@b?cc=c@d", "mailto:a@b\nBcc: c@d", "mailto:a b@c", "mailto:<a@b>", "mailto:a@b%0ac"}) {
    EXPECT_EQ(mail_address(target).error().code, Code::kInvalidArgument) << target;
  }
}

TEST(MailAddress, IsCheckedInWeirYaml) {
  const auto good = parse_config("notify:\n  - {to: mailto:ml@example.com}\n", "weir.yaml", {});
  ASSERT_TRUE(good.config.has_value());
  EXPECT_EQ(good.config->notify.front().to.text, "mailto:ml@example.com");
  const auto wrong = parse_config("notify:\n  - {to: \"mailto:ml@example.com,boss@example.com\"}\n", "weir.yaml", {});
  ASSERT_FALSE(wrong.diagnostics.empty());
  EXPECT_EQ(wrong.diagnostics.front().message,
            "\"mailto:ml@example.com,boss@example.com\" is not a mail address, expected mailto:name@example.com");
}

TEST(MailServer, SaysHowMailIsProtected) {
  EXPECT_EQ(mail_server("smtps://smtp.example.com").value(),
            (Mail{.host = "smtp.example.com", .port = 465, .implicit_tls = true}));
  EXPECT_EQ(mail_server("smtp://smtp.example.com/").value(), (Mail{.host = "smtp.example.com", .port = 587}));
  EXPECT_EQ(mail_server("smtp://[::1]:2525").value(), (Mail{.host = "::1", .port = 2525}));
  for (const std::string_view wrong :
       {"", "smtp.example.com", "smtp://", "smtp://:25", "smtp://a:0", "smtp://a:65536", "smtp://a:x", "smtp://u:p@a",
        "smtp://a/b", "smtp://::1", "https://a", "smtp://a b", "smtp://a\r\nQUIT"}) {
    EXPECT_FALSE(mail_server(wrong).has_value()) << wrong;
  }
}

}  // namespace
}  // namespace weir::config
