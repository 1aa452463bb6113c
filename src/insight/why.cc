#include "insight/why.h"

#include <algorithm>
#include <charconv>

#include "insight/history.h"

namespace weir::insight {
namespace {

namespace event_type = types::event_type;
using types::Event;

constexpr std::string_view kProduction = "production";

Link link_of(const Event& event, std::string kind, std::string title) {
  return {.kind = std::move(kind),
          .title = std::move(title),
          .time = event.time,
          .actor = event.actor,
          .subject = event.subject,
          .event = event.sequence};
}

// The first line of a text, short enough for a line of a tree.
std::string short_text(std::string_view text, std::size_t characters_max = 100) {
  text = text.substr(0, text.find('\n'));
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;
    if (++characters > characters_max) return std::string(text.substr(0, i)) + "…";
  }
  return std::string(text);
}

std::string number_text(double value) {
  return fmt::format("{:.5g}", value);
}

std::string short_id(std::string_view id) {
  return std::string(id.substr(0, 8));
}

std::string joined(const Event& event, std::string_view key) {
  std::string text;
  const auto* list = json_find(event.payload, key);
  if (list == nullptr || !list->is_array()) return text_of(event, key);
  for (const auto& item : list->get_array()) {
    if (!text.empty()) text += ", ";
    text += item.is_string() ? std::string(item.get_string()) : json::serialize(item);
  }
  return text;
}

Link commit_link(const Commit& commit) {
  Link link{.kind = "commit",
            .title = fmt::format("commit {}: {}", short_id(commit.id), short_text(commit.message)),
            .time = commit.time,
            .actor = commit.author,
            .subject = "commit/" + commit.id};
  return link;
}

Link push_link(const Event& event) {
  std::string ref = text_of(event, "ref");
  if (ref.starts_with("refs/heads/")) ref = ref.substr(std::string_view("refs/heads/").size());
  const std::string repository = event.subject.starts_with("repo/") ? event.subject.substr(5) : event.subject;
  return link_of(event, "push",
                 fmt::format("push of {} to {} of {}", short_id(text_of(event, "after")), ref, repository));
}

// An event of the log that needs no story of its own; empty kind for those that would only repeat others.
Link plain_link(const Event& event) {
  const auto is = [&](std::string_view type) { return event.type == type; };
  if (is(event_type::kRepoPushed)) return push_link(event);
  if (is(event_type::kRetrainTriggered)) {
    auto link = link_of(event, "retrain", "retraining was triggered: " + short_text(joined(event, "reasons"), 200));
    if (const auto until = text_of(event, "data_until"); !until.empty()) link.details.emplace_back("data until", until);
    return link;
  }
  if (is(event_type::kDriftDetected)) {
    auto link = link_of(event, "drift", "drift was detected on " + event.subject);
    if (const auto columns = joined(event, "columns"); !columns.empty()) link.details.emplace_back("columns", columns);
    if (const auto score = json_double(event.payload, "value")) link.details.emplace_back("score", number_text(*score));
    return link;
  }
  if (is(event_type::kAlertFired)) {
    std::string what = text_of(event, "message");
    if (what.empty()) what = text_of(event, "alert");
    auto link = link_of(event, "alert", "alert: " + short_text(what));
    if (const auto value = json_double(event.payload, "value")) link.details.emplace_back("value", number_text(*value));
    return link;
  }
  if (is(event_type::kAliasSet)) {
    return link_of(event, "alias",
                   fmt::format("alias {} was set to version {}", text_of(event, "alias"), text_of(event, "version")));
  }
  if (is(event_type::kStageSet)) {
    return link_of(event, "stage",
                   fmt::format("version {} was moved to stage {}", text_of(event, "version"), text_of(event, "stage")));
  }
  return {};
}

Link approval_link(const Event& granted, std::optional<Event> requested) {
  std::string by = text_of(granted, "by");
  if (by.empty()) by = granted.actor;
  std::string title = by == "weir" ? std::string("no review was needed") : fmt::format("approved by {}", by);
  if (json_bool_or(granted.payload, "bypassed", false)) title += " (as an admin, past the reviewers)";
  if (const auto comment = text_of(granted, "comment"); !comment.empty()) title += ": " + short_text(comment);
  auto link = link_of(granted, "approval", std::move(title));
  if (const auto environment = text_of(granted, "environment"); !environment.empty()) {
    link.details.emplace_back("environment", environment);
  }
  if (requested) {
    link.causes.push_back(
        link_of(*requested, "request",
                fmt::format("{} asked for it: {}", requested->actor, short_text(text_of(*requested, "summary")))));
  }
  return link;
}

Link gate_link(const Event& event) {
  const bool passed = event.type == event_type::kGatePassed;
  std::string against;
  if (const auto* champion = json_find(event.payload, "champion"); champion != nullptr && champion->is_object()) {
    against = " against version " + json_string_or(*champion, "version", "?");
  } else {
    against = " (a first release)";
  }
  auto link = link_of(event, "gate", (passed ? "the gate passed" : "the gate refused") + against);
  const auto* findings = json_find(event.payload, "findings");
  if (findings == nullptr || !findings->is_array()) return link;
  for (const auto& finding : findings->get_array()) {
    const auto value = json_double(finding, "candidate");
    std::string outcome = value ? number_text(*value) : "-";
    if (const auto champion = json_double(finding, "champion")) outcome += " (champion " + number_text(*champion) + ")";
    outcome += json_bool_or(finding, "passed", false) ? " holds" : " fails";
    link.details.emplace_back(json_string_or(finding, "rule", ""), std::move(outcome));
  }
  return link;
}

Link experiment_link(const ExperimentRun& run) {
  Link link{.kind = "experiment",
            .title = fmt::format("experiment run {}{}", short_id(run.run_id), run.name.empty() ? "" : " " + run.name),
            .time = run.started_at,
            .subject = "experiment/" + run.run_id};
  for (const auto& [name, value] : run.metrics) link.details.emplace_back(name, number_text(value));
  for (const auto& dataset : run.datasets) {
    link.details.emplace_back(dataset.context.empty() ? "data" : dataset.context + " data",
                              fmt::format("{} {}", dataset.name, dataset.digest));
  }
  return link;
}

// Builds links; each function ends where the log or the sources know no more.
class Teller {
 public:
  Teller(store::Reader& reader, const Sources& sources) : reader_(reader), sources_(sources) {}

