#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "voxloom/models/sam2/sam2.h"

namespace voxloom::models::sam2 {

/// u in [-1, 1) per element, made from `key` alone (the golden file's inputs and weights).
[[nodiscard]] at::Tensor keyed_uniform(std::string_view key, const std::vector<int64_t>& shape);

/// The golden file's weights for the shrunken network. `object_bias` goes into the object score
/// head: 5 makes the object present everywhere, -5 absent.
[[nodiscard]] weights::StateDict golden_state(const Sam2Options& options, float object_bias = 5.0F);

/// The shrunken network with those weights, ready for inference.
[[nodiscard]] Sam2 golden_model(float object_bias = 5.0F);

/// The shrunken EfficientTAM of efficienttam/small.npz (tests/golden/make_efficienttam.py).
[[nodiscard]] Sam2Options shrunken_efficienttam_options();

/// A network with stand-in weights, ready for inference.
[[nodiscard]] Sam2 stand_in_model(const Sam2Options& options, float object_bias = 5.0F);

/// The golden file's 12 slices, [12, 3, 128, 128].
[[nodiscard]] at::Tensor golden_images();

/// Array `name` of medsam2/small.npz, or of another file in the golden folder.
[[nodiscard]] at::Tensor golden(const std::string& name);
[[nodiscard]] at::Tensor golden(const std::string& file, const std::string& name);

/// Largest |a - b|; infinite when the shapes differ.
[[nodiscard]] double max_difference(const at::Tensor& a, const at::Tensor& b);

}  // namespace voxloom::models::sam2
