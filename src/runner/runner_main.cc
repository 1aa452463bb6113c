// weir-runner <job dir> [--nice=N]: runs one job. Its secrets and token come on standard input as
// {"secrets": {"NAME": "value"}, "token": "…", "env": {…}, "actions": {…}}. Exit code 0 once the journal says how the
// job ended, ENOSPC if the disk had no room: what is printed then may find none either.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <string>

#include "runner/job.h"
#include "runner/priority.h"
#include "runner/supervisor.h"

namespace {

// Standard input to its end.
std::string read_input() {
  std::string text;
  char buffer[65'536];
  for (;;) {
    const ssize_t got = ::read(0, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

int complain(const weir::Error& error) {
  std::fprintf(stderr, "weir-runner: %s\n", error.message.c_str());
  return error.code == weir::Code::kResourceExhausted ? ENOSPC : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto nice = argc == 3 ? weir::runner::parse_nice(argv[2]) : std::optional(0);
  if (argc < 2 || argc > 3 || argv[1][0] == '-' || !nice) {
    std::fprintf(stderr,
                 "usage: weir-runner JOB_DIR [--nice=0..19] < secrets.json\n"
                 "Runs the job of JOB_DIR/spec.json. weir starts it; there is seldom a reason to do so by hand.\n");
    return 2;
  }
  // Whatever the starter had open, a listening socket or a lock, is none of the job's business. What it means to hand
  // over is on the first three: secrets on the input, and its lock on the file that is output and errors.
  ::close_range(3, ~0U, 0);
  weir::runner::give_way(*nice);
  // From here on a job that is cancelled says so in its journal: signals wait until somebody listens.
  if (const auto held = weir::runner::Supervisor::hold_signals(); !held) return complain(held.error());
  auto secrets = weir::runner::parse_secrets(read_input());
  if (!secrets) return complain(secrets.error());
  // Nobody else needs the pipe: its other end shall see that it was read.
  if (const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC); null >= 0) {
    ::dup2(null, 0);
    ::close(null);
  }
  const auto done = weir::runner::run_job(argv[1], *std::move(secrets));
  if (!done) return complain(done.error());
  if (done->work_abandoned) ::_exit(0);
  return 0;
}
