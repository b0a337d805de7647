#include "voxloom/engine/precision_gate.h"

#include <algorithm>
#include <fstream>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/kernels/cpu_features.h"
#include "voxloom/models/sam2/tracker.h"

namespace voxloom::engine {

namespace {

namespace sam2 = models::sam2;

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  std::string line, name = "unknown processor";
  while (std::getline(file, line)) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      name = line.substr(colon + 2);
      break;
    }
  }
  return name + " (" + kernels::cpu_features_text() + ")";
}

// Masks of every slice for one box, [slices, height, width] bool.
at::Tensor masks_of(const GateRun& run,
                    const GateCase& item,
                    const std::vector<sam2::SliceFeatures>& features,
                    const std::array<float, 4>& box) {
  const auto slices = static_cast<int64_t>(item.images.size());
  const at::Tensor masks = at::zeros({slices, item.height, item.width}, at::kBool);
  sam2::ObjectTracker tracker(run.network,
                              {.num_slices = slices, .height = item.height, .width = item.width},
                              [&](int64_t slice) { return features.at(size_t(slice)); });
  tracker.set_points(item.key, {.points = {}, .box = box}, sam2::PromptMode::kReplace);
  for (const auto direction : {sam2::Direction::kForward, sam2::Direction::kBackward}) {
    sam2::PropagateOptions options;
    options.direction = direction;
    tracker.propagate(options, [&](const sam2::SliceOutput& out) {
      const at::Tensor logits = sam2::resize_logits(out.low, item.height, item.width);
      masks[out.slice].copy_(logits.gt(0).view({item.height, item.width}));
    });
  }
  return masks;
}

std::vector<sam2::SliceFeatures> encode_all(const GateRun& run, const GateCase& item) {
  std::vector<sam2::SliceFeatures> features;
  for (const at::Tensor& image : item.images) features.push_back(run.encoder->encode(image));
  return features;
}

}  // namespace

std::vector<std::array<float, 4>> simulated_boxes(const at::Tensor& image,
                                                  int64_t height,
                                                  int64_t width) {
  VOXLOOM_CHECK(image.dim() == 4 && image.size(0) == 1,
                ErrorCode::kInvalidArgument,
                "simulated boxes: image must be [1, 3, S, S], got {} axes",
                image.dim());
  const at::Tensor grey = image.select(1, 0)[0];
  const at::Tensor bright = grey.gt(grey.mean()).nonzero();
  // Bounds as fractions of the slice; a slice of one value has no bright pixels.
  std::array<double, 4> body{0.0, 0.0, 1.0, 1.0};
  if (bright.size(0) > 0) {
    const at::Tensor lo = std::get<0>(bright.min(0)), hi = std::get<0>(bright.max(0));
    const auto edge = static_cast<double>(grey.size(0));
    body = {static_cast<double>(lo[1].item<int64_t>()) / edge,
            static_cast<double>(lo[0].item<int64_t>()) / edge,
            static_cast<double>(hi[1].item<int64_t>() + 1) / edge,
            static_cast<double>(hi[0].item<int64_t>() + 1) / edge};
  }
  // x0, y0, x1, y1 within the body: its middle, its quarters, its centre.
  constexpr std::array<std::array<double, 4>, 6> kParts{{{0.2, 0.2, 0.8, 0.8},
                                                         {0.05, 0.05, 0.45, 0.45},
                                                         {0.55, 0.05, 0.95, 0.45},
                                                         {0.05, 0.55, 0.45, 0.95},
                                                         {0.55, 0.55, 0.95, 0.95},
                                                         {0.42, 0.42, 0.58, 0.58}}};
  const auto place = [](double lo, double hi, double part, int64_t extent) {
    const double last = static_cast<double>(extent - 1);
    return static_cast<float>(
        std::clamp((lo + part * (hi - lo)) * static_cast<double>(extent), 0.0, last));
  };
  std::vector<std::array<float, 4>> boxes;
  for (const auto& part : kParts) {
    boxes.push_back({place(body[0], body[2], part[0], width),
                     place(body[1], body[3], part[1], height),
                     place(body[0], body[2], part[2], width),
                     place(body[1], body[3], part[3], height)});
  }
  return boxes;
}

weights::PrecisionGate measure_precision_gate(const GateRun& reference,
                                              const GateRun& tested,
                                              std::span<const GateCase> cases,
                                              Progress& progress) {
  const torch::NoGradGuard no_grad;
  weights::PrecisionGate gate;
  gate.mask_dice = 1.0;
  int64_t compared = 0;
  gate.host = processor_name();
  int64_t steps = 0;
  for (const GateCase& item : cases) steps += 1 + static_cast<int64_t>(item.boxes.size());
  progress.begin("bf16 against f32", steps);
  for (const GateCase& item : cases) {
    VOXLOOM_CHECK(!item.images.empty() && !item.boxes.empty(),
                  ErrorCode::kInvalidArgument,
                  "precision gate: a case must have slices and boxes, got {} and {}",
                  item.images.size(),
                  item.boxes.size());
    const auto expected_features = encode_all(reference, item);
    const auto found_features = encode_all(tested, item);
    progress.advance(1);
    const auto slices = static_cast<int64_t>(item.images.size());
    at::Tensor both = at::zeros({slices}, at::kLong), sum = at::zeros({slices}, at::kLong);
    for (const auto& box : item.boxes) {
      const at::Tensor expected = masks_of(reference, item, expected_features, box);
      const at::Tensor found = masks_of(tested, item, found_features, box);
      both += expected.logical_and(found).sum({1, 2});
      sum += expected.sum({1, 2}) + found.sum({1, 2});
      progress.advance(1);
    }
    for (int64_t slice = 0; slice < slices; ++slice) {
      const auto voxels = sum[slice].item<int64_t>();
      if (voxels > 0) {
        const double dice =
            2.0 * static_cast<double>(both[slice].item<int64_t>()) / static_cast<double>(voxels);
        gate.mask_dice = std::min(gate.mask_dice, dice);
        ++compared;
      }
    }
    gate.slices += slices;
  }
  progress.end();
  VOXLOOM_CHECK(gate.slices > 0,
                ErrorCode::kInvalidArgument,
                "precision gate: there must be at least one slice");
  // Where neither run finds anything, nothing was shown.
  if (compared == 0) gate.mask_dice = 0.0;
  gate.passed = gate.mask_dice >= kGateDice;
  return gate;
}

}  // namespace voxloom::engine
