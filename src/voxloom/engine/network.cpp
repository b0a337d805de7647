#include "voxloom/engine/network.h"

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/engine/sam2_onnx.h"
#include "voxloom/tensor/autocast.h"
#include "voxloom/tensor/load.h"
#include "voxloom/tensor/view.h"

namespace voxloom::engine {

namespace {

using models::sam2::Sam2;
using models::sam2::Sam2Options;
using models::sam2::SliceFeatures;

// Belongs to the names of cached networks: raise it when the exported graph changes.
constexpr int kGraphVersion = 2;

std::string cache_key(const EncoderSource& source) {
  VOXLOOM_CHECK(source.state != nullptr && !source.weights_sha256.empty(),
                ErrorCode::kInternal,
                "engine: openvino must be given the weights and their digest");
  const Sam2Options& options = source.network->options;
  return format(
      "{}|{}|{}|{}", source.weights_sha256, options.variant, options.image_size, kGraphVersion);
}

void check_image(const Sam2Options& options, const at::Tensor& image) {
  const int64_t s = options.image_size;
  VOXLOOM_CHECK(image.dim() == 4 && image.sizes() == at::IntArrayRef({1, 3, s, s}) &&
                    image.scalar_type() == at::kFloat,
                ErrorCode::kInvalidArgument,
                "slice encoder: image must be [1, 3, {}, {}] float32, got {}",
                s,
                s,
                tensor::shape_str(image));
}

class TorchEncoder final : public SliceEncoder {
 public:
  TorchEncoder(const Sam2& network, Precision precision)
      : SliceEncoder(EngineKind::kTorch, precision), network_(network) {
    if (precision == Precision::kBf16) make_bf16_copy();
  }

  SliceFeatures encode(const at::Tensor& image) override {
    check_image(network_->options, image);
    const torch::NoGradGuard no_grad;
    if (precision_ == Precision::kF32) return network_->encode_image(image);
    const tensor::Autocast autocast;
    return as_float(encode_bf16(image));
  }

 private:
  // Matrices as bf16, once: autocast alone would convert every weight at every call. Norms,
  // biases and position tables stay f32, as does the sum that the residual connections form.
  void make_bf16_copy() {
    const torch::NoGradGuard no_grad;
    half_ = models::sam2::ImageEncoder(network_->options);
    tensor::load_state_dict(*half_, tensor::state_dict(*network_->image_encoder), "bf16 encoder");
    half_->eval();
    for (auto& item : half_->named_parameters()) {
      const bool matrix = item.value().dim() >= 2 && item.key().ends_with("weight");
      if (matrix) item.value().set_data(item.value().to(at::kBFloat16));
    }
  }

  SliceFeatures encode_bf16(const at::Tensor& image) {
    const std::vector<at::Tensor> maps = half_->forward(image);
    if (!network_->options.high_res_features) return {{}, {}, maps.back()};
    auto& decoder = network_->sam_mask_decoder;
    return {
        decoder->conv_s0->forward(maps.at(0)), decoder->conv_s1->forward(maps.at(1)), maps.at(2)};
  }

  static SliceFeatures as_float(SliceFeatures features) {
    for (at::Tensor* map : {&features.f0, &features.f1, &features.f2}) {
      if (map->defined()) *map = map->to(at::kFloat).contiguous();
    }
    return features;
  }

  Sam2 network_;
  models::sam2::ImageEncoder half_{nullptr};
};

class OpenvinoEncoder final : public SliceEncoder {
 public:
  OpenvinoEncoder(const EncoderSource& source, const EngineOptions& options, const FileCache& cache)
      : SliceEncoder(EngineKind::kOpenvino, options.precision),
        options_(source.network->options),
        compiled_(describe(source), options.precision, options.threads, cache) {
    start_ = compiled_.start();
  }

  SliceFeatures encode(const at::Tensor& image) override {
    check_image(options_, image);
    SliceFeatures features;
    for (auto& [name, map] : compiled_.run({{"image", image.contiguous()}})) {
      (name == "f0" ? features.f0 : name == "f1" ? features.f1 : features.f2) = map;
    }
    return features;
  }

 private:
  static OpenvinoSource describe(const EncoderSource& source) {
    const Sam2Options& options = source.network->options;
    const std::vector<std::string> coarse{"f2"}, all{"f0", "f1", "f2"};
    return {.name = "encoder",
            .key = cache_key(source),
            .outputs = options.high_res_features ? all : coarse,
            .graph = [&source, &options] { return sam2_encoder_graph(options, *source.state); },
            .folder = source.folder};
  }

  const Sam2Options options_;
  OpenvinoNetwork compiled_;
};

}  // namespace

models::sam2::MemoryEncoderCall make_memory_encoder(const EncoderSource& source,
                                                    const EngineOptions& options,
                                                    const FileCache& cache) {
  struct Lazy {
    Sam2Options network;
    weights::StateDict state;
    OpenvinoSource graph;
    EngineOptions options;
    FileCache cache;
    std::unique_ptr<OpenvinoNetwork> compiled;
  };
  const auto lazy = std::make_shared<Lazy>(Lazy{source.network->options,
                                                *source.state,
                                                {.name = "memory",
                                                 .key = cache_key(source),
                                                 .outputs = {"memory"},
                                                 .graph = {},
                                                 .folder = source.folder},
                                                options,
                                                cache,
                                                nullptr});
  return [lazy](const at::Tensor& features, const at::Tensor& mask) {
    if (!lazy->compiled) {
      lazy->graph.graph = [&] { return sam2_memory_graph(lazy->network, lazy->state); };
      lazy->compiled = std::make_unique<OpenvinoNetwork>(
          lazy->graph, lazy->options.precision, lazy->options.threads, lazy->cache);
      lazy->state = {};
    }
    auto outputs =
        lazy->compiled->run({{"f2", features.contiguous()}, {"mask", mask.contiguous()}});
    return outputs.front().second;
  };
}

std::unique_ptr<SliceEncoder> make_slice_encoder(const EncoderSource& source,
                                                 const EngineOptions& options,
                                                 const FileCache& cache) {
  VOXLOOM_CHECK(source.network, ErrorCode::kInternal, "slice encoder: a network must be given");
  const EngineOptions chosen = resolve(options, source.bf16_gate_passed);
  if (chosen.engine == EngineKind::kOpenvino) {
    try {
      return std::make_unique<OpenvinoEncoder>(source, chosen, cache);
    } catch (const Error& e) {
      if (options.engine == EngineKind::kOpenvino) throw;
      VOXLOOM_LOG_WARN("engine: openvino is not used, libtorch runs the network: {}", e.what());
    }
  }
  return std::make_unique<TorchEncoder>(source.network, chosen.precision);
}

}  // namespace voxloom::engine
