#pragma once

#include <functional>
#include <span>
#include <string>

#include "io/http.h"
#include "serve/worker_files.h"

namespace weir::app {

// The dashboard's files, as web/dist was when this was built.
std::span<const serve::EmbeddedFile> web_files();

// Where a repository's addresses of GitHub's kind lead: /weir/<name>, with and without ".git", /weir/<name>/pull/7 and
// such go on to the dashboard's page of it. `is_there`: whether there is such a repository; else 404.
void add_repository_pages(io::Router& router, std::function<bool(const std::string& repo)> is_there);

// Serves them: `/` and what it loads. A content security policy allows nothing from elsewhere and no inline script.
void add_web_routes(io::Router& router);

}  // namespace weir::app
