#pragma once

#include <span>

#include "io/http.h"
#include "serve/worker_files.h"

namespace weir::app {

// The dashboard's files, as web/dist was when this was built.
std::span<const serve::EmbeddedFile> web_files();

// Serves them: `/` and what it loads. A content security policy allows nothing from elsewhere and no inline script.
void add_web_routes(io::Router& router);

}  // namespace weir::app
