#include "voxloom/core/protobuf_wire.h"

#include <cstring>

namespace voxloom {

namespace {

constexpr uint64_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

uint64_t key(int field, uint64_t type) {
  return static_cast<uint64_t>(field) << 3 | type;
}

}  // namespace

void ProtobufWire::varint(uint64_t value) {
  while (value >= 0x80) {
    bytes_.push_back(static_cast<char>((value & 0x7f) | 0x80));
    value >>= 7;
  }
  bytes_.push_back(static_cast<char>(value));
}

ProtobufWire& ProtobufWire::integer(int field, int64_t value) {
  varint(key(field, kVarint));
  varint(static_cast<uint64_t>(value));
  return *this;
}

ProtobufWire& ProtobufWire::real(int field, float value) {
  varint(key(field, kFixed32));
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  for (int byte = 0; byte < 4; ++byte) bytes_.push_back(static_cast<char>(bits >> (8 * byte)));
  return *this;
}

ProtobufWire& ProtobufWire::real64(int field, double value) {
  varint(key(field, kFixed64));
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  for (int byte = 0; byte < 8; ++byte) bytes_.push_back(static_cast<char>(bits >> (8 * byte)));
  return *this;
}

ProtobufWire& ProtobufWire::text(int field, std::string_view value) {
  open(field, value.size());
  bytes_.append(value);
  return *this;
}

ProtobufWire& ProtobufWire::open(int field, uint64_t length) {
  varint(key(field, kBytes));
  varint(length);
  return *this;
}

}  // namespace voxloom
