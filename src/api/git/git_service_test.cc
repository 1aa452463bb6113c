#include "api/git/git_service.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>
#include <zlib.h>

#include <thread>

#include "api/git/git_http.h"
#include "api/git/gzip_source.h"
#include "io/process.h"

namespace weir::api {
namespace {

TEST(PushLock, LastsAsLongAsTheGitThatInheritedIt) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("weir-push-lock-{}", ::getpid());
  std::filesystem::create_directories(folder);
  std::optional<io::Process> orphan;
  {
    const auto lock = PushLock::take(folder);
    ASSERT_TRUE(lock);
    io::ProcessOptions options;
    options.argv = {"sleep", "1000"};
    options.stderr_fd = lock->fd();
    orphan = *io::Process::start(options);
  }
  const Descriptor other{::open((folder / "weir-push.lock").c_str(), O_RDWR | O_CLOEXEC)};
  EXPECT_NE(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
  std::thread waiter([&] { EXPECT_TRUE(wait_for_pushes(folder)); });
  orphan->kill_group(SIGKILL);
  waiter.join();
  orphan->wait();
  std::filesystem::remove_all(folder);
}

class TextSource final : public io::ByteSource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    size = text_.copy(buffer, std::min<std::size_t>(size, 7), at_);
    at_ += size;
    return size;
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

std::string gzip(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 1000, '\0');
  std::string in{text};
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

Result<std::string> read_all(std::unique_ptr<io::ByteSource> source) {
  std::string text;
  char piece[100];
  while (true) {
    const std::size_t count = WEIR_TRY(source->read(piece, sizeof piece));
    if (count == 0) return text;
    text.append(piece, count);
  }
}

TEST(Gunzip, GivesBackWhatWasCompressed) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += fmt::format("{} have {}\n", i, i * 7919);
  for (const std::string& sample : {text, std::string{}, std::string(100'000, 'x')}) {
    EXPECT_EQ(read_all(gunzip(std::make_unique<TextSource>(gzip(sample)))), sample);
  }
}

TEST(Gunzip, BrokenBodiesAreErrors) {
  const std::string good = gzip("some text that is long enough to be cut somewhere");
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(read_all(gunzip(std::make_unique<TextSource>(good.substr(0, size))))) << size;
  }
  std::string flipped = good;
  flipped[20] ^= 0x55;
  EXPECT_FALSE(read_all(gunzip(std::make_unique<TextSource>(flipped))));
  EXPECT_FALSE(read_all(gunzip(std::make_unique<TextSource>("plain text"))));
}

}  // namespace
}  // namespace weir::api
