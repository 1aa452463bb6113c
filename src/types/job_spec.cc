#include "types/job_spec.h"

#include <charconv>
#include <limits>

namespace weir::types {
namespace {

// Reads the members of one JSON object and remembers the first that is missing or of the wrong kind, so that a caller
// can read all and ask once.
class MemberReader {
 public:
  MemberReader(const json::object& object, std::string_view what) : object_(object), what_(what) {}

  void read(std::string_view key, std::int64_t& target) {
    const auto* member = find(key);
    if (member == nullptr) return;
    boost::system::error_code error;
    if (member->is_number()) target = member->to_number<std::int64_t>(error);
    if (!member->is_number() || error) wrong_kind(key, "an integer");
  }

  // In milliseconds.
  void read(std::string_view key, Duration& target) {
    std::int64_t milliseconds = 0;
    read(key, milliseconds);
    if (milliseconds < 0 || milliseconds > std::numeric_limits<std::int64_t>::max() / 1000) {
      return wrong_kind(key, "0 or more");
    }
    target = std::chrono::milliseconds{milliseconds};
  }

  void read(std::string_view key, std::string& target) {
    const auto* member = find(key);
    if (member == nullptr) return;
    if (!member->is_string()) return wrong_kind(key, "a string");
    target = std::string{member->get_string()};
  }

  void read(std::string_view key, bool& target) {
    const auto* member = find(key);
    if (member == nullptr) return;
    if (!member->is_bool()) return wrong_kind(key, "true or false");
    target = member->get_bool();
  }

  void read(std::string_view key, json::object& target) {
    const auto* member = find(key);
    if (member == nullptr) return;
    if (!member->is_object()) return wrong_kind(key, "an object");
    target = member->get_object();
  }

  void read(std::string_view key, json::value& target) {
    if (const auto* member = find(key)) target = *member;
  }

  void read(std::string_view key, json::array& target) {
    const auto* member = find(key);
    if (member == nullptr) return;
    if (!member->is_array()) return wrong_kind(key, "an array");
    target = member->get_array();
  }

  void read(std::string_view key, std::vector<std::string>& target) {
    json::array array;
    read(key, array);
    target.clear();
    for (const auto& element : array) {
      if (!element.is_string()) return wrong_kind(key, "an array of strings");
      target.emplace_back(element.get_string());
    }
  }

  void read(std::string_view key, CacheMode& target) {
    std::string name;
    read(key, name);
    const auto mode = parse_cache_mode(name);
    if (!mode) return wrong_kind(key, "none, read, write-only or write");
    target = *mode;
  }

  [[nodiscard]] Result<void> finish() const {
    if (problem_.empty()) return {};
    return std::unexpected(Error{Code::kInvalidArgument, problem_});
  }

 private:
  const json::value* find(std::string_view key) {
    const auto* member = object_.if_contains({key.data(), key.size()});
    if (member == nullptr && problem_.empty()) problem_ = fmt::format("{}: member \"{}\" is missing", what_, key);
    return member;
  }

  void wrong_kind(std::string_view key, std::string_view wanted) {
    if (problem_.empty()) problem_ = fmt::format("{}: member \"{}\" must be {}", what_, key, wanted);
  }

