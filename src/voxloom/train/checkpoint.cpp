#include "voxloom/train/checkpoint.h"

#include "voxloom/core/error.h"
#include "voxloom/tensor/key_diff.h"
#include "voxloom/tensor/view.h"
#include "voxloom/weights/safetensors.h"

namespace voxloom::train {
namespace {

constexpr const char* kStateKey = "state";

}  // namespace

void save_checkpoint(const std::filesystem::path& path,
                     const nlohmann::ordered_json& state,
                     const std::vector<std::pair<std::string, NamedTensors>>& sections) {
  weights::StateDict tensors;
  for (const auto& [section, list] : sections) {
    for (const auto& [name, tensor] : list) {
      tensors.add(section + "." + name, tensor::to_view(tensor));
    }
  }
  try {
    weights::write_safetensors(path, tensors, {{kStateKey, state.dump()}}, Overwrite::kReplace);
  } catch (const Error& e) {
    throw e.with_context("checkpoint");
  }
}

CheckpointFile::CheckpointFile(const std::filesystem::path& path)
    : name_(format("checkpoint '{}'", path.string())) {
  weights::Safetensors file = weights::read_safetensors(path);
  tensors_ = std::move(file.tensors);
  const auto text = file.metadata.find(kStateKey);
  VOXLOOM_CHECK(text != file.metadata.end(),
                ErrorCode::kDataCorrupt,
                "{}: must hold the state of a training run, got none",
                name_);
  state_ = nlohmann::ordered_json::parse(text->second, nullptr, /*allow_exceptions=*/false);
  VOXLOOM_CHECK(state_.is_object(),
                ErrorCode::kDataCorrupt,
                "{}: its state must be a JSON object, got something else",
                name_);
}

void CheckpointFile::copy_to(std::string_view section, const NamedTensors& targets) const {
  const std::string prefix = std::string(section) + ".";
  std::vector<tensor::NamedShape> expected;
  for (const auto& [name, target] : targets) {
    expected.push_back({prefix + name, target.sizes().vec()});
  }
  weights::StateDict found;
  for (const auto& entry : tensors_.entries()) {
    if (entry.name.starts_with(prefix)) found.add(entry.name, entry.tensor);
  }
  const tensor::KeyDiff diff = tensor::diff_keys(expected, found);
  VOXLOOM_CHECK(diff.empty(),
                ErrorCode::kDataCorrupt,
                "{}: must fit the network and options of this run, got {}",
                name_,
                diff.describe());
  for (const auto& [name, target] : targets) {
    const auto stored = tensor::scalar_type(found.find(prefix + name)->dtype);
    VOXLOOM_CHECK(stored == target.scalar_type(),
                  ErrorCode::kDataCorrupt,
                  "{}: '{}' must be of type {}, got {}",
                  name_,
                  name,
                  c10::toString(target.scalar_type()),
                  c10::toString(stored));
  }
  const torch::NoGradGuard no_grad;
  for (const auto& [name, target] : targets) {
    at::Tensor destination = target;
    destination.copy_(tensor::from_view(*found.find(prefix + name)));
  }
}

}  // namespace voxloom::train
