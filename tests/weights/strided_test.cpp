#include "voxloom/weights/strided.h"

#include <limits>

#include <gmock/gmock.h>

#include "voxloom/core/error.h"

namespace voxloom::weights {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

SharedBytes numbered(size_t count) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i);
  return own_bytes(std::move(bytes));
}

StridedTensor tensor_of(std::vector<int64_t> shape, std::vector<int64_t> stride, int64_t offset) {
  return {DType::kU8, numbered(12), offset, std::move(shape), std::move(stride)};
}

std::vector<int> values_of(const StridedTensor& tensor) {
  CopyBudget budget(1 << 20);
  const TensorView view = to_contiguous(tensor, "test", budget);
  std::vector<int> values;
  for (const std::byte b : view.bytes) values.push_back(std::to_integer<int>(b));
  return values;
}

TEST(StridedTest, GathersWhatNumpyWould) {
  using testing::ElementsAre;
  EXPECT_THAT(values_of(tensor_of({2, 3}, {3, 1}, 6)), ElementsAre(6, 7, 8, 9, 10, 11));
  EXPECT_THAT(values_of(tensor_of({3, 2}, {1, 3}, 0)), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(values_of(tensor_of({2, 2}, {0, 5}, 1)), ElementsAre(1, 6, 1, 6));
  EXPECT_THAT(values_of(tensor_of({2, 1, 2}, {2, 99, 1}, 0)), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(values_of(tensor_of({}, {}, 11)), ElementsAre(11));
  EXPECT_THAT(values_of(tensor_of({2, 0}, {1, 1}, 500)), ElementsAre());
}

TEST(StridedTest, NothingOutsideTheStorageIsTouched) {
  const StridedTensor bad[] = {
      tensor_of({13}, {1}, 0),
      tensor_of({12}, {1}, 1),
      tensor_of({1}, {1}, 12),
      tensor_of({1}, {1}, -1),
      tensor_of({2}, {-1}, 5),
      tensor_of({2}, {12}, 0),
      tensor_of({3, 3}, {4, 2}, 0),
      tensor_of({2}, {kMost}, 0),
      tensor_of({1}, {1}, kMost),
      tensor_of({2, 2}, {kMost, kMost}, 0),
      tensor_of({kMost}, {1}, 0),
      tensor_of({kMost, kMost}, {0, 0}, 0),
      tensor_of({-1}, {1}, 0),
      tensor_of({2, 2}, {1}, 0),
  };
  for (const StridedTensor& tensor : bad) {
    try {
      (void)values_of(tensor);
      ADD_FAILURE() << testing::PrintToString(tensor.shape);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kDataCorrupt) << e.what();
    }
  }
}

// One stored byte that claims to be a terabyte.
TEST(StridedTest, RepeatedElementsHaveABudget) {
  CopyBudget budget(1 << 20);
  try {
    (void)to_contiguous(tensor_of({int64_t{1} << 40}, {0}, 0), "test", budget);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnsupported);
  }
}

TEST(StridedTest, MisalignedElementsAreCopied) {
  SharedBytes storage = numbered(17).part(1, 16);
  StridedTensor tensor{DType::kF64, storage, 0, {2}, {1}};
  CopyBudget budget(16);
  const TensorView view = to_contiguous(tensor, "test", budget);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(view.bytes.data()) % 8, 0u);
  EXPECT_EQ(view.bytes[15], std::byte{16});
}

}  // namespace
}  // namespace voxloom::weights
