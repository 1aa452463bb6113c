#include "runner/checkout_network.h"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>

#include "base/hash.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "io/process.h"
#include "runner/reads.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr Duration kPause = std::chrono::milliseconds{50};
constexpr Duration kGrace = std::chrono::seconds{5};
constexpr std::size_t kOutputMax = 1U << 20;

bool is_object_id(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_ours(const ActionRequest& request, std::string_view repository) {
  const auto& spec = *request.spec;
  return !spec.server_owner.empty() && !spec.server_url.empty() &&
         equal_ignoring_case(repository.substr(0, repository.find('/')), spec.server_owner);
}

std::string url_of(const ActionRequest& request, const std::string& repository) {
  const auto& base = is_ours(request, repository) ? request.spec->server_url : request.spec->actions_url;
  return fmt::format("{}/{}", base, repository);
}

// git in a work tree, as a step would run it, but asking nobody for a password.
class NetworkGit {
 public:
  NetworkGit(const ActionRequest& request, fs::path folder)
      : request_(request), folder_(std::move(folder)), env_(request.env) {
    std::erase_if(env_, [](const auto& item) { return item.first.starts_with("GIT_CONFIG_"); });
    env_["GIT_TERMINAL_PROMPT"] = "0";
    env_["GIT_LFS_SKIP_SMUDGE"] = "1";  // asked for by its own input
    env_["GIT_ASKPASS"] = "true";
    env_["LC_ALL"] = "C";
    env_["GIT_HTTP_LOW_SPEED_LIMIT"] = "1000";
    env_["GIT_HTTP_LOW_SPEED_TIME"] = "60";
    for (const auto& [name, value] : checkout_credentials(request)) env_[name] = value;
  }

  // What it printed; an error has what it complained of.
  [[nodiscard]] Result<std::string> run(std::vector<std::string> arguments) const {
    const fs::path out = request_.temp_dir / fmt::format("git-{}", random_hex(8));
    const fs::path err = fs::path(out.string() + ".err");
    auto done = run_into(std::move(arguments), out, err);
    auto text = io::read_file(out, kOutputMax);
    auto complaint = io::read_file(err, kOutputMax);
    std::error_code ignored;
    fs::remove(out, ignored);
    fs::remove(err, ignored);
    const int code = WEIR_TRY(std::move(done));
    if (code == 0) return text;
    std::string why = complaint ? *std::move(complaint) : std::string();
    while (!why.empty() && (why.back() == '\n' || why.back() == '.')) why.pop_back();
    return fail(Code::kUnavailable, "{}", why.empty() ? fmt::format("git ended with exit code {}", code) : why);
  }

 private:
  [[nodiscard]] Result<int> run_into(std::vector<std::string> arguments, const fs::path& out,
                                     const fs::path& err) const {
    const auto open_for_git = [](const fs::path& path) {
      return io::Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    };
    const auto out_file = open_for_git(out);
    const auto err_file = open_for_git(err);
    if (!out_file || !err_file) return fail_errno(errno, fmt::format("cannot make {}", out.string()));
    io::ProcessOptions options;
    options.argv = {"git", "-c", "safe.directory=*", "-c", "protocol.version=2", "-C", folder_.string()};
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    options.env = env_;
    options.stdout_fd = out_file.get();
    options.stderr_fd = err_file.get();
    auto process = WEIR_TRY(io::Process::start(options));
    for (;;) {
      if (const auto end = process.wait(kPause)) return end->code;
      if (!*request_.stop) continue;
      process.kill_group(SIGTERM);
      if (!process.wait(kGrace)) process.kill_group(SIGKILL);
      process.wait();
      return fail(Code::kCancelled, "The operation was canceled.");
    }
  }

  const ActionRequest& request_;
  fs::path folder_;
  std::map<std::string, std::string> env_;
};

// The branch that a repository starts with, from "ref: refs/heads/main\tHEAD".
std::string head_branch(std::string_view listing) {
  constexpr std::string_view kBefore = "ref: ";
  if (!listing.starts_with(kBefore)) return "";
  listing.remove_prefix(kBefore.size());
  return std::string(listing.substr(0, listing.find('\t')));
}

// The full name of the ref that is wanted; "" for a commit's id.
Result<std::string> find_ref(const NetworkGit& git, const std::string& repository, const std::string& wanted) {
  if (is_object_id(wanted)) return std::string();
  if (wanted.empty()) {
    auto branch = head_branch(WEIR_TRY(git.run({"ls-remote", "--symref", "origin", "HEAD"})));
    if (branch.empty()) return fail(Code::kNotFound, "{} has no branch yet", repository);
    return branch;
  }
  if (wanted.starts_with("refs/")) return wanted;
  const auto listing = WEIR_TRY(git.run({"ls-remote", "origin", "refs/heads/" + wanted, "refs/tags/" + wanted}));
  for (const char* folder : {"refs/heads/", "refs/tags/"}) {
    if (listing.find(fmt::format("\t{}{}\n", folder, wanted)) != std::string::npos) return folder + wanted;
  }
  return fail(Code::kNotFound, "A branch or tag with the name '{}' could not be found in {}", wanted, repository);
}

std::vector<std::string> fetch_of(const ActionRequest& request, const CheckoutTarget& target) {
  std::vector<std::string> out{"fetch", "--quiet", "--force"};
  const std::string depth = request.input_or("fetch-depth", "1");
  const bool all = depth == "0";
  if (!all) out.insert(out.end(), {"--no-tags", "--depth=" + depth});
  out.emplace_back("origin");
  if (all) out.insert(out.end(), {"+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"});
  if (target.ref.empty()) {
    out.push_back(target.sha);
  } else if (target.ref.starts_with("refs/heads/")) {
    out.push_back(fmt::format("+{}:refs/remotes/origin/{}", target.ref, target.ref.substr(11)));
  } else if (target.ref.starts_with("refs/tags/")) {
    out.push_back(fmt::format("+{0}:{0}", target.ref));
  } else {
    out.push_back(fmt::format("+{}:refs/remotes/{}", target.ref, target.ref.substr(5)));
  }
  return out;
}

Result<void> check_depth(const ActionRequest& request) {
  const std::string depth = request.input_or("fetch-depth", "1");
  if (depth.find_first_not_of("0123456789") == std::string::npos) return {};
  return fail(Code::kInvalidArgument, "actions/checkout: `fetch-depth: {}` is no number", depth);
}

// The git directory of a user's own work tree (`weir run`).
std::optional<fs::path> users_own(const ActionRequest& request) {
  return is_other_repository(request) ? std::nullopt : users_git_dir(request.spec->git_dir);
}

// Where submodules come from: as .gitmodules says, relative to what the user's work tree came from; and for `weir run`
// from that work tree itself, if it has them, so that nobody needs to be asked.
Result<void> init_submodules(const ActionRequest& request, const NetworkGit& git, bool recursive) {
  const auto own = users_own(request);
  if (!own) {
    WEIR_TRY(git.run({"submodule", "init"}));
    return {};
  }
  const fs::path& git_dir = *own;
  auto origin = git.run({"--git-dir", git_dir.string(), "config", "--get", "remote.origin.url"})
                    .value_or(git_dir.parent_path().string());
  while (origin.ends_with('\n')) origin.pop_back();
  WEIR_TRY(git.run({"-c", "remote.origin.url=" + origin, "submodule", "init"}));
  const auto urls = WEIR_TRY(git.run({"config", "--local", "--name-only", "--get-regexp", "^submodule\\..*\\.url$"}));
  std::error_code error;
  for (std::size_t at = 0; at < urls.size();) {
    const auto end = std::min(urls.find('\n', at), urls.size());
    const std::string key = urls.substr(at, end - at);
    at = end + 1;
    constexpr std::string_view kBefore = "submodule.";
    constexpr std::string_view kBehind = ".url";
    const fs::path kept =
        git_dir / "modules" / key.substr(kBefore.size(), key.size() - kBefore.size() - kBehind.size());
    // Its own submodules are found relative to where it came from.
    if (!fs::exists(kept / "HEAD", error) || (recursive && fs::exists(kept / "modules", error))) continue;
    WEIR_TRY(git.run({"config", "--local", key, kept.string()}));
  }
  return {};
}

}  // namespace

