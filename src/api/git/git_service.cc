#include "api/git/git_service.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <set>

#include "io/file.h"
#include "io/git_process.h"
#include "io/process.h"

namespace weir::api {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAside = "weir-pushed-";
constexpr std::size_t kAnswerBytesMax = 64U << 20;
constexpr std::chrono::minutes kSilenceMax{30};  // git may chew on a large pack for long without a word

// Only what git needs: no configuration of the user or the machine can change how pushes are taken.
std::map<std::string, std::string> environment(std::string_view protocol) {
  const char* path = std::getenv("PATH");
  std::map<std::string, std::string> env{{"PATH", path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path},
                                         {"LC_ALL", "C"},
                                         {"HOME", "/nonexistent"},
                                         {"GIT_CONFIG_NOSYSTEM", "1"},
                                         {"GIT_CONFIG_GLOBAL", "/dev/null"},
                                         {"GIT_TERMINAL_PROMPT", "0"}};
  if (!protocol.empty()) env.emplace("GIT_PROTOCOL", protocol);
  return env;
}

std::vector<std::string> command(std::string_view service) {
  std::vector<std::string> argv{"git"};
  const auto set = [&](std::string_view setting) {
    argv.emplace_back("-c");
    argv.emplace_back(setting);
  };
  set("core.hooksPath=/dev/null");
  set("safe.directory=*");  // the state folder is ours, whoever owns its parent
  if (service == "receive-pack") {
    set("core.fsync=loose-object,pack,pack-metadata,reference");
    set("core.fsyncMethod=fsync");
    // One pack for each push, so that few folders have to be synced; git packs them together now and then.
    set("receive.unpackLimit=1");
    set("receive.fsckObjects=true");
    // Old, harmless flaws of real histories.
    set("receive.fsck.zeroPaddedFilemode=warn");
    set("receive.fsck.missingSpaceBeforeDate=warn");
    set("receive.fsck.badTimezone=warn");
    set("receive.denyNonFastForwards=false");
    set("receive.denyDeletes=false");
    set("receive.advertisePushOptions=false");
    // A run can be started again from a commit that no branch holds any more.
    set("gc.pruneExpire=never");
  } else {
    set("uploadpack.allowAnySHA1InWant=true");  // checkouts ask for a commit, not for a branch
    set("uploadpack.allowFilter=true");
  }
  argv.emplace_back(service);
  return argv;
}

// Reads the output of a git that runs, and ends it when dropped.
class GitOutput final : public io::ByteSource {
 public:
  GitOutput(io::Process process, Descriptor output, Descriptor messages)
      : process_(std::move(process)), output_(std::move(output)), messages_(std::move(messages)) {}
  ~GitOutput() override {
    if (ended_) return;
    process_.kill_group(SIGKILL);
    process_.wait();
  }
  GitOutput(const GitOutput&) = delete;
  GitOutput& operator=(const GitOutput&) = delete;

