#include "event/data_watcher.h"

#include <time.h>

#include <algorithm>

#include "base/hash.h"
#include "event/data_sources.h"
#include "event/payload.h"
#include "io/file.h"
#include "types/event.h"

namespace weir::event {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr std::int64_t kContentBytesMax = 64LL << 20;          // of a single file whose content is compared
constexpr auto kNoticePause = std::chrono::milliseconds{100};  // a burst of notices is one look
constexpr auto kRetryPause = std::chrono::seconds{1};
// A look that took long is followed by a rest of so many times the processor's time that it took: of a folder that does
// not change the tenth part of a core is spent, of one that does the third, however many files there are.
constexpr int kRestFactor = 10;
constexpr int kRestFactorChanging = 2;

// What this thread has had of the processor.
steady_clock::duration processor_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::duration_cast<steady_clock::duration>(std::chrono::seconds{time.tv_sec} +
                                                            std::chrono::nanoseconds{time.tv_nsec});
}

std::string time_text(std::int64_t nanoseconds) {
  return to_iso8601(from_micros(nanoseconds / 1'000));
}

std::string_view kind_name(config::DataWatch::Kind kind) {
  using Kind = config::DataWatch::Kind;
  return kind == Kind::kFiles ? "files" : kind == Kind::kAddress ? "address" : "dvc";
}

json::value or_null(const json::object& object) {
  return object.empty() ? json::value() : json::value(object);
}

}  // namespace

// What is watched. All but the first four is guarded by mutex_, and changed by the item's lane alone, but for `due`.
struct DataWatcher::Item {
  std::string key;
  std::string repo;
  config::DataWatch data;
  Lane lane = Lane::kFiles;

  // As the database has it.
  bool looked = false;
  std::string digest;  // "": it was not there
  json::object seen;
  std::string problem;
  std::optional<TimePoint> changed_at;
  std::int64_t event = 0;

  std::optional<TimePoint> looked_at;
  std::optional<TimePoint> changing_since;
  std::string candidate;  // the digest of a change that has yet to settle
  std::optional<Steady> candidate_since;
  std::string problem_now;
  std::optional<Steady> problem_since;
  std::set<fs::path> folders;
  bool noticed = false;
  bool noticed_meanwhile = false;
  Steady due;
  steady_clock::duration took{0};

  [[nodiscard]] Duration quiet() const {
    return data.kind() == config::DataWatch::Kind::kDvc ? Duration{0} : data.settle;  // a commit is complete
  }
};

struct DataWatcher::Look {
  bool there = false;
  bool folder = false;
  std::string digest;
  json::object facts;
  FilesFound found;
  std::string left_out;
  std::set<fs::path> folders;
  std::string actor = "weir";
  std::int64_t cause = 0;
  json::object changes;
};

DataWatcher::DataWatcher(DataWatcherDeps deps) : deps_(std::move(deps)) {}

DataWatcher::~DataWatcher() {
  stop();
}

Result<void> DataWatcher::start() {
  WEIR_TRY(io::make_dirs(deps_.listings));
  notices_ = std::make_unique<FileNotices>([this](const std::string& key) {
    const std::scoped_lock lock(mutex_);
    const auto found = items_.find(key);
    if (found == items_.end()) return;
    auto& item = *found->second;
    item.noticed_meanwhile = true;
    if (item.candidate_since) return;
    const auto soon =
        steady_clock::now() + std::max<steady_clock::duration>(kNoticePause, item.took * kRestFactorChanging);
    item.due = std::min(item.due, soon);
    changed_.notify_all();
  });
  subscription_ = deps_.db->subscribe([this](const types::Event& event) { heard(event); });
  files_ = std::jthread([this](const std::stop_token& stop) { work(Lane::kFiles, stop); });
  addresses_ = std::jthread([this](const std::stop_token& stop) { work(Lane::kAddresses, stop); });
  return {};
}

void DataWatcher::stop() {
  subscription_.reset();
  for (auto* thread : {&files_, &addresses_}) thread->request_stop();
  changed_.notify_all();
  for (auto* thread : {&files_, &addresses_}) {
    if (thread->joinable()) thread->join();
  }
  notices_.reset();
}

void DataWatcher::heard(const types::Event& event) {
  const bool configured = event.type == types::event_type::kConfigApplied;
  if (!configured && event.type != types::event_type::kRepoPushed) return;
  const std::scoped_lock lock(mutex_);
  if (configured) outdated_ = true;
  for (auto& [_, item] : items_) {
    const bool concerned = item->data.kind() == config::DataWatch::Kind::kDvc && event.subject == "repo/" + item->repo;
    if (!concerned) continue;
    item->due = steady_clock::now();
    item->noticed_meanwhile = true;
  }
  changed_.notify_all();
}

// Takes the configuration over: what is watched as before goes on, what is new begins with what the database has of it.
Result<void> DataWatcher::reload() {
  {
    const std::scoped_lock lock(mutex_);
    if (!outdated_) return {};
    outdated_ = false;
  }
  const auto watches = deps_.watches();
  std::map<std::string, Item> rows;
  const auto read = deps_.db->read([&](store::Reader& reader) {
    return reader.query("SELECT repo, name, watch, looked, digest, seen, problem, changed_at, event FROM event_data",
                        {}, [&](const store::Row& row) {
                          Item item{.key = row.string(0) + "/" + row.string(1), .repo = row.string(0)};
                          item.data.name = row.string(1);
                          item.data.watch = row.string(2);
                          item.looked = row.boolean(3);
                          item.digest = row.string(4);
                          const auto seen = parse_json(row.text(5), "seen data");
                          if (seen && seen->is_object()) item.seen = seen->get_object();
                          item.problem = item.problem_now = row.string(6);
                          if (!row.is_null(7)) item.changed_at = row.time(7);
                          item.event = row.integer(8);
                          rows.emplace(item.key, std::move(item));
                        });
  });
  const std::scoped_lock lock(mutex_);
  if (!read) {
    outdated_ = true;
    return read;
  }
  auto before = std::exchange(items_, {});
  for (const auto& [repo, list] : watches) {
    for (const auto& data : list) {
      const auto key = repo + "/" + data.name;
      const auto same = before.find(key);
      if (same != before.end() && same->second->data == data) {
        items_[key] = std::move(same->second);
        before.erase(same);
        continue;
      }
      auto item = std::make_shared<Item>();
      const auto row = rows.find(key);
      if (row != rows.end() && row->second.data.watch == data.watch) *item = std::move(row->second);
      item->key = key;
      item->repo = repo;
      item->data = data;
      item->lane = data.kind() == config::DataWatch::Kind::kAddress ? Lane::kAddresses : Lane::kFiles;
      item->due = steady_clock::now();
      items_[key] = std::move(item);
    }
  }
  for (const auto& [key, _] : before) {
    if (!items_.contains(key) && notices_) notices_->set(key, {});
  }
  for (const auto& [key, row] : rows) {
    if (items_.contains(key)) continue;
    // Watched anew later, it begins anew.
    deps_.db->write_async(
        [repo = row.repo, name = row.data.name](store::Transaction& tx) -> Result<void> {
          WEIR_TRY(tx.execute("DELETE FROM event_data WHERE repo = ? AND name = ?", {repo, name}));
          return {};
        },
        [](const Result<void>&) {});
  }
  changed_.notify_all();
  return {};
}

std::shared_ptr<DataWatcher::Item> DataWatcher::next_due(Lane lane, const std::stop_token& stop) {
  const auto first = [&]() -> std::shared_ptr<Item> {
    std::shared_ptr<Item> found;
    for (const auto& [_, item] : items_) {
      if (item->lane == lane && (!found || item->due < found->due)) found = item;
    }
    return found;
  };
  while (!stop.stop_requested()) {
    if (const auto loaded = reload(); !loaded) {
      deps_.log->error("cannot read what data is watched: {}", loaded.error().message);
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, kRetryPause, [] { return false; });
      continue;
    }
    std::unique_lock lock(mutex_);
    const auto item = first();
    if (!item) {
      changed_.wait(lock, stop, [&] { return outdated_ || first() != nullptr; });
      continue;
    }
    const auto due = item->due;
    if (due <= steady_clock::now()) {
      item->noticed_meanwhile = false;
      return item;
    }
    changed_.wait_until(lock, stop, due, [&] {
      const auto now = first();
      return outdated_ || !now || now->due < due;
    });
  }
  return nullptr;
}

