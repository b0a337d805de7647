#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/mapped_file.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::weights {

/// The safetensors format: a 64-bit header length, a JSON object
/// {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, ...,
///  "__metadata__": {"key": "text", ...}}, then the elements, little-endian, without gaps.
struct Safetensors {
  StateDict tensors;  ///< In header order.
  std::map<std::string, std::string> metadata;
};

/// Whether the bytes begin like such a file.
[[nodiscard]] bool looks_like_safetensors(std::span<const std::byte> bytes);

/// Tensors are views of `bytes`, copied only where they are not aligned for their type. `name`
/// stands for the file in messages.
///
/// Throws kDataCorrupt for a header above 100 MB or one that is not of this form, duplicate
/// names, extents that overlap, leave gaps, leave the file or don't fit their shape;
/// kUnsupported (naming the tensor) for element types that are not read.
[[nodiscard]] Safetensors parse_safetensors(const SharedBytes& bytes, const std::string& name);
[[nodiscard]] Safetensors read_safetensors(const std::filesystem::path& path);

/// kAligned: larger element types first, then by name: every tensor lies aligned, as the
/// format's own library writes them. kGiven: as in the state dict.
enum class TensorOrder { kAligned, kGiven };

/// Streams the tensors to a file that appears whole or not at all. The same input gives the same
/// bytes. Throws kInvalidArgument for a tensor named "__metadata__" or one whose bytes don't fit
/// its shape.
void write_safetensors(const std::filesystem::path& path,
                       const StateDict& tensors,
                       const std::map<std::string, std::string>& metadata,
                       Overwrite overwrite,
                       TensorOrder order = TensorOrder::kAligned);

}  // namespace voxloom::weights
