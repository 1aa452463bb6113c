#pragma once

#include "api/weir/routes.h"

namespace weir::api {

// Whether `identity` may merge: a branch that asks for checks or reviews takes what has them from everybody who may
// push; one without rules only from those who may push to it. kPermissionDenied names what is missing. Any thread.
Result<void> may_merge(const Services& services, const forge::Pull& pull, const types::Identity& identity);

}  // namespace weir::api
