#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

// What the gateway and a model worker tell each other over their socket: frames of a fixed head (little-endian: length
// of the header, length of the body, id, kind; 17 bytes), a JSON header and a body. python/weir_worker/main.py is the
// other side.
namespace weir::serve {

enum class FrameKind : std::uint8_t {
  kPredict = 1,  // to the worker; header says how to read the body
  kAnswer = 2,   // from the worker, with the id of its request; header has the status
  kTaken = 3,    // from the worker: {"ids": […]} are being predicted together now
  kReady = 4,    // from the worker, once: what the model is
  kFailed = 5,   // instead of kReady: {"message"}
};

struct Frame {
  std::uint64_t id = 0;
  FrameKind kind = FrameKind::kPredict;
  std::string header;  // JSON text; "" = {}
  std::string body;
};

// Appends the frame's bytes to `out`.
void append_frame(std::string& out, std::uint64_t id, FrameKind kind, std::string_view header, std::string_view body);

// Cuts a stream of bytes into frames. A worker runs the model's own code, so its bytes are not trusted. One thread.
class FrameReader {
 public:
  explicit FrameReader(std::size_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

  void feed(std::string_view bytes) { buffer_.append(bytes); }

  // The next whole frame; nothing until more is fed. kCorrupt, from then on always, for an unknown kind or a frame of
  // more than `frame_bytes_max`.
  Result<std::optional<Frame>> next();

 private:
  std::size_t frame_bytes_max_;
  std::string buffer_;
  std::size_t at_ = 0;
};

}  // namespace weir::serve
