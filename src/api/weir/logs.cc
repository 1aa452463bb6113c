#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>

#include "api/weir/routes.h"
#include "io/file.h"
#include "types/job_spec.h"

// A job's log: read by byte offset, so that a place in gigabytes costs what a place in kilobytes does.
namespace weir::api {
namespace {

constexpr std::int64_t kAnswerBytesMax = 1 << 20;
constexpr std::int64_t kAnswerBytesMin = 128 << 10;  // a line has at most 64 KiB of text
constexpr std::int64_t kSearchBlock = 1 << 20;
constexpr auto kSearchTime = std::chrono::milliseconds{100};  // of one answer; the caller goes on from `next`

// The log as a file that may be missing (the job never began, or its folder is past its retention) and may grow.
class LogFile {
 public:
  explicit LogFile(const std::filesystem::path& path) : file_(path, std::ios::binary) {
    if (file_) size_ = static_cast<std::int64_t>(file_.seekg(0, std::ios::end).tellg());
  }

  [[nodiscard]] std::int64_t size() const { return size_; }

  [[nodiscard]] std::string read(std::int64_t from, std::int64_t count) {
    std::string text(static_cast<std::size_t>(std::clamp<std::int64_t>(size_ - from, 0, count)), '\0');
    file_.clear();
    file_.seekg(from);
    file_.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file_.gcount())));
    return text;
  }

  // The first beginning of a line at `place` or after it; the size where there is none.
  [[nodiscard]] std::int64_t line_at(std::int64_t place) {
    if (place <= 0) return 0;
    if (place >= size_) return size_;
    const auto text = read(place - 1, kAnswerBytesMin);
    const auto end = text.find('\n');
    return end == std::string::npos ? size_ : place + static_cast<std::int64_t>(end);
  }

 private:
  std::ifstream file_;
  std::int64_t size_ = 0;
};

// Calls `use` with the offset and the parts of each whole line of `text`, which begins at `from`; ends where `use` says
// no. Gives the offset after the last line that was looked at.
template <class Use>
std::int64_t each_line(std::string_view text, std::int64_t from, Use use) {
  std::size_t begin = 0;
  for (;;) {
    const auto end = text.find('\n', begin);
    if (end == std::string_view::npos) break;
    std::size_t consumed = 0;
    const auto parsed = types::read_log(text.substr(begin, end + 1 - begin), consumed);
    const auto at = from + static_cast<std::int64_t>(begin);
    begin = end + 1;
    if (!parsed.empty() && !use(at, parsed.front())) break;
  }
  return from + static_cast<std::int64_t>(begin);
}

json::object shown(std::int64_t at, const types::LogLine& line) {
  return {{"at", at},
          {"step", line.step},
          {"time", to_iso8601(line.time)},
          {"stream", std::string(1, line.stream)},
          {"text", line.text}};
}

// Where a step's lines begin. Lines stand in the order of their times, and a step knows when it began: a search in
// halves reads some thirty places of a file of any size.
std::int64_t step_begin(LogFile& log, const engine::Job& job, std::int64_t index) {
  const auto step = std::ranges::find(job.steps, index, [](const auto& one) { return std::int64_t{one.index}; });
  if (step == job.steps.end() || !step->started_at) return 0;
  const auto began = *step->started_at - std::chrono::milliseconds{2};  // its first line may come before its record
  std::int64_t low = 0;
  std::int64_t high = log.size();
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    const auto line = log.line_at(middle);
    bool is_before = false;
    each_line(log.read(line, kAnswerBytesMin), line, [&](std::int64_t, const types::LogLine& one) {
      is_before = one.time < began;
      return false;
    });
    if (is_before) {
      low = line + 1;
    } else {
      high = middle;
    }
  }
  const auto from = log.line_at(low);
  auto found = from;
  each_line(log.read(from, kAnswerBytesMax), from, [&](std::int64_t at, const types::LogLine& one) {
    if (one.step != index) return true;
    found = at;
    return false;
  });
  return found;
}

Result<std::int64_t> begin_of(LogFile& log, const engine::Job& job, const io::HttpRequest& request,
                              std::int64_t limit) {
  if (request.query_value("near")) return log.line_at(WEIR_TRY(number_query(request, "near", 0, 0, INT64_MAX)));
  if (request.query_value("step")) return step_begin(log, job, WEIR_TRY(number_query(request, "step", 0, -1, INT_MAX)));
  if (request.query_value("before")) {
    const auto before = WEIR_TRY(number_query(request, "before", 0, 0, INT64_MAX));
    return log.line_at(std::min(before, log.size()) - limit);
  }
  return number_query(request, "after", 0, 0, INT64_MAX);
}

