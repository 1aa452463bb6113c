#include "monitor/mail.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "io/file.h"
#include "io/test_folder.h"

namespace weir::monitor {
namespace {

// A mail program of the test's own.
struct Program {
  explicit Program(std::string_view script) {
    path = folder / "sendmail";
    EXPECT_TRUE(io::write_file_atomic(path, script).has_value());
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }

  io::TestFolder folder;
  std::filesystem::path path;
};

TEST(Mail, HasTheFirstLineAsSubject) {
  EXPECT_EQ(compose_mail({.from = "weir@example.com",
                          .to = "ml@example.com",
                          .text = "gate.refused model/m\nauc is 0.5",
                          .id = "weir-1",
                          .time = from_micros(1'785'920'587'000'000)}),
            "From: weir <weir@example.com>\nTo: <ml@example.com>\nSubject: [weir] gate.refused model/m\n"
            "Date: Wed, 05 Aug 2026 09:03:07 +0000\nMessage-ID: <weir-1@weir.invalid>\n"
            "Auto-Submitted: auto-generated\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
            "Content-Transfer-Encoding: 7bit\n\ngate.refused model/m\nauc is 0.5\n");
}

TEST(Mail, EncodesASubjectThatIsNotPlain) {
  const std::string mail =
      compose_mail({.to = "ml@example.com", .text = "航班延误模型的准确率在过去七天里下降到百分之六十以下"});
  const std::string head = mail.substr(0, mail.find("\n\n"));
  EXPECT_NE(head.find("Subject: =?utf-8?B?W3dlaXJdIOiIquePreW7tuivr+aooeWei+eahOWHhuehrueOh+WcqA==?=\n =?utf-8?B?6L+H"),
            std::string::npos)
      << head;
  EXPECT_TRUE(std::ranges::all_of(head, [](unsigned char c) { return c < 0x80; }));
  std::string_view rest = head;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    EXPECT_LE(end, 78U) << rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

TEST(Mail, HoldsNothingThatAServerMightNotTake) {
  for (const std::string& text :
       {std::string("准确率"), std::string(2'000, 'x'), std::string("a\r\nBcc: all@example.com"),
        std::string("a\0b", 3), std::string("\xff\xfe")}) {
    const std::string mail = compose_mail({.to = "ml@example.com", .text = text});
    EXPECT_NE(mail.find("Content-Transfer-Encoding: base64\n"), std::string::npos);
    EXPECT_EQ(mail.find("\nBcc:"), std::string::npos);
    EXPECT_TRUE(std::ranges::all_of(mail, [](unsigned char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); }));
    const std::string body = mail.substr(mail.find("\n\n") + 2);
    EXPECT_EQ(base64_decode(body).value(), text);
    EXPECT_LE(body.find('\n'), 76U);
  }
}

TEST(Mail, IsGivenToTheProgram) {
  const Program program("#!/bin/sh\necho \"$@\" >\"$0.arguments\"\ncat >\"$0.mail\"\n");
  const auto sent = send_mail(program.path, {.to = "ml@example.com", .text = "it broke"});
  ASSERT_TRUE(sent.has_value()) << sent.error().message;
  EXPECT_EQ(io::read_file(program.path.string() + ".arguments").value(), "-i -t\n");
  EXPECT_EQ(io::read_file(program.path.string() + ".mail").value(),
            compose_mail({.to = "ml@example.com", .text = "it broke"}));
}

TEST(Mail, SaysWhatTheProgramSaid) {
  const Program program("#!/bin/sh\ncat >/dev/null\necho no route to host >&2\nexit 75\n");
  const auto sent = send_mail(program.path, {.to = "ml@example.com", .text = "it broke"});
  ASSERT_FALSE(sent.has_value());
  EXPECT_NE(sent.error().message.find("no route to host"), std::string::npos) << sent.error().message;
}

}  // namespace
}  // namespace weir::monitor
