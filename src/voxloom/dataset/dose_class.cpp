#include "voxloom/dataset/dose_class.h"

#include <algorithm>
#include <array>

#include "voxloom/core/format.h"

namespace voxloom::dataset {
namespace {

constexpr std::array<double, kDoseClasses - 1> kLimits = {10.0, 20.0, 45.0, 100.0};

}  // namespace

size_t dose_class(double dose_ngy) {
  return static_cast<size_t>(std::lower_bound(kLimits.begin(), kLimits.end(), dose_ngy) -
                             kLimits.begin());
}

std::string dose_class_name(size_t dose_class) {
  if (dose_class == 0) return format("up to {} nGy", kLimits[0]);
  if (dose_class >= kLimits.size()) return format("over {} nGy", kLimits.back());
  return format("{} to {} nGy", kLimits[dose_class - 1], kLimits[dose_class]);
}

}  // namespace voxloom::dataset
