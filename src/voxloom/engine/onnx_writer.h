#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace voxloom::engine {

/// Element types, with the numbers of ONNX TensorProto.DataType.
enum class OnnxType : int { kF32 = 1, kI64 = 7, kBool = 9 };

/// A tensor inside a graph: its name and what is known of its shape (-1: dynamic).
struct OnnxValue {
  std::string name;
  OnnxType type = OnnxType::kF32;
  std::vector<int64_t> shape;

  [[nodiscard]] int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  /// Extent of an axis; negative axes count from the end.
  [[nodiscard]] int64_t size(int64_t axis) const;
};

/// A 32-bit float tensor that an initializer is made of; `owner` keeps `values` alive.
struct OnnxTensor {
  std::vector<int64_t> shape;
  std::span<const float> values;
  std::shared_ptr<const void> owner;

  static OnnxTensor own(std::vector<int64_t> shape, std::vector<float> values);
};

/// An attribute of a node.
using OnnxAttribute =
    std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>>;

/// An axis of a graph input or output: a number, or a name for a dynamic one.
using OnnxDim = std::variant<int64_t, std::string>;

/// An input or output of a graph.
struct OnnxPort {
  std::string name, doc;
  OnnxType type = OnnxType::kF32;
  std::vector<OnnxDim> shape;
};

/// Where the bytes of large initializers go.
struct OnnxSaveOptions {
  /// Above this size of the whole file (protobuf ends at 2 GB) tensors go to `<file>.data`.
  uint64_t external_data_above = uint64_t{2} * 1000 * 1000 * 1000;
};

/// Builds an ONNX ModelProto (opset 17, IR version 8) node by node and writes it with our own
/// protobuf wire code. Shapes are followed while the graph grows, so that a wrong one is an error
/// here, with the node's name, and not in the program that loads the file. Equal calls give equal
/// bytes.
///
/// Field numbers are those of onnx.proto (ONNX 1.12, github.com/onnx/onnx).
class OnnxGraph {
 public:
  OnnxGraph(std::string name, std::string doc) : name_(std::move(name)), doc_(std::move(doc)) {}

  OnnxValue input(const std::string& name,
                  OnnxType type,
                  const std::vector<OnnxDim>& shape,
                  const std::string& doc = "");
  /// Makes `value` an output under `name` (through an Identity node). Throws kInternal when its
  /// shape is not `shape`.
  void output(const OnnxValue& value,
              const std::string& name,
              const std::vector<OnnxDim>& shape,
              const std::string& doc = "");
  /// key = value in the file's metadata.
  void metadata(const std::string& key, const std::string& value);

  /// A weight. Names are unique; a second tensor of the same name throws kInternal.
  OnnxValue initializer(const std::string& name, OnnxTensor tensor);
  OnnxValue initializer(const std::string& name, std::vector<int64_t> values);
  /// A small constant, shared by content.
  OnnxValue scalar(float value);
  OnnxValue ints(const std::vector<int64_t>& values);

  /// Any node with one output of the given shape.
  OnnxValue node(const std::string& op,
                 const std::vector<OnnxValue>& inputs,
                 OnnxType type,
                 std::vector<int64_t> shape,
                 const std::map<std::string, OnnxAttribute>& attributes = {});

  // Arithmetic with broadcasting.
  OnnxValue add(const OnnxValue& a, const OnnxValue& b) { return binary("Add", a, b); }
  OnnxValue sub(const OnnxValue& a, const OnnxValue& b) { return binary("Sub", a, b); }
  OnnxValue mul(const OnnxValue& a, const OnnxValue& b) { return binary("Mul", a, b); }
  OnnxValue div(const OnnxValue& a, const OnnxValue& b) { return binary("Div", a, b); }
  /// Relu, Sigmoid, Erf, Sin, Cos, ...: same shape out.
  OnnxValue unary(const std::string& op, const OnnxValue& x);
  OnnxValue clip(const OnnxValue& x, float lo, float hi);
  OnnxValue cast(const OnnxValue& x, OnnxType type);
  /// x / 2 * (1 + erf(x / sqrt 2)): the exact GELU (opset 17 has no Gelu operator).
  OnnxValue gelu(const OnnxValue& x);

  // Layout.
  /// `shape` may have one -1 (the rest) and 0 (keep the axis).
  OnnxValue reshape(const OnnxValue& x, const std::vector<int64_t>& shape);
  OnnxValue transpose(const OnnxValue& x, const std::vector<int64_t>& order);
  OnnxValue slice(const OnnxValue& x, int64_t axis, int64_t begin, int64_t end);
  OnnxValue concat(const std::vector<OnnxValue>& parts, int64_t axis);
  /// Equal parts along an axis.
  std::vector<OnnxValue> split(const OnnxValue& x, int64_t axis, int64_t parts);
  /// Zeros after the end of each axis.
  OnnxValue pad_end(const OnnxValue& x, const std::vector<int64_t>& amounts);
  /// Rows of `table` chosen by whole numbers.
  OnnxValue gather(const OnnxValue& table, const OnnxValue& indices, int64_t axis);

