#include "voxloom/data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ATen.h>

#include "data_fixtures.h"

namespace voxloom::data {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::line_samples;
using testing::TempFolder;

TEST(LoaderTest, TensorsHaveTheAgreedShapesAndOutliveTheLoader) {
  const TempFolder folder;
  LoaderOptions options;
  options.crop = 32;
  options.batch_size = 3;
  options.workers = 2;
  options.augment.set = "nnunet";
  std::vector<Batch> batches;
  {
    Loader loader(line_samples(folder, 7, 40, 50), options);
    EXPECT_EQ(loader.batches_per_epoch(), 2);
    loader.begin_epoch(0);
    while (auto batch = loader.next()) batches.push_back(std::move(*batch));
  }
  ASSERT_EQ(batches.size(), 2U);
  for (const auto& batch : batches) {
    EXPECT_EQ(batch.image.sizes(), (at::IntArrayRef{3, 1, 32, 32}));
    EXPECT_EQ(batch.image.scalar_type(), at::kFloat);
    EXPECT_EQ(batch.target.sizes(), (at::IntArrayRef{3, 32, 32}));
    EXPECT_EQ(batch.target.scalar_type(), at::kByte);
    EXPECT_EQ(batch.items.size(), 3U);
    EXPECT_GE(batch.wait_s, 0.0);
    EXPECT_GE(batch.image.min().item<float>(), 0.0F);
    EXPECT_LE(batch.image.max().item<float>(), 1.0F);
    EXPECT_GT(batch.image.std().item<float>(), 0.01F);
  }
}

TEST(LoaderTest, ResumesInTheMiddleOfAnEpoch) {
  const TempFolder folder;
  const auto samples = line_samples(folder, 12, 40, 40);
  LoaderOptions options;
  options.crop = 24;
  options.workers = 2;
  options.augment.set = "fluoroscopy";
  Loader loader(samples, options), again(samples, options);
  loader.begin_epoch(4);
  static_cast<void>(loader.next());
  const auto want = loader.next();
  again.begin_epoch(4, 1);
  const auto got = again.next();
  ASSERT_TRUE(want && got);
  EXPECT_EQ(got->items, want->items);
  EXPECT_TRUE(got->image.equal(want->image));
  EXPECT_TRUE(got->target.equal(want->target));
  EXPECT_THAT(error_of([&] { loader.begin_epoch(0, 4); }),
              HasSubstr("within its 3 batches, got batch 4 of epoch 0"));
}

}  // namespace
}  // namespace voxloom::data
