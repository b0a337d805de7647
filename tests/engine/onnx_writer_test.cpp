#include "voxloom/engine/onnx_writer.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/protobuf_wire.h"

#include "engine_fixture.h"

namespace voxloom::engine {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (int value : values) text.push_back(static_cast<char>(value));
  return text;
}

TEST(OnnxWireTest, EncodesTheExamplesOfTheEncodingGuide) {
  EXPECT_EQ(ProtobufWire().integer(1, 150).bytes(), bytes({0x08, 0x96, 0x01}));
  EXPECT_EQ(ProtobufWire().text(2, "testing").bytes(), bytes({0x12, 0x07}) + "testing");
  EXPECT_EQ(ProtobufWire().message(3, ProtobufWire().integer(1, 150)).bytes(),
            bytes({0x1a, 0x03, 0x08, 0x96, 0x01}));
  EXPECT_EQ(ProtobufWire().real(2, 1.0F).bytes(), bytes({0x15, 0x00, 0x00, 0x80, 0x3f}));
}

TEST(OnnxWireTest, NegativeIntegersTakeTenBytes) {
  EXPECT_EQ(ProtobufWire().integer(3, -1).bytes(),
            bytes({0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}));
}

OnnxGraph small_graph() {
  OnnxGraph graph("small", "test");
  const OnnxValue x = graph.input("x", OnnxType::kF32, {std::string("n"), int64_t{3}}, "any rows");
  std::vector<float> w(3 * 512);
  for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i);
  const OnnxValue y = graph.matmul(x, graph.initializer("w", OnnxTensor::own({3, 512}, w)));
  graph.output(graph.gelu(y), "y", {std::string("n"), int64_t{512}});
  return graph;
}

TEST(OnnxGraphTest, EqualCallsGiveEqualBytes) {
  EXPECT_EQ(small_graph().serialize(), small_graph().serialize());
}

TEST(OnnxGraphTest, SavedFileHoldsTheSerializedBytes) {
  const TempFolder folder;
  small_graph().save(folder.path() / "a.onnx");
  EXPECT_EQ(read_text_file(folder.path() / "a.onnx"), small_graph().serialize());
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "a.onnx.data"));
}

TEST(OnnxGraphTest, LargeTensorsGoToAFileOfTheirOwn) {
  const TempFolder folder;
  small_graph().save(folder.path() / "a.onnx", {.external_data_above = 1000});
  EXPECT_EQ(std::filesystem::file_size(folder.path() / "a.onnx.data"), 3U * 512U * 4U);
  const std::string model = read_text_file(folder.path() / "a.onnx");
  EXPECT_LT(model.size(), 2000U);
  EXPECT_THAT(model, HasSubstr("a.onnx.data"));
}

TEST(OnnxGraphTest, FollowsShapes) {
  OnnxGraph graph("g", "");
  const OnnxValue x =
      graph.input("x", OnnxType::kF32, {int64_t{1}, int64_t{4}, int64_t{6}, int64_t{8}});
  using Shape = std::vector<int64_t>;
  EXPECT_EQ(graph.transpose(x, {0, 2, 3, 1}).shape, (Shape{1, 6, 8, 4}));
  EXPECT_EQ(graph.reshape(x, {0, -1, 8}).shape, (Shape{1, 24, 8}));
  EXPECT_EQ(graph.slice(x, -1, 2, 5).shape, (Shape{1, 4, 6, 3}));
  EXPECT_EQ(graph.concat({x, x}, 1).shape, (Shape{1, 8, 6, 8}));
  EXPECT_EQ(graph.split(x, 1, 2).at(1).shape, (Shape{1, 2, 6, 8}));
  EXPECT_EQ(graph.pad_end(x, {0, 0, 1, 2}).shape, (Shape{1, 4, 7, 10}));
  EXPECT_EQ(graph.max_pool(x, 2, 2).shape, (Shape{1, 4, 3, 4}));
  EXPECT_EQ(graph.upsample_nearest(x, 2).shape, (Shape{1, 4, 12, 16}));
  const OnnxValue w = graph.initializer("w", OnnxTensor::own({2, 4, 3, 3}, std::vector<float>(72)));
  EXPECT_EQ(graph.conv(x, w, {}, 2, 1).shape, (Shape{1, 2, 3, 4}));
  const OnnxValue up =
      graph.initializer("up", OnnxTensor::own({4, 5, 2, 2}, std::vector<float>(80)));
  EXPECT_EQ(graph.conv_transpose(x, up, {}, 2).shape, (Shape{1, 5, 12, 16}));
}

TEST(OnnxGraphTest, DynamicAxesStayDynamic) {
  OnnxGraph graph("g", "");
  const OnnxValue x = graph.input("x", OnnxType::kF32, {int64_t{1}, std::string("n"), int64_t{6}});
  using Shape = std::vector<int64_t>;
  EXPECT_EQ(graph.concat({x, x}, 1).shape, (Shape{1, -1, 6}));
  EXPECT_EQ(graph.reshape(x, {1, -1, 2, 3}).shape, (Shape{1, -1, 2, 3}));
}

TEST(OnnxGraphTest, WrongShapesAreErrorsThatNameBoth) {
  OnnxGraph graph("g", "");
  const OnnxValue a = graph.input("a", OnnxType::kF32, {int64_t{2}, int64_t{3}});
  const OnnxValue b = graph.input("b", OnnxType::kF32, {int64_t{4}, int64_t{3}});
  EXPECT_THAT([&] { graph.add(a, b); },
              ThrowsMessage<Error>(HasSubstr("got [2, 3] 'a' and [4, 3] 'b'")));
  EXPECT_THAT([&] { graph.matmul(a, b); },
              ThrowsMessage<Error>(HasSubstr("inner extent must be 4, got 3")));
  EXPECT_THAT([&] { graph.reshape(a, {5}); }, ThrowsMessage<Error>(HasSubstr("6 elements")));
  EXPECT_THAT([&] { graph.output(a, "y", {int64_t{9}}); },
              ThrowsMessage<Error>(HasSubstr("shape must be [9], got [2, 3]")));
  EXPECT_THAT([&] { graph.input("a", OnnxType::kF32, {int64_t{1}}); },
              ThrowsMessage<Error>(HasSubstr("'a' must have a name of its own")));
}

TEST(OnnxGraphTest, SmallConstantsAreShared) {
  OnnxGraph graph("g", "");
  EXPECT_EQ(graph.scalar(0.5F).name, graph.scalar(0.5F).name);
  EXPECT_NE(graph.scalar(0.5F).name, graph.scalar(0.25F).name);
  EXPECT_EQ(graph.ints({1, 2}).name, graph.ints({1, 2}).name);
  EXPECT_NE(graph.ints({1, 2}).name, graph.ints({2, 1}).name);
}

}  // namespace
}  // namespace voxloom::engine
