#include "api/weir/authors.h"

#include <charconv>

namespace weir::api {
namespace {

std::optional<std::int64_t> job_of(std::string_view login) {
  constexpr std::string_view kPrefix = "job:";
  if (!login.starts_with(kPrefix)) return std::nullopt;
  login.remove_prefix(kPrefix.size());
  std::int64_t job = 0;
  const auto [end, error] = std::from_chars(login.data(), login.data() + login.size(), job);
  if (error != std::errc{} || end != login.data() + login.size() || job <= 0) return std::nullopt;
  return job;
}

}  // namespace

json::object with_author(const Services& services, json::object said, std::string_view member) {
  said.erase("author_association");  // GitHub's word, of the time of writing; here people are known by their names
  auto* user = said.if_contains(member);
  if (user == nullptr || !user->is_object()) return said;
  const auto job = job_of(json_string_or(*user, "login", ""));
  if (!job) return said;
  // One that nobody knows any more is shown by its number.
  const auto known = services.engine->job(*job);
  const auto run = known ? services.engine->run(known->run) : Result<engine::Run>(std::unexpected(known.error()));
  if (!run) return said;
  auto& object = user->as_object();
  object["name"] = fmt::format("weir · {} / {}", run->workflow, known->name);
  object["run"] = run->id;
  object["job"] = *job;
  return said;
}

}  // namespace weir::api
