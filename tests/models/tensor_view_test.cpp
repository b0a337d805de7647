#include <cstring>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/tensor/view.h"

namespace voxloom::tensor {
namespace {

weights::TensorView view_over(std::shared_ptr<std::vector<std::byte>> bytes, size_t offset) {
  weights::TensorView view;
  view.shape = {3};
  view.bytes = {bytes->data() + offset, 12};
  view.owner = std::move(bytes);
  return view;
}

TEST(ViewTest, SharesAlignedBytesAndKeepsTheirOwner) {
  auto bytes = std::make_shared<std::vector<std::byte>>(12);
  const float values[] = {1.5F, -2.0F, 3.25F};
  std::memcpy(bytes->data(), values, sizeof values);
  const std::byte* where = bytes->data();
  const std::weak_ptr<std::vector<std::byte>> alive = bytes;
  at::Tensor tensor = from_view(view_over(std::move(bytes), 0));
  EXPECT_EQ(tensor.const_data_ptr(), static_cast<const void*>(where));
  EXPECT_FALSE(alive.expired());
  EXPECT_EQ(tensor[2].item<float>(), 3.25F);
  tensor.reset();
  EXPECT_TRUE(alive.expired());
}

TEST(ViewTest, CopiesMisalignedBytes) {
  auto bytes = std::make_shared<std::vector<std::byte>>(13);
  const float values[] = {1.5F, -2.0F, 3.25F};
  std::memcpy(bytes->data() + 1, values, sizeof values);
  const at::Tensor tensor = from_view(view_over(std::move(bytes), 1));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % sizeof(float), 0U);
  EXPECT_EQ(tensor[1].item<float>(), -2.0F);
}

TEST(ViewTest, RefusesAWrongNumberOfBytes) {
  auto bytes = std::make_shared<std::vector<std::byte>>(12);
  weights::TensorView view = view_over(std::move(bytes), 0);
  view.shape = {2, 2};
  try {
    static_cast<void>(from_view(view));
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kDataCorrupt);
    EXPECT_THAT(error.what(), testing::HasSubstr("[2, 2] must hold 16 bytes, got 12"));
  }
}

TEST(ViewTest, EveryStoredTypeSurvivesTheRoundTrip) {
  for (int i = 0; i <= static_cast<int>(weights::DType::kBool); ++i) {
    const auto dtype = static_cast<weights::DType>(i);
    const at::Tensor tensor = torch::tensor({1, 0, 1, 1}, torch::kInt).to(scalar_type(dtype));
    const weights::TensorView view = to_view(tensor.view({2, 2}));
    EXPECT_EQ(view.dtype, dtype);
    EXPECT_EQ(view.bytes.size(), 4 * weights::bytes_per_element(dtype));
    EXPECT_TRUE(at::equal(from_view(view), tensor.view({2, 2})));
  }
  EXPECT_THROW(static_cast<void>(stored_dtype(at::kComplexFloat)), Error);
}

TEST(ViewTest, TransposedTensorsAreStoredInRowOrder) {
  const at::Tensor tensor = torch::arange(6, torch::kFloat).view({2, 3});
  EXPECT_TRUE(at::equal(from_view(to_view(tensor.t())), tensor.t()));
}

}  // namespace
}  // namespace voxloom::tensor
