#include "voxloom/recipes/segment/validation.h"

#include <cmath>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/infer/click_simulator.h"
#include "voxloom/infer_ml/slice_reader.h"
#include "voxloom/metrics/bootstrap.h"
#include "voxloom/metrics/overlap.h"
#include "voxloom/models/sam2/tracker.h"
#include "voxloom/recipes/wire/picture.h"

namespace voxloom::recipes::segment {
namespace {

namespace sam2 = models::sam2;

constexpr int64_t kStopAfterAbsent = 3;
constexpr size_t kPictures = 4;

/// One object being segmented and compared.
class ObjectRun {
 public:
  ObjectRun(sam2::Sam2& network, const CaseVoxels& voxels, uint16_t value)
      : voxels_(voxels),
        value_(value),
        size_(voxels.labels.geometry().size),
        reader_(voxels.grey, image::GreyMap{}, network->options.image_size),
        tracker_(network,
                 {.num_slices = size_[2], .height = size_[1], .width = size_[0]},
                 [this, &network](int64_t z) { return network->encode_image(reader_.read(z)); }) {}

  void run(const CancelToken& stop) {
    key_ = infer::largest_slice(voxels_.labels, value_).value();
    const auto box = infer::tight_box(voxels_.labels, value_, key_);
    sam2::PointPrompt prompt;
    prompt.box = {static_cast<float>(box.lo[0]),
                  static_cast<float>(box.lo[1]),
                  static_cast<float>(box.hi[0]),
                  static_cast<float>(box.hi[1])};
    static_cast<void>(tracker_.set_points(key_, prompt, sam2::PromptMode::kReplace));
    std::vector<uint8_t> seen(static_cast<size_t>(size_[2]), 0);
    for (const auto direction : {sam2::Direction::kForward, sam2::Direction::kBackward}) {
      static_cast<void>(tracker_.propagate(
          {.direction = direction, .start = key_, .stop_after_absent = kStopAfterAbsent},
          [&](const sam2::SliceOutput& output) {
            if (std::exchange(seen[static_cast<size_t>(output.slice)], 1) == 0) compare(output);
          },
          stop));
    }
    for (int64_t z = 0; z < size_[2]; ++z) {
      if (seen[static_cast<size_t>(z)] != 0) continue;
      for (const uint8_t voxel : truth(z)) whole_.truth_only += voxel;
    }
  }

  [[nodiscard]] const metrics::Overlap& whole() const { return whole_; }
  [[nodiscard]] const metrics::Overlap& key() const { return key_overlap_; }
  [[nodiscard]] double overlap_error() const { return overlap_error_; }

  [[nodiscard]] train::Picture picture(const std::string& name) const {
    const auto grey = voxels_.grey->read_slab(key_, key_ + 1);
    dataset::LabelledImage image{.width = size_[0], .height = size_[1], .image = {}, .mask = {}};
    for (const uint8_t v : grey.as<uint8_t>()) {
      image.image.push_back(static_cast<float>(v) / 255.0F);
    }
    const wire::ObjectMask mask{.object = truth(key_),
                                .ignore = std::vector<uint8_t>(key_mask_.size(), 0)};
    const auto canvas = wire::compare_masks(image, mask, key_mask_);
    return {.name = format("{} value {} slice {}", name, value_, key_),
            .width = canvas.width(),
            .height = canvas.height(),
            .rgb = canvas.pixels()};
  }

 private:
  [[nodiscard]] std::vector<uint8_t> truth(int64_t z) const {
    const auto pixels = static_cast<size_t>(size_[0] * size_[1]);
    std::vector<uint8_t> mask(pixels);
    const auto labels = voxels_.labels.voxels().subspan(static_cast<size_t>(z) * pixels, pixels);
    for (size_t i = 0; i < pixels; ++i) mask[i] = labels[i] == value_ ? 1 : 0;
    return mask;
  }

  void compare(const sam2::SliceOutput& output) {
    const auto expected = truth(output.slice);
    std::vector<uint8_t> found(expected.size(), 0);
    if (output.score > 0) {
      const auto mask =
          sam2::resize_logits(output.low, size_[1], size_[0]).gt(0).to(torch::kUInt8).contiguous();
      found.assign(mask.data_ptr<uint8_t>(), mask.data_ptr<uint8_t>() + mask.numel());
    }
    metrics::Overlap overlap;
    for (size_t i = 0; i < found.size(); ++i) {
      overlap.both += found[i] & expected[i];
      overlap.truth_only += expected[i] & (1 - found[i]);
      overlap.predicted_only += found[i] & (1 - expected[i]);
    }
    whole_.both += overlap.both;
    whole_.truth_only += overlap.truth_only;
    whole_.predicted_only += overlap.predicted_only;
    if (output.slice != key_) return;
    key_overlap_ = overlap;
    key_mask_ = std::move(found);
    overlap_error_ = std::abs(static_cast<double>(output.iou) - overlap.iou());
  }

  const CaseVoxels& voxels_;
  uint16_t value_;
  image::Index3 size_;
  infer_ml::SliceReader reader_;
  sam2::ObjectTracker tracker_;
  int64_t key_ = 0;
  metrics::Overlap whole_, key_overlap_;
  double overlap_error_ = 0.0;
  std::vector<uint8_t> key_mask_;
};

}  // namespace

std::vector<ValidationObject> validation_objects(const std::vector<CaseIndex>& index,
                                                 const std::vector<size_t>& items,
                                                 int64_t most) {
  std::vector<ValidationObject> all;
  for (const size_t item : items) {
    for (const auto& object : index[item].objects) all.push_back({item, object.value});
  }
  const auto limit = static_cast<size_t>(most);
  if (most == 0 || all.size() <= limit) return all;
  std::vector<ValidationObject> some;
  for (size_t i = 0; i < limit; ++i) some.push_back(all[i * all.size() / limit]);
  return some;
}

train::Metrics validate_objects(sam2::Sam2& network,
                                CaseStore& cases,
                                const std::vector<ValidationObject>& objects,
                                std::vector<train::Picture>& pictures,
                                Progress& progress,
                                const CancelToken& stop) {
  const torch::NoGradGuard no_grad;
  network->set_memory_backend(nullptr);  // one made before may hold older weights
  // The network keeps what it makes of its position maps until they get another version, and a
  // fused update need not count as one.
  for (const at::Tensor& parameter : network->parameters()) {
    parameter.unsafeGetTensorImpl()->bump_version();
  }
  pictures.clear();
  std::vector<double> dice, key_dice, overlap_error;
  progress.begin("validate", static_cast<int64_t>(objects.size()));
  for (const auto& object : objects) {
    stop.check();
    const auto voxels = cases.load(object.item);
    ObjectRun run(network, *voxels, object.value);
    run.run(stop);
    dice.push_back(run.whole().dice());
    key_dice.push_back(run.key().dice());
    overlap_error.push_back(run.overlap_error());
    if (pictures.size() < kPictures) pictures.push_back(run.picture(cases.index()[object.item].id));
    progress.advance(1);
  }
  progress.end();
  return {{"dice", metrics::mean(dice)},
          {"key_dice", metrics::mean(key_dice)},
          {"overlap_error", metrics::mean(overlap_error)}};
}

}  // namespace voxloom::recipes::segment
