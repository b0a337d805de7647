#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "voxloom/train/named_tensors.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::train {

/// A checkpoint is one safetensors file: tensors "network.<name>", "ema.<name>" and
/// "optimiser.<name>", and under the metadata key "state" a JSON object with everything else.
/// It appears whole or not at all; what stood there before stays until then.

/// `sections`: prefix without the dot and tensors. Throws kUnavailable naming the file when the
/// disk is full or fails.
void save_checkpoint(const std::filesystem::path& path,
                     const nlohmann::ordered_json& state,
                     const std::vector<std::pair<std::string, NamedTensors>>& sections);

/// A checkpoint file opened for reading.
class CheckpointFile {
 public:
  /// Throws kNotFound, or kDataCorrupt naming the file.
  explicit CheckpointFile(const std::filesystem::path& path);

  [[nodiscard]] const nlohmann::ordered_json& state() const { return state_; }

  /// Copies the tensors of a section into `targets`. Throws kDataCorrupt naming all that are
  /// missing, unexpected, misshapen or of another type; then nothing was changed.
  void copy_to(std::string_view section, const NamedTensors& targets) const;

 private:
  std::string name_;
  weights::StateDict tensors_;
  nlohmann::ordered_json state_;
};

}  // namespace voxloom::train
