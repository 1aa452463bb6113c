// Round trips over a kept connection and requests per second of HttpServer on loopback, against what the same client
// gets from a bare socket echo (the floor that kernel and client set) and from Python's http.server.
//
//   http_bench [SECONDS per measurement, 2]
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "io/http_test_support.h"
#include "io/process.h"

namespace weir::io {
namespace {

using testing::RawClient;
using SteadyClock = std::chrono::steady_clock;

constexpr std::string_view kBody = R"({"inputs": [[1.0, 2.0, 3.0, 4.0]]})";

std::string request_text() {
  return fmt::format(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      kBody.size(), kBody);
}

struct Figures {
  double p50_us = 0;
  double p99_us = 0;
  double per_second = 0;  // with several clients at once
};

// Exchanges on one connection until `end`, each answer being as long as the first; their times in microseconds.
std::vector<double> exchange_until(std::uint16_t port, SteadyClock::time_point end) {
  RawClient client(port);
  const std::string request = request_text();
  std::vector<double> times;
  while (SteadyClock::now() < end) {
    const auto start = SteadyClock::now();
    if (!client.send(request) || client.read_answer().empty()) break;
    times.push_back(std::chrono::duration<double, std::micro>(SteadyClock::now() - start).count());
  }
  return times;
}

Figures measure(std::uint16_t port, double seconds) {
  const auto span = std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(seconds));
  exchange_until(port, SteadyClock::now() + span / 10);
  std::vector<double> times = exchange_until(port, SteadyClock::now() + span);
  if (times.empty()) return {};
  std::ranges::sort(times);
  Figures figures{times[times.size() / 2], times[times.size() * 99 / 100], 0};
  constexpr int kClients = 8;
  std::vector<std::size_t> counts(kClients);
  std::vector<std::thread> clients;
  const auto start = SteadyClock::now();
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] { counts[static_cast<std::size_t>(i)] = exchange_until(port, start + span).size(); });
  }
  for (std::thread& client : clients) client.join();
  const double took = std::chrono::duration<double>(SteadyClock::now() - start).count();
  figures.per_second = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::size_t{0})) / took;
  return figures;
}

// Answers whatever comes with a fixed text: one poll loop, the least that a server can do.
class BareServer {
 public:
  BareServer() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(fd_, 64) != 0) std::abort();
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~BareServer() {
    stopping_ = true;
    const RawClient wake(port_);
    thread_.join();
    ::close(fd_);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  void serve() {
    const std::string answer = fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", kBody.size(), kBody);
    std::vector<pollfd> fds{{fd_, POLLIN, 0}};
    char piece[4096];
    while (!stopping_ && ::poll(fds.data(), fds.size(), -1) > 0) {
      if (fds[0].revents != 0) fds.push_back({::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC), POLLIN, 0});
      for (std::size_t i = 1; i < fds.size(); ++i) {
        if (fds[i].revents == 0) continue;
        if (::recv(fds[i].fd, piece, sizeof piece, 0) > 0) {
          ::send(fds[i].fd, answer.data(), answer.size(), MSG_NOSIGNAL);
        } else {
          ::close(fds[i].fd);
          fds[i].fd = -1;
        }
      }
      std::erase_if(fds, [](const pollfd& entry) { return entry.fd < 0; });
    }
    for (std::size_t i = 1; i < fds.size(); ++i) ::close(fds[i].fd);
  }

  int fd_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

constexpr std::string_view kPython = R"(
import http.server, socketserver, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
)";

// Starts Python's server; nothing if there is no Python.
std::optional<Figures> measure_python(double seconds) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  ProcessOptions options;
  options.argv = {"python3", "-c", std::string{kPython}};
  options.stdout_fd = ends[1];
  auto process = Process::start(options);
  ::close(ends[1]);
  std::string line(16, '\0');
  std::optional<Figures> figures;
  if (process && ::read(ends[0], line.data(), line.size()) > 0) {
    figures = measure(static_cast<std::uint16_t>(std::atoi(line.c_str())), seconds);
  }
  if (process) {
    process->kill_group(SIGKILL);
    process->wait();
  }
  ::close(ends[0]);
  return figures;
}

void print(std::string_view name, const Figures& figures, const Figures& base) {
  fmt::print("{:<34}{:>10.1f}{:>10.1f}{:>12.0f}{:>12.2f}\n", name, figures.p50_us, figures.p99_us, figures.per_second,
             figures.p50_us / base.p50_us);
}

int run(double seconds) {
  Router router;
  router.handle_async("POST", "/echo",
                      [](HttpRequest request, HttpReply reply) { reply(text_response(200, std::move(request.body))); });
  Router blocking;
  blocking.handle("POST", "/echo", [](HttpRequest& request) { return text_response(200, std::move(request.body)); });
  const testing::TestServer async_server(std::move(router));
  const testing::TestServer blocking_server(std::move(blocking));
  if (!async_server.ok() || !blocking_server.ok()) return 1;
  const BareServer bare;
  const Figures floor = measure(bare.port(), seconds);
  fmt::print("{:<34}{:>10}{:>10}{:>12}{:>12}\n", "HTTP on loopback, 8 clients for /s", "p50 us", "p99 us", "requests/s",
             "p50/floor");
  print("bare socket echo (floor)", floor, floor);
  print("weir, asynchronous handler", measure(async_server.port(), seconds), floor);
  print("weir, handler on the pool", measure(blocking_server.port(), seconds), floor);
  if (const auto python = measure_python(seconds)) print("Python http.server", *python, floor);
  return 0;
}

}  // namespace
}  // namespace weir::io

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  return weir::io::run(argc > 1 ? std::atof(argv[1]) : 2.0);
}
