#include "voxloom/core/protobuf_wire.h"

#include <gtest/gtest.h>

namespace voxloom {
namespace {

TEST(ProtobufWireTest, EncodesEachWireType) {
  // Worked out by hand from the encoding guide.
  EXPECT_EQ(ProtobufWire().integer(1, 150).bytes(), "\x08\x96\x01");
  EXPECT_EQ(ProtobufWire().text(2, "hi").bytes(), "\x12\x02hi");
  EXPECT_EQ(ProtobufWire().real(3, 1.0F).bytes(), std::string("\x1d\0\0\x80\x3f", 5));
  EXPECT_EQ(ProtobufWire().real64(1, 1.0).bytes(), std::string("\x09\0\0\0\0\0\0\xf0\x3f", 9));
}

}  // namespace
}  // namespace voxloom
