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
    for (int64_t z = 0; z < 20; ++z) store.put({0, z}, maps_of(z));
    EXPECT_EQ(store.slices(), 20);
    EXPECT_EQ(store.spilled_slices(), std::max<int64_t>(0, 20 - slices_in_memory));
    for (const int64_t z : {0, 19, 7, 7, 3, 12, 0}) {
      const FeatureMaps maps = store.get({0, z});
      EXPECT_TRUE(torch::equal(maps[0], maps_of(z)[0])) << "slice " << z;
      EXPECT_TRUE(torch::equal(maps[1], maps_of(z)[1])) << "slice " << z;
      EXPECT_FALSE(maps[2].defined());
    }
  }
}

TEST(FeatureStoreTest, KeepsBfloat16ValuesExactly) {
  FeatureStore store(kSliceBytes / 2, true);
  const auto values = torch::randn({1, 2, 4, 4}).to(torch::kBFloat16);
  store.put({0, 5}, {values, torch::zeros({1, 4, 2, 2}), torch::Tensor()});
  store.put({0, 6}, maps_of(6));
  EXPECT_EQ(store.get({0, 5})[0].scalar_type(), torch::kFloat);
  EXPECT_TRUE(torch::equal(store.get({0, 5})[0], values.to(torch::kFloat)));
}

TEST(FeatureStoreTest, RefusesASliceThatWasNeverPut) {
  FeatureStore store(kSliceBytes, false);
  EXPECT_FALSE(store.contains({0, 3}));
  EXPECT_THROW(static_cast<void>(store.get({0, 3})), voxloom::Error);
}

TEST(FeatureStoreTest, SlicesOfTwoImagesAreApartAndShareTheBudget) {
  FeatureStore store(3 * kSliceBytes, false);
  for (int64_t z = 0; z < 4; ++z) {
    store.put({1, z}, maps_of(z));
    store.put({2, z}, maps_of(100 + z));
    EXPECT_LE(store.resident_bytes(), 3 * kSliceBytes);
  }
  EXPECT_EQ(store.slices(), 8);
  for (int64_t z = 0; z < 4; ++z) {
    EXPECT_TRUE(torch::equal(store.get({1, z})[0], maps_of(z)[0])) << "slice " << z;
    EXPECT_TRUE(torch::equal(store.get({2, z})[0], maps_of(100 + z)[0])) << "slice " << z;
  }
}

TEST(FeatureStoreTest, AnErasedImageLeavesItsRoomToOthers) {
  FeatureStore store(2 * kSliceBytes, false);
  for (int64_t z = 0; z < 6; ++z) store.put({1, z}, maps_of(z));
  for (int64_t z = 0; z < 3; ++z) store.put({2, z}, maps_of(10 + z));
  const int64_t file = store.file_bytes();
  store.erase_set(1);
  EXPECT_EQ(store.slices(), 3);
  EXPECT_FALSE(store.contains({1, 0}));
  for (int64_t z = 0; z < 6; ++z) store.put({3, z}, maps_of(20 + z));
  EXPECT_EQ(store.file_bytes(), file) << "free places are used again";
  for (int64_t z = 0; z < 3; ++z) {
    EXPECT_TRUE(torch::equal(store.get({2, z})[1], maps_of(10 + z)[1])) << "slice " << z;
  }
  for (int64_t z = 0; z < 6; ++z) {
    EXPECT_TRUE(torch::equal(store.get({3, z})[1], maps_of(20 + z)[1])) << "slice " << z;
  }
  store.erase_set(2);
  store.erase_set(3);
  EXPECT_EQ(store.slices(), 0);
  EXPECT_EQ(store.resident_bytes(), 0);
  EXPECT_EQ(store.file_bytes(), 0) << "an unused file is emptied";
  for (int64_t z = 0; z < 4; ++z) store.put({4, z}, maps_of(z));
  EXPECT_TRUE(torch::equal(store.get({4, 0})[0], maps_of(0)[0]));
}

TEST(FeatureStoreTest, SaysWhenNoFileCanBeMade) {
  ::setenv("TMPDIR", "/nonexistent-folder", 1);
  FeatureStore store(kSliceBytes, false);
  store.put({0, 0}, maps_of(0));
  try {
    store.put({0, 1}, maps_of(1));
    ADD_FAILURE() << "must throw";
  } catch (const voxloom::Error& e) {
    EXPECT_NE(std::string(e.what()).find("set TMPDIR to a writable folder"), std::string::npos);
  }
  ::unsetenv("TMPDIR");
}