bool is_other_repository(const ActionRequest& request) {
  const std::string repository = request.input("repository");
  return !repository.empty() && !equal_ignoring_case(repository, request.spec->repository);
}

Result<SparseCheckout> sparse_of(const ActionRequest& request) {
  return SparseCheckout{.patterns = request.input_lines("sparse-checkout"),
                        .cone = WEIR_TRY(request.input_bool("sparse-checkout-cone-mode", true))};
}

Result<CheckoutTarget> check_out_other(const ActionRequest& request, const fs::path& folder) {
  const std::string repository = request.input("repository");
  const auto slash = repository.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == repository.size() || repository.starts_with('-') ||
      repository.find('/', slash + 1) != std::string::npos || repository.find("..") != std::string::npos) {
    return fail(Code::kInvalidArgument, "Invalid repository '{}'. Expected format {{owner}}/{{repo}}.", repository);
  }
  WEIR_TRY(check_depth(request));
  const SparseCheckout sparse = WEIR_TRY(sparse_of(request));
  const std::string url = url_of(request, repository);
  const NetworkGit git(request, folder);
  const auto bring = [&]() -> Result<CheckoutTarget> {
    WEIR_TRY(git.run({"init", "--quiet", "."}));
    WEIR_TRY(git.run({"remote", "add", "origin", url}));
    const std::string wanted = request.input("ref");
    CheckoutTarget target{.sha = wanted, .ref = WEIR_TRY(find_ref(git, repository, wanted))};
    WEIR_TRY(git.run(fetch_of(request, target)));
    if (!sparse.patterns.empty()) {
      std::vector<std::string> set{"sparse-checkout", "set", sparse.cone ? "--cone" : "--no-cone", "--"};
      set.insert(set.end(), sparse.patterns.begin(), sparse.patterns.end());
      WEIR_TRY(git.run(std::move(set)));
    }
    if (target.ref.starts_with("refs/heads/")) {
      const auto branch = target.ref.substr(11);
      WEIR_TRY(git.run({"checkout", "--quiet", "--force", "-B", branch, "refs/remotes/origin/" + branch}));
    } else {
      const bool tag = target.ref.starts_with("refs/tags/");
      const auto at = target.ref.empty() ? target.sha : tag ? target.ref : "refs/remotes/" + target.ref.substr(5);
      WEIR_TRY(git.run({"checkout", "--quiet", "--force", "--detach", at}));
    }
    target.sha = WEIR_TRY(git.run({"rev-parse", "HEAD"})).substr(0, 40);
    return target;
  };
  auto target = bring();
  if (!target && target.error().code == Code::kUnavailable) {
    target.error().message = fmt::format(
        "{} could not be fetched from {}: {}. Where github.com cannot be reached, give a mirror by WEIR_ACTIONS_URL",
        repository, url, target.error().message);
  }
  return target;
}

