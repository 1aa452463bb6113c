#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace weir::io {

// How mail is protected on its way to the server.
enum class SmtpTls : std::uint8_t {
  kImplicit = 1,  // from the first byte: smtps, port 465
  kStartTls = 2,  // after STARTTLS, which the server must offer unless it is on this machine: port 587
  kNone = 3,
};

// A server that takes mail for others (RFC 6409).
struct SmtpServer {
  std::string host;
  std::uint16_t port = 587;
  SmtpTls tls = SmtpTls::kStartTls;
  std::string user;  // "" = without a login
  std::string password;

  bool operator==(const SmtpServer&) const = default;
};

// What a server answered to one command: its code and lines.
struct SmtpReply {
  int code = 0;
  std::vector<std::string> lines;  // without code and line ends

  [[nodiscard]] bool positive() const { return code >= 200 && code < 300; }
  // The lines as one, with nothing in it that could break a line of a log.
  [[nodiscard]] std::string text() const;
};

// Puts replies together from bytes as they come (RFC 5321, section 4.2).
class SmtpReplyParser {
 public:
  static constexpr std::size_t kLineBytesMax = 2'048;  // four times what the standard lets a server send
  static constexpr std::size_t kLinesMax = 128;

  // Takes bytes up to the end of a reply: how many were taken, and whether `reply()` is whole. kUnavailable for what is
  // no reply: a line that is too long or without a code, another code within a reply, too many lines.
  struct Taken {
    std::size_t bytes = 0;
    bool whole = false;
  };
  Result<Taken> take(std::string_view bytes);
  // The whole reply; the parser is then ready for the next one.
  SmtpReply finish();

 private:
  Result<bool> take_line();

  SmtpReply reply_;
  std::string line_;
};

// A message ready to be sent: lines may end in \n or \r\n.
struct SmtpMessage {
  std::string from;  // plain addresses, without <>
  std::string to;
  std::string content;
};

// `content` as it goes over the wire: each line ends in \r\n, a dot that begins one is doubled, and the end is marked.
std::string smtp_data(std::string_view content);

// How far a message got whose sending failed.
struct SmtpProblem {
  Error error;
  bool perhaps_taken = false;  // all of it was sent and no answer came
};

// Gives the message to the server, by AUTH PLAIN or LOGIN if there is a user. Certificates must fit the host and the
// system's authorities (or SSL_CERT_FILE's). A password is sent by TLS only, or to this machine. Blocks for `limit` at
// most, whatever the server does; errors quote its answer and hold no password.
std::expected<void, SmtpProblem> send_smtp(const SmtpServer& server, const SmtpMessage& message,
                                           Duration limit = std::chrono::seconds{30});

}  // namespace weir::io