  void cancel() override { process_.kill_group(SIGKILL); }

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    if (ended_) return 0;
    pollfd wait{output_.get(), POLLIN, 0};
    const auto limit = std::chrono::milliseconds{kSilenceMax}.count();
    int ready = 0;
    do {
      ready = ::poll(&wait, 1, static_cast<int>(limit));
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) return fail(Code::kDeadlineExceeded, "git said nothing for {}", format_duration(kSilenceMax));
    const auto count = ::read(output_.get(), buffer, size);
    if (count < 0) return fail_errno(errno, "cannot read from git");
    if (count > 0) return static_cast<std::size_t>(count);
    const auto status = process_.wait();
    ended_ = true;
    if (status->code == 0) return 0;
    std::string text(2'000, '\0');
    const auto got = messages_.get() < 0 ? 0 : ::pread(messages_.get(), text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return fail(Code::kFailedPrecondition, "git ended with {}: {}", status->code, text);
  }

 private:
  io::Process process_;
  Descriptor output_;
  Descriptor messages_;
  bool ended_ = false;
};

Result<std::unique_ptr<GitOutput>> start(std::vector<std::string> argv, std::string_view protocol, int input,
                                         int messages, Descriptor own_messages,
                                         const std::map<std::string, std::string>& env = {}) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  Descriptor read_end{ends[0]};
  const Descriptor write_end{ends[1]};
  io::ProcessOptions options;
  options.argv = std::move(argv);
  options.env = environment(protocol);
  options.env->insert(env.begin(), env.end());
  options.stdin_fd = input;
  options.stdout_fd = write_end.get();
  options.stderr_fd = messages;
  io::Process process = WEIR_TRY(io::Process::start(options));
  return std::make_unique<GitOutput>(std::move(process), std::move(read_end), std::move(own_messages));
}

// A file in memory that holds `text`, to be read from its beginning.
Result<Descriptor> memory_file(const char* name, std::string_view text) {
  Descriptor file{::memfd_create(name, MFD_CLOEXEC)};
  if (file.get() < 0) return fail_errno(errno, "cannot make a file in memory");
  while (!text.empty()) {
    const auto count = ::write(file.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "cannot write to memory");
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

Result<std::string> read_all(io::ByteSource& source) {
  std::string text;
  std::string piece(65'536, '\0');
  while (true) {
    const std::size_t count = WEIR_TRY(source.read(piece.data(), piece.size()));
    if (count == 0) return text;
    text.append(piece, 0, count);
    if (text.size() > kAnswerBytesMax) return fail(Code::kResourceExhausted, "git's answer is too long");
  }
}

}  // namespace

Result<std::string> advertise_refs(const fs::path& git_dir, std::string_view service, std::string_view protocol) {
  auto argv = command(service);
  argv.insert(argv.end(), {"--stateless-rpc", "--advertise-refs", git_dir.string()});
  Descriptor messages = WEIR_TRY(memory_file("git-messages", {}));
  const int messages_fd = messages.get();
  const auto output = WEIR_TRY(start(std::move(argv), protocol, -1, messages_fd, std::move(messages)));
  return read_all(*output);
}

Result<std::unique_ptr<io::ByteSource>> upload_pack(const fs::path& git_dir, std::string_view request,
                                                    std::string_view protocol) {
  auto argv = command("upload-pack");
  argv.insert(argv.end(), {"--stateless-rpc", git_dir.string()});
  const Descriptor input = WEIR_TRY(memory_file("git-request", request));
  Descriptor messages = WEIR_TRY(memory_file("git-messages", {}));
  const int messages_fd = messages.get();
  return WEIR_TRY(start(std::move(argv), protocol, input.get(), messages_fd, std::move(messages)));
}

Result<Descriptor> open_spool(const fs::path& git_dir) {
  std::string name = (git_dir / "weir-push-XXXXXX").string();
  Descriptor file{::mkostemp(name.data(), O_CLOEXEC)};
  if (file.get() < 0) return fail_errno(errno, "cannot store the push");
  ::unlink(name.c_str());
  return file;
}

Result<PushLock> PushLock::take(const fs::path& git_dir) {
  const auto path = git_dir / "weir-push.lock";
  Descriptor file{::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  if (file.get() < 0) return fail_errno(errno, fmt::format("cannot open {}", path.string()));
  int locked = 0;
  do {
    locked = ::flock(file.get(), LOCK_EX);
  } while (locked != 0 && errno == EINTR);
  if (locked != 0 || ::ftruncate(file.get(), 0) != 0) {
    return fail_errno(errno, fmt::format("cannot lock {}", path.string()));
  }
  return PushLock{std::move(file)};
}

std::string PushLock::messages() const {
  std::string text(4'000, '\0');
  const auto count = ::pread(file_.get(), text.data(), text.size(), 0);
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return text;
}

Result<PushedObjects> PushedObjects::unpack(const fs::path& git_dir, const Descriptor& spool,
                                            std::size_t commands_bytes) {
  std::string name = (git_dir / (std::string(kAside) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) return fail_errno(errno, "cannot make a folder for the push");
  PushedObjects objects{name};
  const auto size = ::lseek(spool.get(), 0, SEEK_END);
  if (size <= static_cast<off_t>(commands_bytes)) return objects;
  ::lseek(spool.get(), static_cast<off_t>(commands_bytes), SEEK_SET);
  auto argv = command("index-pack");
  argv.insert(argv.begin() + 1, "--git-dir=" + git_dir.string());
  argv.insert(argv.end(), {"--stdin", "--fix-thin"});
  Descriptor messages = WEIR_TRY(memory_file("git-messages", {}));
  const int messages_fd = messages.get();
  const std::map<std::string, std::string> where{
      {"GIT_OBJECT_DIRECTORY", name}, {"GIT_ALTERNATE_OBJECT_DIRECTORIES", io::git_path(git_dir / "objects")}};
  const auto output = WEIR_TRY(start(std::move(argv), {}, spool.get(), messages_fd, std::move(messages), where));
  WEIR_TRY(read_all(*output));
  return objects;
}

void PushedObjects::remove_left(const fs::path& git_dir) {
  std::error_code error;
  for (fs::directory_iterator item(git_dir, error), end; !error && item != end; item.increment(error)) {
    if (!item->path().filename().string().starts_with(kAside)) continue;
    [[maybe_unused]] const auto removed = io::remove_tree(item->path());
  }
}

PushedObjects::~PushedObjects() {
  if (folder_.empty()) return;
  [[maybe_unused]] const auto removed = io::remove_tree(folder_);
}

Result<std::string> receive_pack(const fs::path& git_dir, const Descriptor& spool, const PushLock& lock) {
  auto argv = command("receive-pack");
  argv.insert(argv.end(), {"--stateless-rpc", git_dir.string()});
  ::lseek(spool.get(), 0, SEEK_SET);
  const auto output = WEIR_TRY(start(std::move(argv), {}, spool.get(), lock.fd(), Descriptor{}));
  auto answer = read_all(*output);
  if (answer) return answer;
  return fail(answer.error().code, "{} {}", answer.error().message, lock.messages());
}

Result<void> sync_push(const fs::path& git_dir, std::span<const event::RefUpdate> moved) {
  // With the files that make it a repository, which its first push has just written.
  std::set<fs::path> paths{git_dir.parent_path(), git_dir,          git_dir / "HEAD",
                           git_dir / "config",    git_dir / "refs", git_dir / "objects" / "pack"};
  for (const auto& update : moved) {
    const auto refs = git_dir / "refs";
    for (auto folder = (git_dir / update.ref).parent_path(); folder != refs && folder != folder.root_path();
         folder = folder.parent_path()) {
      paths.insert(folder);
    }
  }
  for (const auto& path : paths) {
    // git removes folders that a deleted ref leaves empty.
    if (fs::exists(path)) WEIR_TRY(io::sync_path(path));
  }
  return {};
}

}  // namespace weir::api
