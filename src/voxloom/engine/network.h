#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "voxloom/engine/engine_options.h"
#include "voxloom/engine/file_cache.h"
#include "voxloom/engine/openvino_network.h"
#include "voxloom/models/sam2/sam2.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::engine {

/// The image encoder of a SAM 2 family network, whatever runs it.
class SliceEncoder {
 public:
  virtual ~SliceEncoder() = default;

  /// image [1, 3, S, S], normalised, float32 -> float32 features of one slice.
  [[nodiscard]] virtual models::sam2::SliceFeatures encode(const at::Tensor& image) = 0;

  [[nodiscard]] EngineKind engine() const { return engine_; }       ///< Never kAuto.
  [[nodiscard]] Precision precision() const { return precision_; }  ///< Never kAuto.
  /// How the network became ready; all zero for libtorch.
  [[nodiscard]] const OpenvinoStart& start() const { return start_; }

 protected:
  SliceEncoder(EngineKind engine, Precision precision) : engine_(engine), precision_(precision) {}

  EngineKind engine_;
  Precision precision_;
  OpenvinoStart start_;
};

/// What an encoder is made from. `network` and `state` hold the same weights; `state` and
/// `weights_sha256` are for OpenVINO alone.
struct EncoderSource {
  models::sam2::Sam2 network{nullptr};
  const weights::StateDict* state = nullptr;  ///< Needed until make_slice_encoder() returns.
  std::string weights_sha256;                 ///< Of the weights file: names the cached networks.
  std::filesystem::path folder;               ///< The model package; may be empty.
  bool bf16_gate_passed = false;              ///< What its model.yaml records (precision_gate.h).
};

/// Throws what resolve() and OpenvinoNetwork throw. With engine kAuto, a network that OpenVINO
/// does not take is run by libtorch, with a warning.
[[nodiscard]] std::unique_ptr<SliceEncoder> make_slice_encoder(
    const EncoderSource& source,
    const EngineOptions& options,
    const FileCache& cache = FileCache());

/// The memory encoder on OpenVINO, for Sam2::set_memory_encoder(). Compiled (or read from the
/// cache) at the first call: a key slice alone never needs it. Keeps the weights of `source`
/// alive; one call at a time. `options` must be resolved.
[[nodiscard]] models::sam2::MemoryEncoderCall make_memory_encoder(
    const EncoderSource& source,
    const EngineOptions& options,
    const FileCache& cache = FileCache());

}  // namespace voxloom::engine