void DataWatcher::work(Lane lane, const std::stop_token& stop) {
  while (const auto item = next_due(lane, stop)) handle(*item, stop);
}

void DataWatcher::handle(Item& item, const std::stop_token& stop) {
  const auto begun = steady_clock::now();
  const auto had = processor_time();
  const auto found = look(item, stop);
  if (stop.stop_requested()) return;
  const auto done = found ? compare(item, *found, stop) : has_problem(item, found.error().message);
  bool noticed = false;
  if (found && item.data.kind() == config::DataWatch::Kind::kFiles && found->folders != item.folders) {
    noticed = notices_->set(item.key, found->folders);
  } else {
    noticed = item.noticed;
  }
  if (!done) deps_.log->error("data {} of {}: {}", item.data.name, item.repo, done.error().message);
  const std::scoped_lock lock(mutex_);
  if (found) item.folders = found->folders;
  item.noticed = noticed;
  item.looked_at = deps_.clock->now();
  const auto now = steady_clock::now();
  item.took = processor_time() - had;
  const auto rest = item.took * kRestFactorChanging;
  // A file system that answers slowly is not asked all the time either.
  item.due = now + std::max<steady_clock::duration>({item.data.every, item.took * kRestFactor, now - begun});
  if (item.candidate_since) item.due = std::max(*item.candidate_since + item.quiet(), now + rest);
  if (item.problem_since && item.problem.empty()) item.due = std::min(item.due, *item.problem_since + item.quiet());
  if (item.noticed_meanwhile && !item.candidate_since) {
    item.due = std::min(item.due, now + std::max<steady_clock::duration>(kNoticePause, rest));
  }
  // What cannot be written now (a full disk) is tried again, but not at once.
  if (!done) item.due = std::max(item.due, now + kRetryPause);
}

