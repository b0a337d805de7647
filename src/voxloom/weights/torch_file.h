#pragma once

#include <string>

#include "voxloom/core/mapped_file.h"
#include "voxloom/core/zip_reader.h"
#include "voxloom/weights/checkpoint.h"

namespace voxloom::weights {

/// Reads a torch.save zip or a TorchScript archive. Layout, below one folder of any name:
/// data.pkl (the object, tensors by reference), data/<key> (storages), byteorder; TorchScript
/// also has constants.pkl, constants/<key> and code/.
[[nodiscard]] Checkpoint read_torch_zip(const SharedBytes& bytes,
                                        const std::string& name,
                                        const CheckpointOptions& options);
/// The folder that holds data.pkl ("archive/"), or nothing when `zip` is no such archive.
[[nodiscard]] std::optional<std::string> torch_zip_root(const ZipReader& zip);

/// Reads the stream that torch.save wrote before 1.6 (and writes on request): pickles of a magic
/// number, a protocol version, facts of the machine, the object and the list of storage keys;
/// then, for each key, a 64-bit element count and the elements.
[[nodiscard]] Checkpoint read_torch_legacy(const SharedBytes& bytes,
                                           const std::string& name,
                                           const CheckpointOptions& options);
[[nodiscard]] bool looks_like_torch_legacy(std::span<const std::byte> bytes);

}  // namespace voxloom::weights
