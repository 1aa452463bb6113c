#include "event/schedules.h"

#include <algorithm>
#include <set>

#include "base/hash.h"
#include "event/time_zones.h"

namespace weir::event {

namespace {

// What comes later than this was missed.
constexpr auto kLate = std::chrono::minutes{5};
// Of ticks that are made up for one by one.
constexpr int kMadeUpMax = 100;

struct Place {
  std::string path;
  std::string cron;
  std::string timezone;
  friend auto operator<=>(const Place&, const Place&) = default;
};

// A part of `jitter` that is always the same for a schedule, and less than half of what lies between two of its times.
Duration shift_of(std::string_view repo, std::string_view path, std::string_view cron, Duration jitter, Duration gap) {
  const auto most = std::min(jitter, gap / 2).count();
  if (most <= 0) return Duration{0};
  const auto hash = sha256_hex(fmt::format("{}\n{}\n{}", repo, path, cron));
  const auto number = std::strtoull(hash.substr(0, 12).c_str(), nullptr, 16);
  return Duration{static_cast<std::int64_t>(number % static_cast<unsigned long long>(most))};
}

// The last time from `at` on that is not after `now`.
template <class Next>
TimePoint last_before(const Next& next, TimePoint at, TimePoint now) {
  // From the end: nobody waits for years of missed minutes.
  constexpr auto kFarBack = std::chrono::hours{24 * 8};
  if (now - at > kFarBack) {
    const auto later = next(now - kFarBack);
    if (later && *later <= now) at = *later;
  }
  for (auto one = next(at); one && *one <= now; one = next(*one)) at = *one;
  return at;
}

}  // namespace

Result<void> store_schedules(store::Transaction& tx, const std::string& repo, const std::vector<WorkflowFile>& files) {
  std::set<Place> wanted;
  for (const auto& file : files) {
    if (!file.workflow) continue;
    for (const auto& item : file.workflow->on.schedule) wanted.insert({file.path, item.cron.text(), item.timezone});
  }
  const auto known =
      WEIR_TRY(tx.all<Place>("SELECT path, cron, timezone FROM event_schedules WHERE repo = ?", {repo},
                             [](const store::Row& row) { return Place{row.string(0), row.string(1), row.string(2)}; }));
  for (const auto& place : known) {
    if (wanted.contains(place)) continue;
    WEIR_TRY(tx.execute("DELETE FROM event_schedules WHERE repo = ? AND path = ? AND cron = ? AND timezone = ?",
                        {repo, place.path, place.cron, place.timezone}));
  }
  for (const auto& place : wanted) {
    WEIR_TRY(
        tx.execute("INSERT INTO event_schedules(repo, path, cron, timezone, last_fired) VALUES(?, ?, ?, ?, ?) "
                   "ON CONFLICT(repo, path, cron, timezone) DO NOTHING",
                   {repo, place.path, place.cron, place.timezone, tx.now()}));
  }
  return {};
}

Result<std::vector<ScheduleView>> list_schedules(store::Database& db, TimePoint now) {
  auto views = WEIR_TRY(db.load<std::vector<ScheduleView>>([](store::Reader& reader) {
    return reader.all<ScheduleView>(
        "SELECT repo, path, cron, timezone, last_fired FROM event_schedules ORDER BY repo, path, cron, timezone", {},
        [](const store::Row& row) {
          return ScheduleView{row.string(0), row.string(1), row.string(2), row.string(3), row.time(4), std::nullopt};
        });
  }));
  for (auto& view : views) {
    const auto cron = workflow::Cron::parse(view.cron);
    if (!cron) continue;
    const auto zone =
        view.timezone.empty() ? Result<workflow::TimeZone>(std::unexpected(Error{})) : load_time_zone(view.timezone);
    if (view.timezone.empty()) view.next = cron->next(now);
    if (zone) view.next = cron->next(now, *zone);
  }
  return views;
}

void Schedules::start() {
  deps_.loop->post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->run();
  });
}

void Schedules::run() {
  const std::scoped_lock lock(mutex_);
  if (stopped_) return;
  tick();
  arm();
}

void Schedules::stop() {
  const std::scoped_lock lock(mutex_);
  stopped_ = true;
}

// At the next full minute: cron knows nothing finer.
void Schedules::arm() {
  const auto now = deps_.clock->now();
  const auto minute = std::chrono::floor<std::chrono::minutes>(now) + std::chrono::minutes{1};
  deps_.loop->after(minute - now, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->run();
  });
}

