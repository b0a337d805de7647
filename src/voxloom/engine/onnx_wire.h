#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace voxloom::engine {

/// Appends protocol-buffer fields to a string: the few wire types that ONNX needs.
///
/// Wire format: every field is a varint key `number << 3 | type` and a value; type 0 is a varint,
/// 2 a length and bytes, 5 four little-endian bytes. A message inside a message is bytes. (Protocol
/// Buffers encoding guide.)
class OnnxWire {
 public:
  OnnxWire& integer(int field, int64_t value);
  OnnxWire& real(int field, float value);
  OnnxWire& text(int field, std::string_view value);
  OnnxWire& message(int field, const OnnxWire& value) { return text(field, value.bytes_); }
  /// The key and length of a field whose `length` bytes are written by the caller.
  OnnxWire& open(int field, uint64_t length);
  /// Fields that are encoded already.
  OnnxWire& append(const OnnxWire& fields) {
    bytes_ += fields.bytes_;
    return *this;
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] uint64_t size() const { return bytes_.size(); }

 private:
  void varint(uint64_t value);

  std::string bytes_;
};

}  // namespace voxloom::engine
