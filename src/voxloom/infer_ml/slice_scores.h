#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include <torch/torch.h>

#include "voxloom/infer/scores.h"

namespace voxloom::infer_ml {

/// Scores of one object from the mask logits of its passes, at the resolution of the logits.
///
/// A slice that both passes visit has the mean of their probabilities. Voxels are counted inside
/// the dilated bounding box of that slice's mask (mean above 1/2); a slice without a mask counts
/// nothing. Keeps 16 bits a pixel (each probability to 1/255) of every slice between the passes.
class SliceScores {
 public:
  /// `low` [1, 1, h, w] logits; `present`: the object is in the slice, else every p is 0.
  void add(int64_t slice, const at::Tensor& low, bool present);
  /// Entropy and hardness; absent when no slice has a mask.
  [[nodiscard]] std::optional<infer::ObjectScores> result() const;

 private:
  struct Kept {
    at::Tensor sum;  ///< [h, w] int16: probabilities times 255, over the visits.
    int64_t visits = 0;
  };
  std::map<int64_t, Kept> slices_;
};

}  // namespace voxloom::infer_ml