  const json::object& object_;
  std::string_view what_;
  std::string problem_;
};

// Takes digits (and a leading '-') and the one space behind them off the front of `text`.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || length >= text.size() || text[length] != ' ') return std::nullopt;
  text.remove_prefix(length + 1);
  return number;
}

std::optional<LogLine> parse_log_line(std::string_view text) {
  const auto step = take_number(text);
  if (!step || *step < -1 || *step > std::numeric_limits<int>::max()) return std::nullopt;
  const auto time = take_number(text);
  if (!time || text.empty()) return std::nullopt;
  LogLine line{.step = static_cast<int>(*step), .time = from_micros(*time), .stream = text[0], .text = {}};
  text.remove_prefix(1);
  if (!text.empty()) {
    if (text[0] != ' ') return std::nullopt;
    line.text = text.substr(1);
  }
  return line;
}

// Calls `use` with each whole line; the bytes up to the end of the last one.
template <class Use>
std::size_t for_each_line(std::string_view text, Use use) {
  std::size_t begin = 0;
  for (;;) {
    const auto end = text.find('\n', begin);
    if (end == std::string_view::npos) return begin;
    use(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

}  // namespace

namespace {

json::value sandbox_to_json(const std::optional<JobSandbox>& sandbox) {
  if (!sandbox) return nullptr;
  return {
      {"memory_bytes", sandbox->memory_bytes}, {"processes", sandbox->processes}, {"state_dir", sandbox->state_dir}};
}

Result<std::optional<JobSandbox>> sandbox_from_json(const json::value& value) {
  if (value.is_null()) return std::nullopt;
  const auto* object = value.if_object();
  if (object == nullptr) {
    return fail(Code::kInvalidArgument, "job specification: member \"sandbox\" must be an object or null");
  }
  JobSandbox sandbox;
  MemberReader reader(*object, "job specification: sandbox");
  reader.read("memory_bytes", sandbox.memory_bytes);
  reader.read("processes", sandbox.processes);
  reader.read("state_dir", sandbox.state_dir);
  WEIR_TRY(reader.finish());
  if (sandbox.memory_bytes <= 0 || sandbox.processes <= 0) {
    return fail(Code::kInvalidArgument, "job specification: the limits of the sandbox must be above 0");
  }
  return sandbox;
}

}  // namespace

json::value to_json(const JobSpec& spec) {
  json::object object;
  object["version"] = JobSpec::kVersion;
  object["job_id"] = spec.job_id;
  object["run_id"] = spec.run_id;
  object["run_number"] = spec.run_number;
  object["run_attempt"] = spec.run_attempt;
  object["job_key"] = spec.job_key;
  object["job_name"] = spec.job_name;
  object["workflow_name"] = spec.workflow_name;
  object["workspace"] = spec.workspace;
  object["git_dir"] = spec.git_dir;
  object["repository"] = spec.repository;
  object["commit"] = spec.commit;
  object["ref"] = spec.ref;
  object["server_url"] = spec.server_url;
  object["checkouts_dir"] = spec.checkouts_dir;
  object["envs_dir"] = spec.envs_dir;
  object["tool_dir"] = spec.tool_dir;
  object["blobs_dir"] = spec.blobs_dir;
  object["exchange_dir"] = spec.exchange_dir;
  object["cache_trees_dir"] = spec.cache_trees_dir;
  object["containers_dir"] = spec.containers_dir;
  object["actions_dir"] = spec.actions_dir;
  object["actions_url"] = spec.actions_url;
  object["server_owner"] = spec.server_owner;
  auto& layers = object["python_layers"].emplace_array();
  for (const auto& layer : spec.python_layers) layers.emplace_back(layer);
  object["strict"] = spec.strict;
  object["implicit_checkout"] = spec.implicit_checkout;
  object["may_push"] = spec.may_push;
  object["timeout_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(spec.timeout).count();
  object["preempt_grace_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(spec.preempt_grace).count();
  object["cancel_limit_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(spec.cancel_limit).count();
  object["cache_mode"] = cache_mode_name(spec.cache_mode);
  auto& warnings = object["warnings"].emplace_array();
  for (const auto& warning : spec.warnings) warnings.emplace_back(warning);
  object["contexts"] = spec.contexts;
  object["env"] = spec.env;
  object["outputs"] = spec.outputs;
  object["environment_url"] = spec.environment_url;
  object["defaults"] = spec.defaults;
  object["container"] = spec.container;
  object["services"] = spec.services;
  object["steps"] = spec.steps;
  object["sandbox"] = sandbox_to_json(spec.sandbox);
  return object;
}

Result<JobSpec> job_spec_from_json(const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return fail(Code::kInvalidArgument, "job specification must be an object");

  std::int64_t version = 0;
  MemberReader head(*object, "job specification");
  head.read("version", version);
  WEIR_TRY(head.finish());
  if (version > JobSpec::kVersion) {
    return fail(Code::kUnimplemented,
                "job specification has version {}, this runner knows up to {}: upgrade weir-runner", version,
                JobSpec::kVersion);
  }
  if (version < 1) return fail(Code::kInvalidArgument, "job specification: member \"version\" must be at least 1");

  JobSpec spec;
  MemberReader reader(*object, "job specification");
  reader.read("job_id", spec.job_id);
  reader.read("run_id", spec.run_id);
  reader.read("run_number", spec.run_number);
  reader.read("run_attempt", spec.run_attempt);
  reader.read("job_key", spec.job_key);
  reader.read("job_name", spec.job_name);
  reader.read("workflow_name", spec.workflow_name);
  reader.read("workspace", spec.workspace);
  reader.read("git_dir", spec.git_dir);
  reader.read("repository", spec.repository);
  reader.read("commit", spec.commit);
  reader.read("ref", spec.ref);
  reader.read("server_url", spec.server_url);
  reader.read("checkouts_dir", spec.checkouts_dir);
  reader.read("envs_dir", spec.envs_dir);
  reader.read("tool_dir", spec.tool_dir);
  reader.read("blobs_dir", spec.blobs_dir);
  reader.read("exchange_dir", spec.exchange_dir);
  reader.read("cache_trees_dir", spec.cache_trees_dir);
  reader.read("containers_dir", spec.containers_dir);
  reader.read("actions_dir", spec.actions_dir);
  reader.read("actions_url", spec.actions_url);
  reader.read("server_owner", spec.server_owner);
  reader.read("python_layers", spec.python_layers);
  reader.read("strict", spec.strict);
  reader.read("implicit_checkout", spec.implicit_checkout);
  reader.read("may_push", spec.may_push);
  reader.read("timeout_ms", spec.timeout);
  reader.read("cancel_limit_ms", spec.cancel_limit);
  reader.read("preempt_grace_ms", spec.preempt_grace);
  reader.read("cache_mode", spec.cache_mode);
  reader.read("warnings", spec.warnings);
  reader.read("contexts", spec.contexts);
  reader.read("env", spec.env);
  reader.read("outputs", spec.outputs);
  reader.read("environment_url", spec.environment_url);
  reader.read("defaults", spec.defaults);
  reader.read("container", spec.container);
  reader.read("services", spec.services);
  reader.read("steps", spec.steps);
  json::value sandbox;
  reader.read("sandbox", sandbox);
  WEIR_TRY(reader.finish());
  spec.sandbox = WEIR_TRY(sandbox_from_json(sandbox));
  return spec;
}

std::string_view conclusion_name(Conclusion conclusion) {
  switch (conclusion) {
    case Conclusion::kSuccess: return "success";
    case Conclusion::kFailure: return "failure";
    case Conclusion::kCancelled: return "cancelled";
    case Conclusion::kSkipped: return "skipped";
    case Conclusion::kTimedOut: return "timed_out";
  }
  return "failure";
}

Result<Conclusion> parse_conclusion(std::string_view name) {
  for (const auto conclusion : {Conclusion::kSuccess, Conclusion::kFailure, Conclusion::kCancelled,
                                Conclusion::kSkipped, Conclusion::kTimedOut}) {
    if (conclusion_name(conclusion) == name) return conclusion;
  }
  return fail(Code::kInvalidArgument,
              "\"{}\" is no conclusion; expected success, failure, cancelled, skipped or timed_out", name);
}

std::vector<JournalRecord> read_journal(std::string_view text, std::size_t& consumed) {
  std::vector<JournalRecord> records;
  consumed = for_each_line(text, [&](std::string_view line) {
    auto value = parse_json(line, "journal record");
    if (!value || !value->is_object()) return;  // torn by a crash, then appended to by a later runner
    JournalRecord record;
    record.sequence = json_int(*value, "seq").value_or(0);
    record.time = from_micros(json_int(*value, "t").value_or(0));
    record.type = json_string_or(*value, "type", "");
    record.fields = std::move(value->get_object());
    records.push_back(std::move(record));
  });
  return records;
}

std::string format_log_line(const LogLine& line) {
  return fmt::format("{} {} {} {}\n", line.step, to_micros(line.time), line.stream, line.text);
}

std::vector<LogLine> read_log(std::string_view text, std::size_t& consumed) {
  std::vector<LogLine> lines;
  consumed = for_each_line(text, [&](std::string_view line) {
    if (auto parsed = parse_log_line(line)) lines.push_back(*std::move(parsed));
  });
  return lines;
}

}  // namespace weir::types
