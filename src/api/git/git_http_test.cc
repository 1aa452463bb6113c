#include "api/git/git_http.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "api/git/pkt_line.h"
#include "base/hash.h"
#include "io/git.h"
#include "io/http_test_support.h"
#include "io/process.h"

namespace weir::api {
namespace {

using io::testing::eventually;
using io::testing::RawClient;
using io::testing::TestServer;

namespace fs = std::filesystem;

struct Push {
  std::string repo;
  std::vector<event::RefUpdate> updates;
  std::string actor;
};

// A server with three tokens (the password of Basic): "dev" is a developer, "job" a job, "view" a viewer.
class GitHttpTest : public ::testing::Test {
 protected:
  GitHttpTest() {
    fs::create_directories(folder_ / "repos");
    io::Router router;
    router.before([this](io::HttpRequest& request) -> std::optional<io::HttpResponse> {
      if (request.headers.get("Content-Encoding") == "gzip") ++compressed_;
      const std::string_view authorization = request.headers.get("Authorization");
      if (authorization == "Basic " + base64_encode("x:dev")) request.identity = {"ann", types::Role::kDeveloper};
      if (authorization == "Basic " + base64_encode("x:view")) request.identity = {"vic", types::Role::kViewer};
      if (authorization == "Basic " + base64_encode("x:job"))
        request.identity = {.name = "job:1", .role = types::Role::kDeveloper, .job_id = 1};
      return std::nullopt;
    });
    add_git_routes(router, options(), log_);
    server_ = std::make_unique<TestServer>(std::move(router));
  }
  ~GitHttpTest() override {
    server_.reset();
    fs::remove_all(folder_);
  }

  GitHttpOptions options() {
    GitHttpOptions options;
    options.repos = folder_ / "repos";
    options.push_bytes_max = 200U << 20;
    options.authorize = [](const types::Identity& identity, std::string_view, bool write,
                           std::span<const event::RefUpdate> updates) -> Result<void> {
      if (!write) return {};
      if (identity.role.value_or(types::Role::kViewer) < types::Role::kDeveloper) {
        return fail(Code::kPermissionDenied, "pushing needs the role developer");
      }
      for (const auto& update : updates) {
        if (identity.job_id && update.ref == "refs/heads/main") {
          return fail(Code::kPermissionDenied, "main is protected: a job may not push to it");
        }
      }
      return {};
    };
    options.examine = [this](const types::Identity&, const std::string& repo, std::span<const event::RefUpdate> updates,
                             const io::Git& git) -> Result<void> {
      for (const auto& update : updates) {
        if (update.after == std::string(40, '0')) continue;
        const auto text = git.show(update.after, "file");
        if (!text) return std::unexpected(text.error());
        EXPECT_EQ(io::Git(folder_ / "repos" / (repo + ".git")).refs().value().contains(update.ref), false);
        EXPECT_FALSE(git.is_ancestor(update.after, git.resolve("refs/heads/main").value()).value());
        if (text->starts_with("bad")) return fail(Code::kPermissionDenied, "{} is bad", update.ref);
      }
      return {};
    };
    options.push_begins = [this](const std::string&, const std::vector<event::RefUpdate>&,
                                 const types::Identity&) -> Result<void> {
      if (beginning_fails_) return fail(Code::kResourceExhausted, "the disk is full.");
      return {};
    };
    options.pushed = [this](const std::string& repo, const std::vector<event::RefUpdate>& updates,
                            const types::Identity& identity) -> Result<void> {
      const std::scoped_lock lock(mutex_);
      if (recording_fails_) return fail(Code::kResourceExhausted, "the disk is full.");
      pushes_.push_back({repo, updates, identity.name});
      return {};
    };
    return options;
  }

  std::vector<Push> pushes() {
    const std::scoped_lock lock(mutex_);
    return pushes_;
  }

  [[nodiscard]] std::string url(std::string_view token, std::string_view repo = "flights") const {
    return fmt::format("http://{}{}127.0.0.1:{}/git/{}.git", token.empty() ? "" : fmt::format("x:{}", token),
                       token.empty() ? "" : "@", server_->port(), repo);
  }

