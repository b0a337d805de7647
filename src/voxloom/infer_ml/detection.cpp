#include "voxloom/infer_ml/detection.h"

#include <algorithm>

#include <torch/torch.h>

#include "voxloom/engine/wire_onnx.h"
#include "voxloom/models/wire/wire_input.h"

namespace voxloom::infer_ml {
namespace {

using models::wire::kDetectorLevelList;
using models::wire::kDetectorLevels;

// Belongs to the names of cached networks: raise it when the exported graph changes.
constexpr int kGraphVersion = 1;

SizedNetworkSource source_of(std::shared_ptr<models::wire::Detector> network,
                             const nlohmann::ordered_json& options,
                             std::shared_ptr<const weights::StateDict> state,
                             const std::string& weights_sha256) {
  const bool previous = network->options().previous;
  SizedNetworkSource source{
      .name = "detector",
      .key = format("{}|{}", weights_sha256, kGraphVersion),
      .inputs = {engine::kWireInput},
      .outputs = {},
      .graph =
          [options, state](int64_t height, int64_t width) {
            return engine::detector_graph(options, *state, {.height = height, .width = width});
          },
      .forward =
          [network, previous](const std::vector<at::Tensor>& inputs) {
            const auto features = network->features(inputs[0]);
            models::wire::DetectorMaps before = features;
            for (size_t level = 0; previous && level < kDetectorLevels; ++level) {
              before[level] = inputs[1 + level];
            }
            const auto raw = network->detect(features, before);
            std::vector<at::Tensor> outputs(raw.begin(), raw.end());
            if (previous) outputs.insert(outputs.end(), features.begin(), features.end());
            return outputs;
          }};
  for (const char* name : engine::kDetectorMapNames) source.outputs.emplace_back(name);
  if (previous) {
    for (const char* name : engine::kDetectorPreviousNames) source.inputs.emplace_back(name);
    for (const char* name : engine::kDetectorFeatureNames) source.outputs.emplace_back(name);
  }
  return source;
}

}  // namespace

std::vector<infer::WireBox> boxes_of_maps(const std::vector<at::Tensor>& raw,
                                          int64_t classes,
                                          const infer::BoxTrackRule& rule) {
  std::vector<infer::DetectorGrid> grids;
  std::vector<at::Tensor> kept;
  for (size_t level = 0; level < kDetectorLevels; ++level) {
    kept.push_back(raw[level].to(at::kFloat).contiguous());
    const at::Tensor& map = kept.back();
    grids.push_back({.stride = kDetectorLevelList[level].stride,
                     .anchors = kDetectorLevelList[level].anchors,
                     .height = map.size(2),
                     .width = map.size(3),
                     .values = {map.const_data_ptr<float>(), static_cast<size_t>(map.numel())}});
  }
  return infer::suppress(infer::decode_boxes(grids, classes, rule.min_confidence),
                         {.iou = rule.nms_iou});
}

StreamDetector::StreamDetector(std::shared_ptr<models::wire::Detector> network,
                               const nlohmann::ordered_json& options,
                               std::shared_ptr<const weights::StateDict> state,
                               const std::string& weights_sha256,
                               const engine::EngineOptions& engine)
    : options_(network->options()),
      network_(source_of(std::move(network), options, std::move(state), weights_sha256), engine) {}

void StreamDetector::reset() {
  frames_.clear();
  previous_.clear();
}

std::vector<infer::WireBox> StreamDetector::detect(const at::Tensor& image,
                                                   const infer::BoxTrackRule& rule) {
  if (!frames_.empty() && frames_.front().sizes() != image.sizes()) reset();
  frames_.insert(frames_.begin(), image.clone());
  if (static_cast<int64_t>(frames_.size()) > options_.frames) frames_.pop_back();
  std::vector<at::Tensor> channels;
  for (int64_t c = 0; c < options_.frames; ++c) {
    channels.push_back(frames_[std::min(static_cast<size_t>(c), frames_.size() - 1)]);
  }
  const at::Tensor x = models::wire::pad_to_multiple(models::wire::normalise(at::cat(channels, 1)),
                                                     models::wire::Detector::size_multiple());
  std::vector<at::Tensor> inputs{x};
  if (options_.previous) {
    if (previous_.empty()) {
      // Nothing came before: its own features, which a first pass gives.
      for (const auto& level : kDetectorLevelList) {
        previous_.push_back(torch::zeros({1,
                                          options_.channels(level.full_channels),
                                          x.size(2) / level.stride,
                                          x.size(3) / level.stride}));
      }
      inputs.insert(inputs.end(), previous_.begin(), previous_.end());
      const auto first = network_.run(inputs);
      previous_.assign(first.begin() + static_cast<int64_t>(kDetectorLevels), first.end());
      inputs.resize(1);
    }
    inputs.insert(inputs.end(), previous_.begin(), previous_.end());
  }
  const auto outputs = network_.run(inputs);
  if (options_.previous) {
    previous_.assign(outputs.begin() + static_cast<int64_t>(kDetectorLevels), outputs.end());
  }
  return boxes_of_maps(outputs, options_.classes, rule);
}

}  // namespace voxloom::infer_ml
