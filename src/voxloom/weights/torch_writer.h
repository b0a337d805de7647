#pragma once

#include <filesystem>
#include <string_view>

#include "voxloom/core/atomic_file.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::weights {

/// Writes the file that Python's torch.save({key: state_dict}) would write (zip, pickle
/// protocol 2, stored entries whose data lie at multiples of 64 bytes): torch.load reads it with
/// weights_only=True as {key: OrderedDict of CPU tensors}. With an empty `key` the OrderedDict
/// itself is the object. The archive's inner folder is named after the file, as there.
/// Tensors that are views of the same bytes are written once and share a storage.
void write_torch_zip(const std::filesystem::path& path,
                     const StateDict& tensors,
                     std::string_view key,
                     Overwrite overwrite);

}  // namespace voxloom::weights
