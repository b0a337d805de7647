#pragma once

#include <cstddef>
#include <string>

namespace voxloom::dataset {

/// Detector doses per frame in nGy that reports keep apart: up to 10, 20, 45 and 100, and more.
inline constexpr size_t kDoseClasses = 5;
[[nodiscard]] size_t dose_class(double dose_ngy);
/// "up to 10 nGy", "10 to 20 nGy", ..., "over 100 nGy".
[[nodiscard]] std::string dose_class_name(size_t dose_class);

}  // namespace voxloom::dataset