void Schedules::tick() {
  auto rows = deps_.db->load<std::vector<Due>>([](store::Reader& reader) {
    return reader.all<Due>(
        "SELECT repo, path, cron, timezone, last_fired FROM event_schedules ORDER BY repo, path, cron, timezone", {},
        [](const store::Row& row) {
          return Due{row.string(0), row.string(1), row.string(2), row.string(3), row.time(4)};
        });
  });
  if (!rows) {
    deps_.log->error("cannot read the schedules: {}", rows.error().message);
    return;
  }
  for (const auto& row : *rows) {
    if (const auto looked = look_at(row); !looked) {
      deps_.log->error("schedule \"{}\" of {} in {}: {}", row.cron, row.path, row.repo, looked.error().message);
    }
  }
}

Result<void> Schedules::look_at(const Due& due) {
  const auto rules = deps_.schedule_rules ? deps_.schedule_rules(due.repo) : ScheduleRules{};
  const auto tick = WEIR_TRY(due_tick(due, rules));
  if (!tick) return {};
  const auto late = deps_.clock->now() - tick->at;
  if (rules.missed == ScheduleRules::Missed::kSkip && late > kLate) {
    deps_.log->info("schedule \"{}\" of {} in {} was missed {} ago and is skipped", due.cron, due.path, due.repo,
                    format_duration(late));
    move_on(due, deps_.clock->now());
    return {};
  }
  return fire(due, *tick);
}

Result<std::optional<Schedules::Tick>> Schedules::due_tick(const Due& due, const ScheduleRules& rules) const {
  const auto cron = WEIR_TRY(workflow::Cron::parse(due.cron));
  std::optional<workflow::TimeZone> zone;
  if (!due.timezone.empty()) zone = WEIR_TRY(load_time_zone(due.timezone));
  const auto next = [&](TimePoint after) { return zone ? cron.next(after, *zone) : cron.next(after); };
  const auto now = deps_.clock->now();
  auto at = next(due.last_fired);
  if (!at) return std::nullopt;
  const auto following = next(*at);
  const auto gap = following ? *following - *at : Duration{std::chrono::hours{24}};
  const auto shift = shift_of(due.repo, due.path, due.cron, rules.jitter, gap);
  if (*at + shift > now) return std::nullopt;
  if (rules.missed != ScheduleRules::Missed::kAll) return Tick{.at = last_before(next, *at, now - shift), .fired = now};
  // One after the other; what lies too far back is left out.
  std::vector<TimePoint> missed;
  for (auto one = at; one && *one + shift <= now; one = next(*one)) {
    missed.push_back(*one);
    if (missed.size() > kMadeUpMax) missed.erase(missed.begin());
  }
  return Tick{.at = missed.front() + shift, .fired = missed.front()};
}

Result<void> Schedules::fire(const Due& due, const Tick& tick) {
  const auto source = WEIR_TRY(open_source(deps_, due.repo));
  const auto commit = WEIR_TRY(source.git.resolve(source.default_ref));
  const auto file = WEIR_TRY(find_workflow_file(source.git, commit, due.path));
  auto request = request_for(source, file, commit, source.default_ref, "weir");
  request.event_name = "schedule";
  request.event_payload = schedule_payload(facts_of(deps_, source, "weir"), due.path, due.cron);
  request.title = title_of(WEIR_TRY(source.git.commit(commit)));
  request.reason = due.timezone.empty() ? fmt::format("schedule {}", due.cron)
                                        : fmt::format("schedule {} in {}", due.cron, due.timezone);
  const auto prepared = WEIR_TRY(deps_.starter->prepare(std::move(request)));
  deps_.db->write_async(
      [due, tick, prepared, starter = deps_.starter](store::Transaction& tx) -> Result<void> {
        // Nothing changes if an earlier tick's write was still under way.
        if (WEIR_TRY(set_fired(tx, due, tick.fired))) WEIR_TRY(starter->insert(tx, prepared));
        return {};
      },
      [&log = *deps_.log, due, weak = weak_from_this(),
       again = tick.fired < deps_.clock->now()](const Result<void>& result) {
        if (!result) log.error("schedule \"{}\" of {}: {}", due.cron, due.repo, result.error().message);
        const auto self = weak.lock();
        if (!self || !again || !result) return;
        self->deps_.loop->post([weak] {
          if (const auto alive = weak.lock()) alive->look_again();
        });
      });
  return {};
}

void Schedules::move_on(const Due& due, TimePoint to) {
  deps_.db->write_async(
      [due, to](store::Transaction& tx) -> Result<void> {
        WEIR_TRY(set_fired(tx, due, to));
        return {};
      },
      [](const Result<void>&) {});
}

void Schedules::look_again() {
  const std::scoped_lock lock(mutex_);
  if (!stopped_) tick();
}

Result<bool> Schedules::set_fired(store::Transaction& tx, const Due& due, TimePoint to) {
  return WEIR_TRY(tx.execute("UPDATE event_schedules SET last_fired = ? WHERE repo = ? AND path = ? AND cron = ? "
                             "AND timezone = ? AND last_fired = ?",
                             {to, due.repo, due.path, due.cron, due.timezone, due.last_fired})) > 0;
}

}  // namespace weir::event
