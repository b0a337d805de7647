#include "voxloom/engine/onnx_weights.h"

#include <ATen/ATen.h>

#include "voxloom/core/error.h"
#include "voxloom/tensor/view.h"

namespace voxloom::engine {

namespace {

const weights::TensorView& find(const weights::StateDict& state, const std::string& key) {
  const weights::TensorView* view = state.find(key);
  VOXLOOM_CHECK(view != nullptr,
                ErrorCode::kDataCorrupt,
                "checkpoint: must hold tensor '{}', got {} others",
                key,
                state.size());
  return *view;
}

// The tensor as torch sees it; shares the file's bytes where they are 32-bit already.
at::Tensor as_float(const std::string& key, const weights::TensorView& view) {
  const at::Tensor tensor = tensor::from_view(view);
  VOXLOOM_CHECK(tensor.is_floating_point(),
                ErrorCode::kDataCorrupt,
                "checkpoint tensor '{}': must hold floating-point values, got {}",
                key,
                weights::dtype_name(view.dtype));
  return tensor.to(at::kFloat);
}

OnnxTensor from_torch(const at::Tensor& tensor) {
  auto kept = std::make_shared<const at::Tensor>(tensor.contiguous());
  const std::span<const float> values(kept->const_data_ptr<float>(),
                                      static_cast<size_t>(kept->numel()));
  return {kept->sizes().vec(), values, kept};
}

}  // namespace

std::vector<int64_t> OnnxWeights::shape(const std::string& key) const {
  return find(state_, key).shape;
}

OnnxTensor OnnxWeights::tensor(const std::string& key, const std::vector<int64_t>& shape) const {
  const weights::TensorView& view = find(state_, key);
  bool fits = view.shape.size() == shape.size();
  for (size_t axis = 0; fits && axis < shape.size(); ++axis) {
    fits = shape[axis] == -1 || shape[axis] == view.shape[axis];
  }
  VOXLOOM_CHECK(fits,
                ErrorCode::kDataCorrupt,
                "checkpoint tensor '{}': shape must be {}, got {}",
                key,
                shape,
                view.shape);
  return from_torch(as_float(key, view));
}

OnnxTensor OnnxWeights::transposed(const std::string& key, int64_t out, int64_t in) const {
  static_cast<void>(tensor(key, {out, in}));
  return from_torch(as_float(key, find(state_, key)).t());
}

OnnxValue OnnxLayers::once(const std::string& name, const OnnxTensor& tensor) {
  const auto known = added_.find(name);
  if (known != added_.end()) return known->second;
  return added_[name] = graph_.initializer(name, tensor);
}

OnnxValue OnnxLayers::weight(const std::string& key, const std::vector<int64_t>& shape) {
  const auto known = added_.find(key);
  if (known != added_.end()) return known->second;
  return once(key, weights_.tensor(key, shape));
}

OnnxValue OnnxLayers::linear(const OnnxValue& x, const std::string& prefix, int64_t out) {
  const std::string key = prefix + ".weight";
  const auto known = added_.find(key);
  const OnnxValue w =
      known != added_.end() ? known->second : once(key, weights_.transposed(key, out, x.size(-1)));
  return graph_.add(graph_.matmul(x, w), weight(prefix + ".bias", {out}));
}

OnnxValue OnnxLayers::activate(const OnnxValue& x, const std::string& activation) {
  return activation == "Gelu" ? graph_.gelu(x) : graph_.unary(activation, x);
}

OnnxValue OnnxLayers::mlp(const OnnxValue& x,
                          const std::string& prefix,
                          const std::vector<int64_t>& widths,
                          const std::string& activation) {
  OnnxValue y = x;
  for (size_t layer = 0; layer < widths.size(); ++layer) {
    if (layer > 0) y = activate(y, activation);
    y = linear(y, prefix + ".layers." + std::to_string(layer), widths[layer]);
  }
  return y;
}

OnnxValue OnnxLayers::norm(const OnnxValue& x, const std::string& prefix, float epsilon) {
  return graph_.layer_norm(
      x, weight(prefix + ".weight", {x.size(-1)}), weight(prefix + ".bias", {x.size(-1)}), epsilon);
}

OnnxValue OnnxLayers::map_norm(const OnnxValue& x, const std::string& prefix, float epsilon) {
  return graph_.channel_norm(
      x, weight(prefix + ".weight", {x.size(1)}), weight(prefix + ".bias", {x.size(1)}), epsilon);
}

OnnxValue OnnxLayers::conv(const OnnxValue& x,
                           const std::string& prefix,
                           int64_t out,
                           int64_t kernel,
                           int64_t stride,
                           int64_t pad) {
  const OnnxValue w = weight(prefix + ".weight", {out, x.size(1), kernel, kernel});
  const bool biased = weights_.has(prefix + ".bias");
  return graph_.conv(x, w, biased ? weight(prefix + ".bias", {out}) : OnnxValue{}, stride, pad);
}

OnnxValue OnnxLayers::conv_transpose(const OnnxValue& x,
                                     const std::string& prefix,
                                     int64_t out,
                                     int64_t stride) {
  return graph_.conv_transpose(x,
                               weight(prefix + ".weight", {x.size(1), out, stride, stride}),
                               weight(prefix + ".bias", {out}),
                               stride);
}

}  // namespace voxloom::engine
