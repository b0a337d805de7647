#include "voxloom/weights/checkpoint.h"

#include <algorithm>

#include "voxloom/core/error.h"
#include "voxloom/core/npz.h"
#include "voxloom/weights/safetensors.h"
#include "voxloom/weights/torch_file.h"

namespace voxloom::weights {
namespace {

std::optional<DType> dtype_of_numpy(std::string_view dtype) {
  constexpr std::pair<std::string_view, DType> kTypes[] = {{"<f4", DType::kF32},
                                                           {"<f8", DType::kF64},
                                                           {"<f2", DType::kF16},
                                                           {"<i8", DType::kI64},
                                                           {"<i4", DType::kI32},
                                                           {"<i2", DType::kI16},
                                                           {"|i1", DType::kI8},
                                                           {"|u1", DType::kU8},
                                                           {"|b1", DType::kBool}};
  for (const auto& [text, type] : kTypes) {
    if (text == dtype) return type;
  }
  return std::nullopt;
}

Checkpoint read_npz_checkpoint(const ZipReader& zip, const std::string& name) {
  Checkpoint checkpoint;
  checkpoint.format = CheckpointFormat::kNpz;
  checkpoint.metadata = nlohmann::ordered_json::object();
  const NpzFile npz(zip);
  for (const std::string& key : npz.names()) {
    NamedArray array = npz.read(key);
    const auto dtype = dtype_of_numpy(array.dtype);
    VOXLOOM_CHECK(dtype.has_value(),
                  ErrorCode::kUnsupported,
                  "npz file '{}': array '{}' of type '{}' is no tensor",
                  name,
                  key,
                  array.dtype);
    TensorView view{*dtype, std::move(array.shape), array.data.bytes, array.data.owner};
    checkpoint.tensors.add(key, std::move(view));
    checkpoint.all_names.push_back(key);
  }
  return checkpoint;
}

Checkpoint read_safetensors_checkpoint(const SharedBytes& bytes, const std::string& name) {
  Safetensors file = parse_safetensors(bytes, name);
  Checkpoint checkpoint;
  checkpoint.format = CheckpointFormat::kSafetensors;
  checkpoint.metadata = nlohmann::ordered_json::object();
  for (const auto& [key, value] : file.metadata) checkpoint.metadata[key] = value;
  for (const auto& entry : file.tensors.entries()) checkpoint.all_names.push_back(entry.name);
  checkpoint.tensors = std::move(file.tensors);
  return checkpoint;
}

}  // namespace

std::string_view checkpoint_format_name(CheckpointFormat format) {
  switch (format) {
    case CheckpointFormat::kTorchZip:
      return "torch zip";
    case CheckpointFormat::kTorchScript:
      return "torchscript archive";
    case CheckpointFormat::kTorchLegacy:
      return "torch legacy";
    case CheckpointFormat::kSafetensors:
      return "safetensors";
    case CheckpointFormat::kNpz:
      return "npz";
  }
  throw Error(ErrorCode::kInternal, "unknown checkpoint format");
}

Checkpoint parse_checkpoint(const SharedBytes& bytes,
                            const std::string& name,
                            const CheckpointOptions& options) {
  if (ZipReader::looks_like_zip(bytes.bytes)) {
    const ZipReader zip(bytes, name);
    if (torch_zip_root(zip)) return read_torch_zip(bytes, name, options);
    const bool npz = !zip.entries().empty() &&
                     std::all_of(zip.entries().begin(), zip.entries().end(), [](const auto& e) {
                       return e.name.ends_with(".npy");
                     });
    VOXLOOM_CHECK(npz,
                  ErrorCode::kUnsupported,
                  "checkpoint '{}': a zip archive must come from torch.save, torch.jit.save or "
                  "numpy.savez",
                  name);
    VOXLOOM_CHECK(!options.select.has_value() || options.select->empty(),
                  ErrorCode::kInvalidArgument,
                  "checkpoint '{}': an npz file has no keys to select from",
                  name);
    return read_npz_checkpoint(zip, name);
  }
  if (looks_like_torch_legacy(bytes.bytes)) return read_torch_legacy(bytes, name, options);
  VOXLOOM_CHECK(looks_like_safetensors(bytes.bytes),
                ErrorCode::kUnsupported,
                "checkpoint '{}': must be a file of torch.save, torch.jit.save, safetensors or "
                "numpy.savez",
                name);
  VOXLOOM_CHECK(!options.select.has_value() || options.select->empty(),
                ErrorCode::kInvalidArgument,
                "checkpoint '{}': a safetensors file has no keys to select from",
                name);
  return read_safetensors_checkpoint(bytes, name);
}

Checkpoint read_checkpoint(const std::filesystem::path& path, const CheckpointOptions& options) {
  return parse_checkpoint(map_file(path), path.string(), options);
}

}  // namespace voxloom::weights