  Result<Link> run(const Event& created, const std::optional<Commit>& commit) {
    auto link = link_of(
        created, "run",
        fmt::format("workflow run {} of {}", created.subject.substr(created.subject.find('/') + 1),
                    text_of(created, "workflow").empty() ? text_of(created, "path") : text_of(created, "workflow")));
    if (const auto reason = text_of(created, "reason"); !reason.empty()) link.details.emplace_back("reason", reason);
    link.details.emplace_back("event", text_of(created, "event"));
    Link* at = &link;
    for (const auto& cause : WEIR_TRY(causes_of(reader_, created))) {
      auto next = plain_link(cause);
      if (next.kind.empty()) continue;
      at->causes.push_back(std::move(next));
      at = &at->causes.back();
    }
    const std::string id = text_of(created, "commit");
    if (commit) {
      at->causes.push_back(commit_link(*commit));
    } else if (!id.empty()) {
      link.details.emplace_back("commit", short_id(id));
    }
    return link;
  }

  Result<Link> version(std::string_view model, std::string_view number, std::int64_t before) {
    const Origin origin = WEIR_TRY(origin_of_version(reader_, sources_, model, number, before));
    commit_ = origin.commit;
    if (!origin.version) {
      return Link{.kind = "version",
                  .title = fmt::format("{} version {}, of which the log has no beginning", model, number),
                  .subject = fmt::format("model/{}/{}", model, number)};
    }
    auto link = link_of(*origin.version, "version", fmt::format("{} version {} was registered", model, number));
    Link* at = &link;
    if (origin.experiment) {
      link.causes.push_back(experiment_link(*origin.experiment));
      at = &link.causes.back();
    } else if (const auto run_id = text_of(*origin.version, "run_id"); !run_id.empty()) {
      link.details.emplace_back("experiment run", short_id(run_id));
    }
    if (origin.run) at->causes.push_back(WEIR_TRY(run(*origin.run, origin.commit)));
    return link;
  }

  // The verdict that let a version through: the newest about it or the run that it came from.
  Result<std::optional<Link>> gate(std::string_view model, std::string_view number, std::int64_t before) {
    const auto created =
        WEIR_TRY(newest(reader_, fmt::format("model/{}/{}", model, number), {event_type::kVersionCreated}, before));
    const std::string run_id = created ? text_of(*created, "run_id") : "";
    std::int64_t bound = before;
    while (true) {
      const auto event = WEIR_TRY(
          newest(reader_, fmt::format("model/{}", model), {event_type::kGatePassed, event_type::kGateRefused}, bound));
      if (!event) return std::optional<Link>{};
      const auto* candidate = json_find(event->payload, "candidate");
      if (candidate != nullptr) {
        const std::string judged = json_string_or(*candidate, "version", "");
        const bool same_run = !run_id.empty() && json_string_or(*candidate, "run_id", "") == run_id;
        if (judged == number || (judged.empty() && same_run) || same_run) return std::optional(gate_link(*event));
      }
      bound = event->sequence;
    }
  }

