#include <algorithm>
#include <memory>

#include <cuda_runtime.h>

#include "voxloom/kernels/attention.h"
#include "voxloom/kernels/cuda/attention.h"
#include "voxloom/kernels/packing.h"
#include "voxloom/kernels/rope.h"

#include "kernel_test_util.h"

namespace voxloom::kernels {
namespace {

// A copy of host data on the device.
template <class T>
class Device {
 public:
  explicit Device(const std::vector<T>& host) : Device(host.size()) {
    if (!host.empty()) copy(data_, host.data(), host.size(), cudaMemcpyHostToDevice);
  }
  explicit Device(size_t count) : size_(count) {
    EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&data_), std::max<size_t>(1, count) * sizeof(T)),
              cudaSuccess);
  }
  ~Device() { cudaFree(data_); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] std::vector<T> host() const {
    std::vector<T> values(size_);
    copy(values.data(), data_, size_, cudaMemcpyDeviceToHost);
    return values;
  }

 private:
  static void copy(T* to, const T* from, size_t count, cudaMemcpyKind kind) {
    EXPECT_EQ(cudaMemcpy(to, from, count * sizeof(T), kind), cudaSuccess);
  }
  T* data_ = nullptr;
  size_t size_ = 0;
};

struct CudaCase {
  int64_t queries, key_channels, value_channels;
  std::vector<int64_t> rows;
  int splits;
};

const std::vector<CudaCase>& cases() {
  static const std::vector<CudaCase> list = {
      {1, 32, 64, {1}, 1},
      {65, 64, 64, {0, 31, 33}, 1},
      {100, 256, 64, {256, 256, 60}, 5},
      {64, 256, 256, {130}, 3},
      {70, 96, 128, {7}, 4},  // more parts than tiles: three of them stay empty
  };
  return list;
}

class CudaAttentionTest : public testing::Test {
 protected:
  void SetUp() override {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
      GTEST_SKIP() << "this machine has no CUDA device";
    }
  }
};

// Runs one case in f32 or bf16; `expected` is the definition's result.
std::vector<float> run_case(const CudaCase& c, bool bf16, std::vector<float>* expected) {
  const auto q = normal(c.queries * c.key_channels, 1);
  std::vector<std::vector<float>> keys;
  std::vector<std::vector<float>> values;
  std::vector<KeySegment> host;
  std::vector<std::unique_ptr<Device<float>>> floats;
  std::vector<std::unique_ptr<Device<Bf16>>> halves;
  std::vector<cuda::Segment> segments;
  uint32_t seed = 7;
  for (const int64_t rows : c.rows) {
    const int64_t stride = (rows + 7) / 8 * 8 + 8;
    keys.push_back(normal(rows * c.key_channels, ++seed));
    values.push_back(normal(stride * c.value_channels, ++seed));
    host.push_back({keys.back().data(), values.back().data(), rows, stride});
    cuda::Segment segment{nullptr, nullptr, rows, stride};
    if (bf16) {
      for (const auto* source : {&keys.back(), &values.back()}) {
        std::vector<Bf16> rounded(source->size());
        std::transform(source->begin(), source->end(), rounded.begin(), to_bf16);
        halves.push_back(std::make_unique<Device<Bf16>>(rounded));
      }
      segment.keys = halves[halves.size() - 2]->data();
      segment.values = halves.back()->data();
    } else {
      floats.push_back(std::make_unique<Device<float>>(keys.back()));
      segment.keys = floats.back()->data();
      floats.push_back(std::make_unique<Device<float>>(values.back()));
      segment.values = floats.back()->data();
    }
    segments.push_back(segment);
  }
  expected->resize(static_cast<size_t>(c.queries * c.value_channels));
  attention_reference(
      {c.queries, c.key_channels, c.value_channels}, q.data(), host, 0.0625F, expected->data());
  const Device<float> q_device(q);
  const Device<float> out(expected->size());
  const Device<float> workspace(static_cast<size_t>(
      cuda::voxloom_cuda_attention_workspace(c.queries, c.value_channels, c.splits)));
  const cuda::AttentionCall call{.q = q_device.data(),
                                 .segments = segments.data(),
                                 .num_segments = static_cast<int>(segments.size()),
                                 .queries = c.queries,
                                 .key_channels = c.key_channels,
                                 .value_channels = c.value_channels,
                                 .scale = 0.0625F,
                                 .out = out.data(),
                                 .workspace = workspace.data(),
                                 .splits = c.splits};
  EXPECT_EQ(bf16 ? cuda::voxloom_cuda_attention_bf16(&call, nullptr)
                 : cuda::voxloom_cuda_attention_f32(&call, nullptr),
            0);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  return out.host();
}

