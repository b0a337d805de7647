#pragma once

#include <string>
#include <vector>

#include <torch/torch.h>

#include "voxloom/models/sam_med2d/sam_med2d.h"
#include "voxloom/weights/generated.h"

#include "sam2_fixture.h"

namespace voxloom::models::sam_med2d {

/// Stand-in weights with the official keys.
inline weights::StateDict stand_in_state(const SamMed2dOptions& options) {
  std::vector<weights::KeyShape> keys;
  for (const auto& key : expected_keys(options)) keys.push_back({key.name, key.shape});
  return weights::make_stand_in_weights(keys);
}

inline SamMed2d stand_in_network(const SamMed2dOptions& options = shrunken_options()) {
  return load_sam_med2d(options, stand_in_state(options), "stand-in", tensor::LoadMode::kCopy);
}

inline at::Tensor stand_in_image(const SamMed2dOptions& options = shrunken_options()) {
  return 2.0 * sam2::keyed_uniform("input.images", {1, 3, options.image_size, options.image_size});
}

/// An array that the official code made (tests/golden/make_sam_med2d.py).
inline at::Tensor expected(const std::string& name) {
  return sam2::golden("sam_med2d/small.npz", name);
}

/// The prompts of make_sam_med2d.py.
struct GoldenCase {
  std::string name;
  int64_t points = 0;
  bool box = false, mask = false;
};
inline const std::vector<GoldenCase>& golden_cases() {
  static const std::vector<GoldenCase> cases{{"pt1", 1, false, false},
                                             {"pt3", 3, false, false},
                                             {"pt5", 5, false, false},
                                             {"box", 0, true, false},
                                             {"box_pts", 3, true, false},
                                             {"pt3_mask", 3, false, true},
                                             {"box_mask", 0, true, true},
                                             {"mask", 0, false, true}};
  return cases;
}

inline PromptTokens golden_prompt(const GoldenCase& item) {
  static constexpr float kPoints[5][3] = {{30.5F, 41.0F, 1},
                                          {60.0F, 22.25F, 0},
                                          {44.0F, 70.0F, 1},
                                          {10.0F, 80.5F, 0},
                                          {52.0F, 47.0F, 1}};
  std::vector<float> xy, labels;
  for (int64_t i = 0; i < item.points; ++i) {
    xy.insert(xy.end(), {kPoints[i][0], kPoints[i][1]});
    labels.push_back(kPoints[i][2]);
  }
  if (item.box) {
    xy.insert(xy.end(), {20.0F, 16.5F, 71.0F, 80.0F});
    labels.insert(labels.end(), {2.0F, 3.0F});
  }
  return with_padding_rule(std::move(xy), std::move(labels));
}

inline at::Tensor golden_mask(const GoldenCase& item) {
  if (!item.mask) return {};
  return torch::sigmoid(8.0 * sam2::keyed_uniform("input.prev_logits", {1, 1, 24, 24}));
}

}  // namespace voxloom::models::sam_med2d
