#include "io/http_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <exception>
#include <tuple>

namespace weir::io {
namespace {

namespace http = beast::http;

constexpr std::size_t kReadBytes = 64U << 10;
constexpr std::uint64_t kDrainBytesMax = 256U << 10;        // of a body that the handler left, to keep the connection
constexpr std::uint64_t kLingerBytesMax = 256U << 20;       // of input that comes after the last answer
constexpr std::uint64_t kBodyBytesPerSecondMin = 1U << 10;  // slower bodies are given up

// The body of a streaming route, for its handler.
class ConnectionBody final : public ByteSource {
 public:
  explicit ConnectionBody(std::shared_ptr<BodyLease> lease) : lease_(std::move(lease)) {}

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    const std::scoped_lock lock(lease_->mutex);
    if (lease_->connection == nullptr) return fail(Code::kCancelled, "the request was answered already");
    return lease_->connection->read_body_blocking(buffer, size);
  }

 private:
  std::shared_ptr<BodyLease> lease_;
};

// The function object behind HttpReply.
class ReplyHandle {
 public:
  explicit ReplyHandle(std::shared_ptr<ReplySlot> slot) : slot_(std::move(slot)) {}
  ReplyHandle(ReplyHandle&&) noexcept = default;
  ReplyHandle& operator=(ReplyHandle&&) noexcept = default;
  ~ReplyHandle() {
    if (slot_ == nullptr) return;
    slot_->answer(error_response(Error{Code::kInternal, "the handler dropped the request without an answer"}));
  }
  void operator()(HttpResponse response) {
    if (const auto slot = std::exchange(slot_, nullptr)) slot->answer(std::move(response));
  }

 private:
  std::shared_ptr<ReplySlot> slot_;
};

HttpResponse refuse(int status, Code code, std::string message) {
  HttpResponse response = error_response(Error{code, std::move(message)});
  response.status = status;
  return response;
}

HttpResponse failed_handler() {
  return error_response(Error{Code::kInternal, "the server failed on this request; its log says why"});
}

HttpResponse no_route(const HttpRequest& request, const std::vector<std::string>& methods) {
  if (methods.empty()) return refuse(404, Code::kNotFound, fmt::format("there is nothing at {}", request.path));
  const std::string allowed = fmt::format("{}", fmt::join(methods, ", "));
  HttpResponse response;
  response.status = 204;
  if (request.method != "OPTIONS") {
    response = refuse(405, Code::kInvalidArgument,
                      fmt::format("{} does not take {}; it takes {}", request.path, request.method, allowed));
  }
  response.headers.set("Allow", allowed);
  return response;
}

// Some clients end a body with a line break that belongs to nothing (RFC 9112, section 2.2).
void skip_blank_lines(beast::flat_buffer& buffer) {
  const auto bytes = buffer.data();
  const std::string_view text{static_cast<const char*>(bytes.data()), bytes.size()};
  buffer.consume(std::min(text.find_first_not_of("\r\n"), text.size()));
}

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

void Signal::notify() {
  if (waiter_) {
    auto waiter = std::exchange(waiter_, nullptr);
    waiter();
  } else {
    set_ = true;
  }
}

Awaitable<> Signal::wait() {
  if (std::exchange(set_, false)) co_return;
  co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
      [this](auto handler) { waiter_ = [handler = std::move(handler)]() mutable { std::move(handler)(); }; },
      asio::use_awaitable_t<Executor>{});
}

void ReplySlot::answer(HttpResponse response) {
  const std::scoped_lock lock(mutex_);
  if (connection_ == nullptr) return;
  const auto connection = std::exchange(connection_, nullptr);
  response_ = std::move(response);
  answered_ = true;
  // Posted under the lock: the network thread stays until abandon() has been through here.
  if (waiting_) asio::post(connection->thread().io, [connection] { connection->signal().notify(); });
}

bool ReplySlot::must_wait() {
  const std::scoped_lock lock(mutex_);
  waiting_ = !answered_;
  return waiting_;
}

