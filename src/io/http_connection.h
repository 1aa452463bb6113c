#pragma once

#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>

#include "io/http_pool.h"
#include "io/http_router.h"
#include "io/http_server.h"

// One client connection and what it shares with the server; only http_server.cc and http_connection*.cc include this.
namespace weir::io {

namespace asio = boost::asio;
namespace beast = boost::beast;

using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;
using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
template <class T = void>
using Awaitable = asio::awaitable<T, Executor>;
using SteadyTime = std::chrono::steady_clock::time_point;

// Completion as values: auto [error, n] = co_await socket.async_read_some(buffer, kAwait).
inline constexpr asio::as_tuple_t<asio::use_awaitable_t<Executor>> kAwait{asio::use_awaitable_t<Executor>{}};

class Connection;

// Lets a connection take its body back from a handler: later reads fail.
struct BodyLease {
  std::mutex mutex;
  Connection* connection = nullptr;
};

// What every connection of a server shares.
struct ServerShared {
  ServerShared(HttpServerOptions options_in, Router router_in, Log& log_in)
      : options(std::move(options_in)),
        router(std::move(router_in)),
        log(log_in),
        pool(options.pool_threads),
        stream_pool(options.stream_threads) {}

  const HttpServerOptions options;
  const Router router;
  Log& log;
  BlockingPool pool;
  BlockingPool stream_pool;  // bodies that stream hold a thread for long; they must not starve short requests
  std::atomic<bool> stopping{false};
  std::mutex mutex;
  std::condition_variable none_left;
  std::size_t connections = 0;  // guarded by mutex
};

// One network thread with its connections. Everything but `io` belongs to that thread.
struct NetworkThread {
  explicit NetworkThread(ServerShared& shared_in) : shared(shared_in) {}

  ServerShared& shared;
  asio::io_context io{1};
  Timer sweep{io};
  std::unordered_set<std::shared_ptr<Connection>> connections;
  std::thread thread;
  std::int64_t date_second = 0;
  std::string date_text;

  // Makes a connection of an accepted socket, which it owns from now on; it was counted already.
  void adopt(int fd, std::string peer, bool loopback);
  void sweep_later();
  std::string_view date();  // of now, as the Date header wants it
};

// Lets one coroutine sleep until notify(). Network thread only; a notify before the wait is remembered.
class Signal {
 public:
  void notify();
  Awaitable<> wait();

 private:
  bool set_ = false;
  std::move_only_function<void()> waiter_;
};

// What of a request the answer depends on.
struct AnswerContext {
  bool head = false;      // HEAD: no body
  bool http_1_0 = false;  // no chunks
  bool keep_alive = false;
  std::string if_none_match;
  std::string range;
  std::string if_range;
};

// Where an asynchronous handler leaves its answer. Any thread.
class ReplySlot {
 public:
  explicit ReplySlot(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  void answer(HttpResponse response);
  // True if the answer is still to come and will notify the connection's signal.
  bool must_wait();
  // Forgets the connection; true if no answer will notify any more and none has.
  bool abandon();
  HttpResponse take() { return std::move(response_); }

 private:
  std::mutex mutex_;
  std::shared_ptr<Connection> connection_;  // null once answered or abandoned
  bool answered_ = false;
  bool waiting_ = false;
  HttpResponse response_;
};

// The events on their way to one client. Any thread.
class EventQueue {
 public:
  EventQueue(std::shared_ptr<Connection> connection, std::size_t bytes_max)
      : bytes_max_(bytes_max), connection_(std::move(connection)) {}
  bool push(std::string_view text);
  void end();     // the sender has dropped the stream: what is queued is still sent
  void detach();  // the client has gone
  // Swaps what waits into `out`; false once the stream is over and nothing is left.
  bool take(std::string& out);

 private:
  void wake();  // mutex held

  const std::size_t bytes_max_;
  std::mutex mutex_;
  std::shared_ptr<Connection> connection_;  // null once the client has gone
  std::string pending_;
  bool ended_ = false;
  bool scheduled_ = false;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(NetworkThread& thread, Socket socket, std::string peer, bool loopback);

  // The life of the connection; ends when it is closed.
  Awaitable<> run();

