#include "io/smtp.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>

#include "base/hash.h"
#include "io/http_stream.h"

namespace weir::io {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kQuotedBytesMax = 300;             // of an answer in an error
constexpr Duration kPatience{std::chrono::seconds{10}};  // for one answer

bool fits_host(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == ':' || c == '_';
  });
}

// What may stand between < and > of a command. Everything that could end it or begin another one is refused.
bool fits_path(std::string_view address) {
  return !address.empty() && address.size() <= 254 &&
         std::ranges::all_of(address, [](unsigned char c) { return c > ' ' && c < 0x7f && c != '<' && c != '>'; });
}

// By what name this machine greets: its own if it is a full one, else the literal that stands for any (RFC 5321,
// section 4.1.3).
std::string own_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "[127.0.0.1]";
  const std::string_view text(name);
  return text.find('.') != std::string_view::npos && fits_host(text) ? std::string(text) : "[127.0.0.1]";
}

std::string upper(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return std::toupper(c); });
  return result;
}

// What the server says that it can do, in capitals: "STARTTLS", "AUTH PLAIN LOGIN".
struct Abilities {
  bool start_tls = false;
  std::vector<std::string> logins;

  static Abilities of(const SmtpReply& reply) {
    Abilities found;
    for (std::size_t i = 1; i < reply.lines.size(); ++i) {  // the first line is a greeting
      const std::string line = upper(reply.lines[i]);
      if (line == "STARTTLS") found.start_tls = true;
      // "AUTH=" is what servers wrote before there was a standard.
      if (!line.starts_with("AUTH ") && !line.starts_with("AUTH=")) continue;
      std::string_view rest = std::string_view(line).substr(5);
      while (!rest.empty()) {
        const auto end = std::min(rest.find(' '), rest.size());
        if (end > 0) found.logins.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    }
    return found;
  }
  [[nodiscard]] bool login(std::string_view name) const { return std::ranges::find(logins, name) != logins.end(); }
};

class Session {
 public:
  Session(const SmtpServer& server, SteadyClock::time_point end) : server_(server), end_(end) {}

  Result<void> open() {
    stream_ = WEIR_TRY(connect_host(server_.host, server_.port, kPatience));
    if (server_.tls == SmtpTls::kImplicit) WEIR_TRY(protect());
    WEIR_TRY(expect(WEIR_TRY(read()), "greet", 220));
    WEIR_TRY(greet());
    const bool local = is_this_machine(server_.host);
    if (server_.tls == SmtpTls::kStartTls && (abilities_.start_tls || !local)) {
      if (!abilities_.start_tls) {
        return fail(Code::kFailedPrecondition,
                    "{} offers no TLS at port {}; give smtps://, or say `tls: off` if the way there is safe",
                    server_.host, server_.port);
      }
      WEIR_TRY(expect(WEIR_TRY(command("STARTTLS")), "begin TLS", 220));
      // What came in the clear after the answer is somebody else's.
      if (!rest_.empty()) return fail(Code::kUnavailable, "{} sent more than an answer to STARTTLS", server_.host);
      WEIR_TRY(protect());
      WEIR_TRY(greet());
    }
    return {};
  }

  Result<void> log_in() {
    if (server_.user.empty()) return {};
    if (!protected_ && !is_this_machine(server_.host)) {
      return fail(Code::kFailedPrecondition, "a password is not sent to {} without TLS", server_.host);
    }
    if (abilities_.login("PLAIN")) {
      const std::string secret = fmt::format("{}{}{}{}", '\0', server_.user, '\0', server_.password);
      return expect(WEIR_TRY(command("AUTH PLAIN " + base64_encode(secret))), "log in", 235);
    }
    if (abilities_.login("LOGIN")) {
      WEIR_TRY(expect(WEIR_TRY(command("AUTH LOGIN")), "log in", 334));
      WEIR_TRY(expect(WEIR_TRY(command(base64_encode(server_.user))), "log in", 334));
      return expect(WEIR_TRY(command(base64_encode(server_.password))), "log in", 235);
    }
    return fail(Code::kFailedPrecondition, "{} offers no login that weir knows: PLAIN or LOGIN", server_.host);
  }

  Result<void> address(const SmtpMessage& message) {
    WEIR_TRY(expect(WEIR_TRY(command(fmt::format("MAIL FROM:<{}>", message.from))), "take the sender", 250));
    const SmtpReply recipient = WEIR_TRY(command(fmt::format("RCPT TO:<{}>", message.to)));
    if (recipient.code != 251) WEIR_TRY(expect(recipient, "take the recipient", 250));  // 251: it is passed on
    return expect(WEIR_TRY(command("DATA")), "take the message", 354);
  }

  Result<void> send_content(const SmtpMessage& message) { return write(smtp_data(message.content)); }
  // After send_content(): whether the server has it now.
  Result<void> confirm() {
    const SmtpReply reply = WEIR_TRY(read());
    answered_ = true;
    return expect(reply, "take the message", 250);
  }
  [[nodiscard]] bool answered() const { return answered_; }

  void say_goodbye() { [[maybe_unused]] const auto sent = write("QUIT\r\n"); }

 private:
  Result<void> protect() {
    const int fd = stream_->release();
    stream_ = WEIR_TRY(start_tls(fd, server_.host, kPatience));
    protected_ = true;
    return {};
  }

  Result<void> greet() {
    SmtpReply reply = WEIR_TRY(command("EHLO " + own_name()));
    if (!reply.positive()) {
      reply = WEIR_TRY(command("HELO " + own_name()));  // older than TLS and logins
      WEIR_TRY(expect(reply, "be greeted", 250));
      reply.lines.clear();
    }
    abilities_ = Abilities::of(reply);
    return {};
  }

