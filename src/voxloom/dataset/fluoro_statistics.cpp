#include "voxloom/dataset/fluoro_statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include <nlohmann/json.hpp>

#include "voxloom/core/format.h"
#include "voxloom/dataset/dose_class.h"
#include "voxloom/dataset/sample.h"

namespace voxloom::dataset {
namespace {

constexpr auto kBins =
    static_cast<size_t>(FluoroCnrHistogram::kHighest / FluoroCnrHistogram::kBinWidth + 0.5);

/// CNR below which a share `q` of the pixels lies.
double quantile(const std::vector<int64_t>& bins, int64_t pixels, double q) {
  const double goal = q * static_cast<double>(pixels);
  double sum = 0.0;
  for (size_t b = 0; b < bins.size(); ++b) {
    const auto here = static_cast<double>(bins[b]);
    if (sum + here >= goal && here > 0.0) {
      return FluoroCnrHistogram::kBinWidth * (static_cast<double>(b) + (goal - sum) / here);
    }
    sum += here;
  }
  return FluoroCnrHistogram::kHighest;
}

}  // namespace

FluoroCnrHistogram::FluoroCnrHistogram() : classes_(kDoseClasses) {
  for (auto& c : classes_) c.bins.assign(kBins, 0);
}

void FluoroCnrHistogram::add(double dose_ngy, const FluoroFrame& frame) {
  auto& c = classes_[dose_class(dose_ngy)];
  ++c.frames;
  bool any = false;
  for (size_t i = 0; i < frame.mask.size(); ++i) {
    if (frame.mask[i] != static_cast<uint8_t>(WireClass::kGuidewire)) continue;
    any = true;
    ++c.pixels;
    const auto bin = static_cast<size_t>(std::max(0.0, frame.cnr[i] / kBinWidth));
    ++c.bins[std::min(kBins - 1, bin)];
  }
  c.with_wire += any ? 1 : 0;
  c.visible += frame.wire_visible ? 1 : 0;
}

void FluoroCnrHistogram::merge(const FluoroCnrHistogram& other) {
  for (size_t i = 0; i < classes_.size(); ++i) {
    auto& a = classes_[i];
    const auto& b = other.classes_[i];
    a.frames += b.frames;
    a.with_wire += b.with_wire;
    a.visible += b.visible;
    a.pixels += b.pixels;
    for (size_t k = 0; k < kBins; ++k) a.bins[k] += b.bins[k];
  }
}

nlohmann::ordered_json FluoroCnrHistogram::to_json() const {
  nlohmann::ordered_json doses = nlohmann::ordered_json::array();
  for (size_t i = 0; i < classes_.size(); ++i) {
    const auto& c = classes_[i];
    if (c.frames == 0) continue;
    nlohmann::ordered_json item = {{"dose", dose_class_name(i)},
                                   {"frames", c.frames},
                                   {"frames_with_wire", c.with_wire},
                                   {"frames_with_visible_wire", c.visible},
                                   {"wire_pixels", c.pixels}};
    if (c.pixels > 0) {
      for (const double q : {0.1, 0.5, 0.9}) {
        item[format("cnr_p{}", static_cast<int>(100.0 * q))] = quantile(c.bins, c.pixels, q);
      }
    }
    item["counts"] = c.bins;
    doses.push_back(std::move(item));
  }
  return {{"what", "contrast-to-noise ratio of single guidewire pixels in one frame, before lag"},
          {"bin_width", kBinWidth},
          {"last_bin_is_open", true},
          {"doses", std::move(doses)}};
}

image::Canvas FluoroCnrHistogram::draw() const {
  constexpr int64_t kBar = 10, kRow = 130, kLeft = 20;
  const auto rows = std::count_if(
      classes_.begin(), classes_.end(), [](const DoseClass& c) { return c.frames > 0; });
  const int64_t width = kLeft * 2 + kBar * static_cast<int64_t>(kBins);
  image::Canvas canvas(width, 30 + kRow * std::max<int64_t>(1, rows) + 24);
  canvas.text(kLeft, 10, "CNR of single guidewire pixels in one frame", image::kWhite, 1);
  int64_t base = 30;
  for (size_t i = 0; i < classes_.size(); ++i) {
    const auto& c = classes_[i];
    if (c.frames == 0) continue;
    base += kRow;
    const int64_t most = std::max<int64_t>(1, *std::max_element(c.bins.begin(), c.bins.end()));
    for (size_t b = 0; b < kBins; ++b) {
      const int64_t h = c.bins[b] * (kRow - 40) / most;
      canvas.fill({kLeft + kBar * static_cast<int64_t>(b), base - 16 - h, kBar - 1, h},
                  image::label_color(1));
    }
    canvas.line(kLeft, base - 15, width - kLeft, base - 15, image::kWhite);
    for (int64_t tick = 0; tick <= static_cast<int64_t>(kHighest); ++tick) {
      const auto x = kLeft + static_cast<int64_t>(static_cast<double>(tick * kBar) / kBinWidth);
      canvas.text(x - 2, base - 11, std::to_string(tick));
    }
    const std::string median =
        c.pixels > 0 ? format("median {:.2f}", quantile(c.bins, c.pixels, 0.5)) : "no wire";
    canvas.text(width / 2,
                base - kRow + 16,
                format("{}: {} frames, {}", dose_class_name(i), c.frames, median));
  }
  return canvas;
}

}  // namespace voxloom::dataset
