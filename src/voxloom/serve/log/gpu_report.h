#pragma once

#include <string>

namespace voxloom::serve {

/// What `program` (nvidia-smi) prints, at most 256 KiB of it and for at most 5 s; a sentence where
/// it is missing, fails or takes longer.
[[nodiscard]] std::string gpu_report(const std::string& program = "nvidia-smi");

}  // namespace voxloom::serve