  // Networks.
  OnnxValue matmul(const OnnxValue& a, const OnnxValue& b);
  /// a [M, K], b [N, K] (transposed) or [K, N], c [N] -> [M, N].
  OnnxValue gemm(const OnnxValue& a, const OnnxValue& b, const OnnxValue& c, bool transpose_b);
  OnnxValue softmax(const OnnxValue& x, int64_t axis);
  /// Over the last axis.
  OnnxValue layer_norm(const OnnxValue& x, const OnnxValue& w, const OnnxValue& b, float epsilon);
  /// Over the channels of an [N, C, H, W] map, position by position.
  OnnxValue channel_norm(const OnnxValue& x, const OnnxValue& w, const OnnxValue& b, float epsilon);
  /// x [N, C, H, W], w [O, C/groups, kh, kw], b [O] or none (empty name).
  OnnxValue conv(const OnnxValue& x,
                 const OnnxValue& w,
                 const OnnxValue& b,
                 int64_t stride,
                 int64_t pad,
                 int64_t groups = 1);
  /// x [N, C, H, W], w [C, O, k, k] -> [N, O, stride (H-1) + k, ...].
  OnnxValue conv_transpose(const OnnxValue& x,
                           const OnnxValue& w,
                           const OnnxValue& b,
                           int64_t stride);
  OnnxValue max_pool(const OnnxValue& x, int64_t kernel, int64_t stride);
  /// Each pixel becomes factor x factor equal pixels.
  OnnxValue upsample_nearest(const OnnxValue& x, int64_t factor);
  /// Groups of factor x factor channels become pixels: [N, C f f, H, W] -> [N, C, f H, f W], as
  /// PyTorch's pixel shuffle.
  OnnxValue depth_to_space(const OnnxValue& x, int64_t factor);

  // Image maps [N, C, H, W] (onnx_map_ops.cpp).
  /// Zeros added after the last row and column alone; any kernel.
  OnnxValue conv_pad_end(
      const OnnxValue& x, const OnnxValue& w, const OnnxValue& b, int64_t stride, int64_t pad);
  /// `margin` pixels on every side; mode "constant" (zeros) or "edge" (the border repeated).
  OnnxValue pad_sides(const OnnxValue& x, int64_t margin, const std::string& mode);
  /// Twice the size, bilinear, corners on corners.
  OnnxValue upsample_bilinear(const OnnxValue& x);
  OnnxValue leaky_relu(const OnnxValue& x, float slope);
  /// Each channel of each image by its own mean and variance.
  OnnxValue instance_norm(const OnnxValue& x, float epsilon);
  /// Bilinear samples of x at grid [N, H', W', 2] of (x, y) in [-1, 1] (outer pixel edges), zeros
  /// outside.
  OnnxValue grid_sample(const OnnxValue& x, const OnnxValue& grid);
  /// `a` where `condition`, else `b`; all of one shape.
  OnnxValue where(const OnnxValue& condition, const OnnxValue& a, const OnnxValue& b);

  /// Names of the nodes made from here on begin with `scope` + "/".
  void set_scope(std::string scope) { scope_ = std::move(scope); }

  [[nodiscard]] const std::vector<OnnxPort>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<OnnxPort>& outputs() const { return outputs_; }
  [[nodiscard]] size_t node_count() const { return nodes_.size(); }
  [[nodiscard]] uint64_t initializer_bytes() const;

  /// The file's bytes, all tensors inside.
  [[nodiscard]] std::string serialize() const;
  /// Writes the file (and `<file>.data` where needed), whole or not at all, replacing an old one.
  /// Throws kUnavailable naming the file.
  void save(const std::filesystem::path& path, const OnnxSaveOptions& options = {}) const;

 private:
  struct Node {
    std::string op, name;
    std::vector<std::string> inputs, outputs;
    std::map<std::string, OnnxAttribute> attributes;
  };
  struct Initializer {
    std::string name;
    OnnxType type;
    std::vector<int64_t> shape;
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
  };
  using Sink = void (*)(void* target, std::span<const std::byte> bytes);

  OnnxValue binary(const std::string& op, const OnnxValue& a, const OnnxValue& b);
  std::string unique(const std::string& op);
  OnnxValue store(const std::string& name,
                  OnnxType type,
                  std::vector<int64_t> shape,
                  std::span<const std::byte> bytes,
                  std::shared_ptr<const void> owner);
  void emit(Sink sink, void* target, const std::string& external_file) const;

  std::string name_, doc_, scope_;
  std::vector<Node> nodes_;
  std::vector<Initializer> initializers_;
  std::vector<OnnxPort> inputs_, outputs_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::map<std::string, int64_t> counters_;
  std::map<std::string, OnnxValue> shared_, named_;
};

}  // namespace voxloom::engine
