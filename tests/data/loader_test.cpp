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

/// What all ranks make together, against what one makes alone.
void expect_same_batches(const std::vector<dataset::Sample>& samples, LoaderOptions options) {
  options.workers = 2;
  Loader whole(samples, options);
  options.ranks = 2;
  Loader first(samples, options);
  options.rank = 1;
  Loader second(samples, options);
  EXPECT_EQ(first.batches_per_epoch(), whole.batches_per_epoch());
  for (Loader* loader : {&whole, &first, &second}) loader->begin_epoch(3, 1);
  int batches = 0;
  while (const auto want = whole.next()) {
    const auto a = first.next(), b = second.next();
    ASSERT_TRUE(a && b);
    EXPECT_TRUE(at::cat({a->image, b->image}).equal(want->image));
    EXPECT_TRUE(at::cat({a->target, b->target}).equal(want->target));
    auto items = a->items;
    items.insert(items.end(), b->items.begin(), b->items.end());
    EXPECT_EQ(items, want->items);
    ++batches;
  }
  EXPECT_EQ(batches, 2);
  EXPECT_FALSE(first.next());
  EXPECT_FALSE(second.next());
}

TEST(LoaderTest, TwoRanksShareTheBatchesOfOne) {
  const TempFolder folder;
  LoaderOptions options;
  options.batch_size = 4;
  options.seed = 9;
  options.crop = 24;
  options.foreground_share = 0.5;
  options.augment.set = "nnunet";
  expect_same_batches(line_samples(folder, 13, 40, 50), options);
}

TEST(LoaderTest, WholeImagesArePaddedToTheLargestOfAllRanks) {
  const TempFolder small, large;
  auto samples = line_samples(small, 6, 40, 30);
  for (const auto& sample : line_samples(large, 6, 30, 50)) samples.push_back(sample);
  LoaderOptions options;
  options.batch_size = 4;
  options.pad_multiple = 16;
  expect_same_batches(samples, options);
}

TEST(LoaderTest, RefusesBatchesThatRanksCannotShare) {
  const TempFolder folder;
  const auto samples = line_samples(folder, 8, 20, 20);
  LoaderOptions options;
  options.batch_size = 4;
  options.ranks = 3;
  EXPECT_THAT(error_of([&] { const Loader loader(samples, options); }),
              HasSubstr("batch size: must be a multiple of the number of ranks, 3, got 4"));
  options.ranks = 2;
  options.drop_last = false;
  EXPECT_THAT(error_of([&] { const Loader loader(samples, options); }),
              HasSubstr("batches of full size only"));
}

}  // namespace
}  // namespace voxloom::data
