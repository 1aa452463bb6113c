#pragma once

#include <functional>
#include <optional>

#include "access/access.h"
#include "access/origin.h"
#include "io/http.h"

namespace weir::api {

// The filter in front of every route: refuses foreign Host and Origin headers (a page whose name was rebound to
// 127.0.0.1, a form of another site), and sets request.identity from the token, which comes as `Authorization: Bearer`,
// as the password of `Basic` (git, mlflow), or as the cookie `weir_token` (the dashboard). Never blocks.
// `listen` is asked for each request: the port is known once the server listens.
std::function<std::optional<io::HttpResponse>(io::HttpRequest&)> authentication_filter(
    const access::Access& access, std::function<access::ListenAddress()> listen);

}  // namespace weir::api
