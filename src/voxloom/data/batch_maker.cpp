#include "voxloom/data/batch_maker.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <string_view>
#include <tuple>
#include <utility>

#include "voxloom/core/error.h"

namespace voxloom::data {
namespace {

constexpr uint64_t kOrderStreams = uint64_t{1} << 63;

std::vector<dataset::Sample> checked(std::vector<dataset::Sample> samples,
                                     const LoaderOptions& options) {
  options.validate();
  VOXLOOM_CHECK(
      !samples.empty(), ErrorCode::kInvalidArgument, "loader: must have samples, got none");
  VOXLOOM_CHECK(!options.drop_last || !options.shuffle ||
                    static_cast<int64_t>(samples.size()) >= options.batch_size,
                ErrorCode::kInvalidArgument,
                "loader: must have at least one batch of {} samples, got {}",
                options.batch_size,
                samples.size());
  if (!options.shuffle) return samples;
  for (const auto& sample : samples) {
    VOXLOOM_CHECK(sample.role != dataset::Role::kSealed,
                  ErrorCode::kInvalidArgument,
                  "loader: training must not use sealed samples, got '{}'",
                  sample.id);
  }
  return samples;
}

int64_t rounded_up(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

/// Writes one image into its place of the batch; what is left of it repeats the border.
void place_image(const Plane& plane, int64_t index, int64_t channel, RawBatch& batch) {
  const int64_t width = plane.width, height = plane.height;
  for (int64_t y = 0; y < batch.height; ++y) {
    float* image =
        batch.image.data() + ((index * batch.channels + channel) * batch.height + y) * batch.width;
    const float* source = plane.pixels.data() + std::min(y, height - 1) * width;
    std::copy_n(source, width, image);
    std::fill(image + width, image + batch.width, source[width - 1]);
  }
}

/// The same with a mask; what is left of it stays ignored.
void place_mask(const Example& example, int64_t index, RawBatch& batch) {
  const int64_t width = example.image.width;
  for (int64_t y = 0; y < example.image.height; ++y) {
    std::memcpy(batch.target.data() + (index * batch.height + y) * batch.width,
                example.mask.data() + y * width,
                static_cast<size_t>(width));
  }
}

}  // namespace

Window choose_crop(const SourceView& image, int64_t side, bool on_object, Rng& rng) {
  int64_t centre_x = -1, centre_y = -1;
  if (on_object && !image.mask.empty()) {
    std::array<uint64_t, 256> counts{};
    for (const uint8_t label : image.mask) ++counts[label];
    std::vector<uint8_t> present;
    for (size_t c = 1; c < 255; ++c) {
      if (counts[c] > 0) present.push_back(static_cast<uint8_t>(c));
    }
    if (!present.empty()) {
      const uint8_t wanted = present[rng.below(present.size())];
      uint64_t left = rng.below(counts[wanted]);
      for (size_t i = 0; i < image.mask.size(); ++i) {
        if (image.mask[i] != wanted || left-- != 0) continue;
        centre_x = static_cast<int64_t>(i) % image.width;
        centre_y = static_cast<int64_t>(i) / image.width;
        break;
      }
    }
  }
  const auto start = [&](int64_t size, int64_t centre) {
    // An image that is too small lies in the middle of its crop.
    if (size <= side) return -((side - size) / 2);
    if (centre < 0) return static_cast<int64_t>(rng.below(static_cast<uint64_t>(size - side + 1)));
    return std::clamp<int64_t>(centre - side / 2, 0, size - side);
  };
  const int64_t x = start(image.width, centre_x);
  const int64_t y = start(image.height, centre_y);
  return {x, y, side, side, true};
}

std::vector<std::vector<int64_t>> earlier_frames(const std::vector<dataset::Sample>& samples,
                                                 int64_t count) {
  using Key = std::tuple<std::string_view, std::string_view, std::string_view, int64_t>;
  const auto key = [](const dataset::Sample& s, int64_t frame) {
    return Key{s.dataset, s.subset, s.sequence, frame};
  };
  std::map<Key, int64_t> index;
  for (size_t i = 0; i < samples.size(); ++i) {
    index.emplace(key(samples[i], samples[i].frame), static_cast<int64_t>(i));
  }
  std::vector<std::vector<int64_t>> out(samples.size());
  for (size_t i = 0; i < samples.size(); ++i) {
    int64_t last = static_cast<int64_t>(i);
    for (int64_t back = 1; back <= count; ++back) {
      const auto found = index.find(key(samples[i], samples[i].frame - back));
      if (found != index.end() && !samples[i].sequence.empty()) last = found->second;
      out[i].push_back(last);
    }
  }
  return out;
}

BatchMaker::BatchMaker(std::vector<dataset::Sample> samples, const LoaderOptions& options)
    : options_(options),
      cache_(checked(std::move(samples), options),
             static_cast<size_t>(options.cache_mb) << 20,
             options.cache_dir) {
  if (options.frames == 1) return;
  std::vector<dataset::Sample> all;
  for (int64_t i = 0; i < cache_.size(); ++i) all.push_back(cache_.sample(i));
  earlier_ = earlier_frames(all, options.frames - 1);
}

int64_t BatchMaker::batches_per_epoch() const {
  const int64_t n = cache_.size(), b = options_.batch_size;
  return options_.shuffle && options_.drop_last ? n / b : (n + b - 1) / b;
}

std::shared_ptr<const BatchMaker::Order> BatchMaker::order(int64_t epoch) {
  const std::lock_guard lock(mutex_);
  if (order_epoch_ != epoch) {
    auto next = std::make_shared<Order>(static_cast<size_t>(cache_.size()));
    std::iota(next->begin(), next->end(), int64_t{0});
    if (options_.shuffle) {
      Rng rng(options_.seed, kOrderStreams + static_cast<uint64_t>(epoch));
      rng.shuffle(*next);
    }
    order_ = std::move(next);
    order_epoch_ = epoch;
  }
  return order_;
}

BatchMaker::Clip BatchMaker::make_clip(int64_t item, bool on_object, int64_t epoch, int64_t place) {
  const auto image = cache_.get(item);
  const SourceView view = image->view();
  std::vector<std::shared_ptr<const CachedImage>> before;
  for (int64_t back = 1; back < options_.frames; ++back) {
    auto earlier = cache_.get(earlier_[static_cast<size_t>(item)][static_cast<size_t>(back - 1)]);
    const bool same = earlier->width == image->width && earlier->height == image->height;
    before.push_back(same ? std::move(earlier) : image);
  }
  Rng rng(options_.seed, 1 + static_cast<uint64_t>(epoch * cache_.size() + place));
  if (!options_.shuffle) {
    const Window whole{0, 0, view.width, view.height, false};
    Clip clip{augment(view, whole, {}, rng), {}};
    for (const auto& earlier : before) {
      clip.earlier.push_back(augment(earlier->view(), whole, {}, rng).image);
    }
    return clip;
  }
  if (options_.boxes.on) {
    const BoxRegion region = choose_box_region(view, options_.crop, on_object, options_.boxes, rng);
    const ResizedRegion resized = resize_region(view, region);
    const Window window{region.x, region.y, region.side, region.side, true};
    return {augment(resized.view(), window, options_.augment, rng), {}};
  }
  const Window window = options_.crop > 0 ? choose_crop(view, options_.crop, on_object, rng)
                                          : Window{0, 0, view.width, view.height, false};
  std::vector<SourceView> views{view};
  for (const auto& earlier : before) views.push_back(earlier->view());
  auto frames = augment_clip(views, window, options_.augment, rng);
  Clip clip{std::move(frames.front()), {}};
  for (size_t i = 1; i < frames.size(); ++i) clip.earlier.push_back(std::move(frames[i].image));
  return clip;
}

/// Whole images are padded to the largest one of the batch, wherever that is made.
void BatchMaker::widen_to_all(const Order& items, int64_t first, RawBatch& batch) {
  for (int64_t place = first; place < first + options_.batch_size; ++place) {
    const auto image = cache_.get(items[static_cast<size_t>(place)]);
    batch.width = std::max(batch.width, image->width);
    batch.height = std::max(batch.height, image->height);
  }
}

RawBatch BatchMaker::make(int64_t epoch, int64_t batch) {
  const auto items = order(epoch);
  const int64_t first = batch * options_.batch_size;
  const int64_t last = std::min(first + options_.batch_size, cache_.size());
  // As nnU-Net does it: the last ones of a batch.
  const int64_t free_items =
      std::lround(static_cast<double>(options_.batch_size) * (1.0 - options_.foreground_share));
  const int64_t share = options_.batch_size / options_.ranks;
  const int64_t own_first = first + options_.rank * share;
  const int64_t own_last = std::min(own_first + share, last);
  RawBatch out;
  std::vector<Clip> clips;
  for (int64_t place = own_first; place < own_last; ++place) {
    const int64_t item = (*items)[static_cast<size_t>(place)];
    clips.push_back(make_clip(item, place - first >= free_items, epoch, place));
    out.items.push_back(item);
    out.width = std::max(out.width, clips.back().now.image.width);
    out.height = std::max(out.height, clips.back().now.image.height);
  }
  if (options_.ranks > 1 && options_.crop == 0) widen_to_all(*items, first, out);
  out.count = static_cast<int64_t>(clips.size());
  out.channels = options_.frames;
  out.width = rounded_up(out.width, options_.pad_multiple);
  out.height = rounded_up(out.height, options_.pad_multiple);
  const auto pixels = static_cast<size_t>(out.count * out.height * out.width);
  out.image.resize(pixels * static_cast<size_t>(out.channels));
  out.target.assign(pixels, uint8_t{255});
  for (size_t i = 0; i < clips.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    place_image(clips[i].now.image, index, 0, out);
    place_mask(clips[i].now, index, out);
    for (size_t k = 0; k < clips[i].earlier.size(); ++k) {
      place_image(clips[i].earlier[k], index, static_cast<int64_t>(k) + 1, out);
    }
  }
  return out;
}

}  // namespace voxloom::data
