// A wire package as a segmenter: the same steps as in training (objects dark, mean 0 and deviation
// 1, padded), then the network in libtorch or OpenVINO.
#include "voxloom/infer_ml/wire_network.h"

#include <algorithm>
#include <deque>
#include <map>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/engine/engine_options.h"
#include "voxloom/engine/openvino_network.h"
#include "voxloom/engine/wire_onnx.h"
#include "voxloom/models/wire/wire_input.h"
#include "voxloom/tensor/autocast.h"
#include "voxloom/tensor/load.h"

namespace voxloom::infer_ml {
namespace {

using infer::TestAugmentation;
using nlohmann::ordered_json;

// Belongs to the names of cached networks: raise it when the exported graph changes.
constexpr int kGraphVersion = 1;

/// Mirrors and quarter turns of an image; `undo` turns the answer back.
at::Tensor turned(const at::Tensor& x, int index, bool undo) {
  const int turns = index / 2;
  if (!undo) {
    const auto turn = at::rot90(x, turns, {2, 3});
    return index % 2 == 0 ? turn : turn.flip({3});
  }
  const auto flipped = index % 2 == 0 ? x : x.flip({3});
  return at::rot90(flipped, -turns, {2, 3});
}

std::vector<int> turns_of(TestAugmentation augmentation) {
  switch (augmentation) {
    case TestAugmentation::kNone:
      return {0};
    case TestAugmentation::kMirror:
      return {0, 1, 4, 5};  // none, x, both, y
    case TestAugmentation::kAll:
      return {0, 1, 2, 3, 4, 5, 6, 7};
  }
  return {0};
}

class WirePackageSegmenter final : public infer::WireSegmenter {
 public:
  WirePackageSegmenter(const weights::Package& package,
                       const infer::RuntimeOptions& runtime,
                       TestAugmentation augmentation)
      : package_(package),
        state_(weights::read_package_weights(package)),
        augmentation_(augmentation) {
    VOXLOOM_CHECK(runtime.device == "cpu",
                  ErrorCode::kUnsupported,
                  "device '{}': this build computes on the cpu only",
                  runtime.device);
    at::set_num_threads(thread_budget());
    const bool gate = package.info.bf16 && package.info.bf16->passed;
    options_ = engine::resolve({.engine = engine::parse_engine(runtime.engine),
                                .precision = engine::parse_precision(runtime.precision)},
                               gate);
    // Derivatives and sample positions lose too much in bf16.
    if (!engine::wire_takes_bf16(package.info.architecture)) {
      options_.precision = engine::Precision::kF32;
    }
    const auto facts =
        wire_preprocessing_from_json(package.info.preprocessing, package.folder.string());
    info_ = {.name = package.name(),
             .architecture = package.info.architecture,
             .engine = std::string(engine::engine_name(options_.engine)),
             .precision = std::string(engine::precision_name(options_.precision)),
             .classes = facts.classes,
             .threshold = facts.threshold,
             .bright_object = facts.bright_object};
    network_ = load_wire_network(package);
  }

  const infer::WireModelInfo& info() const override { return info_; }

  void reset() override { earlier_.clear(); }

  void segment(const image::Frame& frame, std::vector<float>& probability) override {
    VOXLOOM_CHECK(frame.width > 0 && frame.height > 0 &&
                      frame.pixels.size() == static_cast<size_t>(frame.width * frame.height),
                  ErrorCode::kInvalidArgument,
                  "wire model: a frame must have pixels, got {} x {} with {}",
                  frame.width,
                  frame.height,
                  frame.pixels.size());
    const torch::InferenceMode guard;
    auto pixels = at::from_blob(
        const_cast<float*>(frame.pixels.data()), {1, 1, frame.height, frame.width}, at::kFloat);
    const auto image = with_earlier(info_.bright_object ? 1.0 - pixels : pixels);
    const auto result = wire_probability([this](const at::Tensor& x) { return logits(x); },
                                         image,
                                         network_->size_multiple(),
                                         augmentation_)
                            .contiguous();
    probability.assign(result.data_ptr<float>(), result.data_ptr<float>() + result.numel());
  }

 private:
  /// Networks that look back get the frames before this one as channels, oldest last; at the start
  /// of a stream the first frame stands for those that are missing.
  at::Tensor with_earlier(const at::Tensor& image) {
    const int64_t channels = network_->in_channels();
    if (channels == 1) return image;
    if (!earlier_.empty() && earlier_.front().sizes() != image.sizes()) earlier_.clear();
    earlier_.push_front(image.clone());
    while (static_cast<int64_t>(earlier_.size()) > channels) earlier_.pop_back();
    std::vector<at::Tensor> parts;
    for (int64_t c = 0; c < channels; ++c) {
      parts.push_back(earlier_[std::min(static_cast<size_t>(c), earlier_.size() - 1)]);
    }
    return at::cat(parts, 1);
  }

