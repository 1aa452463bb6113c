#include "app/notifications.h"

#include <algorithm>

#include "api/approval_links.h"
#include "base/hash.h"
#include "io/thread_loop.h"
#include "monitor/notifier.h"

namespace weir::app {
namespace {

// As it stands in weir.yaml; a secret's value is not there.
std::string names_of(const std::vector<config::Notify>& entries) {
  std::string names;
  for (const auto& entry : entries) names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", entry.to.text);
  return names;
}

}  // namespace

struct Notifications::Impl {
  explicit Impl(const Parts& given) : parts(given), notifier(notifier_deps()) {}

  weir::monitor::NotifierDeps notifier_deps();
  Result<config::Notify> named_target(store::Reader& reader, const api::Notice& notice,
                                      const weir::monitor::About& about);

  Parts parts;
  io::ThreadLoop loop;  // deliveries block
  weir::monitor::Notifier notifier;
  bool stopped = false;
};

weir::monitor::NotifierDeps Notifications::Impl::notifier_deps() {
  weir::monitor::NotifierDeps deps{.db = &parts.db, .clock = &parts.clock, .log = &parts.log, .loop = &loop};
  deps.delivery.clock = &parts.clock;
  deps.delivery.config = [this] { return parts.config.current(); };
  deps.delivery.server_url = parts.public_url;
  deps.delivery.resolve = [this](const config::Template& target) {
    return parts.db.load<std::string>([&](store::Reader& reader) -> Result<std::string> {
      return target.resolve(WEIR_TRY(parts.access.variables(reader, {})), WEIR_TRY(parts.access.secrets(reader, {})));
    });
  };
  deps.delivery.approval_address = [this](std::int64_t approval, const std::string& reviewer) -> Result<std::string> {
    const auto link = WEIR_TRY(parts.access.approval_link(WEIR_TRY(parts.access.approval(approval)), reviewer));
    return fmt::format("{}{}{}", parts.public_url(), api::kApprovalLinks, link);
  };
  deps.run_facts = [](store::Reader& reader, std::int64_t run) -> Result<weir::monitor::RunFacts> {
    auto found = WEIR_TRY(reader.first<weir::monitor::RunFacts>(
        "SELECT title, triggering_actor FROM engine_runs WHERE id = ?", {run},
        [](const store::Row& row) { return weir::monitor::RunFacts{.title = row.string(0), .actor = row.string(1)}; }));
    return std::move(found).value_or(weir::monitor::RunFacts{});
  };
  return deps;
}

// The server sends to nowhere that its configuration does not hold: whoever may send a message could otherwise make it
// call what only it can reach.
Result<config::Notify> Notifications::Impl::named_target(store::Reader& reader, const api::Notice& notice,
                                                         const weir::monitor::About& about) {
  const auto shared = WEIR_TRY(parts.access.secrets(reader, {}));
  const auto variables = WEIR_TRY(parts.access.variables(reader, {}));
  const auto config = parts.config.current();
  for (const config::Notify& entry : config->notify) {
    const bool same = entry.repository.empty() || about.repository.empty() || entry.repository == about.repository;
    if (same && (entry.to.text == notice.to || entry.to.resolve(variables, shared) == notice.to)) return entry;
  }
  auto target = WEIR_TRY(weir::monitor::target_for(notice.to, shared));
  auto environments = notice.environments;
  environments.emplace_back();
  for (const auto& environment : environments) {
    const access::Place place{.repository = about.repository, .environment = environment};
    for (const auto& values :
         {WEIR_TRY(parts.access.secrets(reader, place)), WEIR_TRY(parts.access.variables(reader, place))}) {
      const bool known = std::ranges::any_of(
          values, [&](const auto& value) { return weir::monitor::lies_below(notice.to, value.second); });
      if (known) return config::Notify{.to = {.text = std::move(target)}};
    }
  }
  return fail(Code::kPermissionDenied,
              "messages go to addresses that the server's people have named: `to` of an entry under `notify:` of "
              "weir.yaml, or the value of a secret or variable; `{}` is none of them",
              notice.to.substr(0, notice.to.find('/', notice.to.find("://") + 3)));
}

Notifications::Notifications(const Parts& parts) : impl_(std::make_unique<Impl>(parts)) {}

Notifications::~Notifications() {
  stop();
}

Result<void> Notifications::start() {
  return impl_->notifier.start();
}

void Notifications::stop() {
  if (std::exchange(impl_->stopped, true)) return;
  impl_->notifier.stop();
  impl_->loop.stop();
}

Result<void> Notifications::send(const api::Notice& notice) {
  const auto severity = config::find_severity(notice.severity);
  if (!severity) {
    return fail(Code::kInvalidArgument, "\"{}\" is no severity; choose info, warning or page", notice.severity);
  }
  weir::monitor::Message message{
      .subject = "message/" + random_hex(8),
      .severity = *severity,
      .text = notice.title.empty() ? notice.message : fmt::format("{}: {}", notice.title, notice.message),
      .about = {.event = "message", .run = notice.run}};
  const auto config = impl_->parts.config.current();
  WEIR_TRY(impl_->parts.db.write([&](store::Transaction& tx) -> Result<void> {
    if (notice.run > 0) message.about.repository = WEIR_TRY(weir::monitor::repository_of_run(tx, notice.run));
    if (notice.to.empty()) return weir::monitor::queue_message(tx, *config, message);
    if (message.about.run > 0) message.about.page = fmt::format("#/runs/{}", message.about.run);
    WEIR_TRY(weir::monitor::queue_message_to(tx, WEIR_TRY(impl_->named_target(tx, notice, message.about)), message));
    return {};
  }));
  impl_->notifier.wake();
  return {};
}

Result<std::vector<std::int64_t>> Notifications::test(std::string_view to, std::string_view actor) {
  const auto config = impl_->parts.config.current();
  if (config->notify.empty()) {
    return fail(Code::kFailedPrecondition, "no weir.yaml in force names a target: there is nothing under `notify:`");
  }
  const auto numbers = impl_->parts.db.write_with<std::vector<std::int64_t>>(
      [&](store::Transaction& tx) -> Result<std::vector<std::int64_t>> {
        std::vector<std::int64_t> queued;
        const std::string subject = "test/" + random_hex(8);
        for (const config::Notify& entry : config->notify) {
          if (!to.empty() && entry.to.text != to) continue;
          const weir::monitor::Message message{.subject = subject,
                                               .text = fmt::format("A test by {}: messages of weir arrive here", actor),
                                               .about = {.event = "test", .repository = entry.repository}};
          if (const auto id = WEIR_TRY(weir::monitor::queue_message_to(tx, entry, message, true)); id != 0) {
            queued.push_back(id);
          }
        }
        return queued;
      });
  if (numbers && numbers->empty()) {
    return fail(Code::kNotFound, "no weir.yaml in force has a target with `to: {}`; there are {}", to,
                names_of(config->notify));
  }
  if (numbers) impl_->notifier.wake();
  return numbers;
}

Result<void> Notifications::retry(std::int64_t id) {
  WEIR_TRY(impl_->parts.db.write([&](store::Transaction& tx) { return weir::monitor::retry_message(tx, id); }));
  impl_->notifier.wake();
  return {};
}

void bind_notifications(api::Services& services, Notifications* notifications, Log& log) {
  const auto nobody = [] { return fail(Code::kFailedPrecondition, "this server sends no messages"); };
  services.notify = [notifications, &log](const api::Notice& notice) -> Result<void> {
    if (notifications != nullptr) return notifications->send(notice);
    log.warning("{}: {} {}", notice.severity, notice.title, notice.message);
    return {};
  };
  services.test_notification = [=](std::string_view to, std::string_view actor) -> Result<std::vector<std::int64_t>> {
    if (notifications == nullptr) return nobody();
    return notifications->test(to, actor);
  };
  services.retry_notification = [=](std::int64_t id) -> Result<void> {
    if (notifications == nullptr) return nobody();
    return notifications->retry(id);
  };
}

}  // namespace weir::app
