#include "event/schedules.h"

namespace weir::event {

Result<void> store_schedules(store::Transaction& tx, const std::string& repo, const std::vector<WorkflowFile>& files) {
  std::vector<std::pair<std::string, std::string>> wanted;
  for (const auto& file : files) {
    if (!file.workflow) continue;
    for (const auto& item : file.workflow->on.schedule) wanted.emplace_back(file.path, item.cron.text());
  }
  const auto known = WEIR_TRY((tx.all<std::pair<std::string, std::string>>(
      "SELECT path, cron FROM event_schedules WHERE repo = ?", {repo},
      [](const store::Row& row) { return std::pair(row.string(0), row.string(1)); })));
  for (const auto& [path, cron] : known) {
    if (std::ranges::find(wanted, std::pair(path, cron)) != wanted.end()) continue;
    WEIR_TRY(tx.execute("DELETE FROM event_schedules WHERE repo = ? AND path = ? AND cron = ?", {repo, path, cron}));
  }
  for (const auto& [path, cron] : wanted) {
    WEIR_TRY(
        tx.execute("INSERT INTO event_schedules(repo, path, cron, last_fired) VALUES(?, ?, ?, ?) "
                   "ON CONFLICT(repo, path, cron) DO NOTHING",
                   {repo, path, cron, tx.now()}));
  }
  return {};
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
        "SELECT repo, path, cron, last_fired FROM event_schedules ORDER BY repo, path, cron", {},
        [](const store::Row& row) { return Due{row.string(0), row.string(1), row.string(2), row.time(3)}; });
  });
  if (!rows) {
    deps_.log->error("cannot read the schedules: {}", rows.error().message);
    return;
  }
  for (const auto& row : *rows) {
    const auto cron = workflow::Cron::parse(row.cron);
    if (!cron) continue;
    const auto next = cron->next(row.last_fired);
    if (!next || *next > deps_.clock->now()) continue;
    if (const auto fired = fire(row); !fired) {
      deps_.log->error("schedule \"{}\" of {} in {}: {}", row.cron, row.path, row.repo, fired.error().message);
    }
  }
}

Result<void> Schedules::fire(const Due& due) {
  const auto source = WEIR_TRY(open_source(deps_, due.repo));
  const auto commit = WEIR_TRY(source.git.resolve(source.default_ref));
  const auto file = WEIR_TRY(find_workflow_file(source.git, commit, due.path));
  auto request = request_for(source, file, commit, source.default_ref, "weir");
  request.event_name = "schedule";
  request.event_payload = schedule_payload(facts_of(deps_, source, "weir"), due.path, due.cron);
  request.title = title_of(WEIR_TRY(source.git.commit(commit)));
  request.reason = fmt::format("schedule {}", due.cron);
  const auto prepared = WEIR_TRY(deps_.starter->prepare(std::move(request)));
  deps_.db->write_async(
      [due, prepared, starter = deps_.starter](store::Transaction& tx) -> Result<void> {
        const auto changed = WEIR_TRY(tx.execute(
            "UPDATE event_schedules SET last_fired = ? WHERE repo = ? AND path = ? AND cron = ? AND last_fired = ?",
            {tx.now(), due.repo, due.path, due.cron, due.last_fired}));
        if (changed == 0) return {};  // an earlier tick's write was still under way
        WEIR_TRY(starter->insert(tx, prepared));
        return {};
      },
      [&log = *deps_.log, due](Result<void> result) {
        if (!result) log.error("schedule \"{}\" of {}: {}", due.cron, due.repo, result.error().message);
      });
  return {};
}

}  // namespace weir::event
