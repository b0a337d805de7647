#include "voxloom/recipes/segment/clip.h"

#include <algorithm>
#include <cstring>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/image/resize.h"
#include "voxloom/infer_ml/slice_reader.h"
#include "voxloom/recipes/segment/clip_augment.h"

namespace voxloom::recipes::segment {
namespace {

/// First slices of clips that go in `direction`, all of `frames` slices inside the volume.
std::vector<int64_t> first_slices(const CaseIndex& item, int64_t frames, int64_t direction) {
  std::vector<int64_t> found;
  for (int64_t z = 0; z < item.size[2]; ++z) {
    const int64_t last = z + direction * (frames - 1);
    if (last < 0 || last >= item.size[2]) continue;
    const bool any = std::any_of(item.objects.begin(), item.objects.end(), [z](const auto& object) {
      return object.on_slice[static_cast<size_t>(z)] != 0;
    });
    if (any) found.push_back(z);
  }
  return found;
}

at::Tensor grey_slices(const CaseVoxels& voxels, const ClipChoice& choice, int64_t image_size) {
  infer_ml::SliceReader reader(voxels.grey, image::GreyMap{}, image_size);
  auto grey = torch::empty({static_cast<int64_t>(choice.slices.size()), image_size, image_size},
                           torch::kUInt8);
  for (size_t t = 0; t < choice.slices.size(); ++t) {
    const auto slice = reader.read_grey(choice.slices[t]);
    std::memcpy(grey[static_cast<int64_t>(t)].data_ptr<uint8_t>(), slice.data(), slice.size());
  }
  return grey;
}

at::Tensor object_masks(const CaseVoxels& voxels, const ClipChoice& choice, int64_t image_size) {
  const auto& size = voxels.labels.geometry().size;
  const auto pixels = static_cast<size_t>(size[0] * size[1]);
  const auto frames = static_cast<int64_t>(choice.slices.size());
  const auto objects = static_cast<int64_t>(choice.values.size());
  auto masks = torch::zeros({frames, objects, image_size, image_size});
  for (int64_t t = 0; t < frames; ++t) {
    const auto z = static_cast<size_t>(choice.slices[static_cast<size_t>(t)]);
    const auto labels = image::resize_nearest(voxels.labels.voxels().subspan(z * pixels, pixels),
                                              size[0],
                                              size[1],
                                              image_size,
                                              image_size);
    for (int64_t n = 0; n < objects; ++n) {
      const uint16_t value = choice.values[static_cast<size_t>(n)];
      auto* out = masks[t][n].data_ptr<float>();
      for (size_t i = 0; i < labels.size(); ++i) out[i] = labels[i] == value ? 1.0F : 0.0F;
    }
  }
  return masks;
}

}  // namespace

ClipChoice choose_clip(const CaseIndex& item, const infer::ClipOptions& options, Rng& rng) {
  int64_t direction = rng.uniform() < options.reverse_share ? -1 : 1;
  auto firsts = first_slices(item, options.frames, direction);
  if (firsts.empty()) {
    firsts = first_slices(item, options.frames, -direction);
    if (firsts.empty()) {
      firsts = first_slices(item, 1, direction);
    } else {
      direction = -direction;
    }
  }
  VOXLOOM_CHECK(!firsts.empty(),
                ErrorCode::kInvalidArgument,
                "case '{}': its label map must hold an object, got background alone",
                item.id);
  ClipChoice choice;
  const int64_t first = firsts[rng.below(firsts.size())];
  for (int64_t t = 0; t < options.frames; ++t) {
    const int64_t z = first + t * direction;
    if (z >= 0 && z < item.size[2]) choice.slices.push_back(z);
  }
  for (const auto& object : item.objects) {
    if (object.on_slice[static_cast<size_t>(first)] != 0) choice.values.push_back(object.value);
  }
  rng.shuffle(choice.values);
  const auto most = static_cast<size_t>(options.max_objects);
  if (choice.values.size() > most) choice.values.resize(most);
  return choice;
}

bool make_clip(const CaseVoxels& voxels,
               const ClipChoice& choice,
               const infer::ClipOptions& options,
               int64_t image_size,
               Rng& rng,
               Clip& clip) {
  at::Tensor masks = object_masks(voxels, choice, image_size);
  const at::Tensor kept = masks[0].flatten(1).any(1).nonzero().flatten();
  if (kept.numel() == 0) return false;
  masks = masks.index_select(1, kept);
  at::Tensor images =
      grey_slices(voxels, choice, image_size).to(at::kDouble).unsqueeze(1).expand({-1, 3, -1, -1});
  if (options.augment) {
    const auto& size = voxels.labels.geometry().size;
    augment_clip(static_cast<double>(size[0]) / static_cast<double>(size[1]), rng, images, masks);
  }
  const auto channel = [](const std::array<double, 3>& values) {
    return torch::tensor({values[0], values[1], values[2]}, torch::kDouble).view({1, 3, 1, 1});
  };
  // In float64, then rounded: the numbers of infer_ml::SliceReader where nothing was changed.
  clip.images = ((images.to(at::kDouble) / 255.0 - channel(infer_ml::kImageMean)) /
                 channel(infer_ml::kImageDeviation))
                    .to(at::kFloat)
                    .contiguous();
  clip.masks = masks.contiguous();
  return true;
}

}  // namespace voxloom::recipes::segment
