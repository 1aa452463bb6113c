#include "io/smtp.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <random>
#include <thread>

#include "base/hash.h"
#include "io/descriptor.h"

namespace weir::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// One connection, answered by a function of the test's own.
class MailServer {
 public:
  struct Peer {
    int fd;
    void say(std::string_view text) const { ::send(fd, text.data(), text.size(), MSG_NOSIGNAL); }
    // The next line without its end; "" at the end of the connection.
    std::string line() const {  // NOLINT(modernize-use-nodiscard): often only waited for
      std::string text;
      for (char c = 0; ::recv(fd, &c, 1, 0) == 1;) {
        if (c == '\n') break;
        if (c != '\r') text += c;
      }
      return text;
    }
  };

  explicit MailServer(std::function<void(const Peer&)> serve)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::listen(listener_.get(), 4) != 0) {
      std::abort();
    }
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    server.host = "127.0.0.1";
    server.port = ntohs(address.sin_port);
    thread_ = std::thread([this, serve = std::move(serve)] {
      const Descriptor peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (peer) serve(Peer{peer.get()});
    });
  }
  ~MailServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  SmtpServer server;

 private:
  Descriptor listener_;
  std::thread thread_;
};

const SmtpMessage kMessage{.from = "weir@example.com", .to = "ml@example.com", .content = "Subject: x\n\nit broke\n"};

std::string error_of(const std::expected<void, SmtpProblem>& sent) {
  return sent ? "sent" : sent.error().error.message;
}

TEST(Smtp, TellsTheServerWhatItMust) {
  std::vector<std::string> heard;
  auto mail = std::make_unique<MailServer>([&](const MailServer::Peer& peer) {
    peer.say("220-mail.example.com\r\n220 ready\r\n");
    heard.push_back(peer.line());
    peer.say("250-mail.example.com\r\n250-8BITMIME\r\n250 AUTH CRAM-MD5 PLAIN\r\n");
    for (const std::string_view answer : {"235 in", "250 ok", "251 passed on", "354 go on"}) {
      heard.push_back(peer.line());
      peer.say(fmt::format("{}\r\n", answer));
    }
    for (std::string line; line != ".";) heard.push_back(line = peer.line());
    peer.say("250 taken\r\n");
    heard.push_back(peer.line());
  });
  mail->server.user = "weir";
  mail->server.password = "pass word";
  const auto sent = send_smtp(mail->server, kMessage);
  ASSERT_TRUE(sent.has_value()) << error_of(sent);
  mail.reset();  // it has heard all
  ASSERT_EQ(heard.size(), 10U);
  EXPECT_TRUE(heard[0].starts_with("EHLO ")) << heard[0];
  EXPECT_EQ(heard[1], "AUTH PLAIN " + base64_encode(std::string_view("\0weir\0pass word", 15)));
  EXPECT_EQ(heard[2], "MAIL FROM:<weir@example.com>");
  EXPECT_EQ(heard[3], "RCPT TO:<ml@example.com>");
  EXPECT_EQ(heard[4], "DATA");
  EXPECT_EQ(heard[7], "it broke");
  EXPECT_EQ(heard[8], ".");
}

