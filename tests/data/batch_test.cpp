#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/data/batch_maker.h"
#include "voxloom/data/batch_queue.h"
#include "voxloom/data/image_cache.h"

#include "data_fixtures.h"

namespace voxloom::data {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::line_samples;
using testing::TempFolder;

LoaderOptions training(int64_t workers = 1) {
  LoaderOptions options;
  options.crop = 48;
  options.workers = workers;
  options.seed = 11;
  options.augment.set = "fluoroscopy";
  return options;
}

/// All batches of these epochs through a queue.
std::vector<RawBatch> run(BatchMaker& maker, const LoaderOptions& options, int64_t first = 0) {
  BatchQueue queue(
      [&](int64_t e, int64_t b) { return maker.make(e, b); }, options.workers, options.prefetch);
  std::vector<RawBatch> out;
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    queue.begin(epoch, epoch == 0 ? first : 0, maker.batches_per_epoch());
    while (auto batch = queue.next()) out.push_back(std::move(*batch));
  }
  return out;
}

void expect_equal(const RawBatch& a, const RawBatch& b) {
  EXPECT_EQ(a.items, b.items);
  EXPECT_EQ(a.image, b.image);
  EXPECT_EQ(a.target, b.target);
}

TEST(BatchTest, WorkersDoNotChangeWhatIsMade) {
  const TempFolder folder;
  const auto samples = line_samples(folder, 18, 64, 56);
  BatchMaker reference_maker(samples, training());
  const auto reference = run(reference_maker, training());
  ASSERT_EQ(reference.size(), 8U);
  EXPECT_NE(reference[0].items, reference[4].items);
  for (const int64_t workers : {2, 4}) {
    BatchMaker maker(samples, training(workers));
    const auto got = run(maker, training(workers));
    ASSERT_EQ(got.size(), reference.size());
    for (size_t i = 0; i < got.size(); ++i) expect_equal(got[i], reference[i]);
  }
}

TEST(BatchTest, ResumingGivesTheRestOfTheEpoch) {
  const TempFolder folder;
  const auto samples = line_samples(folder, 18, 64, 56);
  BatchMaker maker(samples, training(2)), again(samples, training(2));
  const auto whole = run(maker, training(2));
  const auto rest = run(again, training(2), 3);
  ASSERT_EQ(rest.size(), whole.size() - 3);
  for (size_t i = 0; i < rest.size(); ++i) expect_equal(rest[i], whole[i + 3]);
}

TEST(BatchTest, AnEpochHoldsEverySampleOnce) {
  const TempFolder folder;
  const auto samples = line_samples(folder, 10, 16, 16);
  LoaderOptions options;
  options.batch_size = 4;
  options.drop_last = false;
  BatchMaker maker(samples, options);
  std::multiset<int64_t> items;
  EXPECT_EQ(maker.batches_per_epoch(), 3);
  for (int64_t b = 0; b < 3; ++b) {
    for (const int64_t item : maker.make(5, b).items) items.insert(item);
  }
  EXPECT_THAT(items, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  options.drop_last = true;
  EXPECT_EQ(BatchMaker(samples, options).batches_per_epoch(), 2);
}

TEST(BatchTest, ClipsHoldTheFramesBefore) {
  const TempFolder folder;
  auto samples = line_samples(folder, 5, 24, 16);
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i].sequence = i < 3 ? "a" : "b";
    samples[i].frame = static_cast<int64_t>(i < 3 ? i : i - 3);
  }
  EXPECT_THAT(earlier_frames(samples, 2),
              ElementsAre(ElementsAre(0, 0),
                          ElementsAre(0, 0),
                          ElementsAre(1, 0),
                          ElementsAre(3, 3),
                          ElementsAre(3, 3)));
  LoaderOptions options;
  options.shuffle = false;
  options.batch_size = 5;
  options.frames = 3;
  BatchMaker maker(samples, options);
  const RawBatch batch = maker.make(0, 0);
  ASSERT_EQ(batch.channels, 3);
  ASSERT_EQ(batch.image.size(), 5U * 3U * 24U * 16U);
  const auto pixel = [&](size_t item, size_t channel) {
    return batch.image[(item * 3 + channel) * 24 * 16 + 40];
  };
  for (size_t channel = 0; channel < 3; ++channel) {
    const auto picture = testing::line_picture(24, 16, 2 - channel);
    EXPECT_FLOAT_EQ(pixel(2, channel), static_cast<float>(picture.image[40]) / 255.0F);
  }
  EXPECT_EQ(pixel(3, 0), pixel(3, 1));
}

