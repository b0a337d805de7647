#pragma once

#include <string>
#include <string_view>

namespace voxloom::jobs {

/// Names this process so that another one can tell later whether it still runs: host, start of the
/// system, process namespace, number and start time. No blanks.
[[nodiscard]] std::string process_identity();

enum class Liveness {
  kAlive,
  kDead,
  kUnknown,  ///< Of another machine or container: nothing can be seen from here.
};
[[nodiscard]] Liveness liveness(std::string_view identity);

}  // namespace voxloom::jobs
