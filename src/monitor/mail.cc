#include "monitor/mail.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

#include "base/hash.h"
#include "io/process.h"

namespace weir::monitor {
namespace {

constexpr std::size_t kSubjectBytesMax = 200;
constexpr std::size_t kLineBytesMax = 900;    // a line may have 998
constexpr std::size_t kEncodedBytesMax = 42;  // of UTF-8 in one encoded word, which may have 75 characters

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// At most `most` bytes, without cutting a character.
std::string_view head_of(std::string_view text, std::size_t most) {
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
    std::string_view part = head_of(text, kEncodedBytesMax);
    if (part.empty()) part = text.substr(0, kEncodedBytesMax);  // no UTF-8 at all
    result += fmt::format("{}=?utf-8?B?{}?=", result.empty() ? "" : "\n ", base64_encode(part));
    text.remove_prefix(part.size());
  }
  return result;
}

// Wed, 05 Aug 2026 09:03:07 +0000 (RFC 5322, section 3.3).
std::string date_text(TimePoint time) {
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000", kDays[std::chrono::weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

// Whether every server takes it as it stands: ASCII in short lines.
bool is_plain(std::string_view text) {
  std::size_t line = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x7f || (byte < 0x20 && c != '\n' && c != '\t')) return false;
    line = c == '\n' ? 0 : line + 1;
    if (line > kLineBytesMax) return false;
  }
  return true;
}

std::string base64_lines(std::string_view bytes) {
  const std::string all = base64_encode(bytes);
  std::string lines;
  for (std::size_t at = 0; at < all.size(); at += 76) lines += all.substr(at, 76) + "\n";
  return lines;
}

}  // namespace

std::string compose_mail(const Mail& mail) {
  const std::string_view text = mail.text;
  const std::string_view first_line = text.substr(0, text.find_first_of("\r\n"));
  std::string head;
  if (!mail.from.empty()) head += fmt::format("From: weir <{}>\n", mail.from);
  head +=
      fmt::format("To: <{}>\nSubject: {}\nDate: {}\n", mail.to,
                  header_text(fmt::format("[weir] {}", head_of(first_line, kSubjectBytesMax))), date_text(mail.time));
  if (!mail.id.empty()) head += fmt::format("Message-ID: <{}@weir.invalid>\n", mail.id);
  head += "Auto-Submitted: auto-generated\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n";
  if (!is_plain(text)) return head + "Content-Transfer-Encoding: base64\n\n" + base64_lines(text);
  return head + "Content-Transfer-Encoding: 7bit\n\n" + mail.text + (text.ends_with('\n') ? "" : "\n");
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

Result<void> send_mail(const std::filesystem::path& sendmail, const Mail& mail) {
  // -i: a line with a single dot is text; -t: whom to send it to stands in the message.
  auto sent = io::run_checked({.argv = {sendmail.string(), "-i", "-t"}}, compose_mail(mail), std::chrono::seconds{30});
  if (!sent) return std::unexpected(sent.error());
  return {};
}

}  // namespace weir::monitor
