#include <boost/asio/buffer.hpp>

#include "io/http_connection.h"
#include "io/http_file.h"

// The writing half of a connection.
namespace weir::io {
namespace {

constexpr std::size_t kPieceBytes = 128U << 10;   // of a streamed body
constexpr std::size_t kJoinBytesMax = 16U << 10;  // bodies up to here are copied behind the header: one buffer less
constexpr std::size_t kWriteBytesMax = 1U << 20;  // one write, so that progress moves the deadline
constexpr std::size_t kChunkRoom = 18;            // length of a chunk in hex and a line break

std::string_view reason(int status) {
  const auto text = beast::http::obsolete_reason(beast::http::int_to_status(static_cast<unsigned>(status)));
  return {text.data(), text.size()};
}

bool equal_ascii(std::string_view a, std::string_view b) {
  return beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

// Set by us, so that framing can never contradict the bytes that follow.
bool is_framing(std::string_view name) {
  return equal_ascii(name, "Content-Length") || equal_ascii(name, "Transfer-Encoding") ||
         equal_ascii(name, "Connection") || equal_ascii(name, "Date") || equal_ascii(name, "Server");
}

// A line break in a value would begin a header of the attacker's choice.
void append_value(std::string& out, std::string_view value) {
  for (const char c : value) out += static_cast<unsigned char>(c) < ' ' && c != '\t' ? ' ' : c;
}

bool has_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

// Splits at any line break, as the event stream format wants each line in a field of its own.
void append_field(std::string& out, std::string_view name, std::string_view text) {
  while (true) {
    const auto end = std::min(text.find_first_of("\r\n"), text.size());
    out.append(name).append(": ").append(text.substr(0, end)).append("\n");
    if (end == text.size()) return;
    text.remove_prefix(text.substr(end, 2) == "\r\n" ? end + 2 : end + 1);
  }
}

// The application's end of an event stream.
class EventHandle final : public EventStream {
 public:
  explicit EventHandle(std::shared_ptr<EventQueue> queue) : queue_(std::move(queue)) {}
  ~EventHandle() override { queue_->end(); }
  EventHandle(const EventHandle&) = delete;
  EventHandle& operator=(const EventHandle&) = delete;

  bool send(std::string_view event, std::string_view data, std::string_view id) override {
    std::string text;
    text.reserve(event.size() + data.size() + id.size() + 32);
    if (!id.empty()) append_field(text, "id", id.substr(0, id.find_first_of("\r\n")));
    if (!event.empty()) append_field(text, "event", event.substr(0, event.find_first_of("\r\n")));
    append_field(text, "data", data);
    text += '\n';
    return queue_->push(text);
  }

 private:
  std::shared_ptr<EventQueue> queue_;
};

}  // namespace

bool EventQueue::push(std::string_view text) {
  const std::scoped_lock lock(mutex_);
  if (connection_ == nullptr || ended_) return false;
  if (pending_.size() + text.size() > bytes_max_) {
    // Too slow: the client comes back with its last event's id and reads what it missed.
    pending_.clear();
    ended_ = true;
    wake();
    return false;
  }
  pending_ += text;
  wake();
  return true;
}

void EventQueue::end() {
  const std::scoped_lock lock(mutex_);
  ended_ = true;
  wake();
}

void EventQueue::detach() {
  const std::scoped_lock lock(mutex_);
  ended_ = true;
  connection_ = nullptr;
}

bool EventQueue::take(std::string& out) {
  out.clear();
  const std::scoped_lock lock(mutex_);
  scheduled_ = false;
  out.swap(pending_);
  return !out.empty() || !ended_;
}

void EventQueue::wake() {
  if (connection_ == nullptr || std::exchange(scheduled_, true)) return;
  asio::post(connection_->thread().io, [connection = connection_] { connection->wake_events(); });
}

Awaitable<bool> Connection::answer(HttpResponse response, AnswerContext& context) {
  if (!response.file_path.empty()) co_return co_await answer_file(response, context);
  if (response.event_stream) co_return co_await answer_events(response, context);
  if (response.body_source != nullptr) co_return co_await answer_stream(response, context, std::nullopt);
  if (response.status == 200 && etag_matches(context.if_none_match, response.headers.get("ETag"))) {
    response.status = 304;
  }
  write_head(response, context, response.body.size());
  if (context.head || !has_body(response.status)) co_return co_await write(head_);
  if (response.body.size() > kJoinBytesMax) co_return co_await write(head_, response.body);
  head_ += response.body;
  co_return co_await write(head_);
}

Awaitable<bool> Connection::answer_file(HttpResponse& response, AnswerContext& context) {
  const FileConditions conditions{context.if_none_match, context.range, context.if_range};
  std::uint64_t length = 0;
  auto work = [&] { length = prepare_file(response, conditions); };
  co_await run_on(shared_.stream_pool, work);
  if (response.body_source != nullptr) co_return co_await answer_stream(response, context, length);
  write_head(response, context, length);
  if (context.head || !has_body(response.status)) co_return co_await write(head_);
  co_return co_await write(head_, response.body);
}

Awaitable<bool> Connection::answer_stream(HttpResponse& response, AnswerContext& context,
                                          std::optional<std::uint64_t> length) {
  if (!length.has_value() && context.http_1_0) context.keep_alive = false;
  if (context.head || !has_body(response.status)) {
    write_head(response, context, length);
    co_return co_await write(head_);
  }
  source_ = response.body_source.get();
  std::optional<Error> refused;
  const bool sent = co_await pump_body(response, context, length, refused);
  source_ = nullptr;
  // Ending a source early may take a while (a process to be waited for): not on this thread.
  if (!sent) shared_.stream_pool.submit([source = std::move(response.body_source)] {});
  if (refused) co_return co_await answer(error_response(*refused), context);
  co_return sent;
}

// Sends a body that comes piece by piece: read on the pool, written from here, so that a slow client holds no thread.
// Without a length it goes out in chunks, to clients of HTTP/1.0 until the connection ends. `refused` is set when the
// source failed before anything was sent; afterwards only a broken connection can tell the client.
Awaitable<bool> Connection::pump_body(HttpResponse& response, const AnswerContext& context,
                                      std::optional<std::uint64_t> length, std::optional<Error>& refused) {
  const bool chunked = !length.has_value() && !context.http_1_0;
  std::string piece(kChunkRoom + kPieceBytes + 2, '\0');
  char* const bytes = piece.data() + kChunkRoom;
  Result<std::size_t> got = 0;
  auto work = [&] { got = response.body_source->read(bytes, kPieceBytes); };
  for (bool first = true;; first = false) {
    set_phase(Phase::kHandler, Duration::max());
    co_await run_on(shared_.stream_pool, work);
    if (forced_) co_return false;
    if (!got) {
      shared_.log.warning("{}: the answer broke off: {}", peer_, got.error().message);
      if (first) refused = std::move(got).error();
      co_return false;
    }
    if (first) {
      write_head(response, context, length);
      if (!co_await write(head_)) co_return false;
    }
    if (*got == 0) break;
    char* begin = bytes;
    std::size_t size = *got;
    if (chunked) {
      const std::string header = fmt::format("{:x}\r\n", size);
      begin -= header.size();
      header.copy(begin, header.size());
      bytes[size] = '\r';
      bytes[size + 1] = '\n';
      size += header.size() + 2;
    }
    if (!co_await write({begin, size})) co_return false;
  }
  co_return !chunked || co_await write("0\r\n\r\n");
}

Awaitable<bool> Connection::answer_events(HttpResponse& response, AnswerContext& context) {
  context.keep_alive = false;
  response.headers.set("Content-Type", "text/event-stream");
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("X-Accel-Buffering", "no");
  write_head(response, context, std::nullopt);
  if (!co_await write(head_) || context.head) co_return false;

  const auto queue = std::make_shared<EventQueue>(shared_from_this(), shared_.options.event_bytes_max);
  events_ = queue;
  // Not waited for, so that what it sends already goes out.
  shared_.stream_pool.submit([&log = shared_.log, start = std::move(response.event_stream),
                              handle = std::make_shared<EventHandle>(queue)]() mutable {
    try {
      start(std::move(handle));
    } catch (const std::exception& exception) {
      log.error("an event stream failed to start: {}", exception.what());
    }
  });
  if (stopping_) queue->end();
  if (!forced_) {
    watch_for_goodbye();
    co_await pump_events(*queue);
  }
  queue->detach();
  events_ = nullptr;
  socket_.cancel();
  co_return false;
}

Awaitable<> Connection::pump_events(EventQueue& queue) {
  const bool chunked = parser_->get().version() >= 11;
  std::string text;
  set_phase(Phase::kEvents, Duration::max());
  while (queue.take(text)) {
    if (forced_) co_return;
    if (text.empty()) {
      events_timer_.expires_after(shared_.options.heartbeat);
      const auto [error] = co_await events_timer_.async_wait(kAwait);
      if (error) continue;  // woken
      text = ":\n\n";
    }
    const std::string header = chunked ? fmt::format("{:x}\r\n", text.size()) : std::string{};
    if (chunked) text += "\r\n";
    if (!co_await write(header, text)) co_return;
    set_phase(Phase::kEvents, Duration::max());
  }
  if (chunked && !forced_) co_await write("0\r\n\r\n");
}

// A client of an event stream sends nothing more; when reading ends, it has gone.
void Connection::watch_for_goodbye() {
  socket_.async_read_some(asio::buffer(goodbye_), [self = shared_from_this()](beast::error_code error, std::size_t) {
    if (self->events_ == nullptr) return;
    if (!error) return self->watch_for_goodbye();
    self->events_->detach();
    self->wake_events();
  });
}

void Connection::write_head(const HttpResponse& response, const AnswerContext& context,
                            std::optional<std::uint64_t> length) {
  head_.clear();
  fmt::format_to(std::back_inserter(head_), "HTTP/1.1 {} {}\r\nServer: weir\r\nDate: {}\r\n", response.status,
                 reason(response.status), thread_.date());
  std::string_view own_length;
  for (const auto& [name, value] : response.headers.all()) {
    if (context.head && equal_ascii(name, "Content-Length")) own_length = value;
    if (is_framing(name)) continue;
    append_value(head_, name);
    head_ += ": ";
    append_value(head_, value);
    head_ += "\r\n";
  }
  if (has_body(response.status)) {
    if (length == 0U && !own_length.empty()) {
      head_.append("Content-Length: ");
      append_value(head_, own_length);
      head_ += "\r\n";
    } else if (length.has_value()) {
      fmt::format_to(std::back_inserter(head_), "Content-Length: {}\r\n", *length);
    } else if (!context.http_1_0) {
      head_ += "Transfer-Encoding: chunked\r\n";
    }
  }
  if (!context.keep_alive) {
    head_ += "Connection: close\r\n";
  } else if (context.http_1_0) {
    head_ += "Connection: keep-alive\r\n";
  }
  head_ += "\r\n";
}

Awaitable<bool> Connection::write(std::string_view first, std::string_view second) {
  while (!first.empty() || !second.empty()) {
    set_phase(Phase::kWrite, shared_.options.idle_timeout);
    const std::array<asio::const_buffer, 2> pieces{
        asio::buffer(first), asio::buffer(second.substr(0, std::min(second.size(), kWriteBytesMax)))};
    const auto [error, count] = co_await socket_.async_write_some(pieces, kAwait);
    if (error) co_return false;
    const std::size_t from_first = std::min(count, first.size());
    first.remove_prefix(from_first);
    second.remove_prefix(count - from_first);
  }
  co_return true;
}

}  // namespace weir::io
