#include "voxloom/infer_ml/sam_med2d_network.h"

#include <algorithm>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/engine/sam_med2d_onnx.h"
#include "voxloom/tensor/autocast.h"

namespace voxloom::infer_ml {
namespace {

namespace med2d = models::sam_med2d;

// Belongs to the names of cached networks: raise it when the exported graph changes.
constexpr int kGraphVersion = 1;

// Of SAM, for pixels of 0 to 255.
constexpr float kMean[] = {123.675F, 116.28F, 103.53F};
constexpr float kDeviation[] = {58.395F, 57.12F, 57.375F};

/// The mask prompt of a picture: [1, 1, 4g, 4g] of 0 ... 1.
at::Tensor mask_input(const std::vector<uint8_t>& mask,
                      int64_t width,
                      int64_t height,
                      int64_t mask_size) {
  const at::Tensor pixels =
      at::from_blob(const_cast<uint8_t*>(mask.data()), {1, 1, height, width}, at::kByte)
          .ne(0)
          .to(at::kFloat);
  return at::_upsample_bilinear2d_aa(
      pixels, {mask_size, mask_size}, /*align_corners=*/false, c10::nullopt, c10::nullopt);
}

/// One chain of answers, each refining the one before.
class Refinement {
 public:
  Refinement(SamMed2dNetwork& network, const at::Tensor& embedding, int64_t width, int64_t height)
      : network_(network),
        embedding_(embedding),
        scale_x_(static_cast<float>(network.options().image_size) / static_cast<float>(width)),
        scale_y_(static_cast<float>(network.options().image_size) / static_cast<float>(height)) {}

  void add(const SlicePrompt::Click& click) {
    xy_.insert(xy_.end(), {click.x * scale_x_, click.y * scale_y_});
    labels_.push_back(click.positive ? 1.0F : 0.0F);
  }
  void set_mask(at::Tensor mask) { mask_ = std::move(mask); }

  /// Asks with the clicks so far and, the first time, a box.
  void answer(const std::array<float, 4>* box) {
    auto xy = xy_;
    auto labels = labels_;
    if (box != nullptr) {
      xy.insert(
          xy.end(),
          {(*box)[0] * scale_x_, (*box)[1] * scale_y_, (*box)[2] * scale_x_, (*box)[3] * scale_y_});
      labels.insert(labels.end(), {2.0F, 3.0F});
    }
    const auto out = network_.decode(
        embedding_, med2d::with_padding_rule(std::move(xy), std::move(labels)), mask_);
    const int64_t best = out.best();
    low_ = out.low.slice(1, best, best + 1);
    mask_ = low_.sigmoid();
  }
  [[nodiscard]] const at::Tensor& low() const { return low_; }