  // Runs git below the test's folder; its output, whatever happened.
  io::CapturedOutput git(std::vector<std::string> arguments, const fs::path& where = {}) {
    io::ProcessOptions process;
    process.argv = {"git",
                    "-c",
                    "user.name=Ann",
                    "-c",
                    "user.email=ann@example.org",
                    "-c",
                    "init.defaultBranch=main",
                    "-c",
                    "core.compression=0"};
    process.argv.insert(process.argv.end(), arguments.begin(), arguments.end());
    process.working_dir = folder_ / where;
    process.env = std::map<std::string, std::string>{{"PATH", std::getenv("PATH")},
                                                     {"HOME", folder_.string()},
                                                     {"GIT_TERMINAL_PROMPT", "0"},
                                                     {"GIT_CONFIG_NOSYSTEM", "1"},
                                                     {"LC_ALL", "C"}};
    auto captured = io::run_process(std::move(process));
    EXPECT_TRUE(captured) << captured.error().message;
    return captured.value_or(io::CapturedOutput{});
  }

  std::string ok(std::vector<std::string> arguments, const fs::path& where = {}) {
    const auto captured = git(std::move(arguments), where);
    EXPECT_EQ(captured.status.code, 0) << captured.err;
    std::string out = captured.out;
    while (out.ends_with('\n')) out.pop_back();
    return out;
  }

  // A work tree with one commit more than before; its id.
  std::string commit(const fs::path& where, std::string_view text) {
    if (!fs::exists(folder_ / where)) {
      fs::create_directories(folder_ / where);
      ok({"init", "-q"}, where);
    }
    std::ofstream(folder_ / where / "file") << text;
    ok({"add", "."}, where);
    ok({"commit", "-q", "-m", std::string{text.substr(0, 20)}}, where);
    return ok({"rev-parse", "HEAD"}, where);
  }

