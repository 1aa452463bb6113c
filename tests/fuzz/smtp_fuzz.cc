#include <string_view>

#include "config/mail_address.h"
#include "io/smtp.h"
#include "require.h"

// A mail server's answers: bounded, never a broken line in what is quoted of them, and the same however they are cut. A
// message's content never holds the line that would end it.
namespace {

using namespace weir::io;

struct Read {
  std::vector<SmtpReply> replies;
  bool failed = false;
};

Read read_all(std::string_view bytes, std::size_t piece) {
  Read result;
  SmtpReplyParser parser;
  while (!bytes.empty()) {
    const auto taken = parser.take(bytes.substr(0, piece));
    if (!taken) {
      require(!taken.error().message.empty() && taken.error().message.size() < 1'000);
      result.failed = true;
      return result;
    }
    require(taken->bytes > 0 && taken->bytes <= bytes.size());
    bytes.remove_prefix(taken->bytes);
    if (taken->whole) result.replies.push_back(parser.finish());
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const Read whole = read_all(input, input.size() + 1);
  const Read cut = read_all(input, 1);
  require(whole.failed == cut.failed && whole.replies.size() == cut.replies.size());
  for (std::size_t i = 0; i < whole.replies.size(); ++i) {
    const SmtpReply& reply = whole.replies[i];
    require(reply.code >= 200 && reply.code < 600 && !reply.lines.empty());
    require(reply.code == cut.replies[i].code && reply.lines == cut.replies[i].lines);
    const std::string text = reply.text();
    require(text.size() < 400 && text.find_first_of("\r\n") == std::string::npos);
  }
  const std::string wire = smtp_data(input);
  require(wire.ends_with(".\r\n"));
  const std::string_view content = std::string_view(wire).substr(0, wire.size() - 3);
  require(content.empty() || content.ends_with("\r\n"));
  require(!content.starts_with(".\r\n") && content.find("\r\n.\r\n") == std::string_view::npos);
  if (const auto server = weir::config::mail_server(input)) {
    require(!server->host.empty() && server->host.find_first_of("\r\n <>@/") == std::string::npos && server->port > 0);
  }
  return 0;
}
