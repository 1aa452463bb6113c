#include "api/git/git_http.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <mutex>

#include "api/git/git_service.h"
#include "api/git/gzip_source.h"
#include "api/git/lfs_http.h"
#include "api/git/pkt_line.h"
#include "api/git/proposals.h"
#include "io/git.h"
#include "io/process.h"

namespace weir::api {
namespace {

constexpr std::size_t kFetchBytesMax = 64U << 20;  // of a fetch's wants and haves
constexpr std::string_view kZeroId = "0000000000000000000000000000000000000000";

class GitHttp {
 public:
  GitHttp(GitHttpOptions options, Log& log) : options_(std::move(options)), log_(log) {}

  io::HttpResponse info_refs(io::HttpRequest& request);
  io::HttpResponse fetch(io::HttpRequest& request);
  io::HttpResponse push(io::HttpRequest& request);

 private:
  struct Repository {
    std::string name;
    std::filesystem::path dir;
  };

  Result<Repository> find(const io::HttpRequest& request) const;
  Result<void> make_if_allowed(const Repository& repository, const types::Identity& identity) const;
  Result<std::string> take_push(const Repository& repository, const io::HttpRequest& request, io::ByteSource& body);
  Result<std::string> run_push(const Repository& repository, const types::Identity& identity,
                               const PushCommands& commands, const Descriptor& spool);
  Result<void> examine(const Repository& repository, const types::Identity& identity, const PushCommands& commands,
                       const Descriptor& spool) const;
  void choose_head(const Repository& repository, const types::Identity& identity,
                   const std::vector<event::RefUpdate>& moved) const;
  Result<void> record(const Repository& repository, const std::vector<event::RefUpdate>& moved,
                      const types::Identity& identity) const;
  Result<void> record_late(const Repository& repository);

  // A push that moved refs and could not be recorded.
  struct Unrecorded {
    std::vector<event::RefUpdate> moved;
    types::Identity identity;
  };

