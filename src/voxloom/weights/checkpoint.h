#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/core/mapped_file.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::weights {

enum class CheckpointFormat { kTorchZip, kTorchScript, kTorchLegacy, kSafetensors, kNpz };
[[nodiscard]] std::string_view checkpoint_format_name(CheckpointFormat format);

struct CheckpointOptions {
  /// The top-level key whose value is the state dict; "" for the whole file. Absent: found.
  std::optional<std::string> select;
  /// Compare stored checksums of zip containers with the data (1 GB/s).
  bool verify_checksums = true;
  /// Of all tensors that can't be views of the file: strided, misaligned or packed ones.
  uint64_t max_copied_bytes = uint64_t{8} << 30;
};

/// A checkpoint as named tensors, most of them views of the mapped file.
struct Checkpoint {
  CheckpointFormat format = CheckpointFormat::kTorchZip;
  /// The state dict: that of "model", "state_dict" or "model_state_dict" (or of the only key
  /// that holds tensors), the bare dict, or all parameters and buffers of a pickled module.
  StateDict tensors;
  std::string selected;  ///< The top-level key where it was found; empty for the whole file.
  StateDict constants;   ///< TorchScript: tensors of its code, "c0", "c1", ...
  std::vector<std::string> all_names;  ///< Dotted names of every tensor in the file.
  nlohmann::ordered_json metadata;     ///< Plain values beside the tensors (epoch, notes, ...).
  /// Names of Python types that the file mentions and that were left alone, sorted.
  std::vector<std::string> opaque_types;
};

/// Reads torch.save files (zip, or the older stream of pickles), TorchScript archives,
/// safetensors and npz, told apart by content. Python code in the file is never executed.
///
/// Throws kNotFound for a missing file; kUnsupported for other formats, big-endian files and
/// tensors of types that this engine has no use for (naming the tensor); kDataCorrupt for
/// damaged files and for tensors that leave their storage; kInvalidArgument when several state
/// dicts are there and `select` does not say which. Every message names the file.
[[nodiscard]] Checkpoint read_checkpoint(const std::filesystem::path& path,
                                         const CheckpointOptions& options = {});

/// The same from bytes; `name` stands for the file in messages.
[[nodiscard]] Checkpoint parse_checkpoint(const SharedBytes& bytes,
                                          const std::string& name,
                                          const CheckpointOptions& options = {});

}  // namespace voxloom::weights
