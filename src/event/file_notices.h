#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "io/descriptor.h"

namespace weir::event {

// Hears from the kernel (inotify) that something in a folder has changed: a hint to look sooner than the next time
// would be. File systems of other machines tell nothing, and the number of folders is bounded, so a hint may always be
// lacking. Any thread.
class FileNotices {
 public:
  static constexpr std::size_t kFoldersMax = 4'096;  // of one watch

  // `noticed` is called with a watch's key, on a thread of this object.
  explicit FileNotices(std::function<void(const std::string& key)> noticed);
  ~FileNotices();
  FileNotices(const FileNotices&) = delete;
  FileNotices& operator=(const FileNotices&) = delete;

  // The folders of a watch from now on; none ends it. Whether the kernel watches all of them.
  bool set(const std::string& key, const std::set<std::filesystem::path>& folders);

 private:
  void work();
  void read_notices();

  std::function<void(const std::string& key)> noticed_;
  io::Descriptor inotify_;
  io::Descriptor wake_;  // tells the thread to end
  std::mutex mutex_;
  std::map<int, std::set<std::string>> keys_;  // by number of the kernel's watch
  std::map<std::string, std::set<int>> numbers_;
  std::jthread thread_;
};

}  // namespace weir::event
