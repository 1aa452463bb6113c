#pragma once

#include <memory>

#include "io/http.h"

namespace weir::api {

// Decompresses a body with Content-Encoding: gzip while it is read. Its reader must bound what it takes.
std::unique_ptr<io::ByteSource> gunzip(std::unique_ptr<io::ByteSource> compressed);

}  // namespace weir::api
