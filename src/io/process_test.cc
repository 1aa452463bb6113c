#include "io/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "io/file.h"
#include "io/test_folder.h"

namespace weir::io {
namespace {

namespace fs = std::filesystem;

class TemporaryFolder : public testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << text;
  }
  TestFolder folder_;
};
using ProcessTest = TemporaryFolder;
using FileTest = TemporaryFolder;

TEST_F(ProcessTest, OutputAndExitCodeAreCaptured) {
  const auto captured = run_process({.argv = {"sh", "-c", "cat; echo bad >&2; exit 3"}}, "hello");
  ASSERT_TRUE(captured) << captured.error().message;
  EXPECT_EQ(captured->out, "hello");
  EXPECT_EQ(captured->err, "bad\n");
  EXPECT_EQ(captured->status.code, 3);
}

TEST_F(ProcessTest, LargeInputAndOutputPassThroughAtOnce) {
  const std::string input(3 << 20, 'x');
  const auto captured = run_process({.argv = {"cat"}}, input);
  ASSERT_TRUE(captured);
  EXPECT_EQ(captured->out, input);
  EXPECT_TRUE(run_process({.argv = {"true"}}, input)) << "a program that ignores its input is fine";
}

TEST_F(ProcessTest, NothingThatIsOpenHereIsInheritedButTheFirstThreeDescriptors) {
  put("left-open", "");
  const int left_open = ::open((folder_ / "left-open").c_str(), O_RDONLY);  // without O_CLOEXEC, as libraries do it
  ASSERT_GT(left_open, 2);
  const auto captured = run_process({.argv = {"sh", "-c", "readlink /proc/$$/fd/*"}});
  ::close(left_open);
  ASSERT_TRUE(captured) << captured.error().message;
  EXPECT_NE(captured->out.find("pipe:"), std::string::npos);
  EXPECT_EQ(captured->out.find("left-open"), std::string::npos) << captured->out;
}

TEST_F(ProcessTest, AMissingProgramOrFolderIsNamed) {
  const auto missing = run_process({.argv = {"no-such-program"}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_NE(missing.error().message.find("no-such-program"), std::string::npos);
  const auto folder = run_process({.argv = {"true"}, .working_dir = "/no/such/folder"});
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().message.find("/no/such/folder"), std::string::npos);
}

TEST_F(ProcessTest, ATimeLimitEndsTheWholeGroup) {
  const auto slow = run_process({.argv = {"sh", "-c", "sleep 60 & sleep 60"}}, {}, std::chrono::milliseconds{200});
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, Code::kDeadlineExceeded);
}

TEST_F(ProcessTest, SignalsThatAreHeldEndNobodyWhoHasNotComeToListen) {
  ProcessOptions options{.argv = {"sh", "-c", "kill -TERM $$; kill -INT $$; echo lives; kill -HUP $$; echo too long"},
                         .held_signals = {SIGTERM, SIGINT}};
  const auto done = run_process(std::move(options));
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->out, "lives\n");
  EXPECT_EQ(done->status.signal, SIGHUP);
}

TEST_F(ProcessTest, ASignalIsReportedAsTheShellDoes) {
  auto process = Process::start({.argv = {"sleep", "60"}});
  ASSERT_TRUE(process);
  EXPECT_FALSE(process->wait(std::chrono::milliseconds{1}));
  process->kill_group(SIGTERM);
  const auto status = process->wait();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->code, 143);
  EXPECT_EQ(status->signal, SIGTERM);
}

TEST_F(FileTest, AtomicWritesReplaceAndLeaveNoLitter) {
  const auto path = folder_ / "a.txt";
  ASSERT_TRUE(write_file_atomic(path, "one"));
  ASSERT_TRUE(write_file_atomic(path, "two"));
  EXPECT_EQ(read_file(path).value_or(""), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
  EXPECT_EQ(read_file(path, 2).error().code, Code::kResourceExhausted);
}

TEST_F(FileTest, PathsFromOutsideStayBelowTheirFolder) {
  EXPECT_EQ(join_below("/r", "a/./b").value(), "/r/a/b");
  for (const char* bad : {"", "/etc/passwd", "..", "a/../../b", "a/.."}) EXPECT_FALSE(join_below("/r", bad)) << bad;
  EXPECT_FALSE(join_below("/r", std::string_view("a\0b", 3)));
}

TEST_F(FileTest, ALockIsHeldOnceAndNamesItsHolder) {
  const auto first = FileLock::acquire(folder_ / "lock");
  ASSERT_TRUE(first);
  const auto second = FileLock::acquire(folder_ / "lock");
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
}

}  // namespace
}  // namespace weir::io