  // Network thread only:
  void check_deadline(SteadyTime now);
  bool close_if_idle();  // between two requests; true if it was
  void begin_stop();     // idle connections and event streams end, others after their answer
  void force_stop();

  NetworkThread& thread() { return thread_; }
  Signal& signal() { return signal_; }
  void wake_events() { events_timer_.cancel(); }

  // For the request body's source, on a pool thread while the coroutine waits.
  Result<std::size_t> read_body_blocking(char* buffer, std::size_t size);

 private:
  enum class Phase { kIdle, kHeader, kBody, kHandler, kWrite, kEvents };
  enum class Feed { kBytes, kDone, kNeedInput, kBroken };
  enum class BodyEnd { kWhole, kTooLarge, kTooSlow, kBroken };
  using Parser = beast::http::request_parser<beast::http::buffer_body>;

  // http_connection.cc: reading and dispatch
  Awaitable<bool> exchange();
  Awaitable<bool> read_header();
  Awaitable<BodyEnd> read_body(std::string& body, std::size_t bytes_max);
  Awaitable<bool> drain_body();
  Awaitable<bool> fill_buffer();
  Awaitable<> linger();
  Feed feed(char* out, std::size_t size, std::size_t& got);
  Result<void> fill_buffer_blocking();
  void describe_request(HttpRequest& request, AnswerContext& context);
  Awaitable<HttpResponse> dispatch(HttpRequest request, AnswerContext& context);
  std::optional<HttpResponse> run_filters(HttpRequest& request);
  Awaitable<std::optional<HttpResponse>> take_body(const Route& route, HttpRequest& request);
  void end_lease();
  Awaitable<HttpResponse> call_async(const Route& route, HttpRequest request);
  Awaitable<HttpResponse> call_blocking(const Route& route, HttpRequest request);
  template <class Work>
  Awaitable<> run_on(BlockingPool& pool, Work& work);
  void set_phase(Phase phase, Duration limit);
  Duration body_limit_left() const;

  // http_answer.cc: writing
  Awaitable<bool> answer(HttpResponse response, AnswerContext& context);
  Awaitable<bool> answer_file(HttpResponse& response, AnswerContext& context);
  Awaitable<bool> answer_stream(HttpResponse& response, AnswerContext& context, std::optional<std::uint64_t> length);
  Awaitable<bool> pump_body(HttpResponse& response, const AnswerContext& context, std::optional<std::uint64_t> length,
                            std::optional<Error>& refused);
  Awaitable<bool> answer_events(HttpResponse& response, AnswerContext& context);
  Awaitable<> pump_events(EventQueue& queue);
  void watch_for_goodbye();
  void write_head(const HttpResponse& response, const AnswerContext& context, std::optional<std::uint64_t> length);
  Awaitable<bool> write(std::string_view first, std::string_view second = {});

  NetworkThread& thread_;
  ServerShared& shared_;
  Socket socket_;
  const std::string peer_;
  const bool loopback_;

  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  Phase phase_ = Phase::kIdle;
  SteadyTime deadline_ = SteadyTime::max();
  bool timed_out_ = false;
  bool stopping_ = false;
  bool forced_ = false;
  bool unread_input_ = false;         // the client may still be sending: closing at once would lose our answer
  bool continue_expected_ = false;    // the client waits for "100 Continue" before its body
  std::shared_ptr<BodyLease> lease_;  // while a handler may read the body
  SteadyTime body_started_;
  std::uint64_t body_received_ = 0;

  Signal signal_;
  std::shared_ptr<ReplySlot> slot_;     // of the asynchronous handler under way
  std::shared_ptr<EventQueue> events_;  // of the event stream under way
  ByteSource* source_ = nullptr;        // of the streamed answer under way
  Timer events_timer_;
  std::array<char, 64> goodbye_{};
  std::string head_;  // header of the answer, reused
};

// Runs `work` on a pool thread while the coroutine sleeps.
template <class Work>
Awaitable<> Connection::run_on(BlockingPool& pool, Work& work) {
  pool.submit([this, &work] {
    work();
    asio::post(thread_.io, [this] { signal_.notify(); });
  });
  co_await signal_.wait();
}

}  // namespace weir::io
