#include "serve/frame.h"

#include <bit>
#include <cstring>

namespace weir::serve {
namespace {

constexpr std::size_t kHeadBytes = 17;
static_assert(std::endian::native == std::endian::little, "heads of frames are copied as they lie in memory");

template <class Number>
Number number_at(std::string_view bytes, std::size_t at) {
  Number number{};
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

template <class Number>
void append_number(std::string& out, Number number) {
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  out.append(bytes, sizeof number);
}

}  // namespace

void append_frame(std::string& out, std::uint64_t id, FrameKind kind, std::string_view header, std::string_view body) {
  append_number(out, static_cast<std::uint32_t>(header.size()));
  append_number(out, static_cast<std::uint32_t>(body.size()));
  append_number(out, id);
  append_number(out, static_cast<std::uint8_t>(kind));
  out.append(header);
  out.append(body);
}

Result<std::optional<Frame>> FrameReader::next() {
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.size() >= kHeadBytes) {
    const std::size_t header_bytes = number_at<std::uint32_t>(rest, 0);
    const std::size_t body_bytes = number_at<std::uint32_t>(rest, 4);
    const auto kind = number_at<std::uint8_t>(rest, 16);
    if (kind < static_cast<std::uint8_t>(FrameKind::kPredict) || kind > static_cast<std::uint8_t>(FrameKind::kFailed)) {
      return fail(Code::kCorrupt, "the worker sent a frame of the unknown kind {}", kind);
    }
    if (header_bytes + body_bytes > frame_bytes_max_) {
      return fail(Code::kCorrupt, "the worker sent a frame of {} bytes, at most {} are taken",
                  header_bytes + body_bytes, frame_bytes_max_);
    }
    if (rest.size() >= kHeadBytes + header_bytes + body_bytes) {
      Frame frame{.id = number_at<std::uint64_t>(rest, 8),
                  .kind = static_cast<FrameKind>(kind),
                  .header = std::string(rest.substr(kHeadBytes, header_bytes)),
                  .body = std::string(rest.substr(kHeadBytes + header_bytes, body_bytes))};
      at_ += kHeadBytes + header_bytes + body_bytes;
      return frame;
    }
  }
  buffer_.erase(0, at_);
  at_ = 0;
  return std::nullopt;
}

}  // namespace weir::serve
