#include "monitor/delivery.h"

#include "base/base64.h"
#include "base/hash.h"
#include "config/mail_address.h"
#include "io/http_client.h"
#include "io/http_stream.h"
#include "io/smtp.h"
#include "monitor/mail.h"
#include "monitor/slack.h"
#include "workflow/expression.h"

namespace weir::monitor {
namespace {

constexpr std::size_t kTextBytesMax = 64U << 10;  // of what a template makes

Attempt not_sent(std::string problem) {
  return {.problem = std::move(problem)};
}

// Where people go from a message.
struct Links {
  std::string server;
  std::string page;
  std::string run;
  std::string model;
  std::string decide;  // a secret

  [[nodiscard]] json::object to_json() const {
    return {{"server", server}, {"page", page}, {"run", run}, {"model", model}, {"decide", decide}};
  }
};

Links links_of(const DeliveryDeps& deps, const Queued& message) {
  Links links;
  if (!message.reviewer.empty() && deps.approval_address) {
    // Without a link, it was decided since.
    links.decide = deps.approval_address(message.approval, message.reviewer).value_or("");
  }
  if (!deps.server_url) return links;
  links.server = deps.server_url();
  const auto to = [&](const std::string& page) { return page.empty() ? "" : fmt::format("{}/{}", links.server, page); };
  links.page = to(message.about.page);
  if (message.about.run > 0) links.run = to(fmt::format("#/runs/{}", message.about.run));
  if (!message.about.model.empty()) links.model = to("#/models/" + message.about.model);
  return links;
}

std::string run_text(std::int64_t run) {
  return run > 0 ? std::to_string(run) : std::string();
}

// The words of the entry's template, or weir's own.
std::string words_of(const Queued& message, const Links& links) {
  std::string own = message.text;
  if (!links.decide.empty()) own += fmt::format("\nDecide as {}: {}", message.reviewer, links.decide);
  if (message.text_template.empty()) return own;
  const workflow::Contexts contexts{
      .values = {{"message", json::object{{"text", message.text},
                                          {"severity", config::severity_name(message.severity)},
                                          {"subject", message.subject},
                                          {"event", message.about.event},
                                          {"time", to_iso8601(message.created)}}},
                 {"repo", message.about.repository},
                 {"model", message.about.model},
                 {"endpoint", message.about.endpoint},
                 {"environment", message.about.environment},
                 {"run", run_text(message.about.run)},
                 {"links", links.to_json()}}};
  auto made = workflow::interpolate(message.text_template, contexts);
  // A template that fails on this message, or says nothing of it, must not swallow it.
  if (!made || made->find_first_not_of(" \t\r\n") == std::string::npos) return own;
  if (made->size() <= kTextBytesMax) return *std::move(made);
  std::size_t end = kTextBytesMax;
  while (end > 0 && (static_cast<unsigned char>((*made)[end]) & 0xC0U) == 0x80U) --end;
  return made->substr(0, end) + "…";
}

std::string json_body(const Queued& message, const std::string& words, const Links& links) {
  json::object data{{"text", words},
                    {"severity", config::severity_name(message.severity)},
                    {"subject", message.subject},
                    {"repo", message.about.repository},
                    {"model", message.about.model},
                    {"endpoint", message.about.endpoint},
                    {"environment", message.about.environment},
                    {"run", message.about.run > 0 ? json::value(message.about.run) : json::value(nullptr)},
                    {"links", links.to_json()},
                    {"possibly_repeated", message.possibly_repeated}};
  return json::serialize(json::object{{"type", message.about.event.empty() ? "message" : message.about.event},
                                      {"timestamp", to_iso8601(message.created)},
                                      {"data", std::move(data)}});
}

Attempt send_by_server(const DeliveryDeps& deps, const config::Mail& mail, const Mail& content) {
  io::SmtpServer server{.host = mail.host, .port = mail.port};
  server.tls = mail.implicit_tls ? io::SmtpTls::kImplicit : mail.tls ? io::SmtpTls::kStartTls : io::SmtpTls::kNone;
  if (!mail.user.text.empty()) {
    auto user = deps.resolve(mail.user);
    if (!user) return not_sent(user.error().message);
    auto password = deps.resolve(mail.password);
    if (!password) return not_sent(password.error().message);
    server.user = *std::move(user);
    server.password = *std::move(password);
  }
  const auto sent = io::send_smtp(server, {.from = mail.from, .to = content.to, .content = compose_mail(content)});
  if (sent) return {.status = 200};
  return {.outcome = sent.error().perhaps_taken ? Outcome::kUnknown : Outcome::kNotTaken,
          .problem = sent.error().error.message};
}

Attempt send_by_program(const DeliveryDeps& deps, const Mail& content) {
  const auto program = deps.sendmail.empty() ? find_sendmail() : Result<std::filesystem::path>(deps.sendmail);
  if (!program) return not_sent(program.error().message);
  const auto sent = send_mail(*program, content);
  if (sent) return {.status = 200};
  // A program that said no has not taken it; one that was stopped may have.
  const bool unknown = sent.error().code == Code::kDeadlineExceeded;
  return {.outcome = unknown ? Outcome::kUnknown : Outcome::kNotTaken, .problem = sent.error().message};
}

Attempt send_by_mail(const DeliveryDeps& deps, const Queued& message, const std::string& address, std::string words,
                     const Links& links) {
  const auto to = config::mail_address(address);
  if (!to) return not_sent("the target is not one plain mail address");  // it may be a secret
  if (message.text_template.empty() && !links.page.empty()) words.append("\n\n").append(links.page);
  if (message.possibly_repeated) words.append("\n\n").append(repeated_line());
  const auto config = deps.config();
  const bool has_server = config != nullptr && config->mail.has_value();
  const Mail content{.from = has_server ? config->mail->from : "",
                     .to = *to,
                     .text = std::move(words),
                     .id = message.key(),
                     .time = deps.clock->now()};
  return has_server ? send_by_server(deps, *config->mail, content) : send_by_program(deps, content);
}

}  // namespace

Attempt post_json(const Delivery& delivery) {
  // An address that is none may be a secret all the same: it is not quoted.
  if (!io::parse_url(delivery.url)) return not_sent("the target is no address that weir can call");
  bool connected = false;
  io::ClientRequest request{
      .method = "POST", .url = delivery.url, .body = delivery.body, .timeout = std::chrono::seconds{15}};
  request.connected = &connected;
  request.headers.set("Content-Type", "application/json");
  request.headers.set("Idempotency-Key", delivery.id);
  if (delivery.possibly_repeated) request.headers.set("X-Weir-Possibly-Repeated", "true");
  for (const auto& [name, value] : delivery.headers) request.headers.set(name, value);
  request.response_bytes_max = 1U << 16;
  const auto answer = io::http_exchange(request);
  if (answer) return {.status = answer->status};
  std::string problem = answer.error().message;
  const auto address = problem.find(delivery.url.substr(0, delivery.url.find('?')));
  if (address != std::string::npos)
    problem.replace(address, delivery.url.substr(0, delivery.url.find('?')).size(), "…");
  return {.outcome = connected ? Outcome::kUnknown : Outcome::kNotTaken, .problem = std::move(problem)};
}

Result<std::vector<std::pair<std::string, std::string>>> signature_headers(std::string_view secret, std::string_view id,
                                                                           TimePoint now, std::string_view body) {
  constexpr std::string_view kPrefix = "whsec_";
  const auto wrong = [] {
    return fail(Code::kInvalidArgument, "the secret of a webhook must be whsec_ and base64 of 24 to 64 bytes");
  };
  if (!secret.starts_with(kPrefix)) return wrong();
  const auto key = base64_decode(secret.substr(kPrefix.size()));
  if (!key || key->size() < 24 || key->size() > 64) return wrong();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::string signature = base64_encode(hmac_sha256(*key, fmt::format("{}.{}.{}", id, seconds, body)));
  return std::vector<std::pair<std::string, std::string>>{{"webhook-id", std::string(id)},
                                                          {"webhook-timestamp", std::to_string(seconds)},
                                                          {"webhook-signature", "v1," + signature}};
}

Attempt deliver(const DeliveryDeps& deps, const Queued& message) {
  const auto target = config::parse_template(message.target);
  if (!target) return not_sent(target.error().message);
  const auto address = deps.resolve(*target);
  if (!address) return not_sent(address.error().message);
  const Links links = links_of(deps, message);
  std::string words = words_of(message, links);
  if (address->starts_with("mailto:")) return send_by_mail(deps, message, *address, std::move(words), links);
  const std::string own_link = message.text_template.empty() ? links.page : std::string();
  Delivery delivery{.url = *address,
                    .body = message.format == config::NotifyFormat::kJson
                                ? json_body(message, words, links)
                                : slack_body(words, message.severity, message.possibly_repeated, own_link),
                    .id = message.key(),
                    .possibly_repeated = message.possibly_repeated};
  if (!message.secret.empty()) {
    const auto reference = config::parse_template(message.secret);
    if (!reference) return not_sent(reference.error().message);
    const auto secret = deps.resolve(*reference);
    if (!secret) return not_sent(secret.error().message);
    auto headers = signature_headers(*secret, delivery.id, deps.clock->now(), delivery.body);
    if (!headers) return not_sent(headers.error().message);
    delivery.headers = *std::move(headers);
  }
  return deps.post ? deps.post(delivery) : post_json(delivery);
}

}  // namespace weir::monitor