Result<DataWatcher::Look> DataWatcher::look(const Item& item, const std::stop_token& stop) {
  switch (item.data.kind()) {
    case config::DataWatch::Kind::kFiles: return look_at_folder(item, stop);
    case config::DataWatch::Kind::kDvc: return look_at_repository(item);
    case config::DataWatch::Kind::kAddress: break;
  }
  WEIR_TRY(deps_.roots.allow_address(item.data.watch));
  auto found = WEIR_TRY(look_at_address(item.data.watch));
  return Look{.there = found.there, .digest = std::move(found.digest), .facts = std::move(found.facts)};
}

Result<DataWatcher::Look> DataWatcher::look_at_folder(const Item& item, const std::stop_token& stop) {
  Look look;
  const FilesPass pass{.folder = [&](const fs::path& folder) {
    // One more than are watched says that there are too many.
    if (look.folders.size() <= FileNotices::kFoldersMax) look.folders.insert(folder);
  }};
  look.found = WEIR_TRY(look_at_files(deps_.roots, item.data.watch, pass, stop));
  if (!look.found.there) {
    // Its coming is noticed in the folder above, if that is there.
    const auto place = WEIR_TRY(deps_.roots.allow(literal_part(item.data.watch)));
    std::error_code ignored;
    if (place.path != place.root && fs::is_directory(place.path.parent_path(), ignored)) {
      look.folders.insert(place.path.parent_path());
    }
    return look;
  }
  look.there = true;
  look.folder = look.found.folder;
  look.digest = look.found.digest;
  look.left_out = look.found.left_out;
  if (look.folder) {
    look.facts["files"] = look.found.files;
    look.facts["size"] = look.found.bytes;
    look.facts["newest"] = look.found.files == 0 ? json::value() : json::value(time_text(look.found.newest_ns));
    look.facts["digest"] = look.digest;
  } else {
    look.facts["size"] = look.found.bytes;
    look.facts["mtime"] = time_text(look.found.newest_ns);
  }
  return look;
}

// As the last recorded push left it: its event is the cause, and who pushed is who did it.
Result<DataWatcher::Look> DataWatcher::look_at_repository(const Item& item) {
  const auto git = WEIR_TRY(deps_.git(item.repo));
  const auto ref = git.head_ref().value_or("refs/heads/main");
  struct Pushed {
    std::string object;
    std::int64_t event = 0;
    std::string actor = "weir";
  };
  const auto pushed = WEIR_TRY(deps_.db->load<Pushed>([&](store::Reader& reader) -> Result<Pushed> {
    auto row = WEIR_TRY(reader.first<Pushed>("SELECT object_id, event FROM event_refs WHERE repo = ? AND ref = ?",
                                             {item.repo, ref},
                                             [](const store::Row& it) { return Pushed{it.string(0), it.integer(1)}; }));
    if (!row) return Pushed{};
    if (const auto event = WEIR_TRY(store::event_at(reader, row->event))) row->actor = event->actor;
    return *std::move(row);
  }));
  if (pushed.object.empty() || is_no_object(pushed.object)) return Look{};
  auto found = WEIR_TRY(look_at_dvc(git, pushed.object, item.data.watch));
  return Look{.there = found.there,
              .digest = std::move(found.digest),
              .facts = std::move(found.facts),
              .actor = pushed.actor,
              .cause = pushed.event};
}

