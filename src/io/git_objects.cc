#include "io/git_objects.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <mutex>

#include "base/hash.h"
#include "io/descriptor.h"
#include "io/git_process.h"
#include "io/process.h"

namespace weir::io {
namespace {

constexpr auto kAnswerLimit = std::chrono::minutes{5};
constexpr auto kEndLimit = std::chrono::seconds{2};
constexpr std::size_t kHeaderBytesMax = 8'192;

// "Name <mail> 1700000000 +0100"
void read_person(std::string_view text, std::string& name, std::string& email, std::int64_t& time_s) {
  const auto open = text.find('<');
  const auto close = text.rfind('>');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return;
  name = text.substr(0, open > 0 ? open - 1 : 0);
  email = text.substr(open + 1, close - open - 1);
  if (close + 2 > text.size()) return;
  std::from_chars(text.data() + close + 2, text.data() + text.size(), time_s);
}

std::string_view without_newlines(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

}  // namespace

struct GitObjects::Reader {
  Reader(std::filesystem::path dir, std::map<std::string, std::string> more)
      : git_dir(std::move(dir)), env(std::move(more)) {}
  ~Reader() { stop(); }

  std::filesystem::path git_dir;
  std::map<std::string, std::string> env;
  std::mutex mutex;
  std::optional<Process> process;
  Descriptor channel;  // both its standard input and output
  std::string ahead;   // read, not yet asked for

  Result<void> start() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      return fail_errno(errno, "cannot make a socket");
    channel = Descriptor(ends[0]);
    const Descriptor theirs(ends[1]);
    const Descriptor nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    ProcessOptions options;
    options.argv = {"git", "--git-dir=" + git_dir.string(), "cat-file", "--batch"};
    options.env = git_environment(env);
    options.stdin_fd = theirs.get();
    options.stdout_fd = theirs.get();
    options.stderr_fd = nowhere.get();
    process.emplace(WEIR_TRY(Process::start(options)));
    ahead.clear();
    return {};
  }

  void stop() {
    channel = Descriptor();  // the end of its input
    if (!process) return;
    if (!process->wait(kEndLimit)) {
      process->kill_group(SIGKILL);
      process->wait();
    }
    process.reset();
  }

  Result<void> ask(std::string_view question) {
    while (!question.empty()) {
      const auto sent = ::send(channel.get(), question.data(), question.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return died();
      question.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
  }

  Result<void> read_more() {
    pollfd readable{channel.get(), POLLIN, 0};
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(kAnswerLimit).count();
    int ready = 0;
    do {
      ready = ::poll(&readable, 1, static_cast<int>(limit));
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) return fail(Code::kDeadlineExceeded, "git gave no answer about {}", git_dir.string());
    char buffer[65'536];
    // Questions wait for each other. NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection)
    const auto got = ::read(channel.get(), buffer, sizeof(buffer));
    if (got <= 0) return died();
    ahead.append(buffer, static_cast<std::size_t>(got));
    return {};
  }

  [[nodiscard]] std::unexpected<Error> died() const {
    return fail(Code::kFailedPrecondition, "git cannot read the objects of {}; `git fsck` there tells more",
                git_dir.string());
  }

  Result<std::optional<GitObject>> read(std::string_view name, std::size_t bytes_max) {
    WEIR_TRY(ask(std::string(name) + "\n"));
    std::size_t end = 0;
    while ((end = ahead.find('\n')) == std::string::npos) {
      if (ahead.size() > kHeaderBytesMax + name.size()) return died();
      WEIR_TRY(read_more());
    }
    // "<id> <type> <size>", or "<name> missing", "<name> ambiguous"
    const std::string header = ahead.substr(0, end);
    ahead.erase(0, end + 1);
    if (header.ends_with(" missing") || header.ends_with(" ambiguous")) return std::optional<GitObject>();
    const auto first = header.find(' ');
    const auto second = header.find(' ', first + 1);
    std::size_t size = 0;
    if (first == std::string::npos || second == std::string::npos ||
        std::from_chars(header.data() + second + 1, header.data() + header.size(), size).ptr !=
            header.data() + header.size()) {
      return died();
    }
    if (size > bytes_max) {
      return fail(Code::kResourceExhausted, "the object {} of {} has {} bytes; {} can be read", header.substr(0, first),
                  git_dir.string(), size, bytes_max);
    }
    ahead.reserve(size + 1);
    while (ahead.size() < size + 1) WEIR_TRY(read_more());
    GitObject object{header.substr(0, first), header.substr(first + 1, second - first - 1), ahead.substr(0, size)};
    ahead.erase(0, size + 1);
    return object;
  }
};

GitObjects::GitObjects(std::filesystem::path git_dir, std::map<std::string, std::string> env)
    : reader_(std::make_unique<Reader>(std::move(git_dir), std::move(env))) {}
GitObjects::~GitObjects() = default;

Result<std::optional<GitObject>> GitObjects::read(std::string_view name, std::size_t bytes_max) {
  if (name.empty() || name.find('\n') != std::string_view::npos) return std::optional<GitObject>();
  const std::lock_guard lock(reader_->mutex);
  if (!reader_->process) WEIR_TRY(reader_->start());
  auto object = reader_->read(name, bytes_max);
  if (!object) reader_->stop();  // what it still says belongs to this question
  return object;
}

Result<std::vector<GitTreeItem>> parse_git_tree(std::string_view bytes, std::size_t id_bytes) {
  std::vector<GitTreeItem> items;
  while (!bytes.empty()) {
    const auto space = bytes.find(' ');
    const auto zero = bytes.find('\0');
    if (space == std::string_view::npos || zero == std::string_view::npos || space > zero || space > 6 || space == 0 ||
        zero == space + 1 || bytes.size() - zero - 1 < id_bytes) {
      return fail(Code::kCorrupt, "a tree of the repository is damaged; `git fsck` tells more");
    }
    items.push_back({std::string(bytes.substr(space + 1, zero - space - 1)),
                     std::string(6 - space, '0') + std::string(bytes.substr(0, space)),
                     hex_encode(bytes.substr(zero + 1, id_bytes))});
    bytes.remove_prefix(zero + 1 + id_bytes);
  }
  return items;
}

std::optional<GitCommit> parse_git_commit(const GitObject& object) {
  GitCommit commit{.sha = object.id};
  std::string_view rest = object.bytes;
  std::string committer;
  std::string email;
  while (!rest.empty() && rest.front() != '\n') {
    const auto end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.starts_with("tree ")) commit.tree = line.substr(5);
    if (line.starts_with("parent ")) commit.parents.emplace_back(line.substr(7));
    if (line.starts_with("author ")) {
      read_person(line.substr(7), commit.author_name, commit.author_email, commit.author_time_s);
    }
    if (line.starts_with("committer ")) read_person(line.substr(10), committer, email, commit.committer_time_s);
    if (line.starts_with("encoding ")) return std::nullopt;
  }
  if (!rest.empty()) commit.message = std::string(without_newlines(rest.substr(1)));
  return commit;
}

}  // namespace weir::io
