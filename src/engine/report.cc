#include "engine/executor.h"
#include "io/file.h"

namespace weir::engine {
namespace {

using types::JournalRecord;

std::string text_of(const json::object& fields, std::string_view key) {
  const auto* member = json_find(fields, key);
  return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
}

std::int64_t number_of(const json::object& fields, std::string_view key, std::int64_t fallback) {
  const auto* member = json_find(fields, key);
  return member != nullptr && member->is_int64() ? member->get_int64() : fallback;
}

// The step that a record is about; steps come in order, but a record of an unknown one must not be lost.
Step* find_step(JobReport& report, const JournalRecord& record) {
  const auto index = number_of(record.fields, "step", -1);
  if (index < 0) return nullptr;
  for (auto& step : report.steps) {
    if (step.index == index) return &step;
  }
  report.steps.push_back({.index = static_cast<int>(index)});
  return &report.steps.back();
}

std::optional<types::Conclusion> conclusion_of(const JournalRecord& record) {
  const auto parsed = types::parse_conclusion(text_of(record.fields, "conclusion"));
  return parsed ? std::optional(*parsed) : std::nullopt;
}

void apply_step(JobReport& report, const JournalRecord& record) {
  Step* step = find_step(report, record);
  if (step == nullptr) return;
  if (auto name = text_of(record.fields, "name"); !name.empty()) step->name = std::move(name);
  if (record.type == "step_started") {
    step->state = "in_progress";
    step->started_at = record.time;
    return;
  }
  step->state = "completed";
  step->conclusion = conclusion_of(record);
  step->completed_at = record.time;
}

void apply_annotation(JobReport& report, const JournalRecord& record) {
  json::object annotation;
  for (const auto& member : record.fields) {
    if (member.key() != "seq" && member.key() != "t" && member.key() != "type") {
      annotation[member.key()] = member.value();
    }
  }
  report.annotations.emplace_back(std::move(annotation));
}

void apply_end(JobReport& report, const JournalRecord& record) {
  report.finished = true;
  report.finished_at = record.time;
  report.conclusion = conclusion_of(record).value_or(types::Conclusion::kFailure);
  if (const auto* outputs = json_find(record.fields, "outputs"); outputs != nullptr && outputs->is_object()) {
    report.outputs = outputs->get_object();
  }
  report.environment_url = text_of(record.fields, "environment_url");
  report.layer = text_of(record.fields, "layer");
  if (const auto* reads = json_find(record.fields, "reads"); reads != nullptr) report.reads = *reads;
}

}  // namespace

JobReport read_report(std::string_view journal) {
  JobReport report;
  std::size_t consumed = 0;
  for (const auto& record : types::read_journal(journal, consumed)) {
    if (record.type == "job_started") {
      report.started = true;
      report.pid = number_of(record.fields, "pid", 0);
    } else if (record.type == "step_started" || record.type == "step_finished") {
      apply_step(report, record);
    } else if (record.type == "summary") {
      report.summary += text_of(record.fields, "text");
    } else if (record.type == "annotation") {
      apply_annotation(report, record);
    } else if (record.type == "job_cancelled") {
      report.cancelled = true;
    } else if (record.type == "job_preempted") {
      report.preempted = true;
    } else if (record.type == "job_finished") {
      apply_end(report, record);
    }
  }
  return report;
}

JobReport read_report_file(const std::filesystem::path& job_dir) {
  const auto text = io::read_file(job_dir / "journal.jsonl");
  return text ? read_report(*text) : JobReport{};
}

}  // namespace weir::engine
