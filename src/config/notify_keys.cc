// The keys of `notify:` and `mail:`.
#include <algorithm>
#include <array>

#include "config/mail_address.h"
#include "config/reader.h"
#include "types/event.h"
#include "workflow/expression.h"
#include "workflow/pattern.h"

namespace weir::config {
namespace {

using text::YamlEntry;

constexpr std::array<std::string_view, 3> kSeverities = {"info", "warning", "page"};

void read_to(Reader& reader, const YamlEntry& entry, Notify& notify) {
  reader.read_template(*entry.value, notify.to);
  const std::string& to = notify.to.text;
  if (to.starts_with("mailto:") && to.find("${{") == std::string::npos) {
    if (const auto address = mail_address(to); !address) reader.error(*entry.value, address.error().message);
    return;
  }
  const bool is_address = to.starts_with("https://") || to.starts_with("http://") || to.starts_with("mailto:");
  if (!to.empty() && !is_address && !to.starts_with("${{")) {
    reader.error(*entry.value, fmt::format("\"{}\" is no address", to),
                 "use https://… (a webhook), mailto:… or ${{ secrets.NAME }}");
  }
}

void read_severities(Reader& reader, const YamlEntry& entry, std::vector<Severity>& severities) {
  severities.clear();
  for (const auto* item : reader.items(*entry.value, "a list of severities")) {
    const auto index = reader.choice(*item, kSeverities);
    if (index) severities.push_back(*find_severity(kSeverities[*index]));
  }
}

void read_events(Reader& reader, const YamlEntry& entry, Notify& notify) {
  for (const auto* item : reader.items(*entry.value, "a list of events")) {
    const auto index = reader.choice(*item, types::kEventTypes);
    if (index) notify.events.emplace_back(types::kEventTypes[*index]);
  }
}

void read_patterns(Reader& reader, const YamlEntry& entry, std::vector<std::string>& patterns) {
  reader.read(*entry.value, patterns);
  for (const std::string& one : patterns) {
    if (const auto parsed = workflow::Pattern::parse(one); !parsed) {
      reader.error(*entry.value, fmt::format("\"{}\" is no pattern: {}", one, parsed.error()));
    }
  }
}

// Only a reference: this file is committed, and shown to whoever may read the repository.
void read_secret(Reader& reader, const YamlEntry& entry, Template& secret) {
  Template given;
  reader.read_template(*entry.value, given);
  if (given.text.empty()) return;
  if (given.secrets.empty()) {
    reader.error(*entry.value, fmt::format("the value of `{}` stands in the file for all to read", entry.key),
                 "keep it with `weir secret set NAME` and write ${{ secrets.NAME }}");
    return;
  }
  secret = std::move(given);
}

void read_quiet_time(Reader& reader, const YamlEntry& entry, int& minutes) {
  const auto text = reader.scalar(*entry.value, "a time of day such as \"22:00\"");
  if (!text) return;
  const auto digit = [&](std::size_t at) { return (*text)[at] - '0'; };
  const bool shaped = text->size() == 5 && (*text)[2] == ':' &&
                      std::ranges::all_of(*text, [](char c) { return c == ':' || (c >= '0' && c <= '9'); });
  if (shaped && digit(0) * 10 + digit(1) < 24 && digit(3) < 6) {
    minutes = (digit(0) * 10 + digit(1)) * 60 + digit(3) * 10 + digit(4);
  } else {
    reader.error(*entry.value, fmt::format("this must be a time of day such as \"22:00\", not \"{}\"", *text));
  }
}

void read_time_zone(Reader& reader, const YamlEntry& entry, Quiet& quiet) {
  std::string name = quiet.time_zone;
  reader.read(*entry.value, name);
  const bool shaped =
      !name.empty() && name.size() <= 64 && name.front() != '/' && std::ranges::all_of(name, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '+' || c == '/';
      });
  if (shaped && reader.knows_time_zone(name)) {
    quiet.time_zone = name;
  } else {
    reader.error(*entry.value, fmt::format("\"{}\" is no time zone", name),
                 "write a name of the IANA database, such as Europe/Berlin or Asia/Shanghai");
  }
}

void read_quiet(Reader& reader, const YamlEntry& entry, Notify& notify) {
  Quiet quiet{.from = -1, .to = -1};
  read_map(reader, *entry.value, quiet_keys(), quiet, "quiet");
  if (!entry.value->is_map()) return;
  for (const std::string_view needed : {"from", "to"}) {
    if (entry.value->find(needed) == nullptr) {
      reader.error(*entry.value, fmt::format("quiet needs `{}`, a time of day", needed));
      return;
    }
  }
  if (quiet.from < 0 || quiet.to < 0) return;  // which was told
  if (quiet.from == quiet.to) {
    reader.error(*entry.value, "quiet ends when it begins: such a target would never be told of anything");
    return;
  }
  notify.quiet = std::move(quiet);
}

// Names of members that a context has, where it has some.
void check_members(Reader& reader, const YamlEntry& entry, const workflow::TextPart& part) {
  for (const auto& reference : part.expression->references()) {
    const auto context = std::ranges::find(message_contexts(), reference.path.front(), &MessageContext::name);
    if (context == message_contexts().end() || reference.path.size() < 2) continue;
    const auto& members = context->members;
    if (std::ranges::find(members, reference.path[1]) != members.end()) continue;
    reader.error(*entry.value, fmt::format("{} has no \"{}\"", context->name, reference.path[1]),
                 members.empty() ? fmt::format("{} is a text itself", context->name)
                                 : "there are " + text::quoted_list(members, "and"));
  }
}

void read_text(Reader& reader, const YamlEntry& entry, Notify& notify) {
  if (!entry.value->is_scalar() || entry.value->is_null()) {
    reader.error(*entry.value, fmt::format("template must be a text, not {}", entry.value->kind_name()));
    return;
  }
  const std::string& text = entry.value->text();
  const auto parts = workflow::split_text(text);
  if (!parts) {
    reader.error(*entry.value, parts.error().message, parts.error().hint);
    return;
  }
  std::vector<std::string_view> names;
  for (const auto& context : message_contexts()) names.push_back(context.name);
  const workflow::Scope scope{.place = "notify's template", .contexts = names};
  bool good = true;
  for (const auto& part : *parts) {
    if (!part.expression) continue;
    for (const auto& error : part.expression->check(scope)) {
      reader.error(*entry.value, error.message, error.hint);
      good = false;
    }
    if (good) check_members(reader, entry, part);
  }
  if (good) notify.text = text;
}

void read_format(Reader& reader, const YamlEntry& entry, Notify& notify) {
  static constexpr std::array<std::string_view, 2> kFormats = {"slack", "json"};
  const auto index = reader.choice(*entry.value, kFormats);
  if (index) notify.format = *index == 0 ? NotifyFormat::kSlack : NotifyFormat::kJson;
}

void read_server(Reader& reader, const YamlEntry& entry, Mail& mail) {
  std::string address;
  reader.read(*entry.value, address);
  const auto server = mail_server(address);
  if (!server) {
    reader.error(*entry.value, server.error().message);
    return;
  }
  mail.host = server->host;
  mail.port = server->port;
  mail.implicit_tls = server->implicit_tls;
}

void read_from(Reader& reader, const YamlEntry& entry, Mail& mail) {
  std::string address;
  reader.read(*entry.value, address);
  if (const auto from = mail_address(address)) {
    mail.from = *from;
  } else {
    reader.error(*entry.value, fmt::format("\"{}\" is not a mail address, expected name@example.com", address));
  }
}

void read_tls(Reader& reader, const YamlEntry& entry, Mail& mail) {
  static constexpr std::array<std::string_view, 2> kWords = {"required", "off"};
  const auto index = reader.choice(*entry.value, kWords);
  if (index) mail.tls = *index == 0;
}

}  // namespace

