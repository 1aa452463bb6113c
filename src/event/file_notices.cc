#include "event/file_notices.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include <array>

namespace weir::event {
namespace {

constexpr std::uint32_t kMask =
    IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR | IN_DONT_FOLLOW;

}  // namespace

FileNotices::FileNotices(std::function<void(const std::string& key)> noticed)
    : noticed_(std::move(noticed)),
      inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC)) {
  // Without the two nothing is noticed, and what is watched is looked at from time to time.
  if (inotify_ && wake_) thread_ = std::jthread([this] { work(); });
}

FileNotices::~FileNotices() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  while (::write(wake_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_.join();
}

bool FileNotices::set(const std::string& key, const std::set<std::filesystem::path>& folders) {
  if (!thread_.joinable()) return false;
  const std::scoped_lock lock(mutex_);
  std::set<int> now;
  bool all = folders.size() <= kFoldersMax && !folders.empty();
  if (all) {
    for (const auto& folder : folders) {
      const int number = ::inotify_add_watch(inotify_.get(), folder.c_str(), kMask);
      if (number < 0) {
        all = false;
      } else {
        now.insert(number);
      }
    }
  }
  for (const int number : now) keys_[number].insert(key);
  for (const int number : numbers_[key]) {
    if (now.contains(number)) continue;
    auto& keys = keys_[number];
    keys.erase(key);
    if (!keys.empty()) continue;
    keys_.erase(number);
    ::inotify_rm_watch(inotify_.get(), number);
  }
  if (now.empty()) {
    numbers_.erase(key);
  } else {
    numbers_[key] = std::move(now);
  }
  return all;
}

void FileNotices::work() {
  for (;;) {
    std::array<pollfd, 2> both{pollfd{inotify_.get(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
    if (::poll(both.data(), both.size(), -1) < 0 && errno != EINTR) return;
    if ((both[1].revents & POLLIN) != 0) return;
    if ((both[0].revents & POLLIN) != 0) read_notices();
  }
}

void FileNotices::read_notices() {
  alignas(inotify_event) std::array<char, 16 * 1024> buffer{};
  const auto got = ::read(inotify_.get(), buffer.data(), buffer.size());
  std::set<std::string> touched;
  {
    const std::scoped_lock lock(mutex_);
    for (std::ptrdiff_t at = 0; at < got;) {
      const auto* notice = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += static_cast<std::ptrdiff_t>(sizeof(inotify_event) + notice->len);
      if ((notice->mask & IN_Q_OVERFLOW) != 0) {
        for (const auto& [key, _] : numbers_) touched.insert(key);
      }
      const auto found = keys_.find(notice->wd);
      if (found == keys_.end()) continue;
      touched.insert(found->second.begin(), found->second.end());
      if ((notice->mask & IN_IGNORED) == 0) continue;
      // The folder is gone; the kernel may give its number anew.
      for (const auto& key : found->second) numbers_[key].erase(notice->wd);
      keys_.erase(found);
    }
  }
  for (const auto& key : touched) noticed_(key);
}

}  // namespace weir::event
