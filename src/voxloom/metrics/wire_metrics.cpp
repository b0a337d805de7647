#include "voxloom/metrics/wire_metrics.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/metrics/davis.h"

namespace voxloom::metrics {
namespace {

using Mask = std::vector<uint8_t>;

Mask without_ignored(std::span<const uint8_t> mask, std::span<const uint8_t> ignore) {
  Mask out(mask.size());
  for (size_t i = 0; i < mask.size(); ++i)
    out[i] = mask[i] != 0 && (ignore.empty() || ignore[i] == 0);
  return out;
}

bool is_empty(const Mask& mask) {
  return std::all_of(mask.begin(), mask.end(), [](uint8_t v) { return v == 0; });
}

void check(const WireCase& c) {
  const auto pixels = static_cast<size_t>(c.width * c.height);
  VOXLOOM_CHECK(
      c.width > 0 && c.height > 0 && c.truth.size() == pixels && c.predicted.size() == pixels &&
          (c.ignore.empty() || c.ignore.size() == pixels),
      ErrorCode::kInvalidArgument,
      "wire metrics: masks must hold {}x{} pixels, got truth {}, prediction {}, ignore {}",
      c.width,
      c.height,
      c.truth.size(),
      c.predicted.size(),
      c.ignore.size());
  VOXLOOM_CHECK(c.pixel_mm >= 0 && std::isfinite(c.pixel_mm),
                ErrorCode::kInvalidArgument,
                "wire metrics: pixel size must be finite and not negative, got {} mm",
                c.pixel_mm);
}

void fill_tolerance(WireMetrics& out,
                    const PixelSetDistances& surface,
                    const PixelSetDistances& line,
                    const WireMetricsOptions& options) {
  const auto add = [&](const std::string& name, double radius_px) {
    out.tolerance.push_back({name, surface.within(radius_px), line.within(radius_px)});
  };
  for (const double r : options.radii_px) add(format("{:g}px", r), r);
  if (out.pixel_mm == 0.0) return;
  for (const double r : options.radii_mm) add(format("{:g}mm", r), r / out.pixel_mm);
}

}  // namespace

WireMetrics measure_wire(const WireCase& c, const WireMetricsOptions& options) {
  check(c);
  const int64_t w = c.width, h = c.height;
  WireMetrics out;
  out.pixel_mm = c.pixel_mm;
  out.thinning = options.thinning;
  out.truth_tip = c.truth_tip;
  out.predicted_tip = c.predicted_tip;
  out.pixels = count_pixels(c.truth, c.predicted, c.ignore);
  const Mask truth = without_ignored(c.truth, c.ignore);
  const Mask predicted = without_ignored(c.predicted, c.ignore);
  out.truth_empty = is_empty(truth);
  out.predicted_empty = is_empty(predicted);

  const auto surface = surface_pixel_distances(truth, predicted, w, h);
  out.hausdorff_px = surface.hausdorff();
  out.hausdorff95_px = surface.hausdorff95();
  out.hausdorff95_pooled_px = surface.hausdorff95(PixelSetDistances::Percentile::kPooled);
  out.assd_px = surface.average();
  out.assd_directed_px = surface.average(PixelSetDistances::Average::kMeanOfDirected);

  const Mask truth_skeleton = image::skeletonize(truth, w, h, options.thinning);
  const Mask predicted_skeleton = image::skeletonize(predicted, w, h, options.thinning);
  const Mask truth_line = c.truth_line.empty()
                              ? truth_skeleton
                              : without_ignored(draw_curve(c.truth_line, w, h), c.ignore);
  out.cldice = centerline_dice(truth, truth_skeleton, predicted, predicted_skeleton);
  const auto line = compare_pixel_sets(truth_line, predicted_skeleton, w, h);
  out.line_to_truth_px = line.mean_from_predicted();
  out.truth_to_line_px = line.mean_from_truth();
  out.line_px = line.average(PixelSetDistances::Average::kMeanOfDirected);
  out.line_max_px = line.hausdorff();
  fill_tolerance(out, surface, line, options);

  out.truth_betti = betti_numbers(truth, w, h);
  out.predicted_betti = betti_numbers(predicted, w, h);
  out.breaks = count_breaks(truth_line, predicted, w, h);
  out.spurious = count_spurious(truth, predicted, predicted_skeleton, w, h);
  out.davis_f = davis_f(truth, predicted, w, h);
  return out;
}

std::vector<WireMetrics::Value> WireMetrics::values() const {
  std::vector<Value> out;
  const auto add = [&](std::string name, std::optional<double> value) {
    out.push_back({std::move(name), value});
  };
  const auto count = [&](std::string name, int64_t n) {
    add(std::move(name), static_cast<double>(n));
  };
  const auto length = [&](const std::string& name, std::optional<double> px) {
    add(name + "_px", px);
    if (pixel_mm > 0.0) add(name + "_mm", px ? std::optional(*px * pixel_mm) : std::nullopt);
  };
  add("dice", pixels.dice());
  add("iou", pixels.iou());
  add("precision", pixels.precision());
  add("recall", pixels.recall());
  add("specificity", pixels.specificity());
  add("accuracy", pixels.accuracy());
  add("mcc", pixels.mcc());
  add("cldice", cldice.value);
  add("cldice_precision", cldice.precision);
  add("cldice_sensitivity", cldice.sensitivity);
  length("hd", hausdorff_px);
  length("hd95", hausdorff95_px);
  length("hd95_pooled", hausdorff95_pooled_px);
  length("assd", assd_px);
  length("assd_directed", assd_directed_px);
  for (const Tolerance& t : tolerance) {
    add("surface_precision_" + t.radius, t.surface.precision);
    add("surface_recall_" + t.radius, t.surface.recall);
    add("surface_f1_" + t.radius, t.surface.f1);
    add("line_precision_" + t.radius, t.line.precision);
    add("line_recall_" + t.radius, t.line.recall);
    add("line_f1_" + t.radius, t.line.f1);
  }
  length("line_to_truth", line_to_truth_px);
  length("truth_to_line", truth_to_line_px);
  length("line", line_px);
  length("line_max", line_max_px);
  const BettiError error = betti_error(truth_betti, predicted_betti);
  count("b0_error", error.components);
  count("b1_error", error.holes);
  count("b0_truth", truth_betti.components);
  count("b0_predicted", predicted_betti.components);
  count("b1_truth", truth_betti.holes);
  count("b1_predicted", predicted_betti.holes);
  count("breaks", breaks);
  count("spurious", spurious);
  add("false_positive_px_without_truth",
      truth_empty ? std::optional(static_cast<double>(pixels.overlap.predicted_only))
                  : std::nullopt);
  length("tip_error", tip_error(truth_tip, predicted_tip));
  add("davis_f", davis_f);
  return out;
}

nlohmann::ordered_json WireMetrics::to_json() const {
  nlohmann::ordered_json json;
  for (const Value& v : values()) {
    json[v.name] = v.value ? nlohmann::ordered_json(*v.value) : nlohmann::ordered_json();
  }
  json["pixels"] = {{"true_positive", pixels.overlap.both},
                    {"false_positive", pixels.overlap.predicted_only},
                    {"false_negative", pixels.overlap.truth_only},
                    {"true_negative", pixels.background},
                    {"ignored", pixels.ignored}};
  json["skeleton_pixels"] = {{"truth", cldice.truth_length},
                             {"predicted", cldice.predicted_length}};
  json["truth_empty"] = truth_empty;
  json["predicted_empty"] = predicted_empty;
  json["thinning"] = image::thinning_name(thinning);
  return json;
}

}  // namespace voxloom::metrics
