#include "runner/step_commands.h"

#include <algorithm>
#include <charconv>

#include "io/file.h"
#include "runner/command.h"
#include "runner/step_run.h"

namespace weir::runner {
namespace {

constexpr std::size_t kSummaryBytesMax = 1024UL * 1024;

constexpr std::string_view kCommands[] = {"set-output", "save-state", "set-env",     "add-path",       "add-mask",
                                          "debug",      "notice",     "warning",     "error",          "group",
                                          "endgroup",   "echo",       "add-matcher", "remove-matcher", "stop-commands"};

bool is_known(std::string_view name) {
  return std::ranges::find(kCommands, name) != std::end(kCommands);
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// Where an annotation points: GitHub's rules for lines and columns that don't fit together.
json::object annotation_place(const Command& command, const JobState& job) {
  json::object place;
  if (const auto title = command.property("title"); !title.empty()) place["title"] = job.log->mask(title);
  std::string file(command.property("file"));
  if (!file.empty()) {
    const std::string prefix = job.workspace.string() + "/";
    if (file.starts_with(prefix)) file.erase(0, prefix.size());
    place["file"] = job.log->mask(file);
  }
  auto line = number(command.property("line"));
  auto end_line = number(command.property("endLine"));
  auto column = number(command.property("col"));
  auto end_column = number(command.property("endColumn"));
  if (end_line && !line) line = end_line;
  if (end_column && !column) column = end_column;
  const bool several_lines = line && end_line && *line != *end_line;
  if (!line || several_lines) {
    column.reset();
    end_column.reset();
  }
  if (line && end_line && *end_line < *line) {
    line.reset();
    end_line.reset();
  }
  if (column && end_column && *end_column < *column) {
    column.reset();
    end_column.reset();
  }
  if (line) place["line"] = *line;
  if (end_line) place["end_line"] = *end_line;
  if (column) place["col"] = *column;
  if (end_column) place["end_col"] = *end_column;
  return place;
}

bool allows_unsecure(const StepState& step, std::string_view variable) {
  const auto* value = step.env.if_contains({variable.data(), variable.size()});
  return value != nullptr && equal_ignoring_case(workflow::to_text(*value), "true");
}

void fail_command(JobState& job, StepState& step, std::string_view what, std::string_view why) {
  job.error(step, fmt::format("Unable to process command '{}' successfully.", what));
  job.error(step, why);
  step.command_failed = true;
}

void warn_deprecated(JobState& job, StepState& step, std::string_view command) {
  if (std::exchange(step.warned_deprecated, true)) return;
  job.warning(step, fmt::format("The `{}` command is deprecated and will be disabled soon. Please upgrade to using "
                                "Environment Files.",
                                command));
}

// set-env and add-path were disabled for their danger: a line of untrusted output would do.
bool is_disabled(JobState& job, StepState& step, const Command& command, std::string_view line) {
  if (allows_unsecure(step, "ACTIONS_ALLOW_UNSECURE_COMMANDS")) return false;
  fail_command(
      job, step, line,
      fmt::format("The `{}` command is disabled. Please upgrade to using Environment Files or opt into unsecure "
                  "command execution by setting the `ACTIONS_ALLOW_UNSECURE_COMMANDS` environment variable to "
                  "`true`.",
                  command.name));
  return true;
}

void stop_commands(JobState& job, StepState& step, const Command& command, std::string_view line) {
  const bool bad =
      is_blank(command.data) || is_known(command.data) || equal_ignoring_case(command.data, "pause-logging");
  if (bad && !allows_unsecure(step, "ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS")) {
    return fail_command(job, step, line,
                        "You cannot use a endToken that is an empty string, the string 'pause-logging', or another "
                        "workflow command.");
  }
  step.stop_token = command.data;
  job.line(step.index, 'o', line);
}

void add_mask(JobState& job, StepState& step, const Command& command) {
  if (is_blank(command.data)) {
    return job.warning(step, "Can't add secret mask for empty string in ##[add-mask] command.");
  }
  if (step.echo) job.line(step.index, 'o', "::add-mask::***");
  job.log->add_mask(command.data);
}

void set_named(JobState& job, StepState& step, const Command& command, std::string_view line) {
  const std::string_view name = command.property("name");
  if (name.empty()) {
    return fail_command(job, step, line,
                        fmt::format("Required field 'name' is missing in ##[{}] command.", command.name));
  }
  if (command.name == "set-output") {
    warn_deprecated(job, step, command.name);
    step.outputs[name] = command.data;
  } else if (command.name == "save-state") {
    warn_deprecated(job, step, command.name);
    if (step.saved_state != nullptr) (*step.saved_state)[std::string(name)] = command.data;
  } else {
    set_step_env(job, step, name, command.data, "::set-env::");
  }
}

// Adds the matchers of a file, or takes them away: by the file, or by `owner`.
void change_matchers(JobState& job, StepState& step, const Command& command, std::string_view line) {
  const bool adds = command.name == "add-matcher";
  if (const auto owner = command.property("owner"); !adds && !owner.empty()) {
    if (!command.data.empty()) {
      return fail_command(job, step, line, "Either a file or the property 'owner' can be given, not both.");
    }
    job.matchers.remove(owner);
    job.debug(step.index, fmt::format("Removed matchers: '{}'", owner));
    return;
  }
  if (command.data.empty()) {
    return fail_command(
        job, step, line,
        adds ? "The name of a matcher file is missing." : "Either a file or the property 'owner' must be given.");
  }
  const auto text =
      run_confined(job.confinement(), [&] { return io::read_file(job.workspace / command.data, 1U << 20); });
  if (!text) return fail_command(job, step, line, text.error().message);
  const auto owners = adds ? job.matchers.add(*text) : ProblemMatchers::owners(*text);
  if (!owners) return fail_command(job, step, line, owners.error().message);
  for (const auto& owner : *owners) {
    if (!adds) job.matchers.remove(owner);
    job.debug(step.index, fmt::format("{} matcher: '{}'", adds ? "Added" : "Removed", owner));
  }
}

bool is_echoed(std::string_view name) {
  constexpr std::string_view kSilent[] = {"add-mask", "debug", "notice", "warning", "error"};
  return std::ranges::find(kSilent, name) == std::end(kSilent);
}

void process(JobState& job, StepState& step, const Command& command, std::string_view line) {
  const std::string_view name = command.name;
  if (name == "add-mask") return add_mask(job, step, command);
  if (name == "debug") return job.debug(step.index, command.data);
  if (name == "notice" || name == "warning" || name == "error") {
    return job.annotate(step, name, command.data, annotation_place(command, job));
  }
  if (name == "group") return job.line(step.index, 'c', fmt::format("##[group]{}", command.data));
  if (name == "endgroup") return job.line(step.index, 'c', "##[endgroup]");
  if (name == "set-output" || name == "save-state") return set_named(job, step, command, line);
  if (name == "set-env") {
    if (!is_disabled(job, step, command, line)) set_named(job, step, command, line);
    return;
  }
  if (name == "add-path") {
    if (!is_disabled(job, step, command, line) && !command.data.empty()) job.add_path(command.data);
    return;
  }
  if (name == "echo") {
    if (equal_ignoring_case(command.data, "on")) {
      step.echo = true;
    } else if (equal_ignoring_case(command.data, "off")) {
      step.echo = false;
    } else {
      fail_command(job, step, line,
                   fmt::format("Invalid echo command value. Possible values can be: 'on', 'off'. "
                               "Current value is: '{}'",
                               command.data));
    }
    return;
  }
  change_matchers(job, step, command, line);
}

// Where a problem is, below the repository that holds the file. Nothing if there is no such file, or it lies elsewhere.
std::optional<std::string> problem_file(const JobState& job, const ProblemMatch& match) {
  if (is_blank(match.file)) return std::nullopt;
  std::filesystem::path file = match.file;
  if (!is_blank(match.from_path) && file.is_relative()) {
    file = std::filesystem::path(match.from_path).parent_path() / file;
  }
  file = (job.workspace / file).lexically_normal();
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return std::nullopt;
  const auto below = file.lexically_relative(job.workspace);
  if (below.empty() || *below.begin() == "..") return std::nullopt;
  std::filesystem::path root = file.parent_path();
  while (root != job.workspace && !std::filesystem::exists(root / ".git", error)) root = root.parent_path();
  return file.lexically_relative(root).generic_string();
}

// A line in which a matcher finds a problem becomes an annotation.
bool report_problem(JobState& job, StepState& step, std::string_view text) {
  const std::string stripped = text.find('\x1B') == std::string_view::npos ? std::string() : without_colors(text);
  const std::string_view line = stripped.empty() ? text : std::string_view(stripped);
  std::string broken;
  const auto match = job.matchers.match(line, broken);
  if (!broken.empty()) {
    job.warning(step, fmt::format("Removing issue matcher '{}'. Its expression took too long.", broken));
  }
  if (!match || is_blank(match->message)) return false;
  const std::string_view severity = match->severity;
  const bool is_error = severity.empty() || equal_ignoring_case(severity, "error");
  const bool is_warning = equal_ignoring_case(severity, "warning");
  if (!is_error && !is_warning && !equal_ignoring_case(severity, "notice")) return false;
  json::object place;
  if (const auto file = problem_file(job, *match)) place["file"] = job.log->mask(*file);
  if (const auto at = number(match->line)) place["line"] = *at;
  if (const auto at = number(match->column)) place["col"] = *at;
  if (!is_blank(match->code)) place["code"] = job.log->mask(match->code);
  job.annotate(step, is_error ? "error" : is_warning ? "warning" : "notice", match->message, place, line);
  return true;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

Result<void> read_pairs(const JobState& job, StepFiles::Kind kind, Pairs& pairs) {
  return parse_key_values(WEIR_TRY(job.files.read(kind)), pairs);
}

}  // namespace

bool process_command_line(JobState& job, StepState& step, std::string_view line) {
  const auto command = parse_command(line, [&](std::string_view name) {
    return is_known(name) || (!step.stop_token.empty() && equal_ignoring_case(name, step.stop_token));
  });
  if (!command) return false;
  if (!step.stop_token.empty()) {
    if (!equal_ignoring_case(command->name, step.stop_token)) return false;
    step.stop_token.clear();
    job.line(step.index, 'o', line);
    return true;
  }
  if (command->name == "stop-commands") {
    stop_commands(job, step, *command, line);
    return true;
  }
  if (step.echo && is_echoed(command->name)) job.line(step.index, 'o', line);
  process(job, step, *command, line);
  return true;
}

LineSplitter::Use take_lines(JobState& job, StepState& step) {
  return [&job, &step, index = step.index, runs = step.listening.on()](const LineSplitter::Line& line) {
    // What a background process of an earlier step prints is shown, but commands nothing any more.
    if (*runs && line.bytes_cut == 0) {
      const bool may_command =
          line.text.find("::") != std::string_view::npos || line.text.find("##[") != std::string_view::npos;
      if (may_command && process_command_line(job, step, line.text)) return;
      if (!job.matchers.empty() && report_problem(job, step, line.text)) return;
    }
    job.log->line(index, 'o', line.text, line.bytes_cut);
  };
}

void set_step_env(JobState& job, StepState& step, std::string_view name, std::string_view value,
                  std::string_view command) {
  const auto starts = [&](std::string_view prefix) {
    return equal_ignoring_case(name.substr(0, prefix.size()), prefix);
  };
  if (equal_ignoring_case(name, "NODE_OPTIONS") || starts("GITHUB_") || starts("RUNNER_")) {
    return job.error(step, fmt::format("Can't store {} output parameter using '{}' command.", name, command));
  }
  job.set_env(name, value);
  job.debug(step.index, fmt::format("{}='{}'", name, value));
}

void record_summary(JobState& job, StepState& step, std::string_view text) {
  if (text.empty()) return;
  if (text.size() > kSummaryBytesMax) {
    return job.error(step, fmt::format("$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of {}k, got "
                                       "{}k.",
                                       kSummaryBytesMax / 1024, text.size() / 1024));
  }
  job.record("summary", {{"step", step.index}, {"text", readable_lines(job.log->mask(text))}});
}

void process_step_files(JobState& job, StepState& step) {
  const auto report = [&](std::string_view name, const Error& error) {
    job.error(step, fmt::format("Unable to process file command '{}' successfully.", name));
    job.error(step, error.message);
    step.command_failed = true;
  };
  if (job.files.size(StepFiles::kPath) > 0) {
    if (const auto text = job.files.read(StepFiles::kPath)) {
      for (const auto& path : parse_path_lines(*text)) job.add_path(path);
    } else {
      report("path", text.error());
    }
  }
  if (job.files.size(StepFiles::kEnv) > 0) {
    Pairs pairs;
    const auto status = read_pairs(job, StepFiles::kEnv, pairs);
    for (const auto& [name, value] : pairs) set_step_env(job, step, name, value, "$GITHUB_ENV");
    if (!status) report("env", status.error());
  }
  if (const auto size = job.files.size(StepFiles::kSummary); size > 0) {
    if (const auto text = job.files.read(StepFiles::kSummary)) {
      record_summary(job, step, *text);
    } else {
      report("step_summary", text.error());
    }
  }
  if (job.files.size(StepFiles::kState) > 0) {
    Pairs pairs;
    const auto status = read_pairs(job, StepFiles::kState, pairs);
    if (step.saved_state != nullptr) {
      for (const auto& [name, value] : pairs) (*step.saved_state)[name] = value;
    }
    if (!status) report("state", status.error());
  }
  if (job.files.size(StepFiles::kOutput) > 0) {
    Pairs pairs;
    const auto status = read_pairs(job, StepFiles::kOutput, pairs);
    for (const auto& [name, value] : pairs) step.outputs[name] = value;
    if (!status) report("output", status.error());
  }
  job.files.finish();
}

}  // namespace weir::runner