TEST(BatchTest, WithoutShufflingItemsComeWholeAndUnchanged) {
  const TempFolder folder;
  auto samples = line_samples(folder, 3, 40, 30);
  samples[1].mask.clear();
  samples[2].bright_object = true;
  LoaderOptions options;
  options.shuffle = false;
  options.crop = 8;
  options.augment.set = "nnunet";
  options.batch_size = 2;
  options.pad_multiple = 16;
  BatchMaker maker(samples, options);
  const RawBatch first = maker.make(0, 0), last = maker.make(0, 1);
  EXPECT_THAT(first.items, ElementsAre(0, 1));
  EXPECT_THAT(last.items, ElementsAre(2));
  EXPECT_EQ(first.width, 48);
  EXPECT_EQ(first.height, 32);
  const auto picture = testing::line_picture(40, 30, 0), bright = testing::line_picture(40, 30, 2);
  for (int64_t y = 0; y < 32; ++y) {
    for (int64_t x = 0; x < 48; ++x) {
      const auto at = static_cast<size_t>(y * 48 + x);
      const auto from =
          static_cast<size_t>(std::min<int64_t>(y, 29) * 40 + std::min<int64_t>(x, 39));
      const bool inside = x < 40 && y < 30;
      // Padding repeats the border and is ignored.
      ASSERT_FLOAT_EQ(first.image[at], static_cast<float>(picture.image[from]) / 255.0F);
      ASSERT_EQ(first.target[at], inside ? picture.mask[from] : 255);
      ASSERT_EQ(first.target[48 * 32 + at], 255);  // Not annotated.
      // Objects come out dark.
      ASSERT_FLOAT_EQ(last.image[at], static_cast<float>(255 - bright.image[from]) / 255.0F);
    }
  }
}

TEST(BatchTest, TheForegroundShareIsCentredOnObjects) {
  const TempFolder folder;
  const auto samples = line_samples(folder, 4, 200, 200);
  LoaderOptions options;
  options.batch_size = 4;
  options.crop = 21;
  options.foreground_share = 0.5;
  BatchMaker maker(samples, options);
  int on_object = 0, others = 0;
  for (int64_t epoch = 0; epoch < 60; ++epoch) {
    const RawBatch batch = maker.make(epoch, 0);
    for (size_t i = 0; i < 4; ++i) {
      const auto begin = batch.target.begin() + static_cast<std::ptrdiff_t>(i * 21 * 21);
      const bool has = std::any_of(begin, begin + 21 * 21, [](uint8_t v) { return v == 1; });
      (i < 2 ? others : on_object) += has ? 1 : 0;
    }
  }
  EXPECT_EQ(on_object, 120);
  EXPECT_LT(others, 60);
}

TEST(BatchTest, CropsLieInsideAndSmallImagesInTheMiddle) {
  const auto p = testing::line_picture(50, 30, 1);
  Rng rng(1);
  for (int i = 0; i < 200; ++i) {
    const Window w = choose_crop(p.view(), 32, i % 2 == 0, rng);
    ASSERT_TRUE(w.x >= 0 && w.x <= 18);
    ASSERT_EQ(w.y, -1);
  }
}

TEST(BatchTest, BadUseIsExplained) {
  const TempFolder folder;
  auto samples = line_samples(folder, 3, 16, 16);
  const auto make = [&](const LoaderOptions& options) {
    return error_of([&] { BatchMaker(samples, options); });
  };
  EXPECT_THAT(make(LoaderOptions{}), HasSubstr("at least one batch of 4 samples, got 3"));
  LoaderOptions options;
  options.batch_size = 2;
  EXPECT_EQ(make(options), "no error");
  samples[1].role = dataset::Role::kSealed;
  EXPECT_THAT(make(options), HasSubstr("training must not use sealed samples, got '1'"));
  options.prefetch = 0;
  EXPECT_THAT(make(options), HasSubstr("loader prefetch: must be within [1, 65536], got 0"));
  samples.clear();
  EXPECT_THAT(make({.batch_size = 1}), HasSubstr("must have samples, got none"));
}

TEST(ImageCacheTest, DecodesOnceAndSpillsToDisk) {
  const TempFolder folder;
  const auto samples = line_samples(folder, 6, 40, 30);
  ImageCache all(samples, 1 << 20, {});
  // Room for two images with their masks.
  ImageCache some(samples, 2 * 2 * 40 * 30, folder.path());
  for (int round = 0; round < 3; ++round) {
    for (int64_t i = 0; i < 6; ++i) {
      const auto a = all.get(i), b = some.get(i);
      EXPECT_EQ(a->image, b->image);
      EXPECT_EQ(a->mask, b->mask);
      EXPECT_EQ(a->mean, b->mean);
      EXPECT_EQ(b->width, 40);
    }
  }
  EXPECT_EQ(all.usage().decoded, 6);
  EXPECT_EQ(all.usage().file_bytes, 0U);
  EXPECT_EQ(some.usage().decoded, 6);
  EXPECT_EQ(some.usage().memory_bytes, 2U * 2 * 40 * 30);
  EXPECT_EQ(some.usage().file_bytes, 4U * 2 * 40 * 30);
  // The file has no name.
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_EQ(entry.path().extension(), ".png");
  }
}

