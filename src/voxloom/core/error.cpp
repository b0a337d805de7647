#include "voxloom/core/error.h"

namespace voxloom {

Error Error::with_context(std::string_view context) const {
  return Error(code_, std::string(context) + ": " + what());
}

std::string_view error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kDataCorrupt:
      return "data_corrupt";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kInternal:
      return "internal";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kAlreadyExists:
      return "already_exists";
  }
  return "unknown";
}

int exit_status(ErrorCode) {
  return 1;
}

}  // namespace voxloom
