#include "voxloom/infer_ml/feature_store.h"

#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/core/error.h"

using voxloom::infer_ml::FeatureMaps;
using voxloom::infer_ml::FeatureStore;

namespace {

FeatureMaps maps_of(int64_t z) {
  return {torch::full({1, 2, 4, 4}, static_cast<float>(z)),
          torch::full({1, 4, 2, 2}, static_cast<float>(z) + 0.5F),
          torch::Tensor()};
}

constexpr int64_t kSliceBytes = (32 + 16) * 4;

}  // namespace

TEST(FeatureStoreTest, GivesBackEverySliceWhateverTheBudget) {
  for (const int64_t slices_in_memory : {1, 3, 100}) {
    FeatureStore store(slices_in_memory * kSliceBytes, false);
    for (int64_t z = 0; z < 20; ++z) store.put(z, maps_of(z));
    EXPECT_EQ(store.slices(), 20);
    EXPECT_EQ(store.spilled_slices(), std::max<int64_t>(0, 20 - slices_in_memory));
    for (const int64_t z : {0, 19, 7, 7, 3, 12, 0}) {
      const FeatureMaps maps = store.get(z);
      EXPECT_TRUE(torch::equal(maps[0], maps_of(z)[0])) << "slice " << z;
      EXPECT_TRUE(torch::equal(maps[1], maps_of(z)[1])) << "slice " << z;
      EXPECT_FALSE(maps[2].defined());
    }
  }
}

TEST(FeatureStoreTest, KeepsBfloat16ValuesExactly) {
  FeatureStore store(kSliceBytes / 2, true);
  const auto values = torch::randn({1, 2, 4, 4}).to(torch::kBFloat16);
  store.put(5, {values, torch::zeros({1, 4, 2, 2}), torch::Tensor()});
  store.put(6, maps_of(6));
  EXPECT_EQ(store.get(5)[0].scalar_type(), torch::kFloat);
  EXPECT_TRUE(torch::equal(store.get(5)[0], values.to(torch::kFloat)));
}

TEST(FeatureStoreTest, RefusesASliceThatWasNeverPut) {
  FeatureStore store(kSliceBytes, false);
  EXPECT_FALSE(store.contains(3));
  EXPECT_THROW(static_cast<void>(store.get(3)), voxloom::Error);
}

TEST(FeatureStoreTest, SaysWhenNoFileCanBeMade) {
  ::setenv("TMPDIR", "/nonexistent-folder", 1);
  FeatureStore store(kSliceBytes, false);
  store.put(0, maps_of(0));
  try {
    store.put(1, maps_of(1));
    ADD_FAILURE() << "must throw";
  } catch (const voxloom::Error& e) {
    EXPECT_NE(std::string(e.what()).find("set TMPDIR to a writable folder"), std::string::npos);
  }
  ::unsetenv("TMPDIR");
}
