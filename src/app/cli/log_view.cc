#include "app/cli/log_view.h"

#include <thread>

#include "app/cli/print.h"

namespace weir::app {

void LogView::print_log_line(const std::string& name, const json::value& line) {
  if (options_.json) {
    json::object object = line.as_object();
    object["job"] = name;
    print_line(json::serialize(object));
    return;
  }
  const std::string stream = json_string_or(line, "stream", "o");
  const std::string text = safe(json_string_or(line, "text", ""));
  const Style style = stream == "c" ? Style::kDim : stream == "e" ? Style::kBad : Style::kPlain;
  print_line((options_.prefix ? styled(Style::kDim, name + " | ") : std::string()) + styled(style, text));
}

Result<bool> LogView::print_more(const json::value& job, std::int64_t& after) {
  const auto id = json_int(job, "id").value_or(0);
  const std::string name = json_string_or(job, "name", "");
  for (;;) {
    auto answer = client_.get(fmt::format("/api/v1/jobs/{}/log?after={}", id, after));
    if (!answer && answer.error().code == Code::kNotFound) return true;  // a skipped job has no log
    if (!answer) return std::unexpected(answer.error());
    for (const auto& line : answer->at("lines").as_array()) print_log_line(name, line);
    const auto next = json_int(*answer, "next").value_or(after);
    if (json_bool_or(*answer, "done", true)) return true;
    if (next == after) return false;
    after = next;
  }
}

Result<void> LogView::print(const json::value& job, bool follow) {
  std::int64_t after = 0;
  while (!WEIR_TRY(print_more(job, after))) {
    if (!follow) return {};
    // The log is a file that grows; asking four times a second keeps a person up to date.
    std::this_thread::sleep_for(std::chrono::milliseconds{250});
  }
  return {};
}

}  // namespace weir::app
