#include "monitor/mail.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/hash.h"
#include "io/process.h"

namespace weir::monitor {
namespace {

constexpr std::size_t kSubjectBytesMax = 200;
constexpr std::size_t kEncodedBytesMax = 42;  // of UTF-8 in one encoded word, which may have 75 characters

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// At most `most` bytes, without cutting a character.
std::string_view head(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && is_continuation(text[most])) --most;
  return text.substr(0, most);
}

// A header's text: as it stands if it is plain ASCII, else as encoded words (RFC 2047).
std::string header_text(std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
  if (plain) return std::string(text);
  std::string result;
  while (!text.empty()) {
    std::string_view part = head(text, kEncodedBytesMax);
    if (part.empty()) part = text.substr(0, kEncodedBytesMax);  // no UTF-8 at all
    result += fmt::format("{}=?utf-8?B?{}?=", result.empty() ? "" : "\n ", base64_encode(part));
    text.remove_prefix(part.size());
  }
  return result;
}

}  // namespace

std::string compose_mail(std::string_view address, std::string_view text, std::string_view id) {
  const std::string_view first_line = text.substr(0, text.find_first_of("\r\n"));
  std::string mail = fmt::format(
      "To: <{}>\nSubject: {}\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n"
      "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n",
      address, header_text(fmt::format("[weir] {}", head(first_line, kSubjectBytesMax))));
  if (!id.empty()) mail.insert(0, fmt::format("Message-ID: <{}@weir.invalid>\n", id));
  mail += text;
  if (!mail.ends_with('\n')) mail += '\n';
  return mail;
}

Result<std::filesystem::path> find_sendmail() {
  const char* given = std::getenv("PATH");
  // A service's PATH often lacks the folders where mail programs put it.
  const std::string folders = fmt::format("{}:/usr/sbin:/usr/lib", given == nullptr ? "" : given);
  std::string_view rest = folders;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(':'), rest.size());
    std::filesystem::path program = std::filesystem::path(rest.substr(0, end)) / "sendmail";
    if (end > 0 && ::access(program.c_str(), X_OK) == 0) return program;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return fail(
      Code::kFailedPrecondition,
      "this machine has no sendmail program, which mailto: needs; install one (msmtp-mta, postfix) or use a webhook");
}

Result<void> send_mail(const std::filesystem::path& sendmail, std::string_view address, std::string_view text,
                       std::string_view id) {
  // -i: a line with a single dot is text; -t: whom to send it to stands in the message.
  auto sent = io::run_checked({.argv = {sendmail.string(), "-i", "-t"}}, compose_mail(address, text, id),
                              std::chrono::seconds{30});
  if (!sent) return std::unexpected(sent.error());
  return {};
}

}  // namespace weir::monitor
