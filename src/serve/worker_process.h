#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/process.h"
#include "serve/frame.h"

namespace weir::serve {

// How to start a worker; its standard input will be the socket.
struct WorkerCommand {
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;  // its whole environment
  std::filesystem::path working_dir;
};

// One worker process with its socket and what it prints. Reads and writes never block. Not thread-safe. Destroying it
// ends the process and everything that it started.
class WorkerProcess {
 public:
  static Result<std::unique_ptr<WorkerProcess>> start(const WorkerCommand& command);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  [[nodiscard]] int socket_fd() const { return socket_; }
  [[nodiscard]] int errors_fd() const { return errors_; }
  // Readable while bytes wait to be sent and the socket would take some.
  [[nodiscard]] int writable_fd() const { return writable_; }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }

  // Queues a frame and sends what goes. False once the worker is gone.
  bool send(std::uint64_t id, FrameKind kind, std::string_view header, std::string_view body);
  bool flush();

  // Appends the frames that have arrived to `frames`. False once the worker is gone or talks nonsense.
  bool receive(std::vector<Frame>& frames);

  // Takes in what the worker has printed. False at its end.
  bool read_errors();
  // The last lines that it printed, to explain why it ended; "" if it printed nothing.
  [[nodiscard]] std::string last_lines() const;

  // "exit code 1", "signal 9 (Killed)"; waits a moment for a process that is just ending.
  std::string ending();

  // Tells the worker that no more requests come: it ends by itself.
  void close_socket();
  void kill() const { process_.kill_group(9); }
  bool wait(Duration limit) { return process_.wait(limit).has_value(); }
  [[nodiscard]] int pid_fd() const { return process_.pid_fd(); }

 private:
  WorkerProcess(io::Process process, int socket, int errors, int writable);
  void want_writable(bool wanted);

  io::Process process_;
  int socket_;
  int errors_;
  int writable_;
  bool wants_writable_ = false;
  FrameReader reader_;
  std::string outgoing_;
  std::size_t sent_ = 0;
  std::string printed_;
};

}  // namespace weir::serve
