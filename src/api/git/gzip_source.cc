#include "api/git/gzip_source.h"

#include <zlib.h>

#include <array>

namespace weir::api {
namespace {

class GzipSource final : public io::ByteSource {
 public:
  explicit GzipSource(std::unique_ptr<io::ByteSource> compressed) : compressed_(std::move(compressed)) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    ready_ = ::inflateInit2(&stream_, kGzipOnly) == Z_OK;
  }
  ~GzipSource() override {
    if (ready_) ::inflateEnd(&stream_);
  }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    if (!ready_) return fail(Code::kResourceExhausted, "no memory to decompress the body");
    if (ended_ || size == 0) return 0;
    const auto room = static_cast<uInt>(std::min<std::size_t>(size, 1U << 30));
    stream_.next_out = reinterpret_cast<Bytef*>(buffer);
    stream_.avail_out = room;
    while (stream_.avail_out == room) {
      if (stream_.avail_in == 0) {
        const std::size_t count = WEIR_TRY(compressed_->read(input_.data(), input_.size()));
        if (count == 0) return fail(Code::kInvalidArgument, "the compressed body ends too early");
        stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
        stream_.avail_in = static_cast<uInt>(count);
      }
      const int result = ::inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_STREAM_END) {
        ended_ = true;
        break;
      }
      if (result != Z_OK && result != Z_BUF_ERROR) return fail(Code::kInvalidArgument, "the body is not valid gzip");
    }
    return room - stream_.avail_out;
  }

 private:
  std::unique_ptr<io::ByteSource> compressed_;
  z_stream stream_{};
  std::array<char, 32'768> input_{};
  bool ready_ = false;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<io::ByteSource> gunzip(std::unique_ptr<io::ByteSource> compressed) {
  return std::make_unique<GzipSource>(std::move(compressed));
}

}  // namespace weir::api
