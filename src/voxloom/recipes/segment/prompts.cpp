#include "voxloom/recipes/segment/prompts.h"

#include <algorithm>

#include <torch/torch.h>

#include "voxloom/models/sam2/prompt_encoder.h"

namespace voxloom::recipes::segment {
namespace {

using models::sam2::kBoxBottomRight;
using models::sam2::kBoxTopLeft;
using models::sam2::kNegative;
using models::sam2::kNotAPoint;
using models::sam2::kPositive;

struct Click {
  float x = 0, y = 0;
  int64_t label = kNotAPoint;
};

/// The clicks of N objects, P each.
PromptPoints points_of(const std::vector<Click>& clicks, int64_t objects) {
  const auto per_object = static_cast<int64_t>(clicks.size()) / objects;
  auto xy = torch::empty({objects, per_object, 2});
  auto labels = torch::empty({objects, per_object}, torch::kLong);
  auto* xy_out = xy.data_ptr<float>();
  auto* label_out = labels.data_ptr<int64_t>();
  for (const Click& click : clicks) {
    *xy_out++ = click.x;
    *xy_out++ = click.y;
    *label_out++ = click.label;
  }
  return {xy, labels};
}

/// The pixel `wanted` of those where `select` holds.
template <class Select>
int64_t nth_pixel(int64_t pixels, uint64_t wanted, const Select& select) {
  for (int64_t i = 0; i < pixels; ++i) {
    if (select(i) && wanted-- == 0) return i;
  }
  return 0;
}

Click draw_click(const uint8_t* truth, const uint8_t* prediction, int64_t size, Rng& rng) {
  const int64_t pixels = size * size;
  const auto wrong = [&](int64_t i) { return truth[i] != (prediction ? prediction[i] : 0); };
  const auto background = [&](int64_t i) { return truth[i] == 0; };
  const auto count = [&](const auto& select) {
    uint64_t n = 0;
    for (int64_t i = 0; i < pixels; ++i) n += select(i) ? 1 : 0;
    return n;
  };
  int64_t at = 0;
  if (const uint64_t errors = count(wrong); errors > 0) {
    at = nth_pixel(pixels, rng.below(errors), wrong);
  } else if (const uint64_t others = count(background); others > 0) {
    at = nth_pixel(pixels, rng.below(others), background);
  }
  return {static_cast<float>(at % size),
          static_cast<float>(at / size),
          truth[at] != 0 ? kPositive : kNegative};
}

at::Tensor bytes_of(const at::Tensor& mask) {
  return mask.detach().gt(0).to(torch::kUInt8).contiguous();
}

/// k different ones of `from`, in drawn order.
std::vector<int64_t> draw_some(std::vector<int64_t> from, int64_t k, Rng& rng) {
  rng.shuffle(from);
  from.resize(static_cast<size_t>(std::min<int64_t>(k, static_cast<int64_t>(from.size()))));
  return from;
}

/// Uniform over lo ... hi, both in.
int64_t draw_count(int64_t lo, int64_t hi, Rng& rng) {
  return lo + static_cast<int64_t>(rng.below(static_cast<uint64_t>(hi - lo + 1)));
}

}  // namespace

PromptPlan draw_prompt_plan(const infer::PromptSimulationOptions& options,
                            int64_t frames,
                            Rng& rng) {
  PromptPlan plan;
  plan.points = rng.uniform() < options.point_share || frames == 1;
  const int64_t first = draw_count(1, std::min(options.conditioning_frames, frames), rng);
  std::vector<int64_t> others;
  for (int64_t t = 1; t < frames; ++t) others.push_back(t);
  plan.conditioning = {0};
  for (const int64_t t : draw_some(others, first - 1, rng)) plan.conditioning.push_back(t);
  for (size_t i = 0; i < plan.conditioning.size(); ++i) {
    plan.boxes.push_back(plan.points && rng.uniform() < options.box_share);
  }
  if (!plan.points || options.corrected_frames == 0 || options.clicks == 0) return plan;
  // The prompted frames are corrected, and others beside them as far as the number reaches.
  const int64_t most = std::min(options.corrected_frames, frames);
  const int64_t corrected = most > first ? draw_count(first, most, rng) : most;
  plan.corrected = plan.conditioning;
  if (corrected < first) plan.corrected.resize(static_cast<size_t>(corrected));
  std::erase_if(others, [&](int64_t t) {
    return std::find(plan.conditioning.begin(), plan.conditioning.end(), t) !=
           plan.conditioning.end();
  });
  for (const int64_t t : draw_some(others, corrected - first, rng)) plan.corrected.push_back(t);
  return plan;
}

PromptPoints PromptPoints::with(const PromptPoints& more) const {
  if (!xy.defined()) return more;
  return {at::cat({xy, more.xy}, 1), at::cat({labels, more.labels}, 1)};
}

PromptPoints draw_boxes(const at::Tensor& masks,
                        const infer::PromptSimulationOptions& options,
                        Rng& rng) {
  const at::Tensor bytes = bytes_of(masks);
  const int64_t objects = bytes.size(0), size = bytes.size(2);
  std::vector<Click> clicks;
  for (int64_t n = 0; n < objects; ++n) {
    const auto* mask = bytes[n].data_ptr<uint8_t>();
    int64_t x0 = size, y0 = size, x1 = -1, y1 = -1;
    for (int64_t i = 0; i < size * size; ++i) {
      if (mask[i] == 0) continue;
      x0 = std::min(x0, i % size);
      x1 = std::max(x1, i % size);
      y0 = std::min(y0, i / size);
      y1 = std::max(y1, i / size);
    }
    if (x1 < 0) {
      clicks.push_back(draw_click(mask, nullptr, size, rng));
      clicks.push_back({});
      continue;
    }
    const auto moved = [&](int64_t side, int64_t length) {
      const double most =
          std::min(options.box_noise * static_cast<double>(length), options.box_noise_px);
      return static_cast<float>(std::clamp(static_cast<double>(side) + rng.uniform(-most, most),
                                           0.0,
                                           static_cast<double>(size - 1)));
    };
    const float left = moved(x0, x1 - x0), top = moved(y0, y1 - y0);
    const float right = moved(x1, x1 - x0), bottom = moved(y1, y1 - y0);
    clicks.push_back({left, top, kBoxTopLeft});
    clicks.push_back({right, bottom, kBoxBottomRight});
  }
  return points_of(clicks, objects);
}

PromptPoints draw_clicks(const at::Tensor& truth, const at::Tensor& prediction, Rng& rng) {
  const at::Tensor truth_bytes = bytes_of(truth);
  at::Tensor predicted;
  if (prediction.defined()) predicted = bytes_of(prediction);
  std::vector<Click> clicks;
  for (int64_t n = 0; n < truth.size(0); ++n) {
    clicks.push_back(draw_click(truth_bytes[n].data_ptr<uint8_t>(),
                                predicted.defined() ? predicted[n].data_ptr<uint8_t>() : nullptr,
                                truth.size(2),
                                rng));
  }
  return points_of(clicks, truth.size(0));
}

}  // namespace voxloom::recipes::segment
