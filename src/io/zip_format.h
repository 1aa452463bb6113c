#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

// What zip_reader.cc and zip_writer.cc share of the format (PKWARE's APPNOTE 6.3.10). Numbers are little-endian.
namespace weir::io::zip {

static_assert(std::endian::native == std::endian::little);

inline constexpr std::uint32_t kLocalHeader = 0x04034b50;
inline constexpr std::uint32_t kCentralHeader = 0x02014b50;
inline constexpr std::uint32_t kDescriptor = 0x08074b50;
inline constexpr std::uint32_t kEnd = 0x06054b50;
inline constexpr std::uint32_t kEnd64 = 0x06064b50;
inline constexpr std::uint32_t kEnd64Locator = 0x07064b50;

inline constexpr std::size_t kLocalHeaderBytes = 30;
inline constexpr std::size_t kCentralHeaderBytes = 46;
inline constexpr std::size_t kEndBytes = 22;
inline constexpr std::size_t kEnd64Bytes = 56;
inline constexpr std::size_t kEnd64LocatorBytes = 20;

inline constexpr std::uint16_t kStored = 0;
inline constexpr std::uint16_t kDeflated = 8;

inline constexpr std::uint16_t kFlagEncrypted = 1U << 0;
inline constexpr std::uint16_t kFlagDescriptor = 1U << 3;  // CRC and sizes follow the data
inline constexpr std::uint16_t kFlagUtf8 = 1U << 11;

inline constexpr std::uint16_t kExtra64 = 0x0001;
inline constexpr std::uint32_t kSee64 = 0xffffffff;  // "the value is in the zip64 field"
inline constexpr std::uint16_t kSee64Short = 0xffff;
inline constexpr std::uint8_t kMadeByUnix = 3;

// Appends numbers to a header.
class Packer {
 public:
  template <class T>
  Packer& put(T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    text_.append(bytes, sizeof(T));
    return *this;
  }
  Packer& text(std::string_view bytes) {
    text_ += bytes;
    return *this;
  }
  [[nodiscard]] const std::string& bytes() const { return text_; }

 private:
  std::string text_;
};

// Reads numbers of a header; whoever calls has checked that they are there.
template <class T>
T number_at(std::string_view bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

}  // namespace weir::io::zip