Result<void> DataWatcher::compare(Item& item, const Look& look, const std::stop_token& stop) {
  if (!look.there && item.looked && !item.digest.empty()) {
    {
      const std::scoped_lock lock(mutex_);
      item.candidate_since.reset();
      item.changing_since.reset();
    }
    return has_problem(item,
                       fmt::format("{} is not there any more; changes are told once it is back", item.data.watch));
  }
  if (!item.looked) {
    Look first = look;
    if (look.folder) {
      WEIR_TRY(take_listing(item, first, stop));
    } else if (const auto digest = content_digest(deps_.roots, item.data.watch, look.found, kContentBytesMax)) {
      first.facts["sha256"] = *digest;
    }
    WEIR_TRY(store(item, first, false));
  } else if (look.digest == item.digest) {
    const std::scoped_lock lock(mutex_);
    item.candidate_since.reset();
    item.changing_since.reset();
  } else {
    WEIR_TRY(settle(item, look, stop));
  }
  return has_problem(item, look.left_out.empty() ? "" : "it is watched without " + look.left_out);
}

// A change counts once nothing has changed for the quiet interval.
Result<void> DataWatcher::settle(Item& item, Look look, const std::stop_token& stop) {
  const auto restart = [&] {
    const std::scoped_lock lock(mutex_);
    if (!item.candidate_since) item.changing_since = deps_.clock->now();
    item.candidate = look.digest;
    item.candidate_since = steady_clock::now();
  };
  if (!item.candidate_since || item.candidate != look.digest) restart();
  if (steady_clock::now() - *item.candidate_since < item.quiet()) return {};
  if (look.folder) {
    WEIR_TRY(take_listing(item, look, stop));
    if (look.digest != item.candidate) {
      restart();
      return {};
    }
  } else if (const auto digest = content_digest(deps_.roots, item.data.watch, look.found, kContentBytesMax)) {
    look.facts["sha256"] = *digest;
  }
  WEIR_TRY(tell(item, look));
  const std::scoped_lock lock(mutex_);
  item.candidate_since.reset();
  item.changing_since.reset();
  return {};
}

// A second pass, which writes down what there is and names what has changed; gives `look` the digest that it saw.
Result<void> DataWatcher::take_listing(const Item& item, Look& look, const std::stop_token& stop) {
  const fs::path before = item.digest.empty() ? fs::path() : listing_of(item, item.digest);
  ListingWriter writer(listing_of(item, "next"), before, item.digest);
  const auto found = WEIR_TRY(
      look_at_files(deps_.roots, item.data.watch, {.file = [&](const WatchedFile& file) { writer.add(file); }}, stop));
  look.digest = found.digest;
  look.facts["files"] = found.files;
  look.facts["size"] = found.bytes;
  look.facts["newest"] = found.files == 0 ? json::value() : json::value(time_text(found.newest_ns));
  look.facts["digest"] = found.digest;
  auto changes = writer.finish();
  if (!changes) {
    // The change itself is known; only its names are not.
    deps_.log->warning("data {} of {}: {}", item.data.name, item.repo, changes.error().message);
    return {};
  }
  look.changes = changes->to_json();
  std::error_code ignored;
  fs::rename(listing_of(item, "next"), listing_of(item, found.digest), ignored);
  return {};
}

Result<void> DataWatcher::tell(Item& item, const Look& look) {
  const auto had = item.seen.if_contains("sha256");
  const auto has = look.facts.if_contains("sha256");
  // Touched, or written again as it was.
  const bool same = had != nullptr && has != nullptr && *had == *has;
  if (!WEIR_TRY(store(item, look, !same))) {
    // Another one wrote: it was configured anew while this look was under way. What the database has now counts.
    const std::scoped_lock lock(mutex_);
    const auto found = items_.find(item.key);
    if (found != items_.end() && found->second.get() == &item) items_.erase(found);
    outdated_ = true;
    return {};
  }
  if (!same) deps_.log->info("data {} of {} has changed", item.data.name, item.repo);
  return {};
}

