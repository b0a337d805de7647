#include "sam2_fixture.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

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