bool ReplySlot::abandon() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(connection_, nullptr) != nullptr;
}

Connection::Connection(NetworkThread& thread, Socket socket, std::string peer, bool loopback)
    : thread_(thread),
      shared_(thread.shared),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      loopback_(loopback),
      events_timer_(thread.io) {}

void Connection::set_phase(Phase phase, Duration limit) {
  phase_ = phase;
  timed_out_ = false;
  deadline_ = limit == Duration::max() ? SteadyTime::max() : std::chrono::steady_clock::now() + limit;
}

void Connection::check_deadline(SteadyTime now) {
  if (now < deadline_) return;
  deadline_ = SteadyTime::max();
  timed_out_ = true;
  socket_.cancel();
}

bool Connection::close_if_idle() {
  if (phase_ != Phase::kIdle) return false;
  timed_out_ = true;
  socket_.cancel();
  return true;
}

void Connection::begin_stop() {
  stopping_ = true;
  if (events_ != nullptr) events_->end();
  close_if_idle();
}

void Connection::force_stop() {
  stopping_ = true;
  forced_ = true;
  ::shutdown(socket_.native_handle(), SHUT_RDWR);
  socket_.cancel();
  if (events_ != nullptr) events_->detach();
  if (source_ != nullptr) source_->cancel();
  events_timer_.cancel();
  if (slot_ != nullptr && slot_->abandon()) signal_.notify();
}

Awaitable<> Connection::run() {
  while (co_await exchange()) {
    if (buffer_.size() == 0 && buffer_.capacity() > 4 * kReadBytes) buffer_.shrink_to_fit();
  }
  co_await linger();
}

// A client that is still sending when its connection is closed sees a reset instead of the answer: so let it finish.
Awaitable<> Connection::linger() {
  beast::error_code ignored;
  std::ignore = socket_.shutdown(Socket::shutdown_send, ignored);
  if (unread_input_ && !forced_) {
    set_phase(Phase::kWrite, std::chrono::seconds{3});
    std::uint64_t left = kLingerBytesMax;
    buffer_.clear();
    while (left > 0 && !timed_out_ && !stopping_) {
      const auto [error, count] = co_await socket_.async_read_some(buffer_.prepare(kReadBytes), kAwait);
      if (error) break;
      left -= std::min<std::uint64_t>(left, count);
    }
  }
  std::ignore = socket_.close(ignored);
}

// One request and its answer. False if the connection is to be closed.
Awaitable<bool> Connection::exchange() {
  AnswerContext context;
  if (!co_await read_header()) co_return false;

  HttpRequest request;
  describe_request(request, context);
  unread_input_ = !parser_->is_done();
  const auto started = std::chrono::steady_clock::now();
  HttpResponse response = co_await dispatch(std::move(request), context);
  // An answer before the whole body was read: the rest is skipped if it is short, or ends the connection.
  if (!forced_ && !parser_->is_done() && context.keep_alive) {
    context.keep_alive = false;
    if (response.body_source == nullptr && !continue_expected_) {
      end_lease();
      context.keep_alive = co_await drain_body();
    }
  }
  if (stopping_) context.keep_alive = false;
  const int status = response.status;
  const bool sent = !forced_ && co_await answer(std::move(response), context);
  end_lease();
  unread_input_ = !parser_->is_done();
  const auto micros = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - started).count();
  shared_.log.debug("{} {} {} us", peer_, status, micros);
  co_return sent&& context.keep_alive && !unread_input_ && !stopping_;
}

