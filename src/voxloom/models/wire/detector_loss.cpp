#include "voxloom/models/wire/detector_loss.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "voxloom/core/error.h"

namespace voxloom::models::wire {

namespace {

constexpr double kEps = 1e-7;
constexpr std::array<double, kDetectorLevels> kBalance{4.0, 1.0, 0.4};
constexpr double kReferenceSide = 640.0, kReferenceClasses = 80.0;

double side_ratio(const DetectionTarget& t, const std::array<double, 2>& anchor) {
  return std::max(std::max(t.width / anchor[0], anchor[0] / t.width),
                  std::max(t.height / anchor[1], anchor[1] / t.height));
}

/// The cell of `at` (in cells) and the nearer neighbour; the latter -1 where there is none.
std::array<int64_t, 2> cells_of(double at, int64_t count) {
  const int64_t cell = std::clamp<int64_t>(static_cast<int64_t>(std::floor(at)), 0, count - 1);
  const double inside = at - static_cast<double>(cell);
  const int64_t near = inside < 0.5 ? cell - 1 : cell + 1;
  return {cell, near >= 0 && near < count && inside != 0.5 ? near : -1};
}

/// Outputs of assigned cells as rows: [N, 5 + classes].
at::Tensor rows_of(const at::Tensor& map,
                   const std::vector<AssignedCell>& cells,
                   const std::vector<DetectionTarget>& targets) {
  std::vector<int64_t> image, anchor, y, x;
  for (const AssignedCell& cell : cells) {
    image.push_back(targets[cell.target].image);
    anchor.push_back(cell.anchor);
    y.push_back(cell.y);
    x.push_back(cell.x);
  }
  return map.permute({0, 1, 3, 4, 2})
      .index({torch::tensor(image), torch::tensor(anchor), torch::tensor(y), torch::tensor(x)});
}

}  // namespace

void DetectionLossOptions::visit(OptionList& list) {
  list.option("--box", box, "Weight of 1 - complete IoU.").with_range(0.0, 100.0);
  list.option("--objectness", objectness, "Weight of the objectness.").with_range(0.0, 100.0);
  list.option("--classification", classification, "Weight of the classes (two or more).")
      .with_range(0.0, 100.0);
  list.option("--anchor-ratio", anchor_ratio, "Sides differ from an anchor's by less than this.")
      .with_range(1.01, 100.0);
}

std::array<std::vector<AssignedCell>, kDetectorLevels> assign_targets(
    const std::vector<DetectionTarget>& targets,
    int64_t height,
    int64_t width,
    double anchor_ratio) {
  std::array<std::vector<AssignedCell>, kDetectorLevels> out;
  for (size_t t = 0; t < targets.size(); ++t) {
    const DetectionTarget& target = targets[t];
    VOXLOOM_CHECK(target.width > 0.0 && target.height > 0.0,
                  ErrorCode::kInvalidArgument,
                  "detection target: sides must be positive, got {} x {}",
                  target.width,
                  target.height);
    double nearest = std::numeric_limits<double>::infinity();
    for (const DetectorLevel& level : kDetectorLevelList) {
      for (const auto& anchor : level.anchors) {
        nearest = std::min(nearest, side_ratio(target, anchor));
      }
    }
    for (size_t level = 0; level < kDetectorLevels; ++level) {
      const auto stride = static_cast<double>(kDetectorLevelList[level].stride);
      const int64_t rows = height / kDetectorLevelList[level].stride;
      const int64_t columns = width / kDetectorLevelList[level].stride;
      for (size_t a = 0; a < kDetectorAnchors; ++a) {
        const double ratio = side_ratio(target, kDetectorLevelList[level].anchors[a]);
        if (ratio >= anchor_ratio && ratio > nearest) continue;
        const auto x = cells_of(target.cx / stride, columns);
        const auto y = cells_of(target.cy / stride, rows);
        const auto anchor = static_cast<int64_t>(a);
        out[level].push_back({t, anchor, x[0], y[0]});
        if (x[1] >= 0) out[level].push_back({t, anchor, x[1], y[0]});
        if (y[1] >= 0) out[level].push_back({t, anchor, x[0], y[1]});
      }
    }
  }
  return out;
}

at::Tensor complete_iou(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor a_low = a.slice(1, 0, 2) - a.slice(1, 2, 4) / 2;
  const at::Tensor a_high = a.slice(1, 0, 2) + a.slice(1, 2, 4) / 2;
  const at::Tensor b_low = b.slice(1, 0, 2) - b.slice(1, 2, 4) / 2;
  const at::Tensor b_high = b.slice(1, 0, 2) + b.slice(1, 2, 4) / 2;
  const at::Tensor overlap = (at::minimum(a_high, b_high) - at::maximum(a_low, b_low)).clamp_min(0);
  const at::Tensor both = overlap.prod(1);
  const at::Tensor either = a.slice(1, 2, 4).prod(1) + b.slice(1, 2, 4).prod(1) - both + kEps;
  const at::Tensor iou = both / either;
  const at::Tensor hull = at::maximum(a_high, b_high) - at::minimum(a_low, b_low);
  const at::Tensor diagonal = hull.square().sum(1) + kEps;
  const at::Tensor distance = (a.slice(1, 0, 2) - b.slice(1, 0, 2)).square().sum(1);
  const at::Tensor angle = at::atan(b.select(1, 2) / (b.select(1, 3) + kEps)) -
                           at::atan(a.select(1, 2) / (a.select(1, 3) + kEps));
  const at::Tensor shape = 4.0 / (std::numbers::pi * std::numbers::pi) * angle.square();
  const at::Tensor alpha = (shape / (shape - iou + (1.0 + kEps))).detach();
  return iou - distance / diagonal - alpha * shape;
}

DetectionLoss detection_loss(const DetectorMaps& raw,
                             const std::vector<DetectionTarget>& targets,
                             const at::Tensor& ignore,
                             const DetectionLossOptions& options) {
  const int64_t batch = raw[0].size(0);
  const auto anchors = static_cast<int64_t>(kDetectorAnchors);
  const int64_t classes = raw[0].size(1) / anchors - 5;
  const int64_t height = raw[0].size(2) * kDetectorLevelList[0].stride;
  const int64_t width = raw[0].size(3) * kDetectorLevelList[0].stride;
  const auto assigned = assign_targets(targets, height, width, options.anchor_ratio);
  DetectionLoss loss;
  loss.box = torch::zeros({});
  loss.objectness = torch::zeros({});
  loss.classification = torch::zeros({});
  for (size_t level = 0; level < kDetectorLevels; ++level) {
    const at::Tensor map =
        raw[level]
            .to(at::kFloat)
            .view({batch, anchors, 5 + classes, raw[level].size(2), raw[level].size(3)});
    const at::Tensor scores = map.select(2, 4);
    at::Tensor wanted = torch::zeros(scores.sizes());
    at::Tensor weight = torch::ones(scores.sizes());
    const int64_t stride = kDetectorLevelList[level].stride;
    if (ignore.defined()) {
      const at::Tensor share = at::avg_pool2d(ignore.to(at::kFloat).unsqueeze(1), {stride, stride});
      weight = share.le(0.5).to(at::kFloat).expand_as(scores).contiguous();
    }
    const auto& cells = assigned[level];
    if (!cells.empty()) {
      std::vector<float> centre, sides, box;
      std::vector<int64_t> place, labels;
      for (const AssignedCell& cell : cells) {
        const DetectionTarget& t = targets[cell.target];
        const auto s = static_cast<double>(stride);
        const auto& anchor = kDetectorLevelList[level].anchors[static_cast<size_t>(cell.anchor)];
        for (const double v : {t.cx / s - static_cast<double>(cell.x),
                               t.cy / s - static_cast<double>(cell.y),
                               t.width / s,
                               t.height / s}) {
          box.push_back(static_cast<float>(v));
        }
        for (const double v : anchor) sides.push_back(static_cast<float>(v / s));
        place.push_back(((t.image * anchors + cell.anchor) * scores.size(2) + cell.y) *
                            scores.size(3) +
                        cell.x);
        labels.push_back(t.label);
      }
      const auto count = static_cast<int64_t>(cells.size());
      const at::Tensor rows = rows_of(map, cells, targets);
      const at::Tensor xy = rows.slice(1, 0, 2).sigmoid() * 2.0 - 0.5;
      const at::Tensor wh =
          (rows.slice(1, 2, 4).sigmoid() * 2.0).square() * torch::tensor(sides).view({count, 2});
      const at::Tensor iou =
          complete_iou(at::cat({xy, wh}, 1), torch::tensor(box).view({count, 4}));
      loss.box = loss.box + (1.0 - iou).mean();
      const at::Tensor index = torch::tensor(place);
      // Where two targets meet in one cell, the box that fits better counts.
      wanted.view(-1).scatter_reduce_(0, index, iou.detach().clamp_min(0), "amax");
      weight.view(-1).index_fill_(0, index, 1.0);
      if (classes > 1) {
        const at::Tensor one_hot = at::one_hot(torch::tensor(labels), classes).to(at::kFloat);
        loss.classification =
            loss.classification + at::binary_cross_entropy_with_logits(rows.slice(1, 5), one_hot);
      }
    }
    const at::Tensor entropy =
        at::binary_cross_entropy_with_logits(scores, wanted, weight, {}, at::Reduction::Sum);
    loss.objectness = loss.objectness + kBalance[level] * entropy / weight.sum().clamp_min(1.0);
  }
  const double side = static_cast<double>(std::max(height, width)) / kReferenceSide;
  loss.box = loss.box * options.box;
  loss.objectness = loss.objectness * (options.objectness * side * side);
  loss.classification = loss.classification *
                        (options.classification * static_cast<double>(classes) / kReferenceClasses);
  loss.total = (loss.box + loss.objectness + loss.classification) * static_cast<double>(batch);
  return loss;
}

}  // namespace voxloom::models::wire