// Writes what was seen, with its event if it is a change, unless another one did. Whether it did.
Result<bool> DataWatcher::store(Item& item, const Look& look, bool changed) {
  json::object payload{{"repo", item.repo},
                       {"name", item.data.name},
                       {"kind", kind_name(item.data.kind())},
                       {"before", or_null(item.seen)},
                       {"after", or_null(look.facts)},
                       {"watch", item.data.watch}};
  if (!look.changes.empty()) payload["changes"] = look.changes;
  struct Written {
    bool done = false;
    std::int64_t event = 0;
    TimePoint at;
  };
  const auto written = WEIR_TRY(deps_.db->write_with<Written>([&](store::Transaction& tx) -> Result<Written> {
    Written it{.at = tx.now()};
    const auto digest = WEIR_TRY(tx.first<std::string>(
        "SELECT digest FROM event_data WHERE repo = ? AND name = ? AND watch = ? AND looked = 1",
        {item.repo, item.data.name, item.data.watch}, [](const store::Row& row) { return row.string(0); }));
    if (item.looked && (!digest || *digest != item.digest)) return it;
    it.done = true;
    if (changed) {
      it.event = WEIR_TRY(tx.append({.type = std::string(types::event_type::kDataChanged),
                                     .actor = look.actor,
                                     .subject = fmt::format("data/{}/{}", item.repo, item.data.name),
                                     .cause = look.cause,
                                     .payload = payload}));
    }
    WEIR_TRY(
        tx.execute("INSERT INTO event_data(repo, name, watch, looked, digest, seen, problem, changed_at, event) "
                   "VALUES(?, ?, ?, 1, ?, ?, ?, ?, ?) ON CONFLICT(repo, name) DO UPDATE SET watch = excluded.watch, "
                   "looked = 1, digest = excluded.digest, seen = excluded.seen, "
                   "problem = excluded.problem, changed_at = excluded.changed_at, event = excluded.event",
                   {item.repo, item.data.name, item.data.watch, look.digest, json::serialize(look.facts), item.problem,
                    changed ? std::optional(it.at) : item.changed_at, changed ? it.event : item.event}));
    return it;
  }));
  if (!written.done) return false;
  if (!item.digest.empty() && item.digest != look.digest) {
    std::error_code ignored;
    fs::remove(listing_of(item, item.digest), ignored);
  }
  const std::scoped_lock lock(mutex_);
  item.looked = true;
  item.digest = look.digest;
  item.seen = look.facts;
  if (changed) {
    item.changed_at = written.at;
    item.event = written.event;
  }
  return true;
}

// What is wrong, "" for nothing. It is told once it has been so for the quiet interval (a file may be replaced in two
// moves), and then not again until all was well.
Result<void> DataWatcher::has_problem(Item& item, const std::string& problem) {
  const auto now = steady_clock::now();
  {
    const std::scoped_lock lock(mutex_);
    item.problem_now = problem;
    if (problem.empty()) {
      item.problem_since.reset();
    } else if (!item.problem_since) {
      item.problem_since = now;
    }
  }
  if (problem == item.problem) return {};
  const bool begins = !problem.empty() && item.problem.empty();
  if (begins && now - *item.problem_since < item.quiet()) return {};
  WEIR_TRY(deps_.db->write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(
        tx.execute("INSERT INTO event_data(repo, name, watch, looked, digest, seen, problem, changed_at, event) "
                   "VALUES(?, ?, ?, 0, '', '{}', ?, NULL, 0) ON CONFLICT(repo, name) DO UPDATE SET "
                   "problem = excluded.problem",
                   {item.repo, item.data.name, item.data.watch, problem}));
    if (!begins) return {};
    WEIR_TRY(tx.append(
        {.type = std::string(types::event_type::kDataUnreadable),
         .actor = "weir",
         .subject = fmt::format("data/{}/{}", item.repo, item.data.name),
         .payload = {
             {"repo", item.repo}, {"name", item.data.name}, {"watch", item.data.watch}, {"problem", problem}}}));
    return {};
  }));
  if (begins) deps_.log->warning("data {} of {} cannot be watched: {}", item.data.name, item.repo, problem);
  const std::scoped_lock lock(mutex_);
  item.problem = problem;
  return {};
}

fs::path DataWatcher::listing_of(const Item& item, std::string_view digest) const {
  return deps_.listings / fmt::format("{}.{}", sha256_hex(item.key).substr(0, 24), digest.substr(0, 32));
}

Result<std::vector<WatchedData>> DataWatcher::list() {
  WEIR_TRY(reload());
  const std::scoped_lock lock(mutex_);
  std::vector<WatchedData> out;
  for (const auto& [_, item] : items_) {
    out.push_back({.repo = item->repo,
                   .data = item->data,
                   .seen = item->seen,
                   .looked = item->looked,
                   .problem = item->problem_now,
                   .looked_at = item->looked_at,
                   .changing_since = item->changing_since,
                   .changed_at = item->changed_at,
                   .event = item->event,
                   .noticed = item->noticed});
  }
  return out;
}

}  // namespace weir::event
