#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace weir::monitor {

struct Mail {
  std::string from;  // "" = whom the mail program says
  std::string to;    // plain addresses
  std::string text;  // UTF-8; its first line is the subject
  std::string id;    // makes the Message-ID, by which mail programs know a second copy; "" = none
  TimePoint time;
};

// The mail as it is sent (RFC 5322), in ASCII with lines of bounded length that end in \n.
std::string compose_mail(const Mail& mail);

// The machine's program for sending mail: sendmail of $PATH, /usr/sbin or /usr/lib, which Postfix, Exim, msmtp and
// others bring. kFailedPrecondition if there is none.
Result<std::filesystem::path> find_sendmail();

// Hands a mail to `sendmail`, which queues and delivers it. Blocks for half a minute at most. An error holds what the
// program wrote.
Result<void> send_mail(const std::filesystem::path& sendmail, const Mail& mail);

}  // namespace weir::monitor