Result<void> update_submodules(const ActionRequest& request, const fs::path& folder, bool recursive) {
  std::error_code error;
  if (!fs::exists(folder / ".gitmodules", error)) return {};
  const NetworkGit git(request, folder);
  WEIR_TRY(init_submodules(request, git, recursive));
  std::vector<std::string> update{"submodule", "update", "--init", "--force"};
  if (users_own(request)) update.insert(update.begin(), {"-c", "protocol.file.allow=always"});
  const std::string depth = request.input_or("fetch-depth", "1");
  if (depth != "0" && depth.find_first_not_of("0123456789") == std::string::npos) update.push_back("--depth=" + depth);
  if (recursive) update.emplace_back("--recursive");
  WEIR_TRY(git.run(std::move(update)));
  // What is read in there cannot be told by the commit's files.
  forget_unread(folder);
  auto listing = WEIR_TRY(git.run({"submodule", "status"}));
  while (listing.ends_with('\n')) listing.pop_back();
  request.reporter->line("Submodules:\n" + listing);
  return {};
}

std::map<std::string, std::string> checkout_credentials(const ActionRequest& request) {
  auto out = git_credentials(*request.spec, request.token);
  const std::string token = request.input("token");
  // The job's own token is for this server alone.
  if (token.empty() || token == request.token || !request.spec->actions_url.starts_with("http")) return out;
  const int count = out.empty() ? 0 : 1;
  out["GIT_CONFIG_COUNT"] = std::to_string(count + 1);
  out[fmt::format("GIT_CONFIG_KEY_{}", count)] = fmt::format("http.{}/.extraheader", request.spec->actions_url);
  out[fmt::format("GIT_CONFIG_VALUE_{}", count)] =
      "Authorization: Basic " + base64_encode(fmt::format("x-access-token:{}", token));
  return out;
}

}  // namespace weir::runner
