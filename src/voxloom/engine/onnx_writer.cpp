#include "voxloom/engine/onnx_writer.h"

#include <cstring>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/protobuf_wire.h"

namespace voxloom::engine {

namespace {

// onnx.proto: attribute types and the tensor's place outside the file.
constexpr int kAttributeFloat = 1, kAttributeInt = 2, kAttributeString = 3, kAttributeFloats = 6,
              kAttributeInts = 7;
constexpr int kDataLocationExternal = 1;
constexpr int64_t kIrVersion = 8, kOpset = 17;
// Tensors below this many bytes stay inside the file: shapes must be readable without the other.
constexpr size_t kSmallTensor = 1024;

ProtobufWire attribute_wire(const std::string& name, const OnnxAttribute& value) {
  ProtobufWire wire;
  wire.text(1, name);
  if (const auto* number = std::get_if<int64_t>(&value)) {
    wire.integer(3, *number).integer(20, kAttributeInt);
  } else if (const auto* real = std::get_if<float>(&value)) {
    wire.real(2, *real).integer(20, kAttributeFloat);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    wire.text(4, *text).integer(20, kAttributeString);
  } else if (const auto* numbers = std::get_if<std::vector<int64_t>>(&value)) {
    for (int64_t item : *numbers) wire.integer(8, item);
    wire.integer(20, kAttributeInts);
  } else {
    for (float item : std::get<std::vector<float>>(value)) wire.real(7, item);
    wire.integer(20, kAttributeFloats);
  }
  return wire;
}

void append_to_string(void* target, std::span<const std::byte> bytes) {
  static_cast<std::string*>(target)->append(reinterpret_cast<const char*>(bytes.data()),
                                            bytes.size());
}

void append_to_file(void* target, std::span<const std::byte> bytes) {
  static_cast<AtomicFile*>(target)->write(bytes);
}

std::span<const std::byte> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::vector<int64_t> plain_shape(const std::vector<OnnxDim>& dims) {
  std::vector<int64_t> shape;
  for (const OnnxDim& dim : dims) {
    const auto* number = std::get_if<int64_t>(&dim);
    shape.push_back(number ? *number : -1);
  }
  return shape;
}

int64_t element_count(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

}  // namespace

int64_t OnnxValue::size(int64_t axis) const {
  const int64_t at = axis < 0 ? axis + rank() : axis;
  VOXLOOM_CHECK(at >= 0 && at < rank(),
                ErrorCode::kInternal,
                "onnx value '{}': axis must be below {}, got {}",
                name,
                rank(),
                axis);
  return shape[static_cast<size_t>(at)];
}

OnnxTensor OnnxTensor::own(std::vector<int64_t> shape, std::vector<float> values) {
  auto kept = std::make_shared<const std::vector<float>>(std::move(values));
  return {std::move(shape), *kept, kept};
}

OnnxValue OnnxGraph::input(const std::string& name,
                           OnnxType type,
                           const std::vector<OnnxDim>& shape,
                           const std::string& doc) {
  inputs_.push_back({name, doc, type, shape});
  OnnxValue value{name, type, plain_shape(shape)};
  VOXLOOM_CHECK(named_.emplace(name, value).second,
                ErrorCode::kInternal,
                "onnx graph '{}': input '{}' must have a name of its own",
                name_,
                name);
  return value;
}

void OnnxGraph::output(const OnnxValue& value,
                       const std::string& name,
                       const std::vector<OnnxDim>& shape,
                       const std::string& doc) {
  VOXLOOM_CHECK(value.shape == plain_shape(shape),
                ErrorCode::kInternal,
                "onnx output '{}': shape must be {}, got {}",
                name,
                plain_shape(shape),
                value.shape);
  nodes_.push_back({"Identity", "output/" + name, {value.name}, {name}, {}});
  outputs_.push_back({name, doc, value.type, shape});
}

void OnnxGraph::metadata(const std::string& key, const std::string& value) {
  metadata_.emplace_back(key, value);
}

OnnxValue OnnxGraph::store(const std::string& name,
                           OnnxType type,
                           std::vector<int64_t> shape,
                           std::span<const std::byte> bytes,
                           std::shared_ptr<const void> owner) {
  OnnxValue value{name, type, shape};
  VOXLOOM_CHECK(named_.emplace(name, value).second,
                ErrorCode::kInternal,
                "onnx graph '{}': initializer '{}' must have a name of its own",
                name_,
                name);
  initializers_.push_back({name, type, std::move(shape), bytes, std::move(owner)});
  return value;
}

OnnxValue OnnxGraph::initializer(const std::string& name, OnnxTensor tensor) {
  VOXLOOM_CHECK(element_count(tensor.shape) == static_cast<int64_t>(tensor.values.size()),
                ErrorCode::kInternal,
                "onnx initializer '{}': shape {} must have as many elements as there are values, "
                "got {}",
                name,
                tensor.shape,
                tensor.values.size());
  return store(
      name, OnnxType::kF32, tensor.shape, std::as_bytes(tensor.values), std::move(tensor.owner));
}

OnnxValue OnnxGraph::initializer(const std::string& name, std::vector<int64_t> values) {
  auto kept = std::make_shared<const std::vector<int64_t>>(std::move(values));
  return store(name,
               OnnxType::kI64,
               {static_cast<int64_t>(kept->size())},
               std::as_bytes(std::span(*kept)),
               kept);
}

OnnxValue OnnxGraph::scalar(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  const std::string key = "scalar." + std::to_string(bits);
  const auto known = shared_.find(key);
  if (known != shared_.end()) return known->second;
  return shared_[key] = initializer(key, OnnxTensor::own({}, {value}));
}

OnnxValue OnnxGraph::ints(const std::vector<int64_t>& values) {
  std::string key = "ints";
  for (int64_t value : values) key += "." + std::to_string(value);
  const auto known = shared_.find(key);
  if (known != shared_.end()) return known->second;
  // Named by number: the content would make long names.
  return shared_[key] = initializer("ints." + std::to_string(shared_.size()), values);
}

std::string OnnxGraph::unique(const std::string& op) {
  const std::string base = scope_.empty() ? op : scope_ + "/" + op;
  return base + "." + std::to_string(counters_[base]++);
}

OnnxValue OnnxGraph::node(const std::string& op,
                          const std::vector<OnnxValue>& inputs,
                          OnnxType type,
                          std::vector<int64_t> shape,
                          const std::map<std::string, OnnxAttribute>& attributes) {
  std::vector<std::string> names;
  for (const OnnxValue& value : inputs) names.push_back(value.name);
  while (!names.empty() && names.back().empty()) names.pop_back();
  const std::string name = unique(op);
  nodes_.push_back({op, name, std::move(names), {name}, attributes});
  return {name, type, std::move(shape)};
}

std::vector<OnnxValue> OnnxGraph::split(const OnnxValue& x, int64_t axis, int64_t parts) {
  const int64_t at = axis < 0 ? axis + x.rank() : axis;
  VOXLOOM_CHECK(x.size(at) % parts == 0,
                ErrorCode::kInternal,
                "onnx Split of '{}': axis {} must be a multiple of {}, got {}",
                x.name,
                at,
                parts,
                x.size(at));
  OnnxValue part{"", x.type, x.shape};
  part.shape[static_cast<size_t>(at)] /= parts;
  const OnnxValue sizes = ints(std::vector<int64_t>(static_cast<size_t>(parts), part.size(at)));
  const std::string name = unique("Split");
  std::vector<OnnxValue> values;
  std::vector<std::string> names;
  for (int64_t index = 0; index < parts; ++index) {
    part.name = name + ":" + std::to_string(index);
    names.push_back(part.name);
    values.push_back(part);
  }
  nodes_.push_back({"Split", name, {x.name, sizes.name}, std::move(names), {{"axis", at}}});
  return values;
}

uint64_t OnnxGraph::initializer_bytes() const {
  uint64_t total = 0;
  for (const Initializer& tensor : initializers_) total += tensor.bytes.size();
  return total;
}

void OnnxGraph::emit(Sink sink, void* target, const std::string& external_file) const {
  const auto port_wire = [](const OnnxPort& port) {
    ProtobufWire shape;
    for (const OnnxDim& dim : port.shape) {
      ProtobufWire entry;
      if (const auto* number = std::get_if<int64_t>(&dim)) {
        entry.integer(1, *number);
      } else {
        entry.text(2, std::get<std::string>(dim));
      }
      shape.message(1, entry);
    }
    ProtobufWire tensor;
    tensor.integer(1, static_cast<int64_t>(port.type)).message(2, shape);
    ProtobufWire wire;
    wire.text(1, port.name).message(2, ProtobufWire().message(1, tensor));
    if (!port.doc.empty()) wire.text(3, port.doc);
    return wire;
  };

  ProtobufWire front;
  for (const Node& node : nodes_) {
    ProtobufWire wire;
    for (const std::string& name : node.inputs) wire.text(1, name);
    for (const std::string& name : node.outputs) wire.text(2, name);
    wire.text(3, node.name).text(4, node.op);
    for (const auto& [name, value] : node.attributes) wire.message(5, attribute_wire(name, value));
    front.message(1, wire);
  }
  front.text(2, name_);

  // Everything of a tensor but its bytes; raw_data (9) comes last so that the bytes can follow.
  uint64_t offset = 0;
  std::vector<ProtobufWire> heads;
  uint64_t tensors_size = 0;
  for (const Initializer& tensor : initializers_) {
    ProtobufWire fields;
    for (int64_t extent : tensor.shape) fields.integer(1, extent);
    fields.integer(2, static_cast<int64_t>(tensor.type)).text(8, tensor.name);
    const bool outside = !external_file.empty() && tensor.bytes.size() >= kSmallTensor;
    if (outside) {
      const auto entry = [](const char* key, const std::string& value) {
        return ProtobufWire().text(1, key).text(2, value);
      };
      fields.message(13, entry("location", external_file))
          .message(13, entry("offset", std::to_string(offset)))
          .message(13, entry("length", std::to_string(tensor.bytes.size())))
          .integer(14, kDataLocationExternal);
      offset += tensor.bytes.size();
    } else {
      fields.open(9, tensor.bytes.size());
    }
    const uint64_t inside = outside ? 0 : tensor.bytes.size();
    ProtobufWire head;
    head.open(5, fields.size() + inside).append(fields);
    tensors_size += head.size() + inside;
    heads.push_back(std::move(head));
  }

  ProtobufWire back;
  if (!doc_.empty()) back.text(10, doc_);
  for (const OnnxPort& port : inputs_) back.message(11, port_wire(port));
  for (const OnnxPort& port : outputs_) back.message(12, port_wire(port));

  ProtobufWire model;
  model.integer(1, kIrVersion).text(2, "voxloom");
  model.message(8, ProtobufWire().text(1, "").integer(2, kOpset));
  for (const auto& [key, value] : metadata_) {
    model.message(14, ProtobufWire().text(1, key).text(2, value));
  }
  model.open(7, front.size() + tensors_size + back.size());

  sink(target, as_bytes(model.bytes()));
  sink(target, as_bytes(front.bytes()));
  for (size_t index = 0; index < initializers_.size(); ++index) {
    sink(target, as_bytes(heads[index].bytes()));
    const bool outside =
        !external_file.empty() && initializers_[index].bytes.size() >= kSmallTensor;
    if (!outside) sink(target, initializers_[index].bytes);
  }
  sink(target, as_bytes(back.bytes()));
}

std::string OnnxGraph::serialize() const {
  std::string bytes;
  bytes.reserve(initializer_bytes() + (size_t{1} << 20));
  emit(&append_to_string, &bytes, "");
  return bytes;
}

void OnnxGraph::save(const std::filesystem::path& path, const OnnxSaveOptions& options) const {
  constexpr uint64_t kGraphSize = uint64_t{16} << 20;  // nodes and names, generously
  const bool outside = initializer_bytes() + kGraphSize > options.external_data_above;
  std::string external_file;
  if (outside) {
    external_file = path.filename().string() + ".data";
    AtomicFile data(path.parent_path() / external_file, Overwrite::kReplace);
    for (const Initializer& tensor : initializers_) {
      if (tensor.bytes.size() >= kSmallTensor) data.write(tensor.bytes);
    }
    data.commit();
  }
  AtomicFile file(path, Overwrite::kReplace);
  emit(&append_to_file, &file, external_file);
  file.commit();
}

}  // namespace voxloom::engine