  const fs::path folder_ = fs::temp_directory_path() / fmt::format("weir-git-{}", ::getpid());
  SystemClock clock_;
  Log log_{clock_, 2, LogLevel::kError};
  std::mutex mutex_;
  std::vector<Push> pushes_;
  std::atomic<bool> beginning_fails_ = false;
  std::atomic<bool> recording_fails_ = false;
  std::atomic<int> compressed_ = 0;  // requests with a compressed body
  std::unique_ptr<TestServer> server_;
};

const std::string kZero(40, '0');

TEST_F(GitHttpTest, AChangeThatNoPullRequestCanBeMadeOfIsNotStored) {
  commit("work", "one");
  ok({"push", "-q", url("dev"), "main"}, "work");
  const auto refused = [&](const std::string& what, const std::string& why) {
    const auto pushed = git({"push", url("dev"), what}, "work");
    EXPECT_NE(pushed.status.code, 0);
    EXPECT_NE(pushed.err.find(why), std::string::npos) << pushed.err;
    EXPECT_EQ(pushed.err.find("could not be recorded"), std::string::npos) << pushed.err;
  };
  refused("main:refs/for/main", "has nothing that main lacks");
  commit("work", "two");
  refused("main:refs/for/mian", "there is no branch \"mian\" to push a change for; did you mean \"main\"?");
  refused("main:refs/for/mian/topic", "did you mean \"main\"?");
  ok({"checkout", "-q", "--orphan", "apart"}, "work");
  commit("work", "three");
  refused("apart:refs/for/main", "and main have no common history");
  EXPECT_EQ(pushes().size(), 1U);
  EXPECT_EQ(io::Git(folder_ / "repos/flights.git").refs().value().size(), 1U);
  ok({"push", "-q", url("dev"), "main:refs/for/main/topic"}, "work");
  EXPECT_EQ(pushes().size(), 2U);
  // A branch of the same push is there, too.
  ok({"push", "-q", url("dev"), "main~1:refs/heads/next", "main:refs/for/next"}, "work");
}

TEST_F(GitHttpTest, FirstPushMakesTheRepositoryAndIsRecordedBeforeItsAnswer) {
  const std::string first = commit("work", "one");
  ok({"push", "-q", url("dev"), "main"}, "work");
  ASSERT_EQ(pushes().size(), 1U);
  EXPECT_EQ(pushes()[0].repo, "flights");
  EXPECT_EQ(pushes()[0].actor, "ann");
  ASSERT_EQ(pushes()[0].updates.size(), 1U);
  EXPECT_EQ(pushes()[0].updates[0].ref, "refs/heads/main");
  EXPECT_EQ(pushes()[0].updates[0].before, kZero);
  EXPECT_EQ(pushes()[0].updates[0].after, first);

  const std::string second = commit("work", "two");
  ok({"tag", "v1"}, "work");
  ok({"push", "-q", url("dev"), "main", "v1", "main:side"}, "work");
  ASSERT_EQ(pushes().size(), 2U);
  EXPECT_EQ(pushes()[1].updates.size(), 3U);

  ok({"clone", "-q", url(""), "copy"});
  EXPECT_EQ(ok({"rev-parse", "HEAD"}, "copy"), second);
  EXPECT_EQ(ok({"ls-remote", url(""), "refs/tags/v1"}), second + "\trefs/tags/v1");
}

TEST_F(GitHttpTest, FetchWorksInBothProtocolVersionsAndByCommit) {
  const std::string first = commit("work", "one");
  commit("work", "two");
  ok({"push", "-q", url("dev"), "main"}, "work");
  for (const char* version : {"0", "2"}) {
    const std::string copy = fmt::format("copy{}", version);
    ok({"-c", fmt::format("protocol.version={}", version), "clone", "-q", url(""), copy});
    const std::string newest = commit("work", fmt::format("three {}", version));
    ok({"push", "-q", url("dev"), "main"}, "work");
    ok({"-c", fmt::format("protocol.version={}", version), "pull", "-q"}, copy);
    EXPECT_EQ(ok({"rev-parse", "HEAD"}, copy), newest);
    ok({"init", "-q", "bare" + copy});
    ok({"-c", fmt::format("protocol.version={}", version), "fetch", "-q", "--depth=1", url(""), first}, "bare" + copy);
  }
  ok({"clone", "-q", "--filter=blob:none", url(""), "partial"});
  // Many wants make a long request, which git compresses.
  for (int i = 0; i < 30; ++i) {
    ok({"commit", "-q", "--allow-empty", "-m", std::to_string(i)}, "work");
    ok({"branch", fmt::format("b{}", i)}, "work");
  }
  ok({"push", "-q", "--all", url("dev")}, "work");
  ok({"fetch", "-q"}, "copy2");
  EXPECT_GT(compressed_, 0);
  // Without the ending, as people type it.
  ok({"clone", "-q", fmt::format("http://127.0.0.1:{}/git/flights", server_->port()), "short"});
}

TEST_F(GitHttpTest, ForcedPushesAndDeletionsAreRecordedAsTheyAre) {
  const std::string first = commit("work", "one");
  ok({"push", "-q", url("dev"), "main", "main:side"}, "work");
  ok({"commit", "-q", "--amend", "-m", "other"}, "work");
  const std::string amended = ok({"rev-parse", "HEAD"}, "work");
  EXPECT_NE(git({"push", "-q", url("dev"), "main"}, "work").status.code, 0);
  EXPECT_EQ(pushes().size(), 1U);
  ok({"push", "-q", "--force", url("dev"), "main", ":side"}, "work");
  ASSERT_EQ(pushes().size(), 2U);
  ASSERT_EQ(pushes()[1].updates.size(), 2U);
  const auto updates = pushes()[1].updates;
  for (const auto& update : updates) {
    EXPECT_EQ(update.before, first);
    EXPECT_EQ(update.after, update.ref == "refs/heads/side" ? kZero : amended);
  }
  // The default branch stays; git itself refuses, and nothing is recorded.
  EXPECT_NE(git({"push", "-q", url("dev"), ":main"}, "work").status.code, 0);
  EXPECT_EQ(pushes().size(), 2U);
}

TEST_F(GitHttpTest, OnlyWhatGitMovedIsRecorded) {
  commit("work", "one");
  ok({"push", "-q", url("dev"), "main"}, "work");
  const std::string second = commit("work", "two");
  const auto partly = git({"push", url("dev"), "main:refs/heads/next", ":main"}, "work");
  EXPECT_NE(partly.status.code, 0);
  ASSERT_EQ(pushes().size(), 2U);
  ASSERT_EQ(pushes()[1].updates.size(), 1U);
  EXPECT_EQ(pushes()[1].updates[0].ref, "refs/heads/next");
  EXPECT_EQ(pushes()[1].updates[0].after, second);
}

TEST_F(GitHttpTest, WhatAJobPushesIsLookedAtBeforeARefMoves) {
  commit("work", std::string(3'000, 'x'));
  ok({"push", "-q", url("dev"), "main"}, "work");
  // As a difference to what is there.
  const std::string good = commit("work", std::string(3'000, 'x') + "y");
  ok({"push", "-q", url("job"), "main:side"}, "work");
  const std::string bad = commit("work", "bad");
  const auto refused = git({"push", url("job"), "main:other", "main~1:refs/heads/third", ":side"}, "work");
  EXPECT_NE(refused.status.code, 0);
  EXPECT_NE(refused.err.find("remote: refs/heads/other is bad"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("! [remote rejected] main -> other (not allowed)"), std::string::npos) << refused.err;
  EXPECT_EQ(ok({"ls-remote", url(""), "refs/heads/other", "refs/heads/third"}), "");
  EXPECT_EQ(ok({"ls-remote", url(""), "refs/heads/side"}), good + "\trefs/heads/side");
  // Neither the commit nor the folder where it was looked at is in the repository.
  const auto dir = fs::path("repos") / "flights.git";
  EXPECT_NE(git({"cat-file", "-e", bad}, dir).status.code, 0);
  for (const auto& entry : fs::directory_iterator(folder_ / dir)) {
    EXPECT_FALSE(entry.path().filename().string().starts_with("weir-pushed-")) << entry.path();
  }
  // What is deleted has nothing to look at.
  ok({"push", "-q", url("job"), ":side"}, "work");
}

TEST_F(GitHttpTest, AJobMayNotTouchAProtectedBranchButOthers) {
  commit("work", "one");
  ok({"push", "-q", url("dev"), "main"}, "work");
  const std::string second = commit("work", "two");
  const auto refused = git({"push", url("job"), "main", "main:side"}, "work");
  EXPECT_NE(refused.status.code, 0);
  EXPECT_NE(refused.err.find("remote: main is protected: a job may not push to it"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("! [remote rejected] main -> main (not allowed)"), std::string::npos) << refused.err;
  EXPECT_EQ(pushes().size(), 1U);
  EXPECT_EQ(ok({"ls-remote", url(""), "refs/heads/side"}), "");
  ok({"push", "-q", url("job"), "main:side"}, "work");
  EXPECT_EQ(ok({"ls-remote", url(""), "refs/heads/side"}), second + "\trefs/heads/side");
  EXPECT_EQ(pushes().back().actor, "job:1");
}

TEST_F(GitHttpTest, PushingNeedsATokenAndGitIsAskedForIt) {
  commit("work", "one");
  const auto anonymous = git({"push", url(""), "main"}, "work");
  EXPECT_NE(anonymous.status.code, 0);
  EXPECT_NE(anonymous.err.find("could not read Username"), std::string::npos) << anonymous.err;
  const auto viewer = git({"push", url("view"), "main"}, "work");
  EXPECT_NE(viewer.err.find("pushing needs the role developer"), std::string::npos) << viewer.err;
  const auto job = git({"push", url("job"), "main:x"}, "work");
  EXPECT_NE(job.err.find("a developer makes it by pushing to it"), std::string::npos) << job.err;
  EXPECT_FALSE(fs::exists(folder_ / "repos" / "flights.git"));
  const auto absent = git({"clone", url(""), "copy"});
  EXPECT_NE(absent.err.find("there is no repository flights yet"), std::string::npos) << absent.err;
  EXPECT_NE(git({"push", url("dev", "-x"), "main"}, "work").status.code, 0);
}

TEST_F(GitHttpTest, TheFirstBranchBecomesTheDefaultOne) {
  commit("work", "one");
  ok({"push", "-q", url("dev"), "main:trunk"}, "work");
  EXPECT_EQ(*io::Git(folder_ / "repos" / "flights.git").head_ref(), "refs/heads/trunk");
  ok({"push", "-q", url("dev"), "main:other"}, "work");
  EXPECT_EQ(*io::Git(folder_ / "repos" / "flights.git").head_ref(), "refs/heads/trunk");
}

TEST_F(GitHttpTest, APushThatCannotBeRecordedIsNotAcknowledged) {
  commit("work", "one");
  recording_fails_ = true;
  const auto refused = git({"push", url("dev"), "main"}, "work");
  EXPECT_NE(refused.status.code, 0);
  EXPECT_NE(refused.err.find("what it triggers could not be recorded: the disk is full."), std::string::npos)
      << refused.err;

  // git has nothing left to send then; its "up to date" must not stand for a record that is not there.
  const auto again = git({"push", url("dev"), "main"}, "work");
  EXPECT_NE(again.status.code, 0);
  EXPECT_NE(again.err.find("the disk is full."), std::string::npos) << again.err;
  EXPECT_TRUE(pushes().empty());

  recording_fails_ = false;
  ok({"push", "-q", url("dev"), "main"}, "work");
  ASSERT_EQ(pushes().size(), 1U);
  EXPECT_EQ(pushes()[0].actor, "ann");
  ok({"push", "-q", url("dev"), "main"}, "work");
  EXPECT_EQ(pushes().size(), 1U);
}

TEST_F(GitHttpTest, NothingMovesBeforeItIsNotedWhosePushItIs) {
  commit("work", "one");
  beginning_fails_ = true;
  const auto refused = git({"push", url("dev"), "main"}, "work");
  EXPECT_NE(refused.status.code, 0);
  EXPECT_NE(refused.err.find("the disk is full."), std::string::npos) << refused.err;
  EXPECT_TRUE(io::Git(folder_ / "repos" / "flights.git").refs().value().empty());

  beginning_fails_ = false;
  ok({"push", "-q", url("dev"), "main"}, "work");
  EXPECT_EQ(pushes().size(), 1U);
}

TEST_F(GitHttpTest, BrokenObjectsAreRefused) {
  commit("work", "one");
  ok({"push", "-q", url("dev"), "main"}, "work");
  // A tree that holds "..", which would write outside of a checkout.
  const std::string blob = ok({"rev-parse", "HEAD:file"}, "work");
  std::string tree = "100644 ..";
  tree.push_back('\0');
  for (std::size_t i = 0; i < blob.size(); i += 2)
    tree.push_back(static_cast<char>(std::stoi(blob.substr(i, 2), nullptr, 16)));
  std::ofstream(folder_ / "tree", std::ios::binary) << tree;
  const std::string id = ok({"hash-object", "-t", "tree", "-w", "--literally", "../tree"}, "work");
  const std::string bad = ok({"commit-tree", "-m", "bad", id}, "work");
  const auto refused = git({"push", url("dev"), bad + ":refs/heads/bad"}, "work");
  EXPECT_NE(refused.status.code, 0);
  EXPECT_NE(refused.err.find("hasDotdot"), std::string::npos) << refused.err;
  EXPECT_EQ(pushes().size(), 1U);
}

TEST_F(GitHttpTest, ALargePushAndCloneStayOutOfMemory) {
  fs::create_directories(folder_ / "work");
  ok({"init", "-q"}, "work");
  {
    std::ofstream large(folder_ / "work" / "large", std::ios::binary);
    std::uint64_t state = 1;
    for (int i = 0; i < 50 << 17; ++i) {  // 50 MiB that do not compress
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      const std::uint64_t word = state ^ (state >> 29);
      large.write(reinterpret_cast<const char*>(&word), sizeof word);
    }
  }
  ok({"add", "."}, "work");
  ok({"commit", "-q", "-m", "large"}, "work");
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  ok({"push", "-q", url("dev"), "main"}, "work");
  ok({"clone", "-q", url(""), "copy"});
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_EQ(fs::file_size(folder_ / "copy" / "large"), 50U << 20);
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 20'000) << "kilobytes";
#endif
}

TEST_F(GitHttpTest, AClientThatDiesInTheMiddleLeavesNothing) {
  const std::string first = commit("work", "one");
  ok({"push", "-q", url("dev"), "main"}, "work");
  const std::string head = pkt_line(fmt::format("{} {} refs/heads/main", first, std::string(40, '1')) +
                                    std::string("\0 report-status", 15)) +
                           std::string{kFlushPacket};
  {
    RawClient client(server_->port());
    client.send(
        fmt::format("POST /git/flights.git/git-receive-pack HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {}\r\n"
                    "Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 1000000\r\n\r\n{}PACK",
                    base64_encode("x:dev"), head));
  }
  const fs::path repo = folder_ / "repos" / "flights.git";
  const auto leftovers = [&] {
    return std::ranges::any_of(fs::directory_iterator(repo), [](const fs::directory_entry& entry) {
      return entry.path().filename().string().starts_with("weir-push-");
    });
  };
  EXPECT_TRUE(eventually([&] { return !leftovers(); }));
  EXPECT_EQ(ok({"ls-remote", url(""), "refs/heads/main"}), first + "\trefs/heads/main");
  EXPECT_EQ(pushes().size(), 1U);

  // A fetch whose client goes away ends its git; the server goes on.
  for (int i = 0; i < 5; ++i) {
    RawClient client(server_->port());
    client.send(
        "POST /git/flights.git/git-upload-pack HTTP/1.1\r\nHost: h\r\n"
        "Content-Type: application/x-git-upload-pack-request\r\nContent-Length: 54\r\n\r\n" +
        pkt_line("want " + first + "\n") + std::string{kFlushPacket});
  }
  ok({"clone", "-q", url(""), "copy"});
}

TEST_F(GitHttpTest, PushesToOneRepositoryAreRecordedInTheOrderOfTheirRefs) {
  commit("work", "one");
  ok({"push", "-q", url("dev"), "main"}, "work");
  std::vector<std::thread> pushers;
  for (int i = 0; i < 4; ++i) {
    const std::string copy = fmt::format("copy{}", i);
    ok({"clone", "-q", url("dev"), copy});
    commit(copy, fmt::format("by {}", i));
    pushers.emplace_back([this, copy] { git({"push", "-q", "--force", "origin", "main"}, copy); });
  }
  for (std::thread& pusher : pushers) pusher.join();
  const auto recorded = pushes();
  for (std::size_t i = 1; i < recorded.size(); ++i) {
    EXPECT_EQ(recorded[i].updates[0].before, recorded[i - 1].updates[0].after);
  }
  EXPECT_GE(recorded.size(), 2U);
  EXPECT_TRUE(wait_for_pushes(folder_ / "repos" / "flights.git"));
}

TEST_F(GitHttpTest, OddRequestsAreRefused) {
  commit("work", "one");
  ok({"push", "-q", url("dev"), "main"}, "work");
  const auto ask = [&](std::string method, std::string_view target, std::string_view type, std::string body) {
    io::ClientRequest request;
    request.method = std::move(method);
    request.url = fmt::format("http://127.0.0.1:{}/git/{}", server_->port(), target);
    request.headers.set("Authorization", "Basic " + base64_encode("x:dev"));
    if (!type.empty()) request.headers.set("Content-Type", std::string{type});
    request.body = std::move(body);
    return io::http_exchange(request).value_or(io::ClientResponse{}).status;
  };
  constexpr std::string_view kPush = "application/x-git-receive-pack-request";
  EXPECT_EQ(ask("GET", "flights.git/info/refs", "", ""), 403);
  EXPECT_EQ(ask("GET", "flights.git/info/refs?service=git-evil", "", ""), 403);
  EXPECT_EQ(ask("GET", "..%2fetc.git/info/refs?service=git-upload-pack", "", ""), 400);
  EXPECT_EQ(ask("GET", "a%2fb.git/info/refs?service=git-upload-pack", "", ""), 400);
  EXPECT_EQ(ask("GET", "flights.git/HEAD", "", ""), 404);
  EXPECT_EQ(ask("POST", "flights.git/git-receive-pack", "text/plain", "0000"), 400);
  EXPECT_EQ(ask("POST", "flights.git/git-receive-pack", kPush, "0000"), 200);
  EXPECT_EQ(ask("POST", "flights.git/git-receive-pack", kPush, "zzzz"), 400);
  EXPECT_EQ(ask("POST", "flights.git/git-receive-pack", kPush, "0001"), 400);
  EXPECT_EQ(ask("POST", "flights.git/git-receive-pack", kPush, "0032"), 400);
  EXPECT_EQ(ask("POST", "other.git/git-receive-pack", kPush, "0000"), 404);
}

}  // namespace
}  // namespace weir::api
