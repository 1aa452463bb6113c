#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

// Why an operation failed, coarse enough for callers to branch on. Persisted in events: numbers are never reused.
enum class Code : std::uint8_t {
  kInvalidArgument = 1,     // the caller's input is wrong
  kNotFound = 2,            // no object of that name
  kAlreadyExists = 3,       // an object of that name is there
  kPermissionDenied = 4,    // known identity, not allowed
  kUnauthenticated = 5,     // no identity, or a wrong token
  kFailedPrecondition = 6,  // the object's state forbids it
  kResourceExhausted = 7,   // disk, memory, slots, limits
  kUnavailable = 8,         // try again later
  kInternal = 9,            // a bug, or the operating system said no
  kCancelled = 10,
  kDeadlineExceeded = 11,
  kCorrupt = 12,        // stored bytes are not what was written
  kUnimplemented = 13,  // known feature, not built yet
};

// "not_found" for kNotFound; stable, used in JSON answers.
std::string_view code_name(Code code);

// A failure as a value. `message` is shown to users as it stands: it names the object, the value, what was expected
// and what to do next.
struct Error {
  Code code = Code::kInternal;
  std::string message;
};

template <class T = void>
using Result = std::expected<T, Error>;

// fail(Code::kNotFound, "no run {}", id) converts to any Result.
template <class... Args>
[[nodiscard]] std::unexpected<Error> fail(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// The error of a system call with errno `error_number`: "cannot open /x: No such file or directory".
// ENOSPC and EDQUOT become kResourceExhausted and say what to do; so `what` should name the path. ENOENT becomes
// kNotFound, EACCES and EPERM kPermissionDenied, EEXIST kAlreadyExists.
[[nodiscard]] std::unexpected<Error> fail_errno(int error_number, std::string_view what);

}  // namespace weir

// Value of a Result, or return its error from the enclosing function:  auto run = WEIR_TRY(load(id));
#define WEIR_TRY(...)                                                                                                 \
  ({                                                                                                                  \
    _Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wshadow\"") auto&& weir_try_result =        \
        (__VA_ARGS__);                                                                                                \
    _Pragma("clang diagnostic pop") if (!weir_try_result) return std::unexpected(std::move(weir_try_result).error()); \
    *std::move(weir_try_result);                                                                                      \
  })
