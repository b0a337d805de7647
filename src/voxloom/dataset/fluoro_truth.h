#pragma once

#include <vector>

#include "voxloom/dataset/fluoro_exposure.h"
#include "voxloom/dataset/fluoro_sequence.h"

namespace voxloom::dataset {

/// Cuts the axis of a wire at the field's border and measures how well it can be seen. `cnr` is
/// the map of FluoroFrame, `mask_instance` its instance map, `field` 1 where the picture shows.
[[nodiscard]] FluoroWireTruth describe_wire(const FluoroAxis& axis,
                                            const FluoroPlane& field,
                                            const std::vector<float>& cnr,
                                            const std::vector<uint8_t>& instance,
                                            double pixel_mm);

}  // namespace voxloom::dataset