// Reads up to the end of a header. False if there is none to answer; refusals of broken ones are sent from here.
Awaitable<bool> Connection::read_header() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(shared_.options.header_bytes_max));
  parser_->body_limit(boost::none);
  if (buffer_.size() == 0) {
    if (stopping_) co_return false;
    set_phase(Phase::kIdle, shared_.options.idle_timeout);
    if (!co_await fill_buffer()) co_return false;
  }
  skip_blank_lines(buffer_);
  set_phase(Phase::kHeader, shared_.options.header_timeout);
  AnswerContext closing;
  while (true) {
    beast::error_code error;
    const std::size_t used = parser_->put(buffer_.data(), error);
    buffer_.consume(used);
    if (!error && parser_->is_header_done()) co_return true;
    if (error == http::error::need_more) {
      if (co_await fill_buffer()) continue;
      if (!timed_out_ || forced_) co_return false;
      const auto limit = format_duration(shared_.options.header_timeout);
      co_await answer(refuse(408, Code::kDeadlineExceeded, fmt::format("the request's header took over {}", limit)),
                      closing);
      co_return false;
    }
    if (!error) continue;
    unread_input_ = true;
    if (error == http::error::header_limit) {
      co_await answer(
          refuse(431, Code::kResourceExhausted,
                 fmt::format("the request's header is larger than {} bytes", shared_.options.header_bytes_max)),
          closing);
    } else if (error == http::error::bad_version) {
      co_await answer(refuse(505, Code::kUnimplemented, "weir speaks HTTP/1.1 and HTTP/1.0"), closing);
    } else {
      co_await answer(refuse(400, Code::kInvalidArgument, fmt::format("not an HTTP request: {}", error.message())),
                      closing);
    }
    co_return false;
  }
}

// Waits for bytes. False when the connection has ended or its time is up.
Awaitable<bool> Connection::fill_buffer() {
  const auto [error, count] = co_await socket_.async_read_some(buffer_.prepare(kReadBytes), kAwait);
  if (error || timed_out_) co_return false;
  buffer_.commit(count);
  co_return true;
}

void Connection::describe_request(HttpRequest& request, AnswerContext& context) {
  const auto& message = parser_->get();
  request.method = view(message.method_string());
  request.target = view(message.target());
  request.peer = peer_;
  request.loopback = loopback_;
  for (const auto& field : message) {
    request.headers.add(std::string{view(field.name_string())}, std::string{view(field.value())});
  }
  context.head = request.method == "HEAD";
  context.http_1_0 = message.version() < 11;
  context.keep_alive = parser_->keep_alive();
  if (context.head || request.method == "GET") {
    context.if_none_match = request.headers.get("If-None-Match");
    context.range = context.head ? std::string_view{} : request.headers.get("Range");
    context.if_range = request.headers.get("If-Range");
  }
}

Awaitable<HttpResponse> Connection::dispatch(HttpRequest request, AnswerContext& context) {
  continue_expected_ = false;
  body_received_ = 0;
  body_started_ = std::chrono::steady_clock::now();
  set_phase(Phase::kHandler, Duration::max());

  auto target = parse_target(request.target);
  if (!target) co_return error_response(target.error());
  const std::string_view expect = request.headers.get("Expect");
  if (!expect.empty() && !context.http_1_0) {
    if (!beast::iequals({expect.data(), expect.size()}, "100-continue")) {
      co_return refuse(417, Code::kUnimplemented, fmt::format("cannot meet the expectation \"{}\"", expect));
    }
    continue_expected_ = !parser_->is_done();
  }
  auto match = shared_.router.impl().find(request.method, *target);
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  for (std::size_t i = 0; match.route != nullptr && i < match.values.size(); ++i) {
    request.params.insert_or_assign(match.route->param_names[i], std::move(match.values[i]));
  }
  if (auto response = run_filters(request)) co_return *std::move(response);
  if (match.route == nullptr) co_return no_route(request, match.allowed);
  const Route& route = *match.route;
  if (auto response = co_await take_body(route, request)) {
    context.keep_alive = false;
    co_return *std::move(response);
  }
  set_phase(Phase::kHandler, Duration::max());
  if (route.async) co_return co_await call_async(route, std::move(request));
  co_return co_await call_blocking(route, std::move(request));
}

