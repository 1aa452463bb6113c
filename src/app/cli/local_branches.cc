#include "app/cli/local_branches.h"

#include <sstream>

#include "event/source.h"
#include "io/git_process.h"
#include "io/process.h"
#include "text/suggest.h"

namespace weir::app {
namespace {

constexpr std::string_view kHeads = "refs/heads/";
constexpr std::string_view kTags = "refs/tags/";
constexpr std::string_view kRemotes = "refs/remotes/";

}  // namespace

// One line of git's answer; "" if it has none.
std::string LocalBranches::ask(std::vector<std::string> arguments) const {
  io::ProcessOptions options;
  options.argv = {"git", "--git-dir=" + git_.git_dir().string()};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.env = io::git_environment({});
  auto answer = io::run_process(std::move(options));
  if (!answer || answer->status.code != 0) return {};
  return answer->out.substr(0, answer->out.find('\n'));
}

Result<LocalBranches> LocalBranches::read(const io::Git& git) {
  LocalBranches branches(git);
  branches.refs_ = WEIR_TRY(git.refs());
  if (auto current = git.head_ref()) branches.current_ = *std::move(current);
  const auto name = event::short_ref(branches.current_);
  branches.remote_ = name.empty() ? std::string() : branches.ask({"config", "--get", "branch." + name + ".remote"});
  if (branches.remote_.empty() || branches.remote_ == ".") {
    branches.remote_ =
        branches.ask({"config", "--get", "remote.origin.url"}).empty() ? branches.ask({"remote"}) : "origin";
  }
  // Only what the remote has under the same name is where a push goes to.
  const auto tracked = fmt::format("{}{}/{}", kRemotes, branches.remote_, name);
  if (!name.empty() && branches.has(tracked)) branches.upstream_ = tracked;
  branches.default_ref_ = branches.guess_default();
  return branches;
}

std::string LocalBranches::guess_default() const {
  const auto known = [this](const std::string& name) {
    return has(fmt::format("{}{}", kHeads, name)) || has(fmt::format("{}{}/{}", kRemotes, remote_, name));
  };
  const auto prefix = fmt::format("{}{}/", kRemotes, remote_);
  if (const auto said = ask({"symbolic-ref", "--quiet", prefix + "HEAD"}); said.starts_with(prefix)) {
    return fmt::format("{}{}", kHeads, said.substr(prefix.size()));
  }
  for (const std::string name : {"main", "master"}) {
    if (known(name)) return fmt::format("{}{}", kHeads, name);
  }
  const auto configured = ask({"config", "--get", "init.defaultBranch"});
  if (!configured.empty() && known(configured)) return fmt::format("{}{}", kHeads, configured);
  return current_.empty() ? "refs/heads/main" : current_;
}

std::string LocalBranches::hint(std::string_view name) const {
  std::vector<std::string> known;
  for (const auto& [ref, commit] : refs_) {
    if (ref.starts_with(kHeads) || ref.starts_with(kTags)) known.push_back(event::short_ref(ref));
  }
  const auto near = text::did_you_mean(name, known);
  return near.empty() ? "" : "; " + near;
}

Result<std::string> LocalBranches::full_ref(std::string_view name, std::string_view option) const {
  for (const auto kind : {kHeads, kTags}) {
    if (name.starts_with(kind) && name.size() > kind.size()) return std::string(name);
    if (auto full = fmt::format("{}{}", kind, name); has(full)) return full;
  }
  return fail(Code::kNotFound,
              "{} {}: there is no such branch or tag here; one that is yet to be made is given in full, as "
              "refs/heads/NAME or refs/tags/NAME{}",
              option, name, hint(name));
}

LocalBranches::Tip LocalBranches::tip(std::string_view ref) const {
  const auto name = event::short_ref(ref);
  if (const auto found = refs_.find(fmt::format("{}{}/{}", kRemotes, remote_, name)); found != refs_.end()) {
    return {fmt::format("{}/{}", remote_, name), found->second};
  }
  if (const auto found = refs_.find(std::string(ref)); found != refs_.end()) return {name, found->second};
  return {name, ""};
}

Result<LocalBranches::Tip> LocalBranches::pushed_before(std::string_view ref, const std::string& head,
                                                        const std::string& commit) const {
  if (head.empty() || !ref.starts_with(kHeads)) return Tip{};
  std::vector<Tip> tips;
  if (ref != current_ || !upstream_.empty()) tips.push_back(tip(ref));
  if ((tips.empty() || tips.front().commit.empty()) && ref != default_ref_) tips.push_back(tip(default_ref_));
  for (auto& one : tips) {
    if (one.commit.empty()) continue;
    // What the other side has beside it is not brought by this push.
    one.commit = WEIR_TRY(git_.merge_base(one.commit, head));
    if (!one.commit.empty() && one.commit != commit) return one;
  }
  const auto parents = WEIR_TRY(git_.commit(head)).parents;
  if (parents.empty()) return Tip{};
  return Tip{.name = fmt::format("the last commit's parent, {}", parents.front().substr(0, 8)),
             .commit = parents.front()};
}

}  // namespace weir::app
