#include "io/http_client.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cerrno>
#include <charconv>
#include <random>
#include <thread>

#include "base/hash.h"
#include "io/http_stream.h"

namespace weir::io {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using Parser = http::response_parser<http::buffer_body>;

constexpr std::size_t kPieceBytes = 128U << 10;

// Takes the body of an answer piece by piece; false ends the exchange early.
using Sink = std::function<Result<bool>(const ClientResponse& head, std::string_view piece)>;

struct CloseFd {
  int fd = -1;
  ~CloseFd() {
    if (fd >= 0) ::close(fd);
  }
};

bool breaks_header(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

Result<std::string> request_head(const ClientRequest& request, const Url& url, bool whole_address,
                                 std::uint64_t body_bytes) {
  std::string head =
      fmt::format("{} {}{}{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", request.method,
                  whole_address ? "http://" : "", whole_address ? url.authority : "", url.target, url.authority);
  for (const auto& [name, value] : request.headers.all()) {
    if (breaks_header(name) || breaks_header(value) || name.empty()) {
      return fail(Code::kInvalidArgument, "the header \"{}\" holds a line break", name.substr(0, 80));
    }
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (request.headers.get("User-Agent").empty()) head += "User-Agent: weir\r\n";
  const bool sends_nothing = request.method == "GET" || request.method == "HEAD" || request.method == "DELETE";
  if (body_bytes > 0 || !sends_nothing) head += fmt::format("Content-Length: {}\r\n", body_bytes);
  return head + "\r\n";
}

// Sends bytes; false when the server has answered already, so that it makes no sense to go on.
Result<bool> send(ClientStream& stream, std::string_view bytes) {
  while (!bytes.empty()) {
    if (stream.readable()) return false;
    auto sent = stream.write(bytes.substr(0, kPieceBytes));
    // A server that refuses a body may close its side while we write: its answer is still there to be read.
    if (!sent && sent.error().code == Code::kUnavailable) return false;
    if (!sent) return std::unexpected(std::move(sent).error());
    bytes.remove_prefix(*sent);
  }
  return true;
}

Result<void> send_file(ClientStream& stream, int fd, std::uint64_t size, const std::filesystem::path& path) {
  std::string piece(kPieceBytes, '\0');
  while (size > 0) {
    const auto count = ::read(fd, piece.data(), std::min<std::uint64_t>(piece.size(), size));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, fmt::format("cannot read {}", path.string()));
    if (count == 0) return fail(Code::kFailedPrecondition, "{} became shorter while it was sent", path.string());
    if (!WEIR_TRY(send(stream, {piece.data(), static_cast<std::size_t>(count)}))) return {};
    size -= static_cast<std::uint64_t>(count);
  }
  return {};
}

// Reads one answer, interim ones aside, giving its body to the sink.
class AnswerReader {
 public:
  AnswerReader(ClientStream& stream, bool head_only) : stream_(stream), head_only_(head_only) {}

  Result<ClientResponse> read(const Sink& sink) {
    do {
      WEIR_TRY(read_head());
    } while (response_.status < 200);
    std::string piece(kPieceBytes, '\0');
    while (!parser_->is_done()) {
      auto& body = parser_->get().body();
      body.data = piece.data();
      body.size = piece.size();
      body.more = true;
      beast::error_code error;
      if (buffer_.size() > 0) {
        buffer_.consume(parser_->put(buffer_.data(), error));
      } else {
        error = http::error::need_more;
      }
      const std::size_t got = piece.size() - body.size;
      if (got > 0 && !WEIR_TRY(sink(response_, {piece.data(), got}))) return std::move(response_);
      if (error == http::error::need_more) {
        WEIR_TRY(fill());
      } else if (error && error != http::error::need_buffer) {
        return broken(error);
      }
    }
    return std::move(response_);
  }

 private:
  Result<void> read_head() {
    parser_.emplace();
    parser_->body_limit(boost::none);
    parser_->header_limit(256U << 10);
    parser_->skip(head_only_);
    while (!parser_->is_header_done()) {
      beast::error_code error = http::error::need_more;
      if (buffer_.size() > 0) buffer_.consume(parser_->put(buffer_.data(), error));
      if (error == http::error::need_more) {
        WEIR_TRY(fill());
      } else if (error) {
        return broken(error);
      }
    }
    response_ = {};
    response_.status = static_cast<int>(parser_->get().result_int());
    for (const auto& field : parser_->get()) {
      const auto name = field.name_string();
      response_.headers.add({name.data(), name.size()}, {field.value().data(), field.value().size()});
    }
    return {};
  }

  Result<void> fill() {
    const auto room = buffer_.prepare(kPieceBytes);
    const std::size_t count = WEIR_TRY(stream_.read(static_cast<char*>(room.data()), room.size()));
    buffer_.commit(count);
    if (count > 0) return {};
    if (!parser_->got_some()) return fail(Code::kUnavailable, "the server closed the connection without an answer");
    beast::error_code error;
    parser_->put_eof(error);
    if (error) return fail(Code::kUnavailable, "the server closed the connection in the middle of its answer");
    return {};
  }

  static std::unexpected<Error> broken(const beast::error_code& error) {
    return fail(Code::kUnavailable, "the answer is not HTTP: {}", error.message());
  }

  ClientStream& stream_;
  bool head_only_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  ClientResponse response_;
};

Result<ClientResponse> perform(const ClientRequest& request, const Sink& sink) {
  const Url url = WEIR_TRY(parse_url(request.url));
  CloseFd file;
  std::uint64_t body_bytes = request.body.size();
  if (!request.body_file.empty()) {
    file.fd = ::open(request.body_file.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info{};
    if (file.fd < 0 || ::fstat(file.fd, &info) != 0) {
      return fail_errno(errno, fmt::format("cannot open {}", request.body_file.string()));
    }
    body_bytes = static_cast<std::uint64_t>(info.st_size);
  }
  bool through_proxy = false;
  const auto stream = WEIR_TRY(connect_stream(url, request.timeout, through_proxy));
  if (request.connected != nullptr) *request.connected = true;
  std::string head = WEIR_TRY(request_head(request, url, through_proxy, body_bytes));
  const bool small = file.fd < 0 && request.body.size() <= kPieceBytes;
  if (small) head += request.body;
  if (WEIR_TRY(send(*stream, head)) && !small) {
    if (file.fd >= 0) {
      WEIR_TRY(send_file(*stream, file.fd, body_bytes, request.body_file));
    } else {
      WEIR_TRY(send(*stream, request.body));
    }
  }
  return AnswerReader{*stream, request.method == "HEAD"}.read(sink);
}

Error name_request(const ClientRequest& request, Error error) {
  error.message = fmt::format("{} {}: {}", request.method, request.url.substr(0, request.url.find('?')), error.message);
  return error;
}

// Writes a body to a temporary name beside its place, to be renamed when it is whole.
class FileSink {
 public:
  explicit FileSink(const std::filesystem::path& place)
      : place_(place), temporary_(place.string() + ".part-" + random_hex(6)) {}
  ~FileSink() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(temporary_.c_str());
  }
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;

  Result<void> write(std::string_view piece) {
    if (fd_ < 0) {
      fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
      if (fd_ < 0) return fail_errno(errno, fmt::format("cannot create {}", temporary_));
    }
    while (!piece.empty()) {
      const auto count = ::write(fd_, piece.data(), piece.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return fail_errno(errno, fmt::format("cannot write {}", temporary_));
      piece.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
  }

  Result<void> finish() {
    WEIR_TRY(write({}));  // an empty body makes an empty file
    if (::close(std::exchange(fd_, -1)) != 0 || ::rename(temporary_.c_str(), place_.c_str()) != 0) {
      const int error = errno;
      ::unlink(temporary_.c_str());
      return fail_errno(error, fmt::format("cannot write {}", place_.string()));
    }
    return {};
  }

 private:
  const std::filesystem::path place_;
  const std::string temporary_;
  int fd_ = -1;
};

// Cuts a text/event-stream into events, as https://html.spec.whatwg.org/multipage/server-sent-events.html says.
class EventParser {
 public:
  using OnEvent = std::function<bool(std::string_view event, std::string_view data)>;
  explicit EventParser(const OnEvent& on_event) : on_event_(on_event) {}

  // False once the receiver wants no more.
  bool feed(std::string_view piece) {
    for (const char c : piece) {
      const bool after_cr = std::exchange(after_cr_, c == '\r');
      if (c == '\n' && after_cr) continue;
      if (c != '\n' && c != '\r') {
        line_ += c;
        continue;
      }
      if (!end_line()) return false;
      line_.clear();
    }
    return true;
  }

 private:
  bool end_line() {
    if (line_.empty()) {
      const bool more = !has_data_ || on_event_(event_.empty() ? "message" : std::string_view{event_}, data_);
      event_.clear();
      data_.clear();
      has_data_ = false;
      return more;
    }
    const std::string_view line = line_;
    const auto colon = std::min(line.find(':'), line.size());
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (line.substr(0, colon) == "event") event_ = value;
    if (line.substr(0, colon) == "data") {
      if (std::exchange(has_data_, true)) data_ += '\n';
      data_ += value;
    }
    return true;
  }

  const OnEvent& on_event_;
  std::string line_;
  std::string event_;
  std::string data_;
  bool has_data_ = false;
  bool after_cr_ = false;
};

bool worth_retrying(const Result<ClientResponse>& result) {
  if (!result) return result.error().code == Code::kUnavailable;
  return result->status == 502 || result->status == 503 || result->status == 504;
}

// What the server asks for with Retry-After in seconds; 0 if nothing.
Duration asked_pause(const Result<ClientResponse>& result) {
  if (!result) return Duration::zero();
  const std::string_view text = result->headers.get("Retry-After");
  unsigned seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::chrono::seconds{std::min(seconds, 3600U)};
}

Code code_of_status(int status) {
  switch (status) {
    case 400: return Code::kInvalidArgument;
    case 401: return Code::kUnauthenticated;
    case 403: return Code::kPermissionDenied;
    case 404: return Code::kNotFound;
    default: return status >= 500 ? Code::kUnavailable : Code::kFailedPrecondition;
  }
}

}  // namespace

Result<ClientResponse> http_exchange(const ClientRequest& request) {
  std::string body;
  std::optional<FileSink> file;
  const Sink sink = [&](const ClientResponse& head, std::string_view piece) -> Result<bool> {
    if (!request.response_file.empty() && head.status / 100 == 2) {
      if (!file) file.emplace(request.response_file);
      WEIR_TRY(file->write(piece));
      return true;
    }
    if (body.size() + piece.size() > request.response_bytes_max) {
      return fail(Code::kResourceExhausted, "the answer is larger than {} bytes", request.response_bytes_max);
    }
    body += piece;
    return true;
  };
  auto response = perform(request, sink);
  if (!response) return std::unexpected(name_request(request, std::move(response).error()));
  if (!request.response_file.empty() && response->status / 100 == 2) {
    if (!file) file.emplace(request.response_file);
    WEIR_TRY(file->finish());
  }
  response->body = std::move(body);
  return response;
}

Result<ClientResponse> http_exchange_retrying(const ClientRequest& request, Duration give_up_after) {
  const auto end = std::chrono::steady_clock::now() + give_up_after;
  Duration pause = std::chrono::milliseconds{50};
  std::minstd_rand random{std::random_device{}()};
  while (true) {
    auto result = http_exchange(request);
    if (!worth_retrying(result)) return result;
    // Between half and the whole of the pause, so that many clients of a restarted server don't come all at once.
    const Duration jittered{std::uniform_int_distribution<std::int64_t>{pause.count() / 2, pause.count()}(random)};
    const Duration wait = std::max(jittered, asked_pause(result));
    if (std::chrono::steady_clock::now() + wait >= end) return result;
    std::this_thread::sleep_for(wait);
    pause = std::min<Duration>(pause * 2, std::chrono::seconds{5});
  }
}

Result<void> http_event_stream(const ClientRequest& request,
                               const std::function<bool(std::string_view event, std::string_view data)>& on_event) {
  ClientRequest asking = request;
  asking.headers.set("Accept", "text/event-stream");
  EventParser parser(on_event);
  std::string refusal;
  const Sink sink = [&](const ClientResponse& head, std::string_view piece) -> Result<bool> {
    if (head.status == 200) return parser.feed(piece);
    refusal += piece.substr(0, 1000 - std::min<std::size_t>(refusal.size(), 1000));
    return refusal.size() < 1000;
  };
  const auto response = perform(asking, sink);
  if (!response) return std::unexpected(name_request(request, response.error()));
  if (response->status == 200) return {};
  return std::unexpected(name_request(
      request, Error{code_of_status(response->status), fmt::format("answered {}: {}", response->status, refusal)}));
}

}  // namespace weir::io