TEST(ImageCacheTest, WithoutAFileImagesAreDecodedAgain) {
  const TempFolder folder;
  const auto samples = line_samples(folder, 2, 40, 30);
  ImageCache cache(samples, 0, folder / "absent");
  EXPECT_EQ(cache.get(1)->width, 40);
  EXPECT_EQ(cache.get(1)->image, cache.get(1)->image);
  EXPECT_EQ(cache.usage().decoded, 3);
}

TEST(ImageCacheTest, ThreadsShareOneDecoding) {
  const TempFolder folder;
  const auto samples = line_samples(folder, 5, 60, 60);
  ImageCache cache(samples, 3 * 2 * 60 * 60, folder.path());
  std::vector<std::thread> threads;
  std::atomic<int64_t> pixels{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int64_t i = 0; i < 50; ++i)
        pixels += static_cast<int64_t>(cache.get(i % 5)->image.size());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(pixels, 200 * 3600);
  EXPECT_EQ(cache.usage().decoded, 5);
}

TEST(BatchQueueTest, NoMoreThanThePrefetchIsMadeAhead) {
  std::atomic<int64_t> made{0}, taken{0}, most{0};
  BatchQueue queue(
      [&](int64_t, int64_t batch) {
        const int64_t ahead = ++made - taken;
        int64_t seen = most;
        while (ahead > seen && !most.compare_exchange_weak(seen, ahead)) {
        }
        RawBatch out;
        out.items = {batch};
        return out;
      },
      4,
      3);
  queue.begin(0, 0, 200);
  for (int64_t b = 0; b < 200; ++b) {
    // Counted before: a worker may start at once when one is taken.
    ++taken;
    const auto batch = queue.next();
    ASSERT_TRUE(batch);
    ASSERT_EQ(batch->items[0], b);
    if (b % 40 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(queue.next(), nullptr);
  EXPECT_EQ(queue.next(), nullptr);
  EXPECT_LE(most, 3);
  EXPECT_EQ(made, 200);
}

TEST(BatchQueueTest, AFailureReachesTheCallerInOrderAndANewEpochGoesOn) {
  BatchQueue queue(
      [](int64_t epoch, int64_t batch) {
        if (epoch == 0 && batch == 2) throw Error(ErrorCode::kDataCorrupt, "'c.png': is bad");
        RawBatch out;
        out.items = {epoch, batch};
        return out;
      },
      2,
      4);
  queue.begin(0, 0, 9);
  EXPECT_THAT(queue.next()->items, ElementsAre(0, 0));
  EXPECT_THAT(queue.next()->items, ElementsAre(0, 1));
  EXPECT_EQ(error_of([&] { static_cast<void>(queue.next()); }), "'c.png': is bad");
  EXPECT_EQ(queue.next(), nullptr);
  queue.begin(1, 7, 9);
  EXPECT_THAT(queue.next()->items, ElementsAre(1, 7));
  EXPECT_THAT(queue.next()->items, ElementsAre(1, 8));
  EXPECT_EQ(queue.next(), nullptr);
}

TEST(BatchQueueTest, BeginningAnewDropsWhatWasMade) {
  BatchQueue queue(
      [](int64_t epoch, int64_t batch) {
        std::this_thread::sleep_for(std::chrono::microseconds(200));
        RawBatch out;
        out.items = {epoch, batch};
        return out;
      },
      3,
      4);
  for (int64_t epoch = 0; epoch < 50; ++epoch) {
    queue.begin(epoch, epoch % 5, 10);
    for (int64_t b = epoch % 5; b < epoch % 5 + 2; ++b) {
      ASSERT_THAT(queue.next()->items, ElementsAre(epoch, b));
    }
  }
  // And the destructor ends with work under way.
}

TEST(BatchQueueTest, UnreadableFilesAreNamed) {
  const TempFolder folder;
  const auto samples = line_samples(folder, 4, 16, 16);
  std::filesystem::resize_file(samples[2].image, 50);
  BatchMaker maker(samples, {.batch_size = 1, .shuffle = false});
  BatchQueue queue([&](int64_t e, int64_t b) { return maker.make(e, b); }, 2, 2);
  queue.begin(0, 0, 4);
  static_cast<void>(queue.next());
  static_cast<void>(queue.next());
  EXPECT_THAT(error_of([&] { static_cast<void>(queue.next()); }),
              HasSubstr("i2.png': must be a valid PNG picture"));
}

}  // namespace
}  // namespace voxloom::data
