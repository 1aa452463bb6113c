#include "event/data_watcher.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event/data_sources.h"
#include "event/schema.h"
#include "event/triggers.h"
#include "io/process.h"
#include "io/test_folder.h"
#include "store/sqlite/sqlite_database.h"

namespace weir::event {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class DataWatcherTest : public testing::Test {
 protected:
  DataWatcherTest() : log_(clock_, null_file_, LogLevel::kError) { open(); }
  ~DataWatcherTest() override {
    close();
    ::close(null_file_);
  }

  void open() { db_ = store::open_sqlite(folder_ / "weir.db", migrations(), clock_, log_).value(); }
  void close() {
    watcher_.reset();
    if (db_) db_->stop();
    db_.reset();
  }
  void start(std::vector<std::string> roots = {}) {
    if (roots.empty()) roots = {(folder_ / "data").string()};
    fs::create_directories(folder_ / "data");
    DataWatcherDeps deps{.db = db_.get(),
                         .clock = &clock_,
                         .log = &log_,
                         .roots = WatchRoots::make(roots).value(),
                         .listings = folder_ / "listings"};
    deps.git = [this](const std::string& repo) { return io::Git::init_bare(folder_ / (repo + ".git")); };
    deps.watches = [this] {
      const std::scoped_lock lock(mutex_);
      return watches_;
    };
    watcher_ = std::make_unique<DataWatcher>(std::move(deps));
    ASSERT_TRUE(watcher_->start().has_value());
  }
  void watch(const std::string& name, const std::string& what, Duration settle = 20ms, Duration every = 30ms) {
    const std::scoped_lock lock(mutex_);
    watches_["flights"].push_back({.name = name, .watch = what, .settle = settle, .every = every});
  }
  std::vector<types::Event> events(std::string_view type = "data.changed") {
    auto all = db_->load<std::vector<types::Event>>([](store::Reader& r) { return store::read_events(r, 0, 1'000); });
    std::vector<types::Event> out;
    for (auto& event : all.value()) {
      if (event.type == type) out.push_back(std::move(event));
    }
    return out;
  }
  bool wait(const std::function<bool()>& done) {
    for (int i = 0; i < 3'000; ++i) {
      if (done()) return true;
      ::usleep(10'000);
    }
    return false;
  }
  WatchedData data(const std::string& name = "arrivals") {
    for (auto& one : watcher_->list().value()) {
      if (one.data.name == name) return one;
    }
    return {};
  }
  bool looked(const std::string& name = "arrivals") {
    return wait([&] { return data(name).looked; });
  }
  // Several more looks, all of which have ended.
  void looks_more() {
    for (int i = 0; i < 3; ++i) {
      const auto before = data().looked_at;
      ASSERT_TRUE(wait([&] { return data().looked_at != before; }));
    }
  }
  static json::value at(const types::Event& event, std::string_view pointer) {
    boost::system::error_code none;
    const json::value payload(event.payload);
    const auto* found = payload.find_pointer(pointer, none);
    return found == nullptr ? json::value() : *found;
  }
  std::string path(const std::string& name) { return (folder_ / "data" / name).string(); }

  SystemClock clock_;
  int null_file_ = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  Log log_;
  io::TestFolder folder_;
  std::unique_ptr<store::Database> db_;
  std::mutex mutex_;
  std::map<std::string, std::vector<config::DataWatch>> watches_;
  std::unique_ptr<DataWatcher> watcher_;
};

TEST_F(DataWatcherTest, AFileThatIsWrittenAnewIsOneEventWithBeforeAndAfter) {
  folder_.write("data/a.csv", "one\n");
  watch("arrivals", path("a.csv"));
  start();
  ASSERT_TRUE(looked());
  EXPECT_THAT(events(), IsEmpty()) << "what is there at first is no change";
  folder_.write("data/a.csv", "one\ntwo\n");
  ASSERT_TRUE(wait([&] { return !events().empty(); }));
  looks_more();
  ASSERT_EQ(events().size(), 1U);
  const auto event = events()[0];
  EXPECT_EQ(event.subject, "data/flights/arrivals");
  EXPECT_EQ(at(event, "/before/size"), 4);
  EXPECT_EQ(at(event, "/after/size"), 8);
  EXPECT_EQ(at(event, "/after/sha256"), json::value(sha256_hex("one\ntwo\n")));
  EXPECT_EQ(data().event, event.sequence);
}

TEST_F(DataWatcherTest, AFileThatIsOnlyTouchedIsNoChange) {
  folder_.write("data/a.csv", "one\n");
  watch("arrivals", path("a.csv"));
  start();
  ASSERT_TRUE(looked());
  const auto mtime = data().seen.at("mtime");
  fs::last_write_time(folder_ / "data/a.csv", fs::file_time_type::clock::now() + 1h);
  ASSERT_TRUE(wait([&] { return data().seen.at("mtime") != mtime; }));
  EXPECT_THAT(events(), IsEmpty());
}

TEST_F(DataWatcherTest, AFileThatIsAwaitedIsTold) {
  watch("arrivals", path("later.csv"), 20ms, 10min);
  start();
  ASSERT_TRUE(looked());
  folder_.write("data/later.csv", "x");
  ASSERT_TRUE(wait([&] { return !events().empty(); }));
  EXPECT_TRUE(at(events()[0], "/before").is_null());
  EXPECT_EQ(at(events()[0], "/after/size"), 1);
}

TEST_F(DataWatcherTest, WhatAFolderGetsWithinTheQuietIntervalIsOneEventThatNamesIt) {
  folder_.write("data/in/a.csv", "1");
  folder_.write("data/in/b.csv", "1");
  folder_.write("data/in/sub/c.csv", "1");
  watch("arrivals", path("in"), 2s, 10min);
  start();
  ASSERT_TRUE(looked());
  for (int i = 0; i < 120; ++i) folder_.write(fmt::format("data/in/new-{:03}.csv", i), "x");
  folder_.write("data/in/a.csv", "22");
  fs::remove(folder_ / "data/in/sub/c.csv");
  ASSERT_TRUE(wait([&] { return !events().empty(); })) << "the kernel tells of it: 10 minutes are not over";
  ASSERT_TRUE(wait([&] { return !data().changing_since; }));
  ASSERT_EQ(events().size(), 1U);
  const auto event = events()[0];
  EXPECT_EQ(at(event, "/changes/added"), 120);
  EXPECT_EQ(at(event, "/changes/added_names").as_array().size(), FilesChanged::kNamesMax);
  EXPECT_EQ(at(event, "/changes/added_names/0"), "new-000.csv");
  EXPECT_EQ(at(event, "/changes/modified_names"), (json::array{"a.csv"}));
  EXPECT_EQ(at(event, "/changes/removed_names"), (json::array{"sub/c.csv"}));
  EXPECT_EQ(at(event, "/before/files"), 3);
  EXPECT_EQ(at(event, "/after/files"), 122);
}

TEST_F(DataWatcherTest, WhileAFileGrowsNothingIsTold) {
  folder_.write("data/a.csv", "");
  watch("arrivals", path("a.csv"), 2s, 20ms);
  start();
  ASSERT_TRUE(looked());
  std::string text;
  const auto end = std::chrono::steady_clock::now() + 3s;
  while (std::chrono::steady_clock::now() < end) {
    folder_.write("data/a.csv", text += "row\n");
    ::usleep(20'000);
  }
  EXPECT_THAT(events(), IsEmpty());
  EXPECT_TRUE(data().changing_since.has_value());
  ASSERT_TRUE(wait([&] { return !events().empty(); }));
  EXPECT_EQ(at(events()[0], "/after/size"), json::value(text.size()));
}

TEST_F(DataWatcherTest, APatternTakesItsFilesAlone) {
  folder_.write("data/in/a.csv", "1");
  watch("arrivals", path("in/**/*.csv"));
  start();
  ASSERT_TRUE(looked());
  EXPECT_EQ(data().seen.at("files"), 1);
  folder_.write("data/in/b.tmp", "1");
  looks_more();
  EXPECT_THAT(events(), IsEmpty());
  folder_.write("data/in/2026/07/b.csv", "1");
  ASSERT_TRUE(wait([&] { return !events().empty(); }));
  EXPECT_EQ(at(events()[0], "/changes/added_names"), (json::array{"2026/07/b.csv"}));
}

TEST_F(DataWatcherTest, WhatChangesWhileTheServerIsDownIsToldOnceAndNamed) {
  folder_.write("data/in/a.csv", "1");
  watch("arrivals", path("in"));
  start();
  ASSERT_TRUE(looked());
  close();
  folder_.write("data/in/b.csv", "1");
  for (int restart = 0; restart < 3; ++restart) {
    open();
    start();
    ASSERT_TRUE(wait([&] { return !events().empty(); }));
    looks_more();
    EXPECT_EQ(events().size(), 1U);
    close();
  }
  open();
  EXPECT_EQ(at(events()[0], "/changes/added_names"), (json::array{"b.csv"}));
  // Without its own notes only the names are not known.
  fs::remove_all(folder_ / "listings");
  folder_.write("data/in/c.csv", "1");
  start();
  ASSERT_TRUE(wait([&] { return events().size() == 2; }));
  EXPECT_EQ(at(events()[1], "/after/files"), 3);
  EXPECT_TRUE(at(events()[1], "/changes").is_null());
}

TEST_F(DataWatcherTest, WhatMayNotBeWatchedIsToldOnceAndNotLookedAt) {
  folder_.write("secret/key", "k");
  fs::create_directories(folder_ / "data");
  fs::create_symlink(folder_ / "secret", folder_ / "data/out");
  watch("arrivals", (folder_ / "secret/key").string());
  watch("linked", path("out/key"));
  watch("address", "https://example.com/x");
  start();
  ASSERT_TRUE(wait([&] { return events("data.unreadable").size() == 3; }));
  looks_more();
  EXPECT_EQ(events("data.unreadable").size(), 3U);
  EXPECT_THAT(data().problem, HasSubstr("--watch-root"));
  EXPECT_THAT(data("linked").problem, HasSubstr("a symbolic link leads out"));
  EXPECT_THAT(data("address").problem, HasSubstr("--watch-root"));
  EXPECT_TRUE(data().seen.empty() && data("linked").seen.empty());
}

TEST_F(DataWatcherTest, ALinkInAFolderCountsAsItsFileOrIsLeftOutAndTold) {
  folder_.write("data/store/a.csv", "1");
  fs::create_directories(folder_ / "data/in");
  fs::create_symlink(folder_ / "data/store/a.csv", folder_ / "data/in/inside.csv");
  watch("arrivals", path("in"));
  start();
  ASSERT_TRUE(looked());
  EXPECT_EQ(data().seen.at("files"), 1);
  EXPECT_EQ(data().problem, "");
  fs::create_symlink("/etc/passwd", folder_ / "data/in/outside.csv");
  ASSERT_TRUE(wait([&] { return !data().problem.empty(); }));
  EXPECT_THAT(data().problem, HasSubstr("outside.csv, which leads out"));
  EXPECT_EQ(data().seen.at("files"), 1);
  fs::remove(folder_ / "data/in/outside.csv");
  ASSERT_TRUE(wait([&] { return data().problem.empty(); }));
}

TEST_F(DataWatcherTest, AFileThatIsGoneIsAProblemAndItsReturnTheChange) {
  folder_.write("data/a.csv", "1");
  watch("arrivals", path("a.csv"));
  start();
  ASSERT_TRUE(looked());
  fs::remove(folder_ / "data/a.csv");
  ASSERT_TRUE(wait([&] { return !events("data.unreadable").empty(); }));
  EXPECT_THAT(data().problem, HasSubstr("is not there any more"));
  folder_.write("data/a.csv", "22");
  ASSERT_TRUE(wait([&] { return !events().empty() && data().problem.empty(); }));
  EXPECT_EQ(at(events()[0], "/before/size"), 1);
}

TEST_F(DataWatcherTest, AFolderThatMayNotBeReadSaysSo) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read all";
  folder_.write("data/in/a.csv", "1");
  ::chmod((folder_ / "data/in").c_str(), 0);
  watch("arrivals", path("in"));
  start();
  ASSERT_TRUE(wait([&] { return !events("data.unreadable").empty(); }));
  EXPECT_THAT(data().problem, HasSubstr("user id"));
  ::chmod((folder_ / "data/in").c_str(), 0700);
}

TEST_F(DataWatcherTest, APipeIsNotOpened) {
  fs::create_directories(folder_ / "data");
  ASSERT_EQ(::mkfifo((folder_ / "data/pipe").c_str(), 0600), 0);
  watch("arrivals", path("pipe"));
  start();
  ASSERT_TRUE(wait([&] { return !data().problem.empty(); }));
  EXPECT_THAT(data().problem, HasSubstr("neither a file nor a folder"));
}

TEST_F(DataWatcherTest, AFileOfDvcIsComparedAsTheLastPushLeftIt) {
  const auto git = io::Git::init_bare(folder_ / "flights.git").value();
  int pushes = 0;
  const auto push = [&](const std::string& text, const std::string& actor) {
    folder_.write("work/raw.dvc", text);
    const auto shell = fmt::format(
        "cd work && git init -q -b main && git add -A && git -c user.name=a -c user.email=a@b commit -qm {} && git "
        "push -qf "
        "../flights.git main && git rev-parse HEAD",
        ++pushes);
    auto commit = io::run_checked({.argv = {"/bin/sh", "-ec", shell}, .working_dir = folder_.path()}).value();
    while (commit.ends_with('\n')) commit.pop_back();
    return db_
        ->write_with<std::int64_t>([&](store::Transaction& tx) -> Result<std::int64_t> {
          const auto event = WEIR_TRY(tx.append({.type = "repo.pushed", .actor = actor, .subject = "repo/flights"}));
          WEIR_TRY(tx.execute(
              "INSERT INTO event_refs(repo, ref, object_id, event) VALUES('flights', 'refs/heads/main', ?, ?) "
              "ON CONFLICT(repo, ref) DO UPDATE SET object_id = excluded.object_id, event = excluded.event",
              {commit, event}));
          return event;
        })
        .value();
  };
  watch("arrivals", "raw.dvc", 10s, 10min);
  push("outs:\n- {md5: aa, path: raw}\n", "alice");
  start();
  ASSERT_TRUE(looked());
  const auto described = data().looked_at;
  push("# words\nouts:\n- {md5: aa, path: raw}\n", "alice");
  ASSERT_TRUE(wait([&] { return data().looked_at != described; }));
  EXPECT_THAT(events(), IsEmpty());
  const auto cause = push("outs:\n- {md5: bb, path: raw}\n", "carol");
  ASSERT_TRUE(wait([&] { return !events().empty(); })) << "a commit is complete";
  EXPECT_EQ(events()[0].actor, "carol");
  EXPECT_EQ(events()[0].cause, cause);
  EXPECT_EQ(at(events()[0], "/before/outputs/raw/md5"), "aa");
  EXPECT_EQ(at(events()[0], "/after/outputs/raw/md5"), "bb");
  push("outs: none\n", "carol");
  ASSERT_TRUE(wait([&] { return !data().problem.empty(); }));
  EXPECT_THAT(data().problem, HasSubstr("names no outputs"));
}

TEST_F(DataWatcherTest, AnotherPathUnderTheSameNameBeginsAnew) {
  folder_.write("data/a.csv", "1");
  folder_.write("data/b.csv", "22");
  watch("arrivals", path("a.csv"));
  start();
  ASSERT_TRUE(looked());
  watches_["flights"].clear();
  watch("arrivals", path("b.csv"));
  ASSERT_TRUE(db_->write([](store::Transaction& tx) -> Result<void> {
                   WEIR_TRY(tx.append({.type = "config.applied", .actor = "a", .subject = "repo/flights"}));
                   return {};
                 })
                  .has_value());
  ASSERT_TRUE(wait([&] { return data().looked && data().seen.at("size") == 2; }));
  EXPECT_THAT(events(), IsEmpty());
}

TEST(WatchRoots, TakeWhatLiesBelowThem) {
  const io::TestFolder folder;
  folder.write("a/x", "1");
  const auto roots = WatchRoots::make({(folder / "a").string() + "/", "https://example.com/data"}).value();
  EXPECT_TRUE(roots.allow(folder / "a/x").has_value());
  EXPECT_TRUE(roots.allow(folder / "a/none/at/all").has_value());
  EXPECT_FALSE(roots.allow(folder / "ab").has_value());
  EXPECT_FALSE(roots.allow(folder.path()).has_value());
  EXPECT_TRUE(roots.allow_address("https://example.com/data/x.csv").has_value());
  EXPECT_TRUE(roots.allow_address("https://example.com/data?x=1").has_value());
  for (const std::string_view url :
       {"https://example.com/database", "http://example.com/data", "https://example.com/data/../x",
        "https://example.com/data/%2e%2e/x", "https://example.com.evil/data"}) {
    EXPECT_FALSE(roots.allow_address(url).has_value()) << url;
  }
  EXPECT_FALSE(WatchRoots().allow("/").has_value());
  for (const std::string root : {"data", "/nowhere/at/all", "https://", "https://me@example.com"}) {
    EXPECT_FALSE(WatchRoots::make({root}).has_value()) << root;
  }
}

TEST(DvcFiles, AreComparedByTheirDigestsAlone) {
  const auto one = read_dvc("outs:\n- md5: a304.dir\n  size: 5\n  nfiles: 2\n  hash: md5\n  path: raw\n", "raw.dvc");
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->facts.at("outputs").at("raw").at("md5"), "a304.dir");
  EXPECT_EQ(one->facts.at("outputs").at("raw").at("nfiles"), 2);
  const auto described =
      read_dvc("# raw\ndesc: other\nouts:\n- md5: a304.dir\n  size: 5\n  nfiles: 2\n  path: raw\n", "raw.dvc");
  EXPECT_EQ(described->digest, one->digest);
  const auto lock =
      read_dvc("schema: '2.0'\nstages:\n  a:\n    cmd: x\n    outs:\n    - {path: p, md5: 12e4}\n  b:\n    cmd: y\n",
               "dvc.lock");
  ASSERT_TRUE(lock.has_value());
  EXPECT_EQ(lock->facts.at("outputs").at("p").at("md5"), "12e4") << "no number";
  for (const std::string_view text : {"", "- a", "outs: []", "outs: {", "a: b"}) {
    EXPECT_FALSE(read_dvc(text, "x.dvc").has_value()) << text;
  }
}

TEST(Listing, ABigFolderTakesItsTimeAndLittleMemory) {
  const io::TestFolder folder;
  fs::create_directories(folder / "in");
  constexpr int kFiles = 20'000;
  for (int i = 0; i < kFiles; ++i) {
    if (i % 1'000 == 0) fs::create_directories(folder / fmt::format("in/{}", i / 1'000));
    ::close(::open((folder / fmt::format("in/{}/{}", i / 1'000, i)).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  }
  const auto roots = WatchRoots::make({folder.path().string()}).value();
  const std::stop_source stop;
  const auto pass = [&](const fs::path& before, const std::string& digest, const std::string& name) {
    ListingWriter writer(folder / name, before, digest);
    const auto found = look_at_files(roots, (folder / "in").string(),
                                     {.file = [&](const WatchedFile& file) { writer.add(file); }}, stop.get_token());
    return std::pair(found.value(), writer.finish().value());
  };
  const auto [first, all] = pass("", "", "one");
  EXPECT_EQ(first.files, kFiles);
  EXPECT_FALSE(all.known);
  fs::remove(folder / "in/7/7005");
  folder.write("in/7/7006", "more");
  const auto [second, changed] = pass(folder / "one", first.digest, "two");
  EXPECT_TRUE(changed.known);
  EXPECT_EQ(changed.added, 0);
  EXPECT_THAT(changed.removed_names, ElementsAre("7/7005"));
  EXPECT_THAT(changed.modified_names, ElementsAre("7/7006"));
  const auto [third, damaged] = pass(folder / "two", first.digest, "three");
  EXPECT_FALSE(damaged.known);
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_EQ(look_at_files(roots, (folder / "in").string(), {}, stopped.get_token()).error().code, Code::kCancelled);
}

}  // namespace
}  // namespace weir::event
