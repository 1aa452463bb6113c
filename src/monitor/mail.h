#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weir::monitor {

// A message for `address` (RFC 5322, UTF-8): its subject is the first line of `text`. `id`, if any, makes its
// Message-ID, by which mail programs know a second copy.
std::string compose_mail(std::string_view address, std::string_view text, std::string_view id = {});

// The machine's program for sending mail: sendmail of $PATH, /usr/sbin or /usr/lib, which Postfix, Exim, msmtp and
// others bring. kFailedPrecondition if there is none.
Result<std::filesystem::path> find_sendmail();

// Hands a message to `sendmail`, which queues and delivers it. Blocks for half a minute at most. An error holds what
// the program wrote.
Result<void> send_mail(const std::filesystem::path& sendmail, std::string_view address, std::string_view text,
                       std::string_view id = {});

}  // namespace weir::monitor