  const GitHttpOptions options_;
  Log& log_;
  std::mutex unrecorded_mutex_;
  std::map<std::string, std::vector<Unrecorded>> unrecorded_;  // by repository, oldest first
};

// git shows plain text of errors to its user.
io::HttpResponse refuse(const types::Identity& identity, const Error& error) {
  io::HttpResponse response = io::text_response(io::http_status(error.code), error.message + "\n");
  const bool anonymous = !identity.role.has_value() && !identity.job_id.has_value();
  if (error.code == Code::kUnauthenticated || (error.code == Code::kPermissionDenied && anonymous)) {
    response.status = 401;
    response.headers.set("WWW-Authenticate", "Basic realm=\"weir: any name, a token as password\"");
  }
  return response;
}

io::HttpResponse git_response(std::string_view service, std::string_view kind) {
  io::HttpResponse response;
  response.headers.set("Content-Type", fmt::format("application/x-git-{}-{}", service, kind));
  response.headers.set("Cache-Control", "no-cache, max-age=0, must-revalidate");
  return response;
}

// The protocol that the client asks for, as far as it can safely go into git's environment.
std::string_view protocol_of(const io::HttpRequest& request) {
  const std::string_view text = request.headers.get("Git-Protocol");
  const auto fine = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '=' || c == ':'; };
  return text.size() <= 100 && std::ranges::all_of(text, fine) ? text : std::string_view{};
}

// The request's body, decompressed; an answer if its type is not `kind`.
Result<std::unique_ptr<io::ByteSource>> body_of(io::HttpRequest& request, std::string_view type) {
  // A type that no form of another site can send.
  if (request.headers.get("Content-Type") != type) {
    return fail(Code::kInvalidArgument, "expected a body of the type {}", type);
  }
  const std::string_view encoding = request.headers.get("Content-Encoding");
  if (encoding == "gzip" || encoding == "x-gzip") return gunzip(std::move(request.body_source));
  if (!encoding.empty() && encoding != "identity") {
    return fail(Code::kInvalidArgument, "cannot read a body with the encoding {}", encoding);
  }
  return std::move(request.body_source);
}

Result<void> write_all(const Descriptor& file, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto count = ::write(file.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "cannot store the push");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

// Reads the rest, since a client that still sends does not hear a refusal.
Result<void> discard(io::ByteSource& body, std::uint64_t bytes_max) {
  std::string piece(65'536, '\0');
  for (std::uint64_t total = 0; total < bytes_max;) {
    const std::size_t count = WEIR_TRY(body.read(piece.data(), piece.size()));
    if (count == 0) return {};
    total += count;
  }
  return fail(Code::kResourceExhausted, "the push is larger than {} bytes", bytes_max);
}

// Whether the trouble may be over the next time, without anything else being pushed.
bool passes(Code code) {
  return code == Code::kResourceExhausted || code == Code::kInternal || code == Code::kUnavailable ||
         code == Code::kDeadlineExceeded;
}

Result<GitHttp::Repository> GitHttp::find(const io::HttpRequest& request) const {
  const std::string& name = request.params.find("repo")->second;
  if (!is_repository_name(name)) {
    return fail(Code::kInvalidArgument, "\"{}\" cannot name a repository: use letters, digits, \"-\", \"_\" and \".\"",
                name.substr(0, 100));
  }
  return Repository{name, options_.repos / (name + ".git")};
}

// A push to a name that is not there yet makes the repository.
Result<void> GitHttp::make_if_allowed(const Repository& repository, const types::Identity& identity) const {
  if (std::filesystem::exists(repository.dir / "HEAD")) return {};
  if (identity.job_id || identity.role.value_or(types::Role::kViewer) < types::Role::kDeveloper) {
    return fail(identity.role ? Code::kPermissionDenied : Code::kUnauthenticated,
                "there is no repository {}; a developer makes it by pushing to it", repository.name);
  }
  WEIR_TRY(io::Git::init_bare(repository.dir, options_.default_branch));
  log_.info("made repository {} for {}", repository.name, identity.name);
  return {};
}

io::HttpResponse GitHttp::info_refs(io::HttpRequest& request) {
  const auto& identity = request.identity;
  const auto repository = find(request);
  if (!repository) return refuse(identity, repository.error());
  const std::string asked = request.query_value("service").value_or("");
  const bool write = asked == "git-receive-pack";
  if (!write && asked != "git-upload-pack") {
    return io::text_response(403, "this server speaks git's smart protocol only; git 1.6.6 or later does\n");
  }
  if (const auto allowed = options_.authorize(identity, repository->name, write, {}); !allowed) {
    return refuse(identity, allowed.error());
  }
  if (write) {
    if (const auto made = make_if_allowed(*repository, identity); !made) return refuse(identity, made.error());
    // Before git hears that everything is up to date, and takes that for an acknowledged push.
    if (const auto recorded = record_late(*repository); !recorded) return refuse(identity, recorded.error());
  } else if (!std::filesystem::exists(repository->dir / "HEAD")) {
    return refuse(identity, {Code::kNotFound, fmt::format("there is no repository {} yet; a developer makes it by "
                                                          "pushing to it",
                                                          repository->name)});
  }
  const std::string_view service = write ? "receive-pack" : "upload-pack";
  const std::string_view protocol = write ? std::string_view{} : protocol_of(request);
  auto refs = advertise_refs(repository->dir, service, protocol);
  if (!refs) {
    log_.error("cannot list the refs of {}: {}", repository->name, refs.error().message);
    return refuse(identity, {Code::kInternal, "git failed; the server's log says why"});
  }
  io::HttpResponse response = git_response(service, "advertisement");
  // Version 2 begins with its own word.
  if (!refs->starts_with("000eversion 2")) {
    response.body = pkt_line(fmt::format("# service=git-{}\n", service)).append(kFlushPacket);
  }
  response.body += *refs;
  return response;
}

io::HttpResponse GitHttp::fetch(io::HttpRequest& request) {
  const auto& identity = request.identity;
  const auto repository = find(request);
  if (!repository) return refuse(identity, repository.error());
  if (const auto allowed = options_.authorize(identity, repository->name, false, {}); !allowed) {
    return refuse(identity, allowed.error());
  }
  if (!std::filesystem::exists(repository->dir / "HEAD")) {
    return refuse(identity, {Code::kNotFound, fmt::format("there is no repository {}", repository->name)});
  }
  auto body = body_of(request, "application/x-git-upload-pack-request");
  if (!body) return refuse(identity, body.error());
  std::string wants;
  std::string piece(65'536, '\0');
  while (true) {
    const auto count = (*body)->read(piece.data(), piece.size());
    if (!count) return refuse(identity, count.error());
    if (*count == 0) break;
    wants.append(piece, 0, *count);
    if (wants.size() > kFetchBytesMax) return io::text_response(413, "the fetch asks for too much at once\n");
  }
  auto output = upload_pack(repository->dir, wants, protocol_of(request));
  if (!output) return refuse(identity, output.error());
  io::HttpResponse response = git_response("upload-pack", "result");
  response.body_source = *std::move(output);
  return response;
}

io::HttpResponse GitHttp::push(io::HttpRequest& request) {
  const auto& identity = request.identity;
  const auto repository = find(request);
  if (!repository) return refuse(identity, repository.error());
  if (const auto allowed = options_.authorize(identity, repository->name, true, {}); !allowed) {
    return refuse(identity, allowed.error());
  }
  if (!std::filesystem::exists(repository->dir / "HEAD")) {
    return refuse(identity, {Code::kNotFound, fmt::format("there is no repository {}", repository->name)});
  }
  auto body = body_of(request, "application/x-git-receive-pack-request");
  if (!body) return refuse(identity, body.error());
  auto answer = take_push(*repository, request, **body);
  if (!answer) {
    log_.warning("push to {} by {} failed: {}", repository->name, identity.name, answer.error().message);
    return refuse(identity, answer.error());
  }
  io::HttpResponse response = git_response("receive-pack", "result");
  response.body = *std::move(answer);
  return response;
}

// Reads a push, decides about it and gives the answer in git's format.
Result<std::string> GitHttp::take_push(const Repository& repository, const io::HttpRequest& request,
                                       io::ByteSource& body) {
  std::string head;
  std::string piece(65'536, '\0');
  std::optional<PushCommands> commands;
  while (!commands) {
    const std::size_t count = WEIR_TRY(body.read(piece.data(), piece.size()));
    if (count == 0) return fail(Code::kInvalidArgument, "the push ends in the middle of its commands");
    head.append(piece, 0, count);
    commands = WEIR_TRY(parse_push_commands(head));
  }
  // git asks with an empty push whether it will need credentials.
  if (commands->updates.empty()) return std::string{};

  const auto refused = [&](std::string_view reason, const Error& error,
                           std::string_view unpack_error = {}) -> Result<std::string> {
    log_.info("push to {} by {} refused: {}", repository.name, request.identity.name, error.message);
    WEIR_TRY(discard(body, options_.push_bytes_max));
    if (!commands->report_status) return std::unexpected(error);
    return refuse_push(*commands, reason, error.message, unpack_error);
  };
  if (const auto allowed = options_.authorize(request.identity, repository.name, true, commands->updates); !allowed) {
    return refused("not allowed", allowed.error());
  }
  if (const auto fits = check_proposal_targets(io::Git(repository.dir), commands->updates); !fits) {
    return refused("no such branch", fits.error());
  }
  const Descriptor spool = WEIR_TRY(open_spool(repository.dir));
  std::uint64_t total = head.size();
  auto stored = write_all(spool, head);
  while (stored) {
    const std::size_t count = WEIR_TRY(body.read(piece.data(), piece.size()));
    if (count == 0) break;
    total += count;
    if (total > options_.push_bytes_max) {
      return refused("too large", {Code::kResourceExhausted,
                                   fmt::format("the push is larger than {} bytes", options_.push_bytes_max)});
    }
    stored = write_all(spool, {piece.data(), count});
  }
  if (!stored) return refused("the server could not store it", stored.error(), stored.error().message);
  return run_push(repository, request.identity, *commands, spool);
}

Result<void> GitHttp::examine(const Repository& repository, const types::Identity& identity,
                              const PushCommands& commands, const Descriptor& spool) const {
  const bool asks = identity.job_id && options_.examine;
  if (!asks && !has_proposal(commands.updates)) return {};
  const auto objects = WEIR_TRY(PushedObjects::unpack(repository.dir, spool, commands.size_bytes));
  const io::Git git(repository.dir, objects.folder());
  if (asks) WEIR_TRY(options_.examine(identity, repository.name, commands.updates, git));
  return check_proposed_commits(git, commands.updates);
}

Result<std::string> GitHttp::run_push(const Repository& repository, const types::Identity& identity,
                                      const PushCommands& commands, const Descriptor& spool) {
  const PushLock lock = WEIR_TRY(PushLock::take(repository.dir));
  WEIR_TRY(record_late(repository));
  if (const auto allowed = examine(repository, identity, commands, spool); !allowed) {
    log_.info("push to {} by {} refused: {}", repository.name, identity.name, allowed.error().message);
    if (!commands.report_status) return std::unexpected(allowed.error());
    return refuse_push(commands, "not allowed", allowed.error().message);
  }
  if (const auto begun = options_.push_begins(repository.name, commands.updates, identity); !begun) {
    if (!commands.report_status) return std::unexpected(begun.error());
    return refuse_push(commands, "the server could not record it", begun.error().message);
  }
  auto answer = receive_pack(repository.dir, spool, lock);
  std::vector<event::RefUpdate> moved;
  const auto reported = answer ? parse_push_report(*answer, commands.side_band) : std::nullopt;
  // Without a report the refs themselves tell what happened, also when git was killed half-way.
  const auto refs = reported ? Result<std::map<std::string, std::string>>{} : io::Git(repository.dir).refs();
  for (const auto& update : commands.updates) {
    bool done = false;
    if (reported) {
      done = std::ranges::find(*reported, update.ref) != reported->end();
    } else if (refs) {
      const auto now = refs->find(update.ref);
      done =
          update.before != update.after && (now == refs->end() ? update.after == kZeroId : update.after == now->second);
    }
    if (done) moved.push_back(update);
  }
  if (!moved.empty()) {
    choose_head(repository, identity, moved);
    log_.info("{} pushed {} of {} refs to {}", identity.name, moved.size(), commands.updates.size(), repository.name);
    const auto recorded = record(repository, moved, identity);
    if (!recorded) {
      {
        const std::scoped_lock guard(unrecorded_mutex_);
        unrecorded_[repository.name].push_back({moved, identity});
      }
      log_.error("a push to {} was stored but not recorded: {}", repository.name, recorded.error().message);
      if (!commands.report_status) return std::unexpected(recorded.error());
      return refuse_push(
          commands, "stored, but not recorded",
          fmt::format("The push was stored, but what it triggers could not be recorded: {}. It is made up "
                      "for when you push again, or when the server starts the next time.",
                      recorded.error().message));
    }
    if (answer && options_.remark) return with_remark(commands, options_.remark(repository.name), *std::move(answer));
  }
  return answer;
}

Result<void> GitHttp::record(const Repository& repository, const std::vector<event::RefUpdate>& moved,
                             const types::Identity& identity) const {
  WEIR_TRY(sync_push(repository.dir, moved));
  return options_.pushed(repository.name, moved, identity);
}

// Records what earlier pushes could not. Such a push was answered as failed, but its refs have moved, so a client that
// tries again has nothing to send.
Result<void> GitHttp::record_late(const Repository& repository) {
  const std::scoped_lock guard(unrecorded_mutex_);
  const auto found = unrecorded_.find(repository.name);
  if (found == unrecorded_.end()) return {};
  auto& pushes = found->second;
  while (!pushes.empty()) {
    const auto& identity = pushes.front().identity;
    const auto recorded = record(repository, pushes.front().moved, identity);
    if (!recorded && passes(recorded.error().code)) {
      return fail(recorded.error().code,
                  "an earlier push to {} is stored, but what it triggers cannot be recorded yet: {}", repository.name,
                  recorded.error().message);
    }
    if (recorded) {
      log_.info("recorded an earlier push of {} to {}", identity.name, repository.name);
    } else {
      // What was pushed is itself the trouble: only a push of something else can mend it.
      log_.error("an earlier push of {} to {} cannot be recorded: {}", identity.name, repository.name,
                 recorded.error().message);
    }
    pushes.erase(pushes.begin());
  }
  unrecorded_.erase(found);
  return {};
}

// The first branch of a repository becomes its default branch, whatever its name, if the pusher might have made the
// default branch itself.
void GitHttp::choose_head(const Repository& repository, const types::Identity& identity,
                          const std::vector<event::RefUpdate>& moved) const {
  const io::Git git(repository.dir);
  const auto head = git.head_ref();
  if (!head || git.resolve(*head)) return;
  const auto branch = std::ranges::find_if(
      moved, [](const auto& update) { return update.ref.starts_with("refs/heads/") && update.after != kZeroId; });
  if (branch == moved.end()) return;
  const event::RefUpdate as_default{*head, std::string{kZeroId}, branch->after};
  if (!options_.authorize(identity, repository.name, true, {&as_default, 1})) return;
  io::ProcessOptions options;
  options.argv = {"git", "--git-dir=" + repository.dir.string(), "symbolic-ref", "HEAD", branch->ref};
  if (const auto set = io::run_checked(std::move(options)); !set) {
    log_.warning("cannot make {} the default branch of {}: {}", branch->ref, repository.name, set.error().message);
  }
}

}  // namespace

bool is_repository_name(std::string_view name) {
  const auto letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (name.empty() || name.size() > 100 || !letter_or_digit(name.front()) || name.ends_with(".lock")) return false;
  if (name.find("..") != std::string_view::npos) return false;
  return std::ranges::all_of(name, [&](char c) { return letter_or_digit(c) || c == '-' || c == '_' || c == '.'; });
}

Result<void> wait_for_pushes(const std::filesystem::path& git_dir) {
  const auto lock = WEIR_TRY(PushLock::take(git_dir));
  PushedObjects::remove_left(git_dir);
  return {};
}

void add_git_routes(io::Router& router, GitHttpOptions options, Log& log) {
  add_lfs_routes(router, options, log);
  const auto git = std::make_shared<GitHttp>(std::move(options), log);
  // Reading refs starts a process and may wait for it: with the bodies that stream, not with the short requests.
  const io::RouteOptions streaming{.stream_request = true};
  for (const std::string_view base : {"/git/{repo}.git", "/git/{repo}", "/weir/{repo}.git", "/weir/{repo}"}) {
    const std::string prefix{base};
    router.handle(
        "GET", prefix + "/info/refs", [git](io::HttpRequest& request) { return git->info_refs(request); }, streaming);
    router.handle(
        "POST", prefix + "/git-upload-pack", [git](io::HttpRequest& request) { return git->fetch(request); },
        streaming);
    router.handle(
        "POST", prefix + "/git-receive-pack", [git](io::HttpRequest& request) { return git->push(request); },
        streaming);
  }
}

}  // namespace weir::api