  Result<SmtpReply> command(std::string_view line) {
    WEIR_TRY(write(fmt::format("{}\r\n", line)));
    return read();
  }

  Result<void> in_time() const {
    if (SteadyClock::now() < end_) return {};
    return fail(Code::kDeadlineExceeded, "{} did not take the message in time", server_.host);
  }

  Result<void> write(std::string_view bytes) {
    while (!bytes.empty()) {
      WEIR_TRY(in_time());
      bytes.remove_prefix(WEIR_TRY(stream_->write(bytes)));
    }
    return {};
  }

  Result<SmtpReply> read() {
    while (true) {
      const auto taken = WEIR_TRY(parser_.take(rest_));
      rest_.erase(0, taken.bytes);
      if (taken.whole) return parser_.finish();
      WEIR_TRY(in_time());
      char piece[4'096];
      const std::size_t count = WEIR_TRY(stream_->read(piece, sizeof piece));
      if (count == 0) return fail(Code::kUnavailable, "{} closed the connection", server_.host);
      rest_.append(piece, count);
    }
  }

  [[nodiscard]] Result<void> expect(const SmtpReply& reply, std::string_view what, int code) const {
    if (reply.code == code) return {};
    return fail(Code::kFailedPrecondition, "{} would not {}: {} {}", server_.host, what, reply.code, reply.text());
  }

  const SmtpServer& server_;
  SteadyClock::time_point end_;
  std::unique_ptr<ClientStream> stream_;
  SmtpReplyParser parser_;
  std::string rest_;  // read and not parsed yet
  Abilities abilities_;
  bool protected_ = false;
  bool answered_ = false;  // about the message itself
};

}  // namespace

std::string SmtpReply::text() const {
  std::string result;
  for (const std::string& line : lines) {
    if (result.size() >= kQuotedBytesMax) break;
    if (!result.empty()) result += ' ';
    for (const char c : line) result += static_cast<unsigned char>(c) >= 0x20 && c != 0x7f ? c : '?';
  }
  if (result.size() <= kQuotedBytesMax) return result;
  std::size_t end = kQuotedBytesMax;
  while (end > 0 && (static_cast<unsigned char>(result[end]) & 0xC0U) == 0x80U) --end;
  return result.substr(0, end) + "…";
}

Result<SmtpReplyParser::Taken> SmtpReplyParser::take(std::string_view bytes) {
  Taken taken;
  for (const char c : bytes) {
    ++taken.bytes;
    if (c != '\n') {
      line_ += c;
      if (line_.size() > kLineBytesMax) return fail(Code::kUnavailable, "the mail server's answer is too long");
      continue;
    }
    taken.whole = WEIR_TRY(take_line());
    if (taken.whole) break;
  }
  return taken;
}

Result<bool> SmtpReplyParser::take_line() {
  std::string line = std::exchange(line_, {});
  if (line.ends_with('\r')) line.pop_back();
  const auto bad = [&] {
    return fail(Code::kUnavailable, "this is no mail server: it said \"{}\"",
                SmtpReply{.lines = {line.substr(0, 100)}}.text());
  };
  int code = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    if (i >= line.size() || line[i] < '0' || line[i] > '9') return bad();
    code = code * 10 + (line[i] - '0');
  }
  if (code < 200 || code > 599) return bad();
  const char mark = line.size() > 3 ? line[3] : ' ';
  if (mark != ' ' && mark != '-') return bad();
  if (!reply_.lines.empty() && code != reply_.code) return bad();
  if (reply_.lines.size() >= kLinesMax) return fail(Code::kUnavailable, "the mail server's answer has too many lines");
  reply_.code = code;
  reply_.lines.push_back(line.size() > 4 ? line.substr(4) : std::string());
  return mark == ' ';
}

SmtpReply SmtpReplyParser::finish() {
  return std::exchange(reply_, {});
}

std::string smtp_data(std::string_view content) {
  std::string data;
  data.reserve(content.size() + content.size() / 32 + 8);
  while (!content.empty()) {
    // A lone \r is an end of line too: servers differ in what they make of it, and a dot may follow.
    const auto end = std::min(content.find_first_of("\r\n"), content.size());
    if (content.starts_with('.')) data += '.';
    data.append(content.substr(0, end)).append("\r\n");
    const bool both = content.substr(end).starts_with("\r\n");
    content.remove_prefix(std::min(end + (both ? 2 : 1), content.size()));
  }
  return data += ".\r\n";
}

std::expected<void, SmtpProblem> send_smtp(const SmtpServer& server, const SmtpMessage& message, Duration limit) {
  const auto failed = [](Error error, bool perhaps_taken = false) {
    return std::unexpected(SmtpProblem{std::move(error), perhaps_taken});
  };
  if (!fits_path(message.from)) return failed({Code::kInvalidArgument, "the sender is no mail address"});
  if (!fits_path(message.to)) return failed({Code::kInvalidArgument, "the recipient is no mail address"});
  Session session(server, SteadyClock::now() + limit);
  if (auto opened = session.open(); !opened) return failed(std::move(opened).error());
  if (auto logged_in = session.log_in(); !logged_in) return failed(std::move(logged_in).error());
  if (auto addressed = session.address(message); !addressed) return failed(std::move(addressed).error());
  // Without its last line the server drops a message; of a part that was written nobody knows which part arrived.
  if (auto sent = session.send_content(message); !sent) return failed(std::move(sent).error(), true);
  if (auto confirmed = session.confirm(); !confirmed) {
    return failed(std::move(confirmed).error(), !session.answered());
  }
  session.say_goodbye();
  return {};
}

}  // namespace weir::io
