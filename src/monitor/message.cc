#include "monitor/message.h"

#include <algorithm>
#include <charconv>

#include "event/time_zones.h"
#include "monitor/message_queue.h"
#include "workflow/pattern.h"

namespace weir::monitor {
namespace {

using store::Transaction;

// "" unless `text` begins with `prefix`.
std::string_view after(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : std::string_view{};
}

std::string_view first_part(std::string_view text) {
  return text.substr(0, text.find('/'));
}

std::int64_t number_of(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool matches_one(const std::vector<std::string>& patterns, std::string_view name) {
  if (patterns.empty()) return true;
  std::vector<workflow::Pattern> parsed;
  for (const std::string& one : patterns) {
    if (auto pattern = workflow::Pattern::parse(one)) parsed.push_back(*std::move(pattern));
  }
  return !name.empty() && workflow::matches_any(parsed, name);
}

// Whose weir.yaml names what the message is about.
std::string owner_of(const config::Config& config, const About& about) {
  const auto owner = [&](std::string_view kind, const std::string& name) -> std::string {
    const auto found = config.repositories.find(fmt::format("{}/{}", kind, name));
    return name.empty() || found == config.repositories.end() ? "" : found->second;
  };
  const std::string of_endpoint = owner("endpoint", about.endpoint);
  return of_endpoint.empty() ? owner("model", about.model) : of_endpoint;
}

// Events that somebody should hear of who asked for severities only: a request that waits for a person, and a run
// that failed or ran over a time limit.
bool concerns_people(const types::Event& event) {
  const json::value payload = event.payload;
  if (event.type == types::event_type::kApprovalRequested) {
    const auto* reviewers = json_find(payload, "reviewers");
    return reviewers != nullptr && reviewers->is_array() && !reviewers->get_array().empty();
  }
  if (event.type != types::event_type::kRunCompleted) return false;
  return json_string_or(payload, "conclusion", "") == "failure" || json_bool_or(payload, "timed_out", false);
}

config::Severity severity_of(const types::Event& event) {
  const bool bad = concerns_people(event) || event.type.ends_with(".refused") || event.type.ends_with(".rolled_back") ||
                   event.type.ends_with(".rejected");
  return bad ? config::Severity::kWarning : config::Severity::kInfo;
}

// "gate.refused model/flight-delay: auc is 0.51, at least 0.65 is wanted".
std::string text_of(const types::Event& event) {
  std::string text = fmt::format("{} {}", event.type, event.subject);
  const json::value payload = event.payload;
  for (const std::string_view member : {"message", "reason", "reasons", "summary", "conclusion"}) {
    const std::string said = json_string_or(payload, member, "");
    if (said.empty()) continue;
    return text.append(": ").append(said);
  }
  return text + fmt::format(" (by {})", event.actor);
}

// "refs/heads/main" -> "main", "refs/pull/5/merge" -> "pull request #5"
std::string place_of(std::string_view ref) {
  if (const auto pull = after(ref, "refs/pull/"); !pull.empty()) {
    return fmt::format("pull request #{}", first_part(pull));
  }
  for (const std::string_view prefix : {"refs/heads/", "refs/tags/"}) {
    if (const auto name = after(ref, prefix); !name.empty()) return std::string(name);
  }
  return std::string(ref);
}

// What tells people whether it is theirs to look at: "run.completed run/7: failure, Deploy #3 of flights at main, \"Fix
// the scaler\", started by alice".
std::string text_of(const types::Event& event, const RunFacts& run) {
  const json::value payload = event.payload;
  const auto said = [&](std::string_view member) { return json_string_or(payload, member, ""); };
  auto text = text_of(event);
  if (event.type == types::event_type::kRunCompleted && !said("workflow").empty()) {
    text += fmt::format(", {} #{} of {} at {}", said("workflow"), json_int(payload, "number").value_or(0), said("repo"),
                        place_of(said("ref")));
  }
  if (!run.title.empty()) text += fmt::format(", \"{}\"", run.title);
  if (event.type == types::event_type::kRunCompleted && !run.actor.empty()) {
    text += fmt::format(", started by {}", run.actor);
  }
  if (const auto who = said("requested_by"); event.type == types::event_type::kApprovalRequested && !who.empty()) {
    text += fmt::format(", asked for by {}", who);
  }
  return text;
}

// Gives a request for approval to the entry's reviewer to decide, if it is theirs.
void address_reviewer(Message& message, const config::Notify& entry, const types::Event& event) {
  const json::value payload = event.payload;
  const auto* reviewers = json_find(payload, "reviewers");
  if (entry.reviewer.empty() || reviewers == nullptr || !reviewers->is_array()) return;
  for (const auto& name : reviewers->get_array()) {
    if (!name.is_string() || name.get_string() != entry.reviewer) continue;
    message.approval = number_of(after(event.subject, "approval/"));
    message.reviewer = entry.reviewer;
  }
}

bool takes(const config::Notify& entry, const types::Event& event) {
  if (!entry.events.empty()) return std::ranges::find(entry.events, event.type) != entry.events.end();
  return concerns_people(event) && std::ranges::find(entry.severities, severity_of(event)) != entry.severities.end();
}

// What the subject says by itself.
void read_subject(About& about, std::string_view subject) {
  if (const auto model = after(subject, "model/"); !model.empty()) about.model = first_part(model);
  if (const auto repository = after(subject, "repo/"); !repository.empty()) about.repository = repository;
  if (const auto run = after(subject, "run/"); !run.empty()) about.run = number_of(run);
  if (const auto place = after(subject, "endpoint/"); !place.empty()) {
    const auto at = std::min(place.find('@'), place.size());
    about.endpoint = place.substr(0, at);
    if (at < place.size()) about.environment = place.substr(at + 1);
  }
  for (const std::string_view kind : {"pull/", "issue/"}) {
    const auto rest = after(subject, kind);
    if (rest.empty()) continue;
    about.repository = rest.substr(0, rest.rfind('/'));
    if (kind == "pull/") about.page = fmt::format("#/pulls/{}", rest);
  }
}

void read_payload(About& about, const json::value& payload) {
  const auto take = [&](std::string& into, std::string_view member) {
    if (into.empty()) into = json_string_or(payload, member, "");
  };
  take(about.repository, "repo");
  take(about.model, "model");
  take(about.environment, "environment");
  if (const std::string subject = json_string_or(payload, "subject", ""); about.endpoint.empty()) {
    About named;
    read_subject(named, subject);
    about.endpoint = named.endpoint;
  }
  for (const std::string_view member : {"run", "workflow_run"}) {
    if (about.run == 0) about.run = json_int(payload, member).value_or(0);
  }
}

void choose_page(About& about) {
  if (!about.page.empty()) return;
  if (about.run > 0) {
    about.page = fmt::format("#/runs/{}", about.run);
  } else if (!about.endpoint.empty()) {
    about.page = "#/endpoints/" + about.endpoint;
  } else if (!about.model.empty()) {
    about.page = "#/models/" + about.model;
  }
}

}  // namespace

json::object to_json(const About& about) {
  return {{"event", about.event},       {"repo", about.repository},         {"model", about.model},
          {"endpoint", about.endpoint}, {"environment", about.environment}, {"run", about.run},
          {"page", about.page}};
}

About about_from_json(std::string_view text) {
  const auto parsed = parse_json(text, "what a message is about");
  if (!parsed) return {};
  return {.event = json_string_or(*parsed, "event", ""),
          .repository = json_string_or(*parsed, "repo", ""),
          .model = json_string_or(*parsed, "model", ""),
          .endpoint = json_string_or(*parsed, "endpoint", ""),
          .environment = json_string_or(*parsed, "environment", ""),
          .run = json_int(*parsed, "run").value_or(0),
          .page = json_string_or(*parsed, "page", "")};
}

Result<std::string> repository_of_run(store::Reader& reader, std::int64_t run) {
  constexpr std::int64_t kEventsMax = 100;
  const auto subject = fmt::format("run/{}", run);
  for (const auto& event : WEIR_TRY(store::events_about(reader, subject, kEventsMax))) {
    std::string repository = json_string_or(json::value(event.payload), "repo", "");
    if (!repository.empty()) return repository;
  }
  return std::string();
}

Result<About> about_event(store::Reader& reader, const types::Event& event) {
  About about{.event = event.type};
  read_subject(about, event.subject);
  read_payload(about, event.payload);
  if (about.run > 0 && about.repository.empty()) {
    about.repository = WEIR_TRY(repository_of_run(reader, about.run));
  }
  choose_page(about);
  return about;
}

bool concerns(const config::Notify& entry, const About& about) {
  const bool same = entry.repository.empty() || about.repository.empty() || entry.repository == about.repository;
  return same && matches_one(entry.environments, about.environment) && matches_one(entry.models, about.model);
}

Result<void> queue_message(Transaction& tx, const config::Config& config, const Message& message) {
  Message owned = message;
  if (owned.about.repository.empty()) owned.about.repository = owner_of(config, owned.about);
  choose_page(owned.about);
  for (const config::Notify& entry : config.notify) {
    if (!entry.events.empty() || !concerns(entry, owned.about)) continue;
    if (std::ranges::find(entry.severities, owned.severity) == entry.severities.end()) continue;
    WEIR_TRY(queue_message_to(tx, entry, owned));
  }
  return {};
}

Result<std::int64_t> queue_message_to(Transaction& tx, const config::Notify& entry, const Message& message,
                                      bool at_once) {
  std::optional<TimePoint> until;
  if (entry.quiet && !at_once &&
      std::ranges::find(entry.quiet->except, message.severity) == entry.quiet->except.end()) {
    until = quiet_until(*entry.quiet, tx.now());
  }
  return insert_message(tx, entry, message, until);
}

bool lies_below(std::string_view address, std::string_view known) {
  constexpr std::string_view kEndOfScheme = "://";
  if (!known.starts_with("https://") && !known.starts_with("http://")) return false;
  const auto host = known.find(kEndOfScheme) + kEndOfScheme.size();
  if (host == known.size() || std::string_view("/?#").contains(known[host])) return false;
  if (!address.starts_with(known)) return false;
  const auto rest = address.substr(known.size());
  return rest.empty() || known.ends_with('/') || rest.front() == '/' || rest.front() == '?';
}

Result<std::string> target_for(std::string_view address, const std::map<std::string, std::string>& secrets) {
  constexpr std::string_view kReference = "${{";
  constexpr std::size_t kSecretBytesMin = 6;  // a shorter one is no secret worth a reference
  if (address.find(kReference) != std::string_view::npos) {
    return fail(Code::kInvalidArgument, "\"{}\" holds an expression, expected an address", address);
  }
  if (!address.starts_with("https://") && !address.starts_with("http://")) {
    const std::string_view scheme = address.substr(0, address.find(':'));
    return fail(Code::kInvalidArgument, "an address that begins with \"{}\" cannot be notified, expected https://…",
                scheme);
  }
  std::string target(address);
  for (const auto& [name, value] : secrets) {
    if (value.size() < kSecretBytesMin) continue;
    const std::string reference = fmt::format("${{{{ secrets.{} }}}}", name);
    for (auto at = target.find(value); at != std::string::npos; at = target.find(value, at + reference.size())) {
      target.replace(at, value.size(), reference);
    }
  }
  // A secret whose value is part of such a reference has broken it.
  WEIR_TRY(config::parse_template(target));
  return target;
}

std::optional<TimePoint> quiet_until(const config::Quiet& quiet, TimePoint now) {
  const auto zone = event::load_time_zone(quiet.time_zone);
  if (!zone) return std::nullopt;
  const TimePoint local = now + zone->offset_at(now);
  const TimePoint midnight = std::chrono::floor<std::chrono::days>(local);
  const auto minute = std::chrono::duration_cast<std::chrono::minutes>(local - midnight).count();
  const bool over_night = quiet.to <= quiet.from;
  const bool inside =
      over_night ? minute >= quiet.from || minute < quiet.to : minute >= quiet.from && minute < quiet.to;
  if (!inside) return std::nullopt;
  const bool tomorrow = over_night && minute >= quiet.from;
  const TimePoint end = midnight + std::chrono::days{tomorrow ? 1 : 0} + std::chrono::minutes{quiet.to};
  // A clock that is set back by an hour within the night: the end is still ahead.
  return std::max(zone->instant_of(end), now + std::chrono::seconds{1});
}

bool may_interest(const config::Config& config, const types::Event& event) {
  return std::ranges::any_of(config.notify, [&](const config::Notify& entry) { return takes(entry, event); });
}

Result<void> queue_event(Transaction& tx, const config::Config& config, const types::Event& event,
                         const RunFactsOf& run_facts) {
  About about = WEIR_TRY(about_event(tx, event));
  if (about.repository.empty()) about.repository = owner_of(config, about);
  const bool of_run =
      event.type == types::event_type::kRunCompleted || event.type == types::event_type::kApprovalRequested;
  std::string text;
  for (const config::Notify& entry : config.notify) {
    if (!takes(entry, event) || !concerns(entry, about)) continue;
    if (text.empty()) {
      const bool asks = of_run && about.run > 0 && run_facts;
      text = text_of(event, asks ? WEIR_TRY(run_facts(tx, about.run)) : RunFacts{});
    }
    Message message{.subject = fmt::format("event/{}", event.sequence),
                    .severity = severity_of(event),
                    .text = text,
                    .about = about};
    if (event.type == types::event_type::kApprovalRequested) address_reviewer(message, entry, event);
    WEIR_TRY(queue_message_to(tx, entry, message));
  }
  return {};
}

}  // namespace weir::monitor