  // Who agreed that `switched` may happen: found in its causes, by its payload, or by the job that asked for it.
  Result<std::optional<Link>> approval(const Event& switched, const std::vector<Event>& causes) {
    std::optional<Event> granted;
    std::string job = text_of(switched, "job");
    for (const auto& cause : causes) {
      if (!granted && cause.type == event_type::kApprovalGranted) granted = cause;
      if (job.empty()) job = cause.subject.starts_with("job/") ? cause.subject.substr(4) : text_of(cause, "job");
    }
    if (const auto id = text_of(switched, "approval"); !granted && !id.empty()) {
      granted = WEIR_TRY(newest(reader_, "approval/" + id, {event_type::kApprovalGranted}, switched.sequence));
    }
    if (!granted && !job.empty()) granted = WEIR_TRY(approval_of_job(job, switched.sequence));
    if (!granted) return std::optional<Link>{};
    auto requested = WEIR_TRY(newest(reader_, granted->subject, {event_type::kApprovalRequested}, granted->sequence));
    return std::optional(approval_link(*granted, std::move(requested)));
  }

  Result<Why> endpoint(std::string_view name, std::string_view environment) {
    const std::string shown = fmt::format("{}@{}", name, environment);
    const std::string subject = "endpoint/" + shown;
    const auto event =
        WEIR_TRY(newest(reader_, subject, {event_type::kRolloutSwitched, event_type::kRolloutRolledBack}));
    if (!event) {
      return fail(Code::kNotFound, "nothing ever went live on {}; `weir events` shows what happened", shown);
    }
    const bool back = event->type == event_type::kRolloutRolledBack;
    std::string model = text_of(*event, "model");
    std::string version_number = text_of(*event, "version");
    if (model.empty()) model = WEIR_TRY(model_of(subject));
    std::string previous = text_of(*event, "previous");
    if (previous == "0") previous.clear();  // nothing was live before

    Why why{.subject = shown};
    why.root = link_of(*event, back ? "rolled_back" : "switched",
                       fmt::format("{} version {} {}{}", model, version_number, back ? "came back" : "went live",
                                   previous.empty() ? "" : fmt::format(" (before: version {})", previous)));
    if (const auto reason = text_of(*event, "reason"); !reason.empty()) why.root.details.emplace_back("reason", reason);
    const auto causes = WEIR_TRY(causes_of(reader_, *event));
    if (back) {
      for (const auto& cause : causes) {
        if (auto link = plain_link(cause); !link.kind.empty()) why.root.causes.push_back(std::move(link));
      }
      // The story of the version is that of the time when it first went live.
      if (auto first = WEIR_TRY(switch_of(subject, version_number, event->sequence))) {
        why.root.causes.push_back(WEIR_TRY(went_live(*first, model, version_number)));
      } else {
        why.root.causes.push_back(WEIR_TRY(version(model, version_number, event->sequence)));
      }
    } else {
      WEIR_TRY(add_story(why.root, *event, causes, model, version_number));
    }
    why.answer = fmt::format("{} serves version {} of {} since {}{}{}", shown, version_number, model,
                             to_iso8601(std::chrono::floor<std::chrono::seconds>(event->time)),
                             back ? ", after a rollback" : "", because());
    return why;
  }

  [[nodiscard]] std::string because() const {
    std::string text;
    if (!approved_.empty()) text += ", " + approved_;
    if (commit_) {
      text += fmt::format(", made from commit {} by {}", short_id(commit_->id), commit_->author);
    }
    return text;
  }

 private:
  Result<std::optional<Event>> approval_of_job(std::string_view job, std::int64_t before) {
    // Approvals are few, and the one that is looked for is among the newest.
    const auto ids = WEIR_TRY(reader_.all<std::int64_t>(
        "SELECT sequence FROM events WHERE type = ? AND sequence < ? ORDER BY sequence DESC LIMIT 500",
        {event_type::kApprovalGranted, before}, [](const store::Row& row) { return row.integer(0); }));
    for (const auto id : ids) {
      auto event = WEIR_TRY(store::event_at(reader_, id));
      if (event && (text_of(*event, "job") == job || text_of(*event, "subject") == fmt::format("job/{}", job)))
        return event;
    }
    return std::optional<Event>{};
  }

  // The model of an endpoint from the newest event that names it.
  Result<std::string> model_of(std::string_view subject) {
    for (const auto& event : WEIR_TRY(store::events_about(reader_, subject, 100))) {
      if (auto model = text_of(event, "model"); !model.empty()) return model;
    }
    return "";
  }

  Result<std::optional<Event>> switch_of(const std::string& subject, std::string_view number, std::int64_t before) {
    std::int64_t bound = before;
    while (true) {
      auto event = WEIR_TRY(newest(reader_, subject, {event_type::kRolloutSwitched}, bound));
      if (!event || text_of(*event, "version") == number) return event;
      bound = event->sequence;
    }
  }

