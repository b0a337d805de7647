#include "voxloom/engine/onnx_folding.h"

#include <ATen/ATen.h>

#include "voxloom/core/error.h"

namespace voxloom::engine {

namespace {

at::Tensor as_double(const OnnxTensor& tensor) {
  return at::from_blob(const_cast<float*>(tensor.values.data()), tensor.shape).to(at::kDouble);
}

OnnxTensor as_onnx(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kFloat).contiguous();
  const float* values = flat.const_data_ptr<float>();
  return OnnxTensor::own(flat.sizes().vec(), {values, values + flat.numel()});
}

}  // namespace

OnnxValue OnnxFolding::conv(const OnnxValue& x, const FoldedConv& layer) {
  const std::vector<int64_t> shape = weights_.shape(layer.conv + ".weight");
  VOXLOOM_CHECK(shape.size() == 4 && shape[0] > 0 && shape[2] == shape[3] && shape[2] > 0,
                ErrorCode::kDataCorrupt,
                "checkpoint tensor '{}.weight': must be [out, in, k, k], got {}",
                layer.conv,
                shape);
  const int64_t out = shape[0], kernel = shape[2];
  at::Tensor w = as_double(
      weights_.tensor(layer.conv + ".weight", {out, x.size(1) / layer.groups, kernel, kernel}));
  at::Tensor b = weights_.has(layer.conv + ".bias")
                     ? as_double(weights_.tensor(layer.conv + ".bias", {out}))
                     : at::zeros({out}, at::kDouble);
  if (!layer.norm.empty()) {
    const auto part = [&](const char* name) {
      return as_double(weights_.tensor(layer.norm + name, {out}));
    };
    const at::Tensor scale = part(".weight") / (part(".running_var") + layer.eps).sqrt();
    w = w * scale.view({out, 1, 1, 1});
    b = (b - part(".running_mean")) * scale + part(".bias");
  }
  if (layer.identity) {
    VOXLOOM_CHECK(out == x.size(1) && layer.groups == 1 && layer.stride == 1 && kernel % 2 == 1,
                  ErrorCode::kInternal,
                  "onnx folding of '{}': an identity must keep the shape",
                  layer.conv);
    w.select(3, kernel / 2).select(2, kernel / 2).add_(at::eye(out, at::kDouble));
  }
  const OnnxValue weight = graph_.initializer(layer.conv + ".weight", as_onnx(w));
  const OnnxValue bias = graph_.initializer(layer.conv + ".bias", as_onnx(b));
  if (layer.padding >= 0) {
    return graph_.conv(x, weight, bias, layer.stride, layer.padding, layer.groups);
  }
  if (kernel % 2 == 0) {
    return graph_.conv_pad_end(x, weight, bias, layer.stride, kernel - layer.stride);
  }
  return graph_.conv(x, weight, bias, layer.stride, kernel / 2, layer.groups);
}

OnnxValue OnnxFolding::upscale(const OnnxValue& x, const std::string& prefix) {
  const std::vector<int64_t> shape = weights_.shape(prefix + ".weight");
  const int64_t out = shape.size() == 4 ? shape[1] : -1;
  return graph_.conv_transpose(x,
                               parameter(prefix + ".weight", {x.size(1), out, 2, 2}),
                               parameter(prefix + ".bias", {out}),
                               2);
}

OnnxValue OnnxFolding::parameter(const std::string& key, const std::vector<int64_t>& shape) {
  return graph_.initializer(key, weights_.tensor(key, shape));
}

}  // namespace voxloom::engine
