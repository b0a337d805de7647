#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace voxloom {

/// Appends protocol-buffer fields to a string: the few wire types that ONNX and TensorBoard need.
///
/// Wire format: every field is a varint key `number << 3 | type` and a value; type 0 is a varint,
/// 1 eight little-endian bytes, 2 a length and bytes, 5 four little-endian bytes. A message inside
/// a message is bytes. (Protocol Buffers encoding guide.)
class ProtobufWire {
 public:
  ProtobufWire& integer(int field, int64_t value);
  ProtobufWire& real(int field, float value);
  ProtobufWire& real64(int field, double value);
  ProtobufWire& text(int field, std::string_view value);
  ProtobufWire& message(int field, const ProtobufWire& value) { return text(field, value.bytes_); }
  /// The key and length of a field whose `length` bytes are written by the caller.
  ProtobufWire& open(int field, uint64_t length);
  /// Fields that are encoded already.
  ProtobufWire& append(const ProtobufWire& fields) {
    bytes_ += fields.bytes_;
    return *this;
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] uint64_t size() const { return bytes_.size(); }

 private:
  void varint(uint64_t value);

  std::string bytes_;
};

}  // namespace voxloom
