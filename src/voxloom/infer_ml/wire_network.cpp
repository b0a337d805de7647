// A wire package as a segmenter: the same steps as in training (objects dark, mean 0 and deviation
// 1, padded), then the network in libtorch or OpenVINO.
#include "voxloom/infer_ml/wire_network.h"

#include <algorithm>
#include <deque>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/engine/wire_onnx.h"
#include "voxloom/infer_ml/cascade.h"
#include "voxloom/models/wire/detector.h"
#include "voxloom/models/wire/wire_input.h"
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
      : augmentation_(augmentation) {
    const bool gate = package.info.bf16 && package.info.bf16->passed;
    auto options = resolve_runtime(runtime, gate);
    // Derivatives and sample positions lose too much in bf16.
    if (!engine::wire_takes_bf16(package.info.architecture)) {
      options.precision = engine::Precision::kF32;
    }
    const auto facts =
        wire_preprocessing_from_json(package.info.preprocessing, package.folder.string());
    info_ = {.name = package.name(),
             .architecture = package.info.architecture,
             .engine = std::string(engine::engine_name(options.engine)),
             .precision = std::string(engine::precision_name(options.precision)),
             .classes = facts.classes,
             .threshold = facts.threshold,
             .bright_object = facts.bright_object};
    network_ = load_wire_network(package);
    runner_ = std::make_unique<SizedNetwork>(
        wire_network_source(
            network_,
            package.info.architecture,
            package.info.options,
            std::make_shared<weights::StateDict>(weights::read_package_weights(package)),
            package.info.weights_sha256),
        options);
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
    const auto result =
        wire_probability([this](const at::Tensor& x) { return runner_->run({x}).front(); },
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

  TestAugmentation augmentation_;
  infer::WireModelInfo info_;
  std::shared_ptr<models::wire::WireNetwork> network_;
  std::unique_ptr<SizedNetwork> runner_;
  std::deque<at::Tensor> earlier_;  ///< This frame first.
};

}  // namespace

SizedNetworkSource wire_network_source(std::shared_ptr<models::wire::WireNetwork> network,
                                       const std::string& architecture,
                                       const ordered_json& options,
                                       std::shared_ptr<const weights::StateDict> state,
                                       const std::string& weights_sha256) {
  return {.name = "wire",
          .key = format("{}|{}|{}", weights_sha256, architecture, kGraphVersion),
          .inputs = {engine::kWireInput},
          .outputs = {engine::kWireLogits},
          .graph =
              [=](int64_t height, int64_t width) {
                return engine::wire_graph(
                    architecture, options, *state, {.height = height, .width = width});
              },
          .forward =
              [=](const std::vector<at::Tensor>& inputs) {
                return std::vector<at::Tensor>{network->forward(inputs.front())};
              }};
}

ordered_json wire_preprocessing_to_json(const WirePackageInfo& info) {
  ordered_json json{{"normalise", "zscore"},
                    {"classes", info.classes},
                    {"bright_object", info.bright_object},
                    {"threshold", info.threshold}};
  if (info.crop_side > 0) json["crop_side"] = info.crop_side;
  return json;
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
                         .bright_object = json.at("bright_object").get<bool>(),
                         .crop_side = json.value("crop_side", int64_t{0})};
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
  const auto found = weights::find_package(package);
  if (found.info.architecture == kCascadeName) {
    return make_cascade_segmenter(found, runtime, augmentation);
  }
  VOXLOOM_CHECK(found.info.architecture != models::wire::kDetectorName,
                ErrorCode::kInvalidArgument,
                "model '{}': finds boxes and can't segment alone; 'wire cascade' joins it with a "
                "segmenter",
                found.name());
  return std::make_unique<WirePackageSegmenter>(found, runtime, augmentation);
}

}  // namespace voxloom::infer_ml