const std::vector<MessageContext>& message_contexts() {
  static const std::vector<MessageContext> kContexts = {
      {"message", {"text", "severity", "subject", "event", "time"}},
      {"repo", {}},
      {"model", {}},
      {"endpoint", {}},
      {"environment", {}},
      {"run", {}},
      {"links", {"server", "page", "run", "model", "decide"}},
  };
  return kContexts;
}

std::span<const Key<Notify>> notify_keys() {
  static constexpr std::array kKeys = {
      Key<Notify>{"to", "A webhook, or mailto: and an address.",
                  R"({"type": "string", "examples": ["${{ secrets.SLACK_WEBHOOK }}", "mailto:ml@example.com"]})",
                  read_to},
      Key<Notify>{"severity", "Alerts and notifications of these severities are sent.",
                  R"({"$ref": "#/$defs/severities", "default": ["page", "warning"], "examples": [["page"]]})",
                  [](Reader& reader, const YamlEntry& entry, Notify& notify) {
                    read_severities(reader, entry, notify.severities);
                  }},
      Key<Notify>{"events", "These events are sent instead.",
                  R"({"$ref": "#/$defs/events", "default": [], "examples": [["gate.refused"]]})", read_events},
      Key<Notify>{"environments", "Only what is about environments of these names or patterns.",
                  R"({"$ref": "#/$defs/texts", "default": [], "examples": [["production", "eu-*"]]})",
                  [](Reader& reader, const YamlEntry& entry, Notify& notify) {
                    read_patterns(reader, entry, notify.environments);
                  }},
      Key<Notify>{
          "models", "Only what is about models of these names or patterns.",
          R"({"$ref": "#/$defs/texts", "default": [], "examples": [["flight-*"]]})",
          [](Reader& reader, const YamlEntry& entry, Notify& notify) { read_patterns(reader, entry, notify.models); }},
      Key<Notify>{
          "reviewer", "The reviewer who alone reads there: requests for approval bring a link by which they decide.",
          R"({"type": "string", "default": "", "examples": ["alice"]})",
          [](Reader& reader, const YamlEntry& entry, Notify& notify) { reader.read(*entry.value, notify.reviewer); }},
      Key<Notify>{"quiet", "Hours in which messages wait; those of a night are then sent as one.",
                  R"({"$ref": "#/$defs/quiet", "examples": [{"from": "22:00", "to": "07:00"}]})", read_quiet},
      Key<Notify>{"template", "What is sent, with expressions over message, repo, model, environment and links.",
                  R"({"type": "string", "default": "",
                      "examples": ["${{ message.text }} ${{ links.page }}"]})",
                  read_text},
      Key<Notify>{"format", "What a webhook gets: Slack's messages, or all that is known as JSON.",
                  R"({"enum": ["slack", "json"], "examples": ["json"]})", read_format},
      Key<Notify>{
          "secret", "Signs what a webhook gets by Standard Webhooks.",
          R"({"type": "string", "default": "", "examples": ["${{ secrets.HOOK_SECRET }}"]})",
          [](Reader& reader, const YamlEntry& entry, Notify& notify) { read_secret(reader, entry, notify.secret); }},
  };
  return kKeys;
}