Result<io::HttpResponse> show_log(const Services& services, const io::HttpRequest& request) {
  const auto id = WEIR_TRY(id_param(request, "id"));
  const auto limit = WEIR_TRY(number_query(request, "limit", kAnswerBytesMax, kAnswerBytesMin, kAnswerBytesMax));
  // The state first: a job seen as ended has written all of its log.
  const auto job = WEIR_TRY(services.engine->job(id));
  LogFile log(WEIR_TRY(services.engine->job_dir(id)) / "log.txt");
  const auto begin = WEIR_TRY(begin_of(log, job, request, limit));
  auto count = limit;
  if (request.query_value("before")) {
    const auto before = WEIR_TRY(number_query(request, "before", 0, 0, INT64_MAX));
    count = std::max<std::int64_t>(0, std::min(before, log.size()) - begin);
  }
  const auto text = log.read(begin, count);
  json::array lines;
  const auto next = each_line(text, begin, [&](std::int64_t at, const types::LogLine& line) {
    lines.emplace_back(shown(at, line));
    return true;
  });
  const bool all_read = begin + static_cast<std::int64_t>(text.size()) >= log.size();
  return io::json_response(200, json::object{{"lines", std::move(lines)},
                                             {"start", begin},
                                             {"next", next},
                                             {"size", log.size()},
                                             {"done", all_read && job.state == engine::JobState::kCompleted}});
}

// Upper and lower case of ASCII are the same to people who search.
void fold_case(std::string& text) {
  for (auto& letter : text) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter + ('a' - 'A'));
  }
}

// The lines of `block` that hold `wanted`, which is folded; at most `most` in `found`. Gives the offset to go on from.
std::int64_t search_block(const std::string& block, std::int64_t from, const std::string& wanted, std::size_t most,
                          json::array& found) {
  const auto whole = block.rfind('\n') + 1;  // 0 where there is none
  std::string folded = block.substr(0, whole);
  fold_case(folded);
  const char* position = folded.data();
  const char* const end = folded.data() + folded.size();
  while (position < end) {
    const auto* hit = static_cast<const char*>(
        memmem(position, static_cast<std::size_t>(end - position), wanted.data(), wanted.size()));
    if (hit == nullptr) break;
    const auto offset = static_cast<std::size_t>(hit - folded.data());
    const auto before = offset == 0 ? std::string::npos : block.rfind('\n', offset - 1);
    const auto begin = before == std::string::npos ? 0 : before + 1;
    const auto line_end = block.find('\n', offset);
    each_line(std::string_view(block).substr(begin, line_end + 1 - begin), from + static_cast<std::int64_t>(begin),
              [&](std::int64_t at, const types::LogLine& line) {
                auto text = line.text;
                fold_case(text);
                // Not in what stands before the text: step and time.
                if (text.find(wanted) != std::string::npos) found.emplace_back(shown(at, line));
                return false;
              });
    position = folded.data() + line_end + 1;
    if (found.size() >= most) return from + static_cast<std::int64_t>(line_end) + 1;
  }
  return from + static_cast<std::int64_t>(whole);
}

Result<io::HttpResponse> search_log(const Services& services, const io::HttpRequest& request) {
  const auto id = WEIR_TRY(id_param(request, "id"));
  auto wanted = request.query_value("q").value_or("");
  if (wanted.empty() || wanted.size() > 1'000 || wanted.contains('\n')) {
    return fail(Code::kInvalidArgument, "say what to search for: ?q= with 1 to 1000 bytes of one line");
  }
  fold_case(wanted);
  auto next = WEIR_TRY(number_query(request, "after", 0, 0, INT64_MAX));
  const auto most = static_cast<std::size_t>(WEIR_TRY(number_query(request, "limit", 100, 1, 1'000)));
  const auto job = WEIR_TRY(services.engine->job(id));
  LogFile log(WEIR_TRY(services.engine->job_dir(id)) / "log.txt");
  json::array found;
  bool all_read = false;
  const auto end = std::chrono::steady_clock::now() + kSearchTime;
  do {
    const auto block = log.read(next, kSearchBlock);
    const auto after = search_block(block, next, wanted, most, found);
    all_read = after == next || (after >= log.size() && found.size() < most);
    next = after;
  } while (!all_read && found.size() < most && std::chrono::steady_clock::now() < end);
  return io::json_response(200, json::object{{"lines", std::move(found)},
                                             {"next", next},
                                             {"size", log.size()},
                                             {"done", all_read && job.state == engine::JobState::kCompleted}});
}

}  // namespace

void add_log_routes(RouteTable& table, const Services& services) {
  table.add({.method = "GET",
             .pattern = "/api/v1/jobs/{id}/log",
             .id = "getJobLog",
             .summary = "Lines of a job's log; ask again with `next` until `done`.",
             .query = {{"after", "integer", "The byte to go on from: `next` of the answer before."},
                       {"near", "integer", "Any byte instead: from the first line that begins there or later."},
                       {"before", "integer", "Instead: the lines right before this beginning of a line, or the end."},
                       {"step", "integer", "Instead: from where this step began."},
                       {"limit", "integer", "Bytes to read, 131072 to 1048576; the most unless given."}},
             .answer = "Log"},
            [&services](io::HttpRequest& request) { return show_log(services, request); });
  table.add({.method = "GET",
             .pattern = "/api/v1/jobs/{id}/log/search",
             .id = "searchJobLog",
             .summary = "Lines of a job's log that hold a text; ask again with `next` while it is below `size`.",
             .query = {{"q", "string", "What a line must hold; small and capital letters are alike.", true},
                       {"after", "integer", "The byte to go on from: `next` of the answer before."},
                       {"limit", "integer", "At most so many lines, 1 to 1000; 100 unless given."}},
             .answer = "LogFound"},
            [&services](io::HttpRequest& request) { return search_log(services, request); });
}

}  // namespace weir::api
