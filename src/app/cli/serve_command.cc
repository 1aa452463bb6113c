#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <csignal>

#include "app/cli/command.h"
#include "app/cli/print.h"
#include "app/cli/state_place.h"
#include "app/server.h"
#include "base/size.h"
#include "io/http_stream.h"

namespace weir::app {
namespace {

struct ServeArguments {
  std::string listen = "127.0.0.1";
  int slots = 0;
  int job_nice = 10;
  bool strict = false;
  std::string actions_url = Server::kActionsUrl;
  std::string keep_actions = "4G";
  std::vector<std::string> watch_roots;
  std::string public_url;
  bool verbose = false;
};

// "HOST:PORT", "HOST" or ":PORT"; IPv6 in brackets.
Result<void> read_listen(const std::string& text, Server::Options& options) {
  const auto colon = text.rfind(':');
  const bool has_port = colon != std::string::npos && text.find(']', colon) == std::string::npos;
  options.host = has_port ? text.substr(0, colon) : text;
  if (options.host.empty()) options.host = "127.0.0.1";
  if (options.host.starts_with('[') && options.host.ends_with(']')) {
    options.host = options.host.substr(1, options.host.size() - 2);
  }
  if (!has_port) return {};
  std::uint16_t port = 0;
  const char* begin = text.data() + colon + 1;
  const char* end = text.data() + text.size();
  if (const auto [stop, error] = std::from_chars(begin, end, port); error != std::errc{} || stop != end) {
    return fail(Code::kInvalidArgument, "--listen {} must be HOST:PORT with a port from 0 to 65535", text);
  }
  options.port = port;
  return {};
}

// "https://weir.example.com", with or without a slash at its end.
Result<std::string> read_public_url(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  if (text.empty()) return text;
  const auto url = io::parse_url(text);
  const bool web = url && (url->scheme == "https" || url->scheme == "http");
  if (!web || url->target != "/" || text.find_first_of("?#") != std::string::npos) {
    return fail(Code::kInvalidArgument, "--public-url {} must be https:// or http:// and a host, without a path", text);
  }
  return text;
}

Result<std::int64_t> read_keep_actions(const std::string& text) {
  constexpr std::int64_t kLeast = std::int64_t{1} << 20;
  const auto bytes = parse_size(text);
  if (bytes && *bytes >= kLeast) return *bytes;
  return fail(Code::kInvalidArgument, "--keep-actions {} must be a size from 1M, such as 512M or 20G", text);
}

// Thousands of connections need more descriptors than the usual 1,024; the hard limit is the machine's word.
void raise_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 65'536);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<int> serve(Cli& cli, const ServeArguments& arguments) {
  raise_open_files();
  // Blocked before any thread starts, so that only the descriptor below sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const int signal_fd = ::signalfd(-1, &signals, SFD_CLOEXEC);
  if (signal_fd < 0) return fail_errno(errno, "cannot wait for signals");

  Server::Options options;
  options.state = followed_state(cli.connection.state.empty() ? ".weir" : cli.connection.state);
  options.runner = WEIR_TRY(find_runner());
  options.slots = arguments.slots;
  options.job_nice = arguments.job_nice;
  options.strict = arguments.strict;
  options.actions_url = WEIR_TRY(read_actions_url(arguments.actions_url));
  options.actions_bytes_max = WEIR_TRY(read_keep_actions(arguments.keep_actions));
  options.public_url = WEIR_TRY(read_public_url(arguments.public_url));
  options.watch_roots = arguments.watch_roots;
  WEIR_TRY(read_listen(arguments.listen, options));
  Log log(cli.clock, STDERR_FILENO, arguments.verbose ? LogLevel::kDebug : LogLevel::kInfo);
  auto server = WEIR_TRY(Server::start(options, cli.clock, log));
  log.info("weir serves {} (state: {}); stop it with Ctrl-C", server->url(), options.state.string());
  if (cli.json) {
    print_line(json::serialize(json::object{
        {"url", server->url()}, {"state", std::filesystem::absolute(options.state).string()}, {"pid", ::getpid()}}));
    std::fflush(stdout);
  }

  signalfd_siginfo info{};
  while (::read(signal_fd, &info, sizeof info) < 0 && errno == EINTR) {
  }
  ::close(signal_fd);
  log.info("stopping; running jobs go on and are taken up again at the next start");
  server->stop();
  return 0;
}

}  // namespace

void add_serve(CLI::App& app, Cli& cli) {
  const auto arguments = std::make_shared<ServeArguments>();
  auto* command = app.add_subcommand("serve", "Run the server: git, workflows, tracking, registry, gateway, dashboard");
  command->add_option("--state", cli.connection.state, "folder for everything that is kept (default: .weir)");
  command->add_option("--listen", arguments->listen, "HOST:PORT; other addresses than loopback demand tokens of all")
      ->capture_default_str();
  add_slots(*command, arguments->slots);
  command
      ->add_option("--job-nice", arguments->job_nice,
                   "how far jobs give way to the server for the processors: 0 (not at all) to 19")
      ->envname("WEIR_JOB_NICE")
      ->check(CLI::Range(0, 19))
      ->capture_default_str();
  command
      ->add_option("--actions-url", arguments->actions_url,
                   "where actions and workflows of other repositories come from; file:// takes a mirror")
      ->envname("WEIR_ACTIONS_URL")
      ->capture_default_str();
  command
      ->add_option("--keep-actions", arguments->keep_actions,
                   "how much of what was fetched from there is kept; what was used longest ago goes first")
      ->envname("WEIR_KEEP_ACTIONS")
      ->capture_default_str();
  command
      ->add_option("--watch-root", arguments->watch_roots,
                   "a folder, or the beginning of a http(s):// address, whose data repositories may watch; repeatable")
      ->take_all()
      ->allow_extra_args(false);
  command
      ->add_option("--public-url", arguments->public_url,
                   "where people reach this server, e.g. through a proxy; links in messages lead there")
      ->envname("WEIR_PUBLIC_URL");
  command->add_flag("--strict", arguments->strict,
                    "give every job GitHub's empty machine: no implicit checkout or packages");
  command->add_flag("-v,--verbose", arguments->verbose, "log more");
  command->add_flag("--json", cli.json,
                    "print one JSON object with the address once it serves; the log goes to standard error");
  set_examples(*command,
               "weir serve\nweir serve --state /var/lib/weir --listen 127.0.0.1:4510\nweir serve --json\n"
               "git push http://127.0.0.1:4510/git/myproject.git main   (password: a token)");
  command->callback([&cli, arguments] { cli.action = [&cli, arguments] { return serve(cli, *arguments); }; });
}

}  // namespace weir::app