  at::Tensor logits(const at::Tensor& x) {
    if (options_.engine == engine::EngineKind::kOpenvino) {
      auto outputs = compiled(x.size(2), x.size(3)).run({{engine::kWireInput, x.contiguous()}});
      return outputs.front().second;
    }
    if (options_.precision == engine::Precision::kBf16) {
      const tensor::Autocast autocast;
      return network_->forward(x).to(at::kFloat);
    }
    return network_->forward(x);
  }

  /// Networks are compiled for one size of frame.
  engine::OpenvinoNetwork& compiled(int64_t height, int64_t width) {
    auto& slot = compiled_[{height, width}];
    if (!slot) {
      const engine::OpenvinoSource source{.name = "wire",
                                          .key = format("{}|{}|{}x{}|{}",
                                                        package_.info.weights_sha256,
                                                        package_.info.architecture,
                                                        height,
                                                        width,
                                                        kGraphVersion),
                                          .outputs = {engine::kWireLogits},
                                          .graph =
                                              [&] {
                                                return engine::wire_graph(
                                                    package_.info.architecture,
                                                    package_.info.options,
                                                    state_,
                                                    {.height = height, .width = width});
                                              },
                                          .folder = {}};
      slot = std::make_unique<engine::OpenvinoNetwork>(source, options_.precision, thread_budget());
    }
    return *slot;
  }

  weights::Package package_;
  weights::StateDict state_;
  TestAugmentation augmentation_;
  engine::EngineOptions options_;
  infer::WireModelInfo info_;
  std::shared_ptr<models::wire::WireNetwork> network_;
  std::map<std::pair<int64_t, int64_t>, std::unique_ptr<engine::OpenvinoNetwork>> compiled_;
  std::deque<at::Tensor> earlier_;  ///< This frame first.
};

}  // namespace

ordered_json wire_preprocessing_to_json(const WirePackageInfo& info) {
  return {{"normalise", "zscore"},
          {"classes", info.classes},
          {"bright_object", info.bright_object},
          {"threshold", info.threshold}};
}

WirePackageInfo wire_preprocessing_from_json(const ordered_json& json, const std::string& where) {
  try {
    VOXLOOM_CHECK(json.at("normalise").get<std::string>() == "zscore",
                  ErrorCode::kUnsupported,
                  "{}: preprocessing.normalise must be zscore, got '{}'",
                  where,
                  json.at("normalise").get<std::string>());
    WirePackageInfo info{.classes = json.at("classes").get<std::vector<std::string>>(),
                         .threshold = json.at("threshold").get<double>(),
                         .bright_object = json.at("bright_object").get<bool>()};
    VOXLOOM_CHECK(info.threshold > 0.0 && info.threshold < 1.0,
                  ErrorCode::kDataCorrupt,
                  "{}: preprocessing.threshold must lie within (0, 1), got {}",
                  where,
                  info.threshold);
    return info;
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::kDataCorrupt,
                format("{}: preprocessing must have normalise, classes, bright_object and "
                       "threshold",
                       where));
  }
}

std::shared_ptr<models::wire::WireNetwork> load_wire_network(const weights::Package& package) {
  VOXLOOM_CHECK(package.info.task == "wire",
                ErrorCode::kInvalidArgument,
                "model '{}': must be for the task wire, got {}",
                package.name(),
                package.info.task);
  auto network =
      models::wire::make_wire_network(package.info.architecture, package.info.options, 0);
  const auto file = package.folder / weights::kWeightsFile;
  tensor::load_state_dict(*network, weights::read_package_weights(package), file.string());
  network->eval();
  return network;
}

at::Tensor wire_probability(const std::function<at::Tensor(const at::Tensor&)>& logits_of,
                            const at::Tensor& image,
                            int64_t size_multiple,
                            TestAugmentation augmentation) {
  const int64_t height = image.size(2), width = image.size(3);
  const auto input = models::wire::normalise(image);
  const auto turns = turns_of(augmentation);
  at::Tensor sum;
  for (const int turn : turns) {
    // Padding comes last, so that it lies at the same edges whatever way the image is turned.
    const auto turned_input =
        models::wire::pad_to_multiple(turned(input, turn, false), size_multiple);
    const bool upright = turn % 4 < 2;
    const auto logits = logits_of(turned_input)
                            .slice(2, 0, upright ? height : width)
                            .slice(3, 0, upright ? width : height);
    const auto probability = turned(at::sigmoid(logits.to(at::kFloat)), turn, true);
    sum = sum.defined() ? sum + probability : probability;
  }
  return (sum / static_cast<double>(turns.size())).squeeze(0).squeeze(0);
}

std::unique_ptr<infer::WireSegmenter> make_wire_segmenter(const std::string& package,
                                                          const infer::RuntimeOptions& runtime,
                                                          TestAugmentation augmentation) {
  return std::make_unique<WirePackageSegmenter>(
      weights::find_package(package), runtime, augmentation);
}

}  // namespace voxloom::infer_ml
