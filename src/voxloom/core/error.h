#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "voxloom/core/format.h"

namespace voxloom {

/// What kind of failure this is; decides the exit status and the HTTP status.
/// The numbers are written to job files: append only, never renumber.
enum class ErrorCode : int {
  kInvalidArgument = 1,  ///< The caller can fix it by changing the request.
  kNotFound = 2,         ///< A named file, model or series does not exist.
  kDataCorrupt = 3,      ///< A file was read but its content is not valid.
  kUnsupported = 4,      ///< Valid input that this build cannot handle.
  kInternal = 5,         ///< A bug in this engine.
  kUnavailable = 6,      ///< A resource (disk, device, peer) failed; trying again may help.
  kCancelled = 7,        ///< Stopped on request; nothing was written.
  kAlreadyExists = 8,    ///< An output is there already; --force overwrites it.
};

/// Every failure of this library. Message: `<where>: <what must hold>, got <value>`,
/// lower case, no final stop, objects in single quotes.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}

  [[nodiscard]] ErrorCode code() const { return code_; }

  /// The same error with "`context`: " in front, for a border that knows more (a file name).
  [[nodiscard]] Error with_context(std::string_view context) const;

 private:
  ErrorCode code_;
};

/// "invalid_argument", "not_found", ...: the name used in JSON.
[[nodiscard]] std::string_view error_code_name(ErrorCode code);

/// The process exit status for a failure: always 1; wrong usage (2) is decided by the parser.
[[nodiscard]] int exit_status(ErrorCode code);

}  // namespace voxloom

/// Checks input and files; always on. VOXLOOM_CHECK(cond, ErrorCode::kX, "pattern {}", args...).
#define VOXLOOM_CHECK(condition, code, ...)                           \
  do {                                                                \
    if (!(condition)) [[unlikely]]                                    \
      throw ::voxloom::Error((code), ::voxloom::format(__VA_ARGS__)); \
  } while (false)

/// Checks our own logic, in debug builds.
#ifdef NDEBUG
#define VOXLOOM_ASSERT(condition) static_cast<void>(0)
#else
#define VOXLOOM_ASSERT(condition) \
  VOXLOOM_CHECK(condition, ::voxloom::ErrorCode::kInternal, "assertion failed: {}", #condition)
#endif
