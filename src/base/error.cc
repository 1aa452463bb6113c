#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace weir {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return "invalid_argument";
    case Code::kNotFound: return "not_found";
    case Code::kAlreadyExists: return "already_exists";
    case Code::kPermissionDenied: return "permission_denied";
    case Code::kUnauthenticated: return "unauthenticated";
    case Code::kFailedPrecondition: return "failed_precondition";
    case Code::kResourceExhausted: return "resource_exhausted";
    case Code::kUnavailable: return "unavailable";
    case Code::kInternal: return "internal";
    case Code::kCancelled: return "cancelled";
    case Code::kDeadlineExceeded: return "deadline_exceeded";
    case Code::kCorrupt: return "corrupt";
    case Code::kUnimplemented: return "unimplemented";
  }
  return "internal";
}

std::unexpected<Error> fail_errno(int error_number, std::string_view what) {
  Code code = Code::kInternal;
  if (error_number == ENOSPC || error_number == EDQUOT) code = Code::kResourceExhausted;
  if (error_number == ENOENT) code = Code::kNotFound;
  if (error_number == EACCES || error_number == EPERM) code = Code::kPermissionDenied;
  if (error_number == EEXIST) code = Code::kAlreadyExists;
  const std::string_view advice =
      code == Code::kResourceExhausted ? "; free some room on that disk and try again" : std::string_view{};
  return std::unexpected(Error{code, fmt::format("{}: {}{}", what, std::strerror(error_number), advice)});
}

}  // namespace weir
