// Operators on image maps [N, C, H, W]: enlarging, padding, normalising, sampling.
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/engine/onnx_writer.h"

namespace voxloom::engine {

namespace {

void check_map(const char* op, const OnnxValue& x) {
  VOXLOOM_CHECK(x.rank() == 4,
                ErrorCode::kInternal,
                "onnx {} of '{}': must be [N, C, H, W], got {}",
                op,
                x.name,
                x.shape);
}

}  // namespace

OnnxValue OnnxGraph::depth_to_space(const OnnxValue& x, int64_t factor) {
  check_map("DepthToSpace", x);
  VOXLOOM_CHECK(x.size(1) % (factor * factor) == 0,
                ErrorCode::kInternal,
                "onnx DepthToSpace of '{}': channels must be a multiple of {}, got {}",
                x.name,
                factor * factor,
                x.size(1));
  return node("DepthToSpace",
              {x},
              x.type,
              {x.size(0), x.size(1) / (factor * factor), x.size(2) * factor, x.size(3) * factor},
              {{"blocksize", factor}, {"mode", std::string("CRD")}});
}

OnnxValue OnnxGraph::conv_pad_end(
    const OnnxValue& x, const OnnxValue& w, const OnnxValue& b, int64_t stride, int64_t pad) {
  check_map("Conv", x);
  check_map("Conv", w);
  VOXLOOM_CHECK(w.size(1) == x.size(1),
                ErrorCode::kInternal,
                "onnx Conv of '{}': channels must be {}, got {}",
                x.name,
                w.size(1),
                x.size(1));
  const auto out = [&](int64_t extent, int64_t kernel) {
    return (extent + pad - kernel) / stride + 1;
  };
  return node("Conv",
              {x, w, b},
              x.type,
              {x.size(0), w.size(0), out(x.size(2), w.size(2)), out(x.size(3), w.size(3))},
              {{"kernel_shape", std::vector<int64_t>{w.size(2), w.size(3)}},
               {"strides", std::vector<int64_t>{stride, stride}},
               {"pads", std::vector<int64_t>{0, 0, pad, pad}}});
}

OnnxValue OnnxGraph::pad_sides(const OnnxValue& x, int64_t margin, const std::string& mode) {
  check_map("Pad", x);
  return node("Pad",
              {x, ints({0, 0, margin, margin, 0, 0, margin, margin})},
              x.type,
              {x.size(0), x.size(1), x.size(2) + 2 * margin, x.size(3) + 2 * margin},
              {{"mode", mode}});
}

OnnxValue OnnxGraph::upsample_bilinear(const OnnxValue& x) {
  check_map("Resize", x);
  const std::vector<int64_t> shape{x.size(0), x.size(1), 2 * x.size(2), 2 * x.size(3)};
  return node("Resize",
              {x, OnnxValue{}, OnnxValue{}, ints(shape)},
              x.type,
              shape,
              {{"mode", std::string("linear")},
               {"coordinate_transformation_mode", std::string("align_corners")}});
}

OnnxValue OnnxGraph::leaky_relu(const OnnxValue& x, float slope) {
  return node("LeakyRelu", {x}, x.type, x.shape, {{"alpha", slope}});
}

OnnxValue OnnxGraph::instance_norm(const OnnxValue& x, float epsilon) {
  VOXLOOM_CHECK(x.rank() >= 3,
                ErrorCode::kInternal,
                "onnx InstanceNormalization of '{}': must have [N, C, ...], got {}",
                x.name,
                x.shape);
  const std::string key = "norm." + std::to_string(x.size(1));
  auto known = shared_.find(key + ".scale");
  if (known == shared_.end()) {
    const auto plain = [&](const std::string& name, float value) {
      const auto count = static_cast<size_t>(x.size(1));
      const std::string full = key + name;
      shared_[full] =
          initializer(full, OnnxTensor::own({x.size(1)}, std::vector<float>(count, value)));
    };
    plain(".scale", 1.0F);
    plain(".bias", 0.0F);
  }
  return node("InstanceNormalization",
              {x, shared_.at(key + ".scale"), shared_.at(key + ".bias")},
              x.type,
              x.shape,
              {{"epsilon", epsilon}});
}

OnnxValue OnnxGraph::grid_sample(const OnnxValue& x, const OnnxValue& grid) {
  check_map("GridSample", x);
  check_map("GridSample", grid);
  VOXLOOM_CHECK(grid.size(0) == x.size(0) && grid.size(3) == 2,
                ErrorCode::kInternal,
                "onnx GridSample of '{}': grid must be [{}, H, W, 2], got {}",
                x.name,
                x.size(0),
                grid.shape);
  return node("GridSample",
              {x, grid},
              x.type,
              {x.size(0), x.size(1), grid.size(1), grid.size(2)},
              {{"mode", std::string("bilinear")},
               {"padding_mode", std::string("zeros")},
               {"align_corners", int64_t{0}}});
}

OnnxValue OnnxGraph::where(const OnnxValue& condition, const OnnxValue& a, const OnnxValue& b) {
  VOXLOOM_CHECK(
      condition.type == OnnxType::kBool && a.shape == b.shape && condition.shape == a.shape,
      ErrorCode::kInternal,
      "onnx Where of '{}': all must have one shape, got {}, {} and {}",
      condition.name,
      condition.shape,
      a.shape,
      b.shape);
  return node("Where", {condition, a, b}, a.type, a.shape);
}

}  // namespace voxloom::engine
