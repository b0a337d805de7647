#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "voxloom/infer/wire_box_tracker.h"
#include "voxloom/infer_ml/sized_network.h"
#include "voxloom/models/wire/detector.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::infer_ml {

/// Boxes of raw outputs [1, 3 (5 + classes), H/s, W/s] a level, after suppression, in px of the
/// detector's input.
[[nodiscard]] std::vector<infer::WireBox> boxes_of_maps(const std::vector<at::Tensor>& raw,
                                                        int64_t classes,
                                                        const infer::BoxTrackRule& rule);

/// A detector on a stream: keeps the frames and features that the next frame needs.
class StreamDetector {
 public:
  StreamDetector(std::shared_ptr<models::wire::Detector> network,
                 const nlohmann::ordered_json& options,
                 std::shared_ptr<const weights::StateDict> state,
                 const std::string& weights_sha256,
                 const engine::EngineOptions& engine);

  void reset();
  /// image [1, 1, H, W] in [0, 1], objects dark -> boxes in px of it. Frames come in order; one of
  /// another size begins a new stream.
  [[nodiscard]] std::vector<infer::WireBox> detect(const at::Tensor& image,
                                                   const infer::BoxTrackRule& rule);

 private:
  models::wire::DetectorOptions options_;
  SizedNetwork network_;
  std::vector<at::Tensor> frames_;    ///< This frame first.
  std::vector<at::Tensor> previous_;  ///< Features of the frame before; empty at the start.
};

}  // namespace voxloom::infer_ml