 private:
  SamMed2dNetwork& network_;
  const at::Tensor& embedding_;
  float scale_x_, scale_y_;
  std::vector<float> xy_, labels_;
  at::Tensor mask_, low_;
};

}  // namespace

SamMed2dNetwork::SamMed2dNetwork(const weights::Package& package,
                                 const infer::RuntimeOptions& runtime,
                                 const engine::FileCache& cache)
    : name_(package.name()), variant_(package.info.variant) {
  VOXLOOM_CHECK(runtime.device == "cpu",
                ErrorCode::kUnsupported,
                "device '{}': this build computes on the cpu only",
                runtime.device);
  const torch::NoGradGuard no_grad;
  at::set_num_threads(thread_budget());
  engine_ = engine::resolve({.engine = engine::parse_engine(runtime.engine),
                             .precision = engine::parse_precision(runtime.precision)},
                            package.info.bf16 && package.info.bf16->passed);
  const auto options = med2d::options_from_json(package.info.options,
                                                (package.folder / weights::kModelYaml).string());
  const auto state = weights::read_package_weights(package);
  model_ = med2d::load_sam_med2d(
      options, state, (package.folder / weights::kWeightsFile).string(), tensor::LoadMode::kAlias);
  if (engine_.engine != engine::EngineKind::kOpenvino) return;
  const engine::OpenvinoSource source{
      .name = "sam-med2d-encoder",
      .key = format("{}|{}", package.info.weights_sha256, kGraphVersion),
      .outputs = {engine::kSamMed2dEmbedding},
      .graph = [&] { return engine::sam_med2d_encoder_graph(options, state); },
      .folder = package.folder};
  encoder_.emplace(source, engine_.precision, engine_.threads, cache);
}

at::Tensor SamMed2dNetwork::encode(const at::Tensor& image) {
  if (encoder_) {
    return encoder_->run({{engine::kSamMed2dImage, image.contiguous()}}).front().second;
  }
  if (engine_.precision == engine::Precision::kBf16) {
    const tensor::Autocast autocast;
    return model_->encode_image(image).to(at::kFloat);
  }
  return model_->encode_image(image);
}

med2d::DecodedMasks SamMed2dNetwork::decode(const at::Tensor& embedding,
                                            const med2d::PromptTokens& points,
                                            const at::Tensor& mask) {
  return model_->decode(embedding, points, mask);
}

at::Tensor sam_med2d_input(std::span<const uint8_t> grey,
                           int64_t width,
                           int64_t height,
                           int64_t image_size) {
  VOXLOOM_CHECK(width > 0 && height > 0 &&
                    grey.size() == static_cast<size_t>(width) * static_cast<size_t>(height),
                ErrorCode::kInvalidArgument,
                "sam-med2d: a picture of {} x {} must have as many pixels, got {}",
                width,
                height,
                grey.size());
  auto image = torch::empty({1, 3, image_size, image_size}, torch::kFloat);
  auto* out = image.data_ptr<float>();
  for (size_t channel = 0; channel < 3; ++channel) {
    for (int64_t y = 0; y < image_size; ++y) {
      const int64_t row = y * height / image_size * width;
      for (int64_t x = 0; x < image_size; ++x) {
        const float value = grey[static_cast<size_t>(row + x * width / image_size)];
        *out++ = (value - kMean[channel]) / kDeviation[channel];
      }
    }
  }
  return image;
}

bool SlicePrompt::selects() const {
  return !boxes.empty() || !mask.empty() ||
         std::any_of(clicks.begin(), clicks.end(), [](const Click& c) { return c.positive; });
}

at::Tensor segment_slice(SamMed2dNetwork& network,
                         const at::Tensor& embedding,
                         const SlicePrompt& prompt,
                         int64_t width,
                         int64_t height) {
  VOXLOOM_CHECK(prompt.selects(),
                ErrorCode::kInvalidArgument,
                "sam-med2d: a slice must have a positive click, a box or a mask, got {} negative "
                "clicks",
                prompt.clicks.size());
  VOXLOOM_CHECK(prompt.clicks.size() <= kMaxSliceClicks,
                ErrorCode::kInvalidArgument,
                "sam-med2d: a slice must have at most {} clicks of an object, got {}",
                kMaxSliceClicks,
                prompt.clicks.size());
  const auto chain = [&](const std::array<float, 4>* box) {
    Refinement refinement(network, embedding, width, height);
    if (!prompt.mask.empty()) {
      refinement.set_mask(mask_input(prompt.mask, width, height, network.options().mask_size()));
    }
    auto click = prompt.clicks.begin();
    if (box == nullptr && prompt.mask.empty()) {
      while (!click->positive) refinement.add(*click++);
      refinement.add(*click++);
    }
    refinement.answer(box);
    for (; click != prompt.clicks.end(); ++click) {
      refinement.add(*click);
      refinement.answer(nullptr);
    }
    return refinement.low();
  };
  if (prompt.boxes.empty()) return chain(nullptr);
  at::Tensor low;
  for (const auto& box : prompt.boxes) {
    const at::Tensor one = chain(&box);
    low = low.defined() ? at::maximum(low, one) : one;
  }
  return low;
}

}  // namespace voxloom::infer_ml
