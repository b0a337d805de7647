#include "voxloom/serve/sampling/scoring.h"

#include "voxloom/io/volume_io.h"
#include "voxloom/metrics/overlap.h"

namespace voxloom::serve {
namespace {

Json mean_dice(const image::LabelVolume& truth, const image::LabelVolume& predicted) {
  // Directions and origins are rounded differently by different programs; the voxels must match.
  if (!image::same_grid(truth.geometry(), predicted.geometry(), 0.1)) return {};
  double sum = 0.0;
  int64_t values = 0;
  bool only_predicted = false;
  // Values that only the prediction has (as that of "uncertain") are not part of the question,
  // unless the truth is empty.
  for (const auto& [value, overlap] : metrics::count_overlaps(truth.voxels(), predicted.voxels())) {
    if (overlap.truth() == 0) {
      only_predicted = true;
      continue;
    }
    sum += overlap.dice();
    ++values;
  }
  if (values == 0) return only_predicted ? 0.0 : 1.0;
  return sum / static_cast<double>(values);
}

}  // namespace

Json dice_of_files(const std::filesystem::path& truth, const std::filesystem::path& predicted) {
  return mean_dice(io::read_labels(truth), io::read_labels(predicted));
}

Json scoring_methods() {
  return {{"dice", {{"description", "Dice of the original label (prediction) and the final one"}}}};
}

}  // namespace voxloom::serve
