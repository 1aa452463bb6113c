// A worker's bytes make the same frames however they arrive, none above the limit, and after an error none at all.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "serve/frame.h"

namespace {

constexpr std::size_t kFrameMax = 4096;

// Each frame written anew; a broken stream ends the list.
std::vector<std::string> read(std::string_view bytes, std::size_t piece) {
  weir::serve::FrameReader reader(kFrameMax);
  std::vector<std::string> frames;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.substr(at, piece));
    for (;;) {
      auto frame = reader.next();
      if (!frame) {
        if (reader.next()) std::abort();
        return frames;
      }
      if (!*frame) break;
      if ((*frame)->header.size() + (*frame)->body.size() > kFrameMax) std::abort();
      std::string written;
      weir::serve::append_frame(written, (*frame)->id, (*frame)->kind, (*frame)->header, (*frame)->body);
      frames.push_back(std::move(written));
    }
  }
  return frames;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (read(bytes, size + 1) != read(bytes, 1 + (size > 0 ? data[0] % 13 : 0))) std::abort();
  return 0;
}