std::optional<HttpResponse> Connection::run_filters(HttpRequest& request) {
  try {
    for (const auto& filter : shared_.router.impl().filters) {
      if (auto response = filter(request)) return response;
    }
    return std::nullopt;
  } catch (const std::exception& exception) {
    shared_.log.error("a filter failed on {} {}: {}", request.method, request.path, exception.what());
    return failed_handler();
  }
}

// Reads the body, or gives the handler what to read it from. An answer if that was not possible.
Awaitable<std::optional<HttpResponse>> Connection::take_body(const Route& route, HttpRequest& request) {
  if (route.options.stream_request) {
    lease_ = std::make_shared<BodyLease>();
    lease_->connection = this;
    request.body_source = std::make_unique<ConnectionBody>(lease_);
    co_return std::nullopt;
  }
  switch (co_await read_body(request.body, route.options.body_bytes_max)) {
    case BodyEnd::kWhole: co_return std::nullopt;
    case BodyEnd::kTooLarge:
      co_return refuse(413, Code::kResourceExhausted,
                       fmt::format("the body is larger than the {} bytes that {} takes", route.options.body_bytes_max,
                                   request.path));
    case BodyEnd::kTooSlow: co_return refuse(408, Code::kDeadlineExceeded, "the request's body came too slowly");
    case BodyEnd::kBroken: break;
  }
  co_return refuse(400, Code::kInvalidArgument, "the request's body is not well-formed");
}

void Connection::end_lease() {
  if (lease_ == nullptr) return;
  std::unique_lock lock(lease_->mutex, std::try_to_lock);
  if (!lock.owns_lock()) {
    // A handler that still reads although it has answered: end its wait.
    ::shutdown(socket_.native_handle(), SHUT_RD);
    lock.lock();
  }
  lease_->connection = nullptr;
  lock.unlock();
  lease_.reset();
}

// Moves what is in the buffer through the parser into `out`.
Connection::Feed Connection::feed(char* out, std::size_t size, std::size_t& got) {
  got = 0;
  while (!parser_->is_done()) {
    if (buffer_.size() == 0) return got > 0 ? Feed::kBytes : Feed::kNeedInput;
    auto& body = parser_->get().body();
    body.data = out + got;
    body.size = size - got;
    body.more = true;
    beast::error_code error;
    buffer_.consume(parser_->put(buffer_.data(), error));
    got = size - body.size;
    if (error == http::error::need_more) return got > 0 ? Feed::kBytes : Feed::kNeedInput;
    if (error && error != http::error::need_buffer) return Feed::kBroken;
    if (got == size) break;
  }
  body_received_ += got;
  return got > 0 ? Feed::kBytes : Feed::kDone;
}

Awaitable<Connection::BodyEnd> Connection::read_body(std::string& body, std::size_t bytes_max) {
  if (parser_->content_length_remaining().value_or(0) > bytes_max) co_return BodyEnd::kTooLarge;
  if (std::exchange(continue_expected_, false) && !parser_->is_done()) {
    if (!co_await write("HTTP/1.1 100 Continue\r\n\r\n")) co_return BodyEnd::kBroken;
  }
  std::size_t used = 0;
  while (!parser_->is_done()) {
    // Grows with what has come, not with what was announced: a header must not cost memory.
    const auto announced = parser_->content_length_remaining().value_or(kReadBytes);
    body.resize(used + std::min<std::uint64_t>(std::max<std::uint64_t>(announced, 1), std::max(used, kReadBytes)));
    std::size_t got = 0;
    const Feed fed = feed(body.data() + used, body.size() - used, got);
    used += got;
    if (used > bytes_max) co_return BodyEnd::kTooLarge;
    if (fed == Feed::kBroken) co_return BodyEnd::kBroken;
    if (fed != Feed::kNeedInput) continue;
    set_phase(Phase::kBody, body_limit_left());
    if (!co_await fill_buffer()) co_return timed_out_ ? BodyEnd::kTooSlow : BodyEnd::kBroken;
  }
  body.resize(used);
  co_return BodyEnd::kWhole;
}

