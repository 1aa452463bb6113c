#include "app/remote_workflows.h"

#include <algorithm>
#include <optional>

#include "api/git/git_http.h"
#include "io/git_process.h"
#include "runner/remote_action.h"

namespace weir::app {
namespace {

using engine::EngineDeps;

constexpr std::string_view kGitSuffix = ".git";

class LogReporter final : public runner::Reporter {
 public:
  explicit LogReporter(Log& log) : log_(log) {}
  void line(std::string_view text) override { log_.info("{}", text); }
  void annotate(std::string_view, std::string_view message) override { log_.warning("{}", message); }

 private:
  Log& log_;
};

bool equal_but_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view without_suffix(std::string_view url) {
  while (url.ends_with('/')) url.remove_suffix(1);
  if (url.ends_with(kGitSuffix)) url.remove_suffix(kGitSuffix.size());
  return url;
}

// The name that a repository has on this server; nothing if it is not here.
std::optional<std::string> name_here(const WorkflowSources& sources, const std::string& repository) {
  const auto slash = repository.find('/');
  const auto name = repository.substr(slash + 1);
  if (equal_but_case(repository.substr(0, slash), sources.server_owner)) {
    if (api::is_repository_name(name) && sources.git(name)) return name;
    return std::nullopt;
  }
  const auto mirrors = sources.mirrors();
  if (!mirrors) return std::nullopt;
  const auto url = fmt::format("{}/{}", sources.base_url, repository);
  const auto found = std::ranges::find_if(
      *mirrors, [&](const event::Mirror& mirror) { return equal_but_case(without_suffix(mirror.url), url); });
  return found == mirrors->end() ? std::nullopt : std::optional(found->repo);
}

// A tag before a branch, as git itself takes them.
Result<EngineDeps::RemoteCommit> commit_here(const WorkflowSources& sources, const std::string& name,
                                             const std::string& ref) {
  auto git = WEIR_TRY(sources.git(name));
  const bool is_commit = ref.size() == 40 && ref.find_first_not_of("0123456789abcdef") == std::string::npos;
  for (const auto& full : {"refs/tags/" + ref, "refs/heads/" + ref, is_commit ? ref : std::string()}) {
    if (full.empty()) continue;
    if (auto commit = git.resolve(full)) return EngineDeps::RemoteCommit{std::move(git), *std::move(commit)};
  }
  return fail(Code::kInvalidArgument,
              "the repository {} of this server has neither a tag, a branch nor a commit \"{}\"", name, ref);
}

}  // namespace

Result<EngineDeps::RemoteCommit> find_workflows(const WorkflowSources& sources, const event::RunRequest& run,
                                                const std::string& repository, const std::string& ref) {
  auto uses = runner::parse_uses(fmt::format("{}@{}", repository, ref));
  if (!uses) return std::unexpected(uses.error());
  if (uses->kind != runner::UsesKind::kRepository) {
    return fail(Code::kInvalidArgument, "\"{}\" names no repository", repository);
  }
  if (const auto name = name_here(sources, repository)) return commit_here(sources, *name, ref);
  const runner::RemoteSource source{
      .base_url = sources.base_url, .cache = sources.cache, .env = io::git_environment({})};
  const auto asking = run.options.foreign ? runner::Asking::kOnlyKept : runner::Asking::kAsk;
  LogReporter reporter(*sources.log);
  auto got = runner::fetch_workflows(source, *uses, asking, *sources.stopped, reporter);
  if (got) return EngineDeps::RemoteCommit{io::Git(got->git_dir), got->commit, got->held};
  if (got.error().code == Code::kCancelled) return std::unexpected(got.error());
  if (run.options.foreign) {
    return fail(
        Code::kPermissionDenied,
        "{}@{} has not been fetched yet, and nothing is fetched for those who may not push; somebody who may has "
        "to run it once",
        repository, ref);
  }
  const auto problem =
      fmt::format("{}@{} cannot be had from {}: {}", repository, ref, sources.base_url, got.error().message);
  // There, but not the ref: another place would not help.
  if (got.error().code == Code::kNotFound) return fail(Code::kInvalidArgument, "{}", problem);
  const auto name = repository.substr(repository.find('/') + 1);
  const auto push = sources.server_url ? fmt::format("push it to this server, to {}/git/{}.git, and call it {}/{}; or ",
                                                     sources.server_url(), name, sources.server_owner, name)
                                       : std::string();
  return fail(
      Code::kInvalidArgument,
      "{}. If that address cannot be reached from here, {}keep a mirror, a clone of the repository as DIR/{}, and "
      "start weir with --actions-url file://DIR (or WEIR_ACTIONS_URL)",
      problem, push, repository);
}

}  // namespace weir::app
