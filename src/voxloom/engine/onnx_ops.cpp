#include <algorithm>
#include <cmath>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/engine/onnx_writer.h"

namespace voxloom::engine {

namespace {

std::vector<int64_t> broadcast(const std::string& op, const OnnxValue& a, const OnnxValue& b) {
  const size_t rank = std::max(a.shape.size(), b.shape.size());
  std::vector<int64_t> shape(rank, 1);
  for (size_t back = 1; back <= rank; ++back) {
    const int64_t m = back <= a.shape.size() ? a.shape[a.shape.size() - back] : 1;
    const int64_t n = back <= b.shape.size() ? b.shape[b.shape.size() - back] : 1;
    VOXLOOM_CHECK(m == n || m == 1 || n == 1,
                  ErrorCode::kInternal,
                  "onnx {}: shapes must broadcast, got {} '{}' and {} '{}'",
                  op,
                  a.shape,
                  a.name,
                  b.shape,
                  b.name);
    shape[rank - back] = m == 1 ? n : m;
  }
  return shape;
}

void check_rank(const char* op, const OnnxValue& x, int64_t rank) {
  VOXLOOM_CHECK(x.rank() == rank,
                ErrorCode::kInternal,
                "onnx {} of '{}': rank must be {}, got shape {}",
                op,
                x.name,
                rank,
                x.shape);
}

void check_same(const char* op, const OnnxValue& x, const char* what, int64_t want, int64_t got) {
  VOXLOOM_CHECK(want == got,
                ErrorCode::kInternal,
                "onnx {} of '{}': {} must be {}, got {}",
                op,
                x.name,
                what,
                want,
                got);
}

size_t axis_of(const OnnxValue& x, int64_t axis) {
  return static_cast<size_t>(axis < 0 ? axis + x.rank() : axis);
}

}  // namespace

OnnxValue OnnxGraph::binary(const std::string& op, const OnnxValue& a, const OnnxValue& b) {
  return node(op, {a, b}, a.type, broadcast(op, a, b));
}

OnnxValue OnnxGraph::unary(const std::string& op, const OnnxValue& x) {
  return node(op, {x}, x.type, x.shape);
}

OnnxValue OnnxGraph::clip(const OnnxValue& x, float lo, float hi) {
  return node("Clip", {x, scalar(lo), scalar(hi)}, x.type, x.shape);
}

OnnxValue OnnxGraph::cast(const OnnxValue& x, OnnxType type) {
  return node("Cast", {x}, type, x.shape, {{"to", static_cast<int64_t>(type)}});
}

OnnxValue OnnxGraph::gelu(const OnnxValue& x) {
  const OnnxValue erf = unary("Erf", div(x, scalar(static_cast<float>(std::sqrt(2.0)))));
  return mul(mul(x, add(erf, scalar(1.0F))), scalar(0.5F));
}

OnnxValue OnnxGraph::reshape(const OnnxValue& x, const std::vector<int64_t>& shape) {
  std::vector<int64_t> result = shape;
  int64_t known = 1, total = 1, unknown_axis = -1;
  bool dynamic = false;
  for (size_t axis = 0; axis < result.size(); ++axis) {
    if (result[axis] == 0) result[axis] = x.shape.at(axis);
    if (shape[axis] == -1) {
      unknown_axis = static_cast<int64_t>(axis);
    } else {
      dynamic = dynamic || result[axis] < 0;
      known *= result[axis];
    }
  }
  for (int64_t extent : x.shape) {
    dynamic = dynamic || extent < 0;
    total *= extent;
  }
  if (!dynamic) {
    if (unknown_axis >= 0) result[static_cast<size_t>(unknown_axis)] = total / known;
    const int64_t product = unknown_axis >= 0 ? known * (total / known) : known;
    VOXLOOM_CHECK(product == total,
                  ErrorCode::kInternal,
                  "onnx Reshape of '{}': {} elements must stay, got {} into {}",
                  x.name,
                  total,
                  x.shape,
                  shape);
  }
  // Static graphs get whole numbers only: nothing is left to infer for the program that loads it.
  return node("Reshape", {x, ints(dynamic ? shape : result)}, x.type, result);
}

OnnxValue OnnxGraph::transpose(const OnnxValue& x, const std::vector<int64_t>& order) {
  check_rank("Transpose", x, static_cast<int64_t>(order.size()));
  std::vector<int64_t> shape;
  for (int64_t axis : order) shape.push_back(x.size(axis));
  return node("Transpose", {x}, x.type, std::move(shape), {{"perm", order}});
}

OnnxValue OnnxGraph::slice(const OnnxValue& x, int64_t axis, int64_t begin, int64_t end) {
  std::vector<int64_t> shape = x.shape;
  const size_t at = axis_of(x, axis);
  VOXLOOM_CHECK(begin >= 0 && begin < end && (shape.at(at) < 0 || end <= shape[at]),
                ErrorCode::kInternal,
                "onnx Slice of '{}': range must lie within axis {} of {}, got {} to {}",
                x.name,
                axis,
                x.shape,
                begin,
                end);
  shape[at] = end - begin;
  return node("Slice",
              {x, ints({begin}), ints({end}), ints({static_cast<int64_t>(at)})},
              x.type,
              std::move(shape));
}

OnnxValue OnnxGraph::concat(const std::vector<OnnxValue>& parts, int64_t axis) {
  std::vector<int64_t> shape = parts.at(0).shape;
  const size_t at = axis_of(parts[0], axis);
  for (size_t index = 1; index < parts.size(); ++index) {
    check_rank("Concat", parts[index], parts[0].rank());
    for (size_t other = 0; other < shape.size(); ++other) {
      if (other != at) {
        check_same("Concat", parts[index], "extent", shape[other], parts[index].shape[other]);
      }
    }
    const int64_t more = parts[index].shape[at];
    shape[at] = shape[at] < 0 || more < 0 ? -1 : shape[at] + more;
  }
  return node("Concat", parts, parts[0].type, shape, {{"axis", static_cast<int64_t>(at)}});
}

OnnxValue OnnxGraph::pad_end(const OnnxValue& x, const std::vector<int64_t>& amounts) {
  check_rank("Pad", x, static_cast<int64_t>(amounts.size()));
  std::vector<int64_t> pads(amounts.size(), 0), shape = x.shape;
  pads.insert(pads.end(), amounts.begin(), amounts.end());
  for (size_t axis = 0; axis < shape.size(); ++axis) shape[axis] += amounts[axis];
  return node(
      "Pad", {x, ints(pads)}, x.type, std::move(shape), {{"mode", std::string("constant")}});
}

OnnxValue OnnxGraph::gather(const OnnxValue& table, const OnnxValue& indices, int64_t axis) {
  const size_t at = axis_of(table, axis);
  std::vector<int64_t> shape(table.shape.begin(), table.shape.begin() + static_cast<long>(at));
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  shape.insert(shape.end(), table.shape.begin() + static_cast<long>(at) + 1, table.shape.end());
  return node("Gather", {table, indices}, table.type, shape, {{"axis", static_cast<int64_t>(at)}});
}

OnnxValue OnnxGraph::matmul(const OnnxValue& a, const OnnxValue& b) {
  VOXLOOM_CHECK(a.rank() >= 2 && b.rank() >= 2,
                ErrorCode::kInternal,
                "onnx MatMul of '{}': ranks must be at least 2, got {} and {}",
                a.name,
                a.shape,
                b.shape);
  check_same("MatMul", a, "inner extent", b.size(-2), a.size(-1));
  OnnxValue left{a.name, a.type, {a.shape.begin(), a.shape.end() - 2}};
  OnnxValue right{b.name, b.type, {b.shape.begin(), b.shape.end() - 2}};
  std::vector<int64_t> shape = broadcast("MatMul", left, right);
  shape.push_back(a.size(-2));
  shape.push_back(b.size(-1));
  return node("MatMul", {a, b}, a.type, std::move(shape));
}

OnnxValue OnnxGraph::gemm(const OnnxValue& a,
                          const OnnxValue& b,
                          const OnnxValue& c,
                          bool transpose_b) {
  check_rank("Gemm", a, 2);
  check_rank("Gemm", b, 2);
  check_same("Gemm", a, "inner extent", b.size(transpose_b ? 1 : 0), a.size(1));
  const int64_t columns = b.size(transpose_b ? 0 : 1);
  if (!c.name.empty()) check_same("Gemm", c, "extent", columns, c.size(-1));
  return node(
      "Gemm", {a, b, c}, a.type, {a.size(0), columns}, {{"transB", int64_t{transpose_b ? 1 : 0}}});
}

OnnxValue OnnxGraph::softmax(const OnnxValue& x, int64_t axis) {
  return node("Softmax", {x}, x.type, x.shape, {{"axis", axis}});
}

OnnxValue OnnxGraph::layer_norm(const OnnxValue& x,
                                const OnnxValue& w,
                                const OnnxValue& b,
                                float epsilon) {
  check_same("LayerNormalization", x, "last extent", w.size(0), x.size(-1));
  check_same("LayerNormalization", b, "extent", w.size(0), b.size(0));
  return node("LayerNormalization",
              {x, w, b},
              x.type,
              x.shape,
              {{"axis", int64_t{-1}}, {"epsilon", epsilon}});
}

OnnxValue OnnxGraph::channel_norm(const OnnxValue& x,
                                  const OnnxValue& w,
                                  const OnnxValue& b,
                                  float epsilon) {
  check_rank("LayerNormalization", x, 4);
  return transpose(layer_norm(transpose(x, {0, 2, 3, 1}), w, b, epsilon), {0, 3, 1, 2});
}

OnnxValue OnnxGraph::conv(const OnnxValue& x,
                          const OnnxValue& w,
                          const OnnxValue& b,
                          int64_t stride,
                          int64_t pad,
                          int64_t groups) {
  check_rank("Conv", x, 4);
  check_rank("Conv", w, 4);
  check_same("Conv", x, "channels", w.size(1) * groups, x.size(1));
  const auto out = [&](int64_t extent, int64_t kernel) {
    return (extent + 2 * pad - kernel) / stride + 1;
  };
  return node("Conv",
              {x, w, b},
              x.type,
              {x.size(0), w.size(0), out(x.size(2), w.size(2)), out(x.size(3), w.size(3))},
              {{"kernel_shape", std::vector<int64_t>{w.size(2), w.size(3)}},
               {"strides", std::vector<int64_t>{stride, stride}},
               {"pads", std::vector<int64_t>(4, pad)},
               {"group", groups}});
}

OnnxValue OnnxGraph::conv_transpose(const OnnxValue& x,
                                    const OnnxValue& w,
                                    const OnnxValue& b,
                                    int64_t stride) {
  check_rank("ConvTranspose", x, 4);
  check_rank("ConvTranspose", w, 4);
  check_same("ConvTranspose", x, "channels", w.size(0), x.size(1));
  return node("ConvTranspose",
              {x, w, b},
              x.type,
              {x.size(0),
               w.size(1),
               (x.size(2) - 1) * stride + w.size(2),
               (x.size(3) - 1) * stride + w.size(3)},
              {{"kernel_shape", std::vector<int64_t>{w.size(2), w.size(3)}},
               {"strides", std::vector<int64_t>{stride, stride}}});
}

OnnxValue OnnxGraph::max_pool(const OnnxValue& x, int64_t kernel, int64_t stride) {
  check_rank("MaxPool", x, 4);
  return node(
      "MaxPool",
      {x},
      x.type,
      {x.size(0), x.size(1), (x.size(2) - kernel) / stride + 1, (x.size(3) - kernel) / stride + 1},
      {{"kernel_shape", std::vector<int64_t>{kernel, kernel}},
       {"strides", std::vector<int64_t>{stride, stride}}});
}

OnnxValue OnnxGraph::upsample_nearest(const OnnxValue& x, int64_t factor) {
  check_rank("Resize", x, 4);
  const auto f = static_cast<float>(factor);
  const std::string key = "scales.nearest." + std::to_string(factor);
  auto known = shared_.find(key);
  if (known == shared_.end()) {
    known = shared_.emplace(key, initializer(key, OnnxTensor::own({4}, {1, 1, f, f}))).first;
  }
  return node("Resize",
              {x, OnnxValue{}, known->second},
              x.type,
              {x.size(0), x.size(1), x.size(2) * factor, x.size(3) * factor},
              {{"mode", std::string("nearest")},
               {"coordinate_transformation_mode", std::string("asymmetric")},
               {"nearest_mode", std::string("floor")}});
}

}  // namespace voxloom::engine
