#include "voxloom/io/info.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include <nlohmann/json.hpp>

#include "voxloom/io/affine.h"
#include "voxloom/io/nrrd.h"
#include "voxloom/io/volume_format.h"
#include "voxloom/io/volume_io.h"

namespace voxloom::io {
namespace {

using image::PixelType;
using image::Volume;
using image::VolumeSource;

constexpr std::array kPercents{0.5, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.5};
constexpr size_t kBins = 65536;

/// Calls `each` with every voxel as double, slab by slab.
template <class Each>
void for_each_voxel(VolumeSource& source, Each&& each) {
  constexpr int64_t kSlabBytes = int64_t{16} << 20;
  const auto& size = source.geometry().size;
  const int64_t slice_bytes =
      size[0] * size[1] * static_cast<int64_t>(image::bytes_per_voxel(source.type()));
  const int64_t step = std::clamp<int64_t>(kSlabBytes / slice_bytes, 1, size[2]);
  for (int64_t z = 0; z < size[2]; z += step) {
    const Volume slab = source.read_slab(z, std::min(z + step, size[2]));
    image::dispatch(slab.type(), [&](auto t) {
      for (const auto value : slab.as<decltype(t)>()) each(static_cast<double>(value));
    });
  }
}

bool is_small_integer(PixelType type) {
  return type == PixelType::kUint8 || type == PixelType::kInt8 || type == PixelType::kUint16 ||
         type == PixelType::kInt16;
}

/// Values by rank from a histogram whose bins stand for evenly spaced values from low to high.
/// lerp, because high - low may overflow for float64.
struct Histogram {
  double low = 0, high = static_cast<double>(kBins - 1);
  bool whole = false;  ///< A bin is exactly one whole number.
  std::vector<int64_t> counts = std::vector<int64_t>(kBins, 0);

  double value_at_rank(int64_t rank) const {
    size_t bin = 0;
    for (int64_t seen = counts[0]; seen <= rank && bin + 1 < kBins; seen += counts[bin]) ++bin;
    const auto steps = static_cast<double>(bin);
    return whole ? low + steps : std::lerp(low, high, steps / static_cast<double>(kBins - 1));
  }
  double percentile(double percent, int64_t total) const {
    const double position = percent / 100 * static_cast<double>(total - 1);
    const auto rank = static_cast<int64_t>(std::floor(position));
    return std::lerp(value_at_rank(rank),
                     value_at_rank(std::min(rank + 1, total - 1)),
                     position - static_cast<double>(rank));
  }
};

bool right_handed(const image::Geometry& g) {
  const auto& d = g.direction;
  return d[0] * (d[4] * d[8] - d[5] * d[7]) - d[1] * (d[3] * d[8] - d[5] * d[6]) +
             d[2] * (d[3] * d[7] - d[4] * d[6]) >
         0;
}

/// JSON has no NaN or infinity.
nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

}  // namespace

VolumeStatistics volume_statistics(VolumeSource& source) {
  VolumeStatistics out;
  const bool exact = is_small_integer(source.type());
  Histogram histogram;
  histogram.whole = exact;
  if (exact) {
    histogram.low = source.type() == PixelType::kInt8    ? -128
                    : source.type() == PixelType::kInt16 ? -32768
                                                         : 0;
  }
  double low = std::numeric_limits<double>::infinity(), high = -low, mean = 0, squares = 0;
  int64_t count = 0;
  for_each_voxel(source, [&](double value) {
    if (!std::isfinite(value)) {
      ++out.not_finite;
      return;
    }
    low = std::min(low, value);
    high = std::max(high, value);
    // Welford's update: no loss of digits for large means.
    ++count;
    const double step = value - mean;
    mean += std::isfinite(step)
                ? step / static_cast<double>(count)
                : value / static_cast<double>(count) - mean / static_cast<double>(count);
    squares += step * (value - mean);
    if (exact) ++histogram.counts[static_cast<size_t>(value - histogram.low)];
  });
  if (count == 0) return out;
  out.minimum = low;
  out.maximum = high;
  out.mean = mean;
  out.standard_deviation = std::sqrt(squares / static_cast<double>(count));
  if (!exact) {
    histogram.low = low;
    histogram.high = high;
    constexpr double kSteps = kBins - 1;
    const double width = high / kSteps - low / kSteps;
    const double scale = width > 0 ? 1 / width : 0;
    for_each_voxel(source, [&](double value) {
      if (!std::isfinite(value)) return;
      const double offset = value - low;
      const double steps = std::isfinite(offset) ? offset * scale : value * scale - low * scale;
      ++histogram.counts[static_cast<size_t>(std::clamp(steps + 0.5, 0.0, kSteps))];
    });
  }
  for (const double percent : kPercents) {
    out.percentiles.push_back({percent, histogram.percentile(percent, count)});
  }
  return out;
}

VolumeInfo describe_volume(const std::filesystem::path& path,
                           const std::string& series_uid,
                           bool statistics) {
  const VolumeFormat format = detect_format(path);
  const auto source = open_volume(path, series_uid);
  VolumeInfo info;
  info.format = volume_format_name(format);
  info.geometry = source->geometry();
  info.orientation = orientation_code(info.geometry);
  info.orthogonal = is_orthogonal(info.geometry);
  info.right_handed = right_handed(info.geometry);
  info.type = source->type();
  if (format == VolumeFormat::kNrrd) info.labels = read_nrrd_labels(path);
  if (statistics) info.statistics = volume_statistics(*source);
  return info;
}

nlohmann::ordered_json to_json(const VolumeInfo& info) {
  nlohmann::ordered_json out;
  out["format"] = info.format;
  out["size"] = info.geometry.size;
  out["spacing_mm"] = info.geometry.spacing_mm;
  out["origin_mm"] = info.geometry.origin_mm;
  out["direction"] = info.geometry.direction;
  out["orientation"] = info.orientation;
  out["orthogonal"] = info.orthogonal;
  out["right_handed"] = info.right_handed;
  out["type"] = image::pixel_type_name(info.type);
  if (!info.labels.empty()) {
    auto& labels = out["labels"] = nlohmann::ordered_json::object();
    for (const auto& label : info.labels) labels[std::to_string(label.value)] = label.name;
  }
  if (info.statistics) {
    const auto& s = *info.statistics;
    auto& values = out["values"];
    values["min"] = number(s.minimum);
    values["max"] = number(s.maximum);
    values["mean"] = number(s.mean);
    values["sd"] = number(s.standard_deviation);
    values["not_finite"] = s.not_finite;
    auto& percentiles = values["percentiles"] = nlohmann::ordered_json::object();
    for (const auto& p : s.percentiles) {
      std::string key = voxloom::format("{}", p.percent);
      percentiles[key] = number(p.value);
    }
  }
  return out;
}

}  // namespace voxloom::io