TEST_F(CudaAttentionTest, F32EqualsTheDefinition) {
  for (const CudaCase& c : cases()) {
    SCOPED_TRACE(c.queries);
    std::vector<float> expected;
    const auto out = run_case(c, false, &expected);
    EXPECT_LT(largest_difference(out, expected), 1e-5);
  }
}

TEST_F(CudaAttentionTest, Bf16StaysWithinTheRoundingOfItsInputs) {
  for (const CudaCase& c : cases()) {
    SCOPED_TRACE(c.queries);
    std::vector<float> expected;
    const auto out = run_case(c, true, &expected);
    EXPECT_LT(relative_error(out, expected), 1e-2);
  }
}

TEST_F(CudaAttentionTest, RotationEqualsTheProcessors) {
  const RopeTable rope(64, 3, 5);
  const auto x = normal(15 * 64, 1);
  const auto shift = normal(64, 2);
  std::vector<float> expected(x.size());
  rope.apply(x.data(), 0, 15, expected.data(), shift.data());
  const auto table = static_cast<size_t>(rope.positions() * 32);
  const Device<float> cosine(std::vector<float>(rope.cosine(), rope.cosine() + table));
  const Device<float> sine(std::vector<float>(rope.sine(), rope.sine() + table));
  const Device<float> x_device(x);
  const Device<float> shift_device(shift);
  // In two parts and in place, to see that the first token counts.
  for (const auto& [first, rows] : {std::pair<int64_t, int64_t>{0, 4}, {4, 11}}) {
    float* at = x_device.data() + first * 64;
    ASSERT_EQ(
        cuda::voxloom_cuda_rope(
            at, shift_device.data(), cosine.data(), sine.data(), first, rows, 64, 5, at, nullptr),
        0);
  }
  EXPECT_LT(largest_difference(x_device.host(), expected), 1e-5);
}

// Sizes are refused before the device is touched, so this runs everywhere.
TEST(CudaAttentionCallTest, RefusesSizesItWasNotBuiltFor) {
  float dummy = 0.0F;
  const cuda::Segment segment{&dummy, &dummy, 4, 8};
  cuda::AttentionCall call{.q = &dummy,
                           .segments = &segment,
                           .num_segments = 1,
                           .queries = 4,
                           .key_channels = 40,
                           .value_channels = 64,
                           .out = &dummy,
                           .workspace = &dummy};
  EXPECT_EQ(cuda::voxloom_cuda_attention_f32(&call, nullptr), cudaErrorInvalidValue);
  call.key_channels = 64;
  call.value_channels = 65;
  EXPECT_EQ(cuda::voxloom_cuda_attention_f32(&call, nullptr), cudaErrorInvalidValue);
  call.value_channels = 64;
  call.num_segments = 0;
  EXPECT_EQ(cuda::voxloom_cuda_attention_bf16(&call, nullptr), cudaErrorInvalidValue);
  const cuda::Segment odd{&dummy, &dummy, 4, 7};
  call.num_segments = 1;
  call.segments = &odd;
  EXPECT_EQ(cuda::voxloom_cuda_attention_bf16(&call, nullptr), cudaErrorMisalignedAddress);
}

TEST(CudaAttentionCallTest, SplitsFillTheDeviceButKeepPartsWhole) {
  EXPECT_EQ(cuda::voxloom_cuda_attention_splits(1024, 7232, 132), 17);  // 16 tiles x 17 >= 264
  EXPECT_EQ(cuda::voxloom_cuda_attention_splits(1024, 60, 132), 1);
  EXPECT_EQ(cuda::voxloom_cuda_attention_splits(1 << 20, 7232, 132), 1);
  EXPECT_EQ(cuda::voxloom_cuda_attention_workspace(1024, 64, 17), 17 * 1024 * 66);
}

}  // namespace
}  // namespace voxloom::kernels
