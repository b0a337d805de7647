#include "voxloom/serve/sampling/score_with_model.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "voxloom/infer/scores.h"
#include "voxloom/metrics/overlap.h"

namespace voxloom::serve {
namespace {

constexpr uint16_t kValue = 1;
// A box with fewer slices has no room for two key slices with something between them.
constexpr int64_t kLeastDepth = 5;

/// Boxes on the slices at a quarter and three quarters of the depth, as wide there as an ellipsoid
/// in the box is.
std::vector<infer::BoxPrompt> two_flat_boxes(const infer::BoxPrompt& box) {
  const int64_t depth = box.hi[2] - box.lo[2] + 1;
  const double share = std::sqrt(0.75);  // Half-way from the middle to the end.
  infer::BoxPrompt flat = box;
  for (size_t a = 0; a < 2; ++a) {
    const double cut = 0.5 * (1.0 - share) * static_cast<double>(box.hi[a] - box.lo[a] + 1);
    flat.lo[a] += std::lround(cut);
    flat.hi[a] = std::max(flat.lo[a], box.hi[a] - std::lround(cut));
  }
  std::vector<infer::BoxPrompt> boxes{flat, flat};
  boxes[0].lo[2] = boxes[0].hi[2] = box.lo[2] + depth / 4;
  boxes[1].lo[2] = boxes[1].hi[2] = box.hi[2] - depth / 4;
  return boxes;
}

infer::SegmentResult segment(infer::Segmenter& model,
                             const std::shared_ptr<image::VolumeSource>& volume,
                             const std::vector<infer::BoxPrompt>& boxes,
                             const infer::SegmentOptions& options,
                             const CancelToken& stop) {
  const auto session = model.open(volume);
  infer::ObjectPrompt object;
  object.value = kValue;
  object.boxes = boxes;
  session->set_prompts({object});
  Progress quiet;
  return session->run(options, quiet, stop);
}

infer::BoxPrompt dilated_box(const infer::BoxPrompt& box, const image::Index3& size) {
  infer::BoxPrompt out;
  for (size_t a = 0; a < 3; ++a) {
    const auto ends = infer::dilated(box.lo[a], box.hi[a], size[a]);
    out.lo[a] = ends[0];
    out.hi[a] = ends[1];
  }
  return out;
}

}  // namespace

ScoreRun score_run_for(const infer::Segmenter& model) {
  ScoreRun run;
  run.two_ended = model.name() != "geodesic";
  return run;
}

std::optional<ImageScores> score_with_model(infer::Segmenter& model,
                                            const std::shared_ptr<image::VolumeSource>& volume,
                                            const infer::BoxPrompt& box,
                                            const ScoreRun& run,
                                            const CancelToken& stop) {
  auto options = run.options;
  options.scores = true;
  std::vector<infer::BoxPrompt> boxes{box};
  if (run.two_ended && box.hi[2] - box.lo[2] + 1 >= kLeastDepth) {
    boxes = two_flat_boxes(box);
    options.extend = true;
    options.slice_range = {{box.lo[2], box.hi[2]}};
    options.direction = infer::Direction::kBoth;
  }
  const auto answer = segment(model, volume, boxes, options, stop);
  if (answer.report.scores.empty() || !answer.report.scores.front()) return std::nullopt;
  const auto& found = *answer.report.scores.front();
  ImageScores scores{found.entropy, found.disagreement, found.hardness};
  if (scores.disagreement) return scores;
  auto other = run.options;
  other.scores = false;
  if (!run.second) other.smoothness = 0.0;
  const auto second = segment(run.second ? *run.second : model,
                              volume,
                              {run.second ? box : dilated_box(box, volume->geometry().size)},
                              other,
                              stop);
  scores.disagreement =
      1.0 - metrics::count_overlap(answer.labels.voxels(), second.labels.voxels(), kValue).dice();
  return scores;
}

}  // namespace voxloom::serve
