#include "voxloom/dataset/weiss_frames.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "voxloom/core/error.h"

namespace voxloom::dataset {
namespace {

constexpr float kSteps = 255.0F;
/// A file whose highest value is above this is in 0-255.
constexpr float kUnitLimit = 1.5F;
/// What channels may differ by, of full scale.
constexpr float kChannelLimit = 0.02F;

io::Hdf5Array checked(io::Hdf5Array array,
                      const std::filesystem::path& path,
                      int64_t most_channels,
                      const char* shape) {
  const auto& size = array.shape();
  VOXLOOM_CHECK(size.size() == 3 || (size.size() == 4 && size[3] <= most_channels),
                ErrorCode::kDataCorrupt,
                "'{}' array '{}': must be {}, got {}",
                path.string(),
                array.name(),
                shape,
                size);
  return array;
}

int64_t channels_of(const io::Hdf5Array& array) {
  return array.shape().size() == 4 ? array.shape()[3] : 1;
}

std::vector<float> as_floats(const io::Hdf5Array::Values& values) {
  return std::visit([](const auto& v) { return std::vector<float>(v.begin(), v.end()); }, values);
}

bool is_step(float value, float full_scale) {
  const float step = std::round(value / full_scale * kSteps);
  // What read_picture() makes of the 8 bits, brought back to the file's scale.
  return full_scale == kSteps ? value == step : value == step / kSteps;
}

}  // namespace

WeissImages::WeissImages(const std::filesystem::path& path, std::string_view name)
    : path_(path),
      array_(checked(io::Hdf5Array::open(path, name), path, 4, "[N, H, W, 3] or [N, H, W]")) {}

void WeissImages::look_through() {
  float lowest = 0.0F, highest = 0.0F;
  bool whole = true, in_unit_steps = true;
  for (int64_t i = 0; i < count(); ++i) {
    for (const float v : as_floats(array_.read(i))) {
      // Not a number compares false.
      VOXLOOM_CHECK(std::isfinite(v),
                    ErrorCode::kDataCorrupt,
                    "'{}' frame {}: pixels must be finite",
                    path_.string(),
                    i);
      lowest = std::min(lowest, v);
      highest = std::max(highest, v);
      whole = whole && is_step(v, kSteps);
      in_unit_steps = in_unit_steps && is_step(v, 1.0F);
    }
  }
  full_scale_ = highest > kUnitLimit ? kSteps : 1.0F;
  in_steps_ = full_scale_ == kSteps ? whole : in_unit_steps;
  VOXLOOM_CHECK(lowest >= 0.0F && highest <= full_scale_,
                ErrorCode::kDataCorrupt,
                "'{}': pixels must lie within [0, {}], got {} to {}",
                path_.string(),
                full_scale_,
                lowest,
                highest);
}

PlainPicture WeissImages::frame(int64_t index) {
  std::call_once(looked_, [this] { look_through(); });
  const auto values = as_floats(array_.read(index));
  const auto channels = static_cast<size_t>(channels_of(array_));
  const size_t middle = channels / 2, pixels = values.size() / channels;
  std::vector<float> grey(pixels);
  for (size_t p = 0; p < pixels; ++p) {
    const auto [low, high] =
        std::minmax_element(values.begin() + static_cast<int64_t>(p * channels),
                            values.begin() + static_cast<int64_t>((p + 1) * channels));
    VOXLOOM_CHECK(*high - *low <= kChannelLimit * full_scale_,
                  ErrorCode::kDataCorrupt,
                  "'{}' frame {}: channels must be near-equal copies, got {} to {}",
                  path_.string(),
                  index,
                  *low,
                  *high);
    grey[p] = values[p * channels + middle] / full_scale_;
  }
  if (!in_steps_) return {width(), height(), std::move(grey)};
  std::vector<uint8_t> steps(pixels);
  std::transform(grey.begin(), grey.end(), steps.begin(), [](float v) {
    return static_cast<uint8_t>(std::lround(v * kSteps));
  });
  return {width(), height(), std::move(steps)};
}

WeissLabels::WeissLabels(const std::filesystem::path& path, std::string_view name)
    : path_(path),
      array_(checked(io::Hdf5Array::open(path, name), path, 2, "[N, H, W, 2] or [N, H, W]")) {}

PlainPicture WeissLabels::mask(int64_t index) const {
  const auto values = as_floats(array_.read(index));
  const auto channels = static_cast<size_t>(channels_of(array_));
  std::vector<uint8_t> mask(values.size() / channels);
  int64_t inside = 0;
  for (size_t p = 0; p < mask.size(); ++p) {
    const float v = values[p * channels];
    VOXLOOM_CHECK(v == 0.0F || v == 1.0F || v == kSteps,
                  ErrorCode::kDataCorrupt,
                  "'{}' frame {}: labels must be 0 and 1 (or 255), got {}",
                  path_.string(),
                  index,
                  v);
    mask[p] = v != 0.0F ? 1 : 0;
    inside += mask[p];
  }
  VOXLOOM_CHECK(2 * inside <= std::ssize(mask),
                ErrorCode::kDataCorrupt,
                "'{}' frame {}: channel 0 must be the device, got {} of {} pixels inside",
                path_.string(),
                index,
                inside,
                mask.size());
  return {width(), height(), std::move(mask)};
}

}  // namespace voxloom::dataset