TEST(Smtp, LogsInStepByStepWhereThatIsAllThereIs) {
  std::vector<std::string> heard;
  MailServer mail([&](const MailServer::Peer& peer) {
    peer.say("220 ready\r\n");
    peer.line();
    peer.say("250-mail\r\n250 AUTH=LOGIN\r\n");
    for (const std::string_view answer : {"334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "535 5.7.8 no such user"}) {
      heard.push_back(peer.line());
      peer.say(fmt::format("{}\r\n", answer));
    }
  });
  mail.server.user = "weir";
  mail.server.password = "hunter22";
  const auto sent = send_smtp(mail.server, kMessage);
  EXPECT_EQ(error_of(sent), "127.0.0.1 would not log in: 535 5.7.8 no such user");
  EXPECT_FALSE(sent.error().perhaps_taken);
  EXPECT_EQ(heard, (std::vector<std::string>{"AUTH LOGIN", base64_encode("weir"), base64_encode("hunter22")}));
}

TEST(Smtp, AnAnswerThatNeverCameLeavesItOpenWhetherTheMessageWasTaken) {
  MailServer mail([&](const MailServer::Peer& peer) {
    peer.say("220 ready\r\n");
    for (const std::string_view answer : {"250 mail", "250 ok", "250 ok", "354 go on"}) {
      peer.line();
      peer.say(fmt::format("{}\r\n", answer));
    }
    while (peer.line() != ".") {
    }
  });
  const auto sent = send_smtp(mail.server, kMessage);
  ASSERT_FALSE(sent.has_value());
  EXPECT_TRUE(sent.error().perhaps_taken) << error_of(sent);
}

TEST(Smtp, ARefusedMessageWasNotTaken) {
  MailServer mail([&](const MailServer::Peer& peer) {
    peer.say("220 ready\r\n");
    for (const std::string_view answer : {"250 mail", "250 ok", "250 ok", "354 go on"}) {
      peer.line();
      peer.say(fmt::format("{}\r\n", answer));
    }
    while (peer.line() != ".") {
    }
    peer.say("554-looks like\r\n554 spam\r\n");
  });
  const auto sent = send_smtp(mail.server, kMessage);
  ASSERT_FALSE(sent.has_value());
  EXPECT_FALSE(sent.error().perhaps_taken);
  EXPECT_EQ(error_of(sent), "127.0.0.1 would not take the message: 554 looks like spam");
}

TEST(Smtp, WhatCameInTheClearBehindStarttlsIsNotBelieved) {
  MailServer mail([&](const MailServer::Peer& peer) {
    peer.say("220 ready\r\n");
    peer.line();
    peer.say("250-mail\r\n250 STARTTLS\r\n");
    peer.line();
    peer.say("220 go on\r\n250 AUTH PLAIN\r\n");
    peer.line();
  });
  EXPECT_EQ(error_of(send_smtp(mail.server, kMessage)), "127.0.0.1 sent more than an answer to STARTTLS");
}

TEST(Smtp, AServerThatGivesByteAfterByteDoesNotHoldTheSender) {
  std::atomic<bool> over{false};
  {
    MailServer mail([&](const MailServer::Peer& peer) {
      peer.say("220-");
      while (!over) {
        peer.say("x");
        std::this_thread::sleep_for(milliseconds{20});
      }
    });
    const auto sent = send_smtp(mail.server, kMessage, milliseconds{200});
    over = true;
    ASSERT_FALSE(sent.has_value());
    EXPECT_EQ(sent.error().error.code, Code::kDeadlineExceeded) << error_of(sent);
  }
}

TEST(Smtp, EndlessAndForeignAnswersEndTheConversation) {
  for (const std::string& said : {std::string(10'000, 'x') + "\r\n", std::string("HTTP/1.1 400 Bad Request\r\n"),
                                  std::string("220-a\r\n250 b\r\n"), [] {
                                    std::string many;
                                    for (int i = 0; i < 200; ++i) many += "220-more\r\n";
                                    return many;
                                  }()}) {
    MailServer mail([&](const MailServer::Peer& peer) {
      peer.say(said);
      peer.line();
    });
    const auto sent = send_smtp(mail.server, kMessage, seconds{5});
    ASSERT_FALSE(sent.has_value());
    EXPECT_EQ(sent.error().error.code, Code::kUnavailable) << error_of(sent);
  }
}

TEST(Smtp, AnAddressCannotBecomeACommand) {
  MailServer mail([](const MailServer::Peer&) {});
  for (const std::string_view to : {"a@b>\r\nRCPT TO:<c@d", "a b@c", "", "a@b\n", "<a@b>"}) {
    SmtpMessage message = kMessage;
    message.to = to;
    EXPECT_EQ(error_of(send_smtp(mail.server, message)), "the recipient is no mail address");
    message = kMessage;
    message.from = to;
    EXPECT_EQ(error_of(send_smtp(mail.server, message)), "the sender is no mail address");
  }
}

TEST(SmtpData, HasNoLineThatEndsItEarly) {
  EXPECT_EQ(smtp_data("a\n.\n..b\r\nc"), "a\r\n..\r\n...b\r\nc\r\n.\r\n");
  EXPECT_EQ(smtp_data("a\r.\rb\n\n"), "a\r\n..\r\nb\r\n\r\n.\r\n");
  EXPECT_EQ(smtp_data(""), ".\r\n");
}

// However bytes are cut, the same replies come out of them.
TEST(SmtpReplyParser, DoesNotDependOnHowBytesCome) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::string bytes;
    std::vector<SmtpReply> sent;
    for (unsigned replies = random() % 4; replies > 0; --replies) {
      SmtpReply reply{.code = static_cast<int>(200 + random() % 400)};
      const unsigned lines = 1 + random() % 5;
      for (unsigned i = 0; i < lines; ++i) {
        reply.lines.emplace_back(random() % 30, static_cast<char>('!' + random() % 90));
        bytes += fmt::format("{}{}{}{}", reply.code, i + 1 < lines ? '-' : ' ', reply.lines.back(),
                             random() % 2 == 0 ? "\r\n" : "\n");
      }
      sent.push_back(std::move(reply));
    }
    SmtpReplyParser parser;
    std::vector<SmtpReply> got;
    std::string_view rest = bytes;
    while (!rest.empty()) {
      std::string_view piece = rest.substr(0, 1 + random() % 17);
      rest.remove_prefix(piece.size());
      while (!piece.empty()) {
        const auto taken = parser.take(piece);
        ASSERT_TRUE(taken.has_value()) << taken.error().message;
        piece.remove_prefix(taken->bytes);
        if (taken->whole) got.push_back(parser.finish());
      }
    }
    ASSERT_EQ(got.size(), sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
      EXPECT_EQ(got[i].code, sent[i].code);
      EXPECT_EQ(got[i].lines, sent[i].lines);
    }
  }
}

}  // namespace
}  // namespace weir::io