// Skips what the handler left of the body; false if that is too much.
Awaitable<bool> Connection::drain_body() {
  std::array<char, 4096> ignored{};
  std::uint64_t drained = 0;
  if (parser_->content_length_remaining().value_or(0) > kDrainBytesMax) co_return false;
  while (!parser_->is_done()) {
    std::size_t got = 0;
    const Feed fed = feed(ignored.data(), ignored.size(), got);
    drained += got;
    if (fed == Feed::kBroken || drained > kDrainBytesMax) co_return false;
    if (fed != Feed::kNeedInput) continue;
    set_phase(Phase::kBody, std::min<Duration>(shared_.options.idle_timeout, std::chrono::seconds{2}));
    if (!co_await fill_buffer()) co_return false;
  }
  co_return true;
}

Duration Connection::body_limit_left() const {
  const auto& idle = shared_.options.idle_timeout;
  const auto elapsed = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - body_started_);
  const std::chrono::seconds earned{body_received_ / kBodyBytesPerSecondMin};
  return std::clamp<Duration>(idle + earned - elapsed, Duration::zero(), idle);
}

Result<std::size_t> Connection::read_body_blocking(char* buffer, std::size_t size) {
  if (size == 0) return 0;
  if (std::exchange(continue_expected_, false) && buffer_.size() == 0) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    // The answer has not begun, so the socket's send buffer is empty and takes these few bytes whole.
    [[maybe_unused]] const auto sent =
        ::send(socket_.native_handle(), kContinue.data(), kContinue.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  while (true) {
    std::size_t got = 0;
    switch (feed(buffer, size, got)) {
      case Feed::kBytes: return got;
      case Feed::kDone: return 0;
      case Feed::kBroken: return fail(Code::kInvalidArgument, "the request's body is not well-formed");
      case Feed::kNeedInput: WEIR_TRY(fill_buffer_blocking());
    }
  }
}

Result<void> Connection::fill_buffer_blocking() {
  const int fd = socket_.native_handle();
  while (true) {
    const auto room = buffer_.prepare(kReadBytes);
    const auto count = ::recv(fd, room.data(), room.size(), MSG_DONTWAIT);  // NOLINT(*.BlockInCriticalSection)
    if (count > 0) {
      buffer_.commit(static_cast<std::size_t>(count));
      return {};
    }
    if (count == 0) return fail(Code::kUnavailable, "the client broke off after {} bytes of the body", body_received_);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return fail(Code::kUnavailable, "the connection to the client broke");
    pollfd wait{fd, POLLIN, 0};
    const auto limit = std::chrono::ceil<std::chrono::milliseconds>(body_limit_left()).count();
    if (::poll(&wait, 1, static_cast<int>(limit)) == 0) {
      return fail(Code::kDeadlineExceeded, "the request's body came too slowly: {} bytes so far", body_received_);
    }
  }
}

Awaitable<HttpResponse> Connection::call_async(const Route& route, HttpRequest request) {
  slot_ = std::make_shared<ReplySlot>(shared_from_this());
  try {
    route.async(std::move(request), ReplyHandle{slot_});
  } catch (const std::exception& exception) {
    shared_.log.error("handler of {} failed: {}", route.method, exception.what());
  }
  if (slot_->must_wait()) co_await signal_.wait();
  const auto slot = std::exchange(slot_, nullptr);
  co_return slot->take();
}

Awaitable<HttpResponse> Connection::call_blocking(const Route& route, HttpRequest request) {
  HttpResponse response;
  auto work = [&] {
    try {
      response = route.blocking(request);
    } catch (const std::exception& exception) {
      shared_.log.error("handler of {} {} failed: {}", request.method, request.path, exception.what());
      response = failed_handler();
    }
  };
  co_await run_on(route.options.stream_request ? shared_.stream_pool : shared_.pool, work);
  co_return response;
}

}  // namespace weir::io