std::span<const Key<Quiet>> quiet_keys() {
  static constexpr std::array kKeys = {
      Key<Quiet>{
          "from", "The time of day from which messages wait.",
          R"({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$|\\$\\{\\{", "examples": ["22:00"]})",
          [](Reader& reader, const YamlEntry& entry, Quiet& quiet) { read_quiet_time(reader, entry, quiet.from); }},
      Key<Quiet>{
          "to", "The time of day at which they are sent, maybe of the next day.",
          R"({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$|\\$\\{\\{", "examples": ["07:00"]})",
          [](Reader& reader, const YamlEntry& entry, Quiet& quiet) { read_quiet_time(reader, entry, quiet.to); }},
      Key<Quiet>{"time_zone", "Whose clocks are meant.",
                 R"({"type": "string", "default": "UTC", "examples": ["Europe/Berlin"]})", read_time_zone},
      Key<Quiet>{
          "except", "Severities that do not wait.",
          R"({"$ref": "#/$defs/severities", "default": ["page"], "examples": [["page", "warning"]]})",
          [](Reader& reader, const YamlEntry& entry, Quiet& quiet) { read_severities(reader, entry, quiet.except); }},
  };
  return kKeys;
}

std::span<const Key<Mail>> mail_keys() {
  static constexpr std::array kKeys = {
      Key<Mail>{"server", "smtps:// (TLS at once, port 465) or smtp:// (STARTTLS, port 587) and a host.",
                R"({"type": "string", "examples": ["smtps://smtp.example.com", "smtp://smtp.example.com:587"]})",
                read_server},
      Key<Mail>{"from", "The address that mail comes from.", R"({"type": "string", "examples": ["weir@example.com"]})",
                read_from},
      Key<Mail>{
          "user", "Who logs in there; without one nobody does.",
          R"({"type": "string", "default": "", "examples": ["weir@example.com"]})",
          [](Reader& reader, const YamlEntry& entry, Mail& mail) { reader.read_template(*entry.value, mail.user); }},
      Key<Mail>{"password", "Its password, kept as a secret.",
                R"({"type": "string", "default": "", "examples": ["${{ secrets.SMTP_PASSWORD }}"]})",
                [](Reader& reader, const YamlEntry& entry, Mail& mail) { read_secret(reader, entry, mail.password); }},
      Key<Mail>{"tls", "off: the way to smtp:// is safe without TLS. A password is not sent there.",
                R"({"enum": ["required", "off"], "default": "required", "examples": ["required"]})", read_tls},
  };
  return kKeys;
}

void read_notify(Reader& reader, const YamlEntry& entry, Config& config) {
  if (!entry.value->is_sequence()) {
    reader.error(*entry.value, fmt::format("notify must be a list, not {}", entry.value->kind_name()),
                 "begin each address with \"- to: …\"");
    return;
  }
  for (const auto* item : entry.value->items()) {
    Notify notify;
    read_map(reader, *item, notify_keys(), notify, "an entry of notify");
    if (item->is_map() && item->find("to") == nullptr) reader.error(*item, "an entry of notify needs `to`, an address");
    const bool mails = notify.to.text.starts_with("mailto:");
    if (mails && (!notify.secret.text.empty() || notify.format)) {
      reader.error(*item, "`secret` and `format` are for webhooks, not for mail");
    }
    config.notify.push_back(std::move(notify));
  }
}

void read_mail(Reader& reader, const YamlEntry& entry, Config& config) {
  Mail mail;
  read_map(reader, *entry.value, mail_keys(), mail, "mail");
  if (!entry.value->is_map()) return;
  for (const std::string_view needed : {"server", "from"}) {
    if (entry.value->find(needed) == nullptr) reader.error(*entry.value, fmt::format("mail needs `{}`", needed));
  }
  if (!mail.user.text.empty() && entry.value->find("password") == nullptr) {
    reader.error(*entry.value, "mail has a `user` and no `password`",
                 "keep one with `weir secret set SMTP_PASSWORD` and write password: \"${{ secrets.SMTP_PASSWORD }}\"");
  }
  if (mail.implicit_tls && !mail.tls)
    reader.error(*entry.value, "smtps:// is TLS: it goes not together with `tls: off`");
  config.mail = std::move(mail);
}

}  // namespace weir::config
