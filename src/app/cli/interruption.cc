#include "app/cli/interruption.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>

namespace weir::app {
namespace {

constexpr int kForcedPauseMs = 100;  // what ends may let something else begin, as always() does

// Nobody reads a terminal that is gone: what is written to it goes nowhere, instead of failing.
void leave_terminal() {
  const io::Descriptor nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!nowhere) return;
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    pollfd state{.fd = fd, .events = POLLOUT, .revents = 0};
    if (::poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0) ::dup2(nowhere.get(), fd);
  }
}

// Not through stdio, whose buffers the other threads use.
void say(std::string_view text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

Result<std::unique_ptr<Interruption>> Interruption::watch() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before{};
    ::sigaction(number, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaddset(&set, number);
  }
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return fail_errno(error, "cannot hold signals back");
  }
  io::Descriptor signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return fail_errno(errno, "cannot wait for signals");
  io::Descriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail_errno(errno, "eventfd");
  return std::unique_ptr<Interruption>(new Interruption(std::move(signals), std::move(wake)));
}

Interruption::Interruption(io::Descriptor signals, io::Descriptor wake)
    : signals_(std::move(signals)), wake_(std::move(wake)), thread_([this] { listen(); }) {}

Interruption::~Interruption() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

int Interruption::signal() const {
  const std::scoped_lock lock(mutex_);
  return first_;
}

std::shared_ptr<void> Interruption::during(Action action) {
  const std::scoped_lock lock(acting_);
  action_ = std::move(action);
  return {this, [](Interruption* self) {
            const std::scoped_lock acting(self->acting_);
            self->action_ = nullptr;
          }};
}

void Interruption::listen() {
  for (bool forced = false;;) {
    pollfd waiting[] = {{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                        {.fd = wake_.get(), .events = POLLIN, .revents = 0}};
    ::poll(waiting, 2, forced ? kForcedPauseMs : -1);
    if ((waiting[1].revents & POLLIN) != 0) return;
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) == sizeof info) {
      heard(static_cast<int>(info.ssi_signo));
      const std::scoped_lock lock(mutex_);
      forced = count_ > 1;
    } else if (forced) {
      act(true);
    }
  }
}

void Interruption::heard(int number) {
  int count = 0;
  {
    const std::scoped_lock lock(mutex_);
    if (first_ == 0) first_ = number;
    count = ++count_;
  }
  if (number == SIGHUP) leave_terminal();
  if (count > 2) ::_exit(128 + number);
  say(count == 1 ? "cancelling; again to end it at once\n" : "ending it at once\n");
  if (!act(count > 1) && count > 1) ::_exit(128 + number);
}

bool Interruption::act(bool force) {
  const std::scoped_lock lock(acting_);
  if (action_) action_(force);
  return action_ != nullptr;
}

}  // namespace weir::app
