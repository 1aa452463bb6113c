#pragma once

#include <cstdint>
#include <string>

#include "io/http.h"

namespace weir::io {

// What a client said about the part or the version of a file that it wants; header values, "" if absent.
struct FileConditions {
  std::string if_none_match;
  std::string range;
  std::string if_range;
};

// Turns an answer with `file_path` into one with `body` (short files) or `body_source`: status 200, 206, 304, 404 or
// 416, with ETag, Last-Modified, Accept-Ranges, Content-Range and, if missing, Content-Type by the file's name. An ETag
// that the handler has set is kept. Only the first form of Range, one range of bytes, is honoured (RFC 9110, section
// 14). Blocks. Gives the length of the body.
std::uint64_t prepare_file(HttpResponse& response, const FileConditions& conditions);

// If-None-Match against the answer's ETag: "*" or one of a list, compared weakly (RFC 9110, section 13.1.2).
bool etag_matches(std::string_view if_none_match, std::string_view etag);

// "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::int64_t unix_seconds);

}  // namespace weir::io