  Result<Link> went_live(const Event& event, const std::string& model, const std::string& number) {
    auto link = link_of(event, "switched", fmt::format("{} version {} went live", model, number));
    const auto causes = WEIR_TRY(causes_of(reader_, event));
    WEIR_TRY(add_story(link, event, causes, model, number));
    return link;
  }

  Result<void> add_story(Link& link, const Event& event, const std::vector<Event>& causes, const std::string& model,
                         const std::string& number) {
    if (auto approved = WEIR_TRY(approval(event, causes))) {
      if (approved->title.starts_with("approved by")) {
        approved_ = approved->title.substr(0, std::min(approved->title.find(':'), approved->title.find(" (")));
      }
      link.causes.push_back(*std::move(approved));
    }
    for (const auto& cause : causes) {
      if (cause.type != event_type::kAliasSet && cause.type != event_type::kStageSet) continue;
      link.causes.push_back(plain_link(cause));
      break;
    }
    if (auto verdict = WEIR_TRY(gate(model, number, event.sequence))) link.causes.push_back(*std::move(verdict));
    link.causes.push_back(WEIR_TRY(version(model, number, event.sequence)));
    return {};
  }

  store::Reader& reader_;
  const Sources& sources_;
  std::optional<Commit> commit_;
  std::string approved_;
};

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<Why> why_run(store::Reader& reader, const Sources& sources, Teller& teller, std::int64_t id) {
  Origin origin;
  WEIR_TRY(add_run(reader, sources, id, origin));
  if (!origin.run) return fail(Code::kNotFound, "there is no workflow run {}", id);
  Why why{.subject = fmt::format("run/{}", id), .root = WEIR_TRY(teller.run(*origin.run, origin.commit))};
  why.answer = fmt::format("run {} was started at {} by {}", id, to_iso8601(why.root.time), why.root.actor);
  return why;
}

Result<Why> why_version(store::Reader& reader, Teller& teller, std::string_view model, std::string_view number) {
  const std::string subject = fmt::format("model/{}/{}", model, number);
  if (!WEIR_TRY(newest(reader, subject, {event_type::kVersionCreated}))) {
    return fail(Code::kNotFound, "there is no version {} of model {}", number, model);
  }
  Why why{.subject = subject, .root = WEIR_TRY(teller.version(model, number, 0))};
  if (auto verdict = WEIR_TRY(teller.gate(model, number, 0))) {
    why.root.causes.insert(why.root.causes.begin(), *std::move(verdict));
  }
  why.answer = fmt::format("version {} of {} was registered at {}{}", number, model, to_iso8601(why.root.time),
                           teller.because());
  return why;
}

Result<Why> why_event(store::Reader& reader, std::int64_t sequence) {
  const auto event = WEIR_TRY(store::event_at(reader, sequence));
  if (!event) return fail(Code::kNotFound, "there is no event {}", sequence);
  Why why{.subject = fmt::format("#{}", sequence)};
  why.root = link_of(*event, event->type, fmt::format("{} {}", event->type, event->subject));
  Link* at = &why.root;
  for (const auto& cause : WEIR_TRY(causes_of(reader, *event))) {
    at->causes.push_back(link_of(cause, cause.type, fmt::format("{} {}", cause.type, cause.subject)));
    at = &at->causes.back();
  }
  why.answer = at == &why.root ? fmt::format("event {} has no cause in the log", sequence)
                               : fmt::format("event {} goes back to {}", sequence, at->title);
  return why;
}

}  // namespace

Result<Why> why(store::Reader& reader, const Sources& sources, std::string_view subject) {
  Teller teller(reader, sources);
  if (subject.starts_with('#')) {
    if (const auto sequence = whole_number(subject.substr(1))) return why_event(reader, *sequence);
  }
  if (subject.starts_with("run/")) {
    if (const auto id = whole_number(subject.substr(4))) return why_run(reader, sources, teller, *id);
  }
  if (subject.starts_with("endpoint/")) subject.remove_prefix(std::string_view("endpoint/").size());
  if (subject.starts_with("model/")) subject.remove_prefix(std::string_view("model/").size());
  if (const auto slash = subject.find('/'); slash != std::string_view::npos) {
    return why_version(reader, teller, subject.substr(0, slash), subject.substr(slash + 1));
  }
  if (subject.empty()) {
    return fail(Code::kInvalidArgument,
                "why what? An endpoint (flights@production), a version (flight-delay/3), a run "
                "(run/7) or an event (#123)");
  }
  const auto at = subject.find('@');
  return teller.endpoint(subject.substr(0, at), at == std::string_view::npos ? kProduction : subject.substr(at + 1));
}

}  // namespace weir::insight
