#include "io/http.h"
#include "io/http_file.h"
#include "io/http_stream.h"
#include "io/http_uri.h"
#include "require.h"

// Addresses as they come over the network: a path that is accepted never climbs, and is the sum of its segments.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  if (const auto target = weir::io::parse_target(input); target && target->path != "*") {
    std::string path;
    for (const auto& segment : target->segments) path += "/" + segment;
    require(path == target->path);
    require(path.find('\0') == std::string::npos);
    require((path + "/").find("/../") == std::string::npos);
  }
  require(weir::io::percent_decode(weir::io::percent_encode(input)) == std::string{input});
  if (const auto url = weir::io::parse_url(input)) {
    require(url->target.starts_with('/'));
    require(url->target.find_first_of("\r\n ") == std::string::npos);
    require(!url->host.empty());
  }
  weir::io::etag_matches(input, "\"a\"");
  return 0;
}
