#pragma once

#include "access/access.h"
#include "io/http.h"

namespace weir::api {

// Where a reviewer's link leads: `kApprovalLinks` and what Access::approval_link() gave.
inline constexpr std::string_view kApprovalLinks = "/approval-link/";

// GET /approval-link/<link> shows what it is about and asks; POST decides. A GET never does, as mail programs and chats
// follow the links that they see. Both need no login: the link itself is the proof.
void add_approval_link_routes(io::Router& router, access::Access& access);

}  // namespace weir::api
