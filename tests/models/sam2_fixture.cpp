#include "sam2_fixture.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>

#include <torch/torch.h>

#include "voxloom/core/npz.h"
#include "voxloom/tensor/view.h"
#include "voxloom/weights/generated.h"

namespace voxloom::models::sam2 {
at::Tensor keyed_uniform(std::string_view key, const std::vector<int64_t>& shape) {
  const at::Tensor out = torch::empty(shape, torch::kFloat);
  const std::vector<float> values = weights::stand_in_input(key, out.numel(), 1.0);
  std::copy(values.begin(), values.end(), out.data_ptr<float>());
  return out;
}

weights::StateDict golden_state(const Sam2Options& options, float object_bias) {
  std::vector<weights::KeyShape> keys;
  for (const tensor::NamedShape& key : expected_keys(options))
    keys.push_back({key.name, key.shape});
  const weights::StateDict made = weights::make_stand_in_weights(keys);
  weights::StateDict state;
  for (const auto& entry : made.entries()) {
    const bool score = entry.name == "sam_mask_decoder.pred_obj_score_head.layers.2.bias";
    state.add(entry.name, score ? tensor::to_view(torch::full({1}, object_bias)) : entry.tensor);
  }
  return state;
}

Sam2 golden_model(float object_bias) {
  return stand_in_model(shrunken_options(), object_bias);
}

Sam2 stand_in_model(const Sam2Options& options, float object_bias) {
  Sam2 model(options);
  tensor::load_state_dict(*model, golden_state(options, object_bias), "golden weights");
  model->eval();
  return model;
}

Sam2Options shrunken_efficienttam_options() {
  Sam2Options options = variant_options("efficienttam_ti_512");
  options.variant = "shrunken_efficienttam";
  options.image_size = 128;
  options.vit.embed_dim = 48;
  options.vit.num_heads = 3;
  options.vit.depth = 4;
  options.vit.window = 5;
  options.vit.global_blocks = {1, 3};
  options.d_model = 64;
  options.memory_dim = 16;
  options.memory_layers = 2;
  options.memory_ffn = 96;
  return options;
}

at::Tensor golden_images() {
  return 2.0 * keyed_uniform("input.images", {12, 3, 128, 128});
}

at::Tensor golden(const std::string& name) {
  return golden("medsam2/small.npz", name);
}

at::Tensor golden(const std::string& file, const std::string& name) {
  static std::map<std::string, std::vector<NamedArray>> files;
  auto it = files.find(file);
  if (it == files.end()) {
    const char* folder = std::getenv("VOXLOOM_GOLDEN_DIR");
    const std::string root = folder != nullptr ? folder : VOXLOOM_DEFAULT_GOLDEN_DIR;
    it = files.emplace(file, read_npz(root + "/" + file)).first;
  }
  for (const NamedArray& array : it->second) {
    if (array.name != name) continue;
    const auto values = array.as<float>();
    return torch::tensor(at::ArrayRef<float>(values.data(), values.size())).view(array.shape);
  }
  throw Error(ErrorCode::kNotFound, format("golden array '{}' must exist in '{}'", name, file));
}

double max_difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  return (a.to(torch::kDouble) - b.to(torch::kDouble)).abs().max().item<double>();
}

}  // namespace voxloom::models::sam2
