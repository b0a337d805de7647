#include "sam2_fixture.h"

#include <cmath>
#include <cstdlib>
#include <limits>

#include <torch/torch.h>

#include "voxloom/core/npz.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::sam2 {
namespace {

bool ends_with(std::string_view text, std::string_view end) {
  return text.ends_with(end);
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// The rules by which the golden file's weights follow from their names, in order.
at::Tensor golden_weight(const tensor::NamedShape& key) {
  const at::Tensor u = keyed_uniform(key.name, key.shape).to(at::kDouble);
  const std::string& name = key.name;
  if (ends_with(name, "positional_encoding_gaussian_matrix")) return 1.5 * u;
  if (key.shape.size() == 1 && ends_with(name, "weight")) return 1.0 + 0.1 * u;
  if (ends_with(name, "gamma")) return u;
  if (key.shape.size() >= 2 && ends_with(name, ".weight") && !contains(name, "embed") &&
      !contains(name, "token")) {
    const double fan_in = static_cast<double>(u.numel()) / static_cast<double>(key.shape[0]);
    return u * std::sqrt(3.0 / fan_in);
  }
  return 0.3 * u;
}

}  // namespace

at::Tensor keyed_uniform(std::string_view key, const std::vector<int64_t>& shape) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : key) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  at::Tensor out = torch::empty(shape, torch::kFloat);
  float* values = out.data_ptr<float>();
  for (int64_t i = 0; i < out.numel(); ++i) {
    uint64_t z = hash + static_cast<uint64_t>(i) + 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    z ^= z >> 31;
    values[i] = static_cast<float>(static_cast<double>(z >> 40) / 8388608.0 - 1.0);
  }
  return out;
}

weights::StateDict golden_state(const Sam2Options& options, float object_bias) {
  weights::StateDict state;
  for (const tensor::NamedShape& key : expected_keys(options)) {
    at::Tensor value = golden_weight(key);
    if (key.name == "sam_mask_decoder.pred_obj_score_head.layers.2.bias") {
      value = torch::full({1}, object_bias);
    }
    state.add(key.name, tensor::to_view(value.to(torch::kFloat)));
  }
  return state;
}

Sam2 golden_model(float object_bias) {
  const Sam2Options options = shrunken_options();
  Sam2 model(options);
  tensor::load_state_dict(*model, golden_state(options, object_bias), "golden weights");
  model->eval();
  return model;
}

at::Tensor golden_images() {
  return 2.0 * keyed_uniform("input.images", {12, 3, 128, 128});
}

at::Tensor golden(const std::string& name) {
  static const std::vector<NamedArray> arrays = [] {
    const char* folder = std::getenv("VOXLOOM_GOLDEN_DIR");
    return read_npz(std::string(folder != nullptr ? folder : VOXLOOM_DEFAULT_GOLDEN_DIR) +
                    "/medsam2/small.npz");
  }();
  for (const NamedArray& array : arrays) {
    if (array.name != name) continue;
    const auto values = array.as<float>();
    return torch::tensor(at::ArrayRef<float>(values.data(), values.size())).view(array.shape);
  }
  throw Error(ErrorCode::kNotFound, format("golden array '{}' must exist", name));
}

double max_difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  return (a.to(torch::kDouble) - b.to(torch::kDouble)).abs().max().item<double>();
}

}  // namespace voxloom::models::sam2
