#include "voxloom/image/window.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <type_traits>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/core/parallel.h"
#include "voxloom/image/intensity.h"

namespace voxloom::image {
namespace {

constexpr WindowPreset kPresets[] = {
    {"abdomen", 400, 40},
    {"lung", 1500, -600},
    {"brain", 80, 40},
    {"mediastinum", 350, 50},
    {"bone", 1800, 400},
    {"liver", 150, 70},
    {"spine", 300, 40},
    {"angio", 600, 300},
    {"subdural", 200, 75},
    {"stroke", 40, 40},
    {"temporal-bone", 2800, 600},
};

std::optional<double> parse_number(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

std::string preset_list() {
  std::string list;
  for (const auto& p : kPresets) {
    if (!list.empty()) list += ", ";
    list += p.name;
  }
  return list;
}

const WindowPreset* find_preset(std::string_view name) {
  const auto* const it = std::find_if(
      std::begin(kPresets), std::end(kPresets), [&](const auto& p) { return p.name == name; });
  return it == std::end(kPresets) ? nullptr : it;
}

WindowRule choose(const IntensitySummary& s, PixelType type) {
  if (type == PixelType::kUint8) return {WindowRule::Kind::kNone, {0, 255}, "none"};
  if (s.below_minus_500 * 1000 >= s.voxels) {
    return {WindowRule::Kind::kRange, find_preset("abdomen")->window(), "abdomen"};
  }
  if (s.above_zero > 0) return {WindowRule::Kind::kPercentile, {}, "percentile"};
  return {WindowRule::Kind::kMinMax, {}, "minmax"};
}

template <class T>
void map_voxels(const GreyMap& map, std::span<const T> in, std::span<uint8_t> out) {
  using Real = std::conditional_t<std::is_same_v<T, float>, float, double>;
  const auto lo = static_cast<Real>(map.window.lo), hi = static_cast<Real>(map.window.hi);
  const auto min = static_cast<Real>(map.min);
  const Real range = static_cast<Real>(map.max) - min;
  const bool flat = !(range > 0);
  for (size_t i = 0; i < in.size(); ++i) {
    const auto value = static_cast<Real>(in[i]);
    if (flat || (map.keep_zero && value == 0)) {
      out[i] = 0;
      continue;
    }
    const Real clipped = std::min(std::max(value, lo), hi);
    // The clamp matters only for a volume other than the one that the map was made from; written so
    // that NaN becomes 0.
    const Real grey = (clipped - min) / range * Real{255};
    out[i] = static_cast<uint8_t>(grey > 0 ? std::min(grey, Real{255}) : Real{0});
  }
}

}  // namespace

std::span<const WindowPreset> ct_presets() {
  return kPresets;
}

WindowRule parse_window(std::string_view text) {
  using Kind = WindowRule::Kind;
  const std::string name(text);
  if (text == "auto") return {Kind::kAuto, {}, name};
  if (text == "percentile") return {Kind::kPercentile, {}, name};
  if (text == "minmax") return {Kind::kMinMax, {}, name};
  if (text == "none") return {Kind::kNone, {0, 255}, name};
  if (const auto* preset = find_preset(text)) return {Kind::kRange, preset->window(), name};
  const size_t comma = text.find(',');
  std::optional<double> lo, hi;
  if (comma != std::string_view::npos) {
    lo = parse_number(text.substr(0, comma));
    hi = parse_number(text.substr(comma + 1));
  }
  VOXLOOM_CHECK(lo && hi && *lo < *hi,
                ErrorCode::kInvalidArgument,
                "window: must be LO,HI with LO < HI, auto, percentile, minmax, none or one of the "
                "CT presets {}, got '{}'",
                preset_list(),
                text);
  return {Kind::kRange, {*lo, *hi}, name};
}

GreyMap resolve_window(VolumeSource& source, const WindowRule& rule) {
  using Kind = WindowRule::Kind;
  if (rule.kind == Kind::kNone ||
      (rule.kind == Kind::kAuto && source.type() == PixelType::kUint8)) {
    return {};  // Does not depend on the voxels.
  }
  const bool needs_percentiles = rule.kind == Kind::kAuto || rule.kind == Kind::kPercentile;
  IntensityScan scan(
      source,
      needs_percentiles ? IntensityScan::Histogram::kCount : IntensityScan::Histogram::kSkip);
  const IntensitySummary& s = scan.summary();
  VOXLOOM_CHECK(s.nan == 0,
                ErrorCode::kDataCorrupt,
                "window: every voxel must be a number, got {} NaN voxels of {}",
                s.nan,
                s.voxels);
  const WindowRule use = rule.kind == Kind::kAuto ? choose(s, source.type()) : rule;
  GreyMap map;
  map.name = use.name;
  map.window = use.range;
  if (use.kind == Kind::kMinMax) map.window = {s.min, s.max};
  if (use.kind == Kind::kPercentile) {
    VOXLOOM_CHECK(s.above_zero > 0,
                  ErrorCode::kInvalidArgument,
                  "window: percentile needs voxels above 0, got a maximum of {}; give LO,HI",
                  s.max);
    const auto bounds = scan.percentiles_above_zero({0.5, 99.5});
    map.window = {bounds[0], bounds[1]};
    map.keep_zero = true;
  }
  VOXLOOM_CHECK(std::isfinite(map.window.lo) && std::isfinite(map.window.hi),
                ErrorCode::kDataCorrupt,
                "window: the volume's range must be finite, got [{}, {}]",
                map.window.lo,
                map.window.hi);
  map.min = std::clamp(s.min, map.window.lo, map.window.hi);
  map.max = std::clamp(s.max, map.window.lo, map.window.hi);
  if (map.flat()) {
    VOXLOOM_LOG_WARN("window '{}' ({} to {}) leaves no contrast: the voxels lie within {} to {}",
                     map.name,
                     map.window.lo,
                     map.window.hi,
                     s.min,
                     s.max);
  }
  return map;
}

void apply_window(const GreyMap& map, const Volume& voxels, std::span<uint8_t> out) {
  VOXLOOM_CHECK(out.size() == static_cast<size_t>(voxels.voxel_count()),
                ErrorCode::kInvalidArgument,
                "window: output must hold {} voxels, got {}",
                voxels.voxel_count(),
                out.size());
  dispatch(voxels.type(), [&](auto t) {
    const auto in = voxels.as<decltype(t)>();
    parallel_for(
        0, static_cast<int64_t>(in.size()), int64_t{1} << 17, [&](int64_t first, int64_t last) {
          const auto at = static_cast<size_t>(first), n = static_cast<size_t>(last - first);
          map_voxels<decltype(t)>(map, in.subspan(at, n), out.subspan(at, n));
        });
  });
}

std::vector<uint8_t> apply_window(const GreyMap& map, const Volume& voxels) {
  std::vector<uint8_t> out(static_cast<size_t>(voxels.voxel_count()));
  apply_window(map, voxels, out);
  return out;
}

}  // namespace voxloom::image
