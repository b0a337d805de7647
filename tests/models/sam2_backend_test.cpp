// The CPU kernel behind memory attention against libtorch running the modules.
#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/models/sam2/tracker.h"

#include "sam2_fixture.h"

namespace voxloom::models::sam2 {
namespace {

/// A memory as full as it gets: `maps` maps, one of them prompted, and `pointers` pointers.
MemoryRead full_memory(Sam2& model, int64_t maps, int64_t pointers) {
  const Sam2Options& options = model->options;
  MemoryRead memory;
  for (int64_t i = 0; i < maps; ++i) {
    const at::Tensor map = keyed_uniform("map" + std::to_string(i),
                                         {1, options.memory_dim, options.grid(), options.grid()});
    const int64_t row = i == 0 ? options.num_memories - 1 : maps - 1 - i;
    memory.maps.push_back({std::make_shared<MemoryFrame>(map, i == 0), row});
  }
  if (pointers > 0) {
    std::tie(memory.pointers, memory.pointer_positions) =
        model->pointer_tokens(keyed_uniform("pointers", {pointers, options.d_model}),
                              torch::arange(pointers, torch::kDouble) / 15.0);
  }
  return memory;
}

void expect_equal(
    Sam2& model, int64_t maps, int64_t pointers, double tolerance, kernels::Precision precision) {
  const torch::NoGradGuard no_grad;
  const Sam2Options& options = model->options;
  const at::Tensor f2 = keyed_uniform("f2", {1, options.d_model, options.grid(), options.grid()});
  const MemoryRead memory = full_memory(model, maps, pointers);
  const auto parts = model->memory_backend_parts();
  const at::Tensor reference = make_torch_memory_backend(parts)->condition(f2, memory);
  const auto fast = make_fast_memory_backend(parts, precision);
  EXPECT_LE(max_difference(fast->condition(f2, memory), reference), tolerance)
      << maps << " maps, " << pointers << " pointers";
  // The second read uses the prepared keys.
  EXPECT_LE(max_difference(fast->condition(f2, memory), reference), tolerance);
}

TEST(MemoryBackendTest, KernelEqualsModulesOnTheShrunkenNetwork) {
  Sam2 model = golden_model();
  for (const auto& [maps, pointers] :
       {std::pair{1, 1}, std::pair{1, 0}, std::pair{7, 16}, std::pair{0, 3}, std::pair{3, 4}}) {
    expect_equal(model, maps, pointers, 1e-4, kernels::Precision::kF32);
  }
}

/// The published sizes; the trunk, which memory attention does not use, stays small.
Sam2 full_size_model() {
  Sam2Options options;
  options.hiera = shrunken_options().hiera;
  Sam2 model(options);
  tensor::load_state_dict(*model, golden_state(options), "made weights");
  model->eval();
  return model;
}

TEST(MemoryBackendTest, KernelEqualsModulesAtFullSizeInSteadyState) {
  Sam2 model = full_size_model();
  expect_equal(model, 7, 16, 1e-4, kernels::Precision::kF32);
}

TEST(MemoryBackendTest, Bfloat16StaysClose) {
  Sam2 model = full_size_model();
  // The output is normalised (values around 1); bfloat16 keeps eight bits.
  expect_equal(model, 2, 3, 0.15, kernels::Precision::kBf16);
}

TEST(MemoryBackendTest, TwoBackendsMayReadTheSameFrames) {
  const torch::NoGradGuard no_grad;
  Sam2 model = golden_model();
  const at::Tensor f2 = keyed_uniform("f2", {1, 64, 8, 8});
  const MemoryRead memory = full_memory(model, 3, 2);
  const auto parts = model->memory_backend_parts();
  const auto first = make_fast_memory_backend(parts, kernels::Precision::kF32);
  const auto second = make_fast_memory_backend(parts, kernels::Precision::kF32);
  const at::Tensor expected = first->condition(f2, memory);
  EXPECT_EQ(max_difference(second->condition(f2, memory), expected), 0.0);
  EXPECT_EQ(max_difference(first->condition(f2, memory), expected), 0.0);
}

TEST(MemoryBackendTest, RefusesOtherSizesAndNothingToRead) {
  const torch::NoGradGuard no_grad;
  Sam2 model = golden_model();
  const auto parts = model->memory_backend_parts();
  const at::Tensor f2 = keyed_uniform("f2", {1, 64, 8, 8});
  for (const bool fast : {false, true}) {
    const auto backend = fast ? make_fast_memory_backend(parts, kernels::Precision::kF32)
                              : make_torch_memory_backend(parts);
    EXPECT_THROW(backend->condition(f2, MemoryRead{}), Error) << fast;
    EXPECT_THROW(backend->condition(keyed_uniform("f2", {1, 64, 4, 4}), full_memory(model, 1, 1)),
                 Error)
        << fast;
  }
}

}  // namespace
}  // namespace voxloom::models::sam2
