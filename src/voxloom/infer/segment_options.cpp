#include <charconv>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/image/window.h"
#include "voxloom/infer/segmenter.h"

namespace voxloom::infer {
namespace {

/// "Z0,Z1" or empty for none.
std::optional<std::array<int64_t, 2>> parse_slice_range(const std::string& text) {
  if (text.empty()) return std::nullopt;
  std::array<int64_t, 2> range{};
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, range[0]);
  bool good = first.ec == std::errc{} && first.ptr != end && *first.ptr == ',';
  if (good) {
    const auto second = std::from_chars(first.ptr + 1, end, range[1]);
    good = second.ec == std::errc{} && second.ptr == end;
  }
  VOXLOOM_CHECK(good && range[0] >= 0 && range[0] <= range[1],
                ErrorCode::kInvalidArgument,
                "--slice-range: must be Z0,Z1 with 0 <= Z0 <= Z1 (both slices inside), got '{}'",
                text);
  return range;
}

}  // namespace

void SegmentOptions::visit(OptionList& list) {
  list.option("--window",
              window,
              "Intensities shown to the model: LO,HI in the file's units (CT: HU), a preset name "
              "such as abdomen, or auto (CT by its range, others by percentiles).")
      .with_value_name("LO,HI|PRESET|auto");
  list.choice("--direction",
              direction,
              {"both", "forward", "backward"},
              "Way from the key slice: forward is towards higher z.");
  list.choice("--merge",
              merge,
              {"intersection", "union"},
              "Two-ended runs: keep voxels that both passes found (others become 'uncertain'), or "
              "voxels of either pass.");
  list.choice(
      "--components",
      components,
      {"largest", "all"},
      "Keep the largest 26-connected part of each object and those with a positive point, or all "
      "parts.");
  list.option("--clip-box",
              clip_box,
              "Write nothing outside the box of the prompts on the slices that it spans.");
  list.option("--extend",
              extend,
              "Several key slices: label the whole volume, not only the slices between them.");
  list.option("--max-slices",
              max_slices,
              "Slices visited beyond the outermost key slices in each direction, 0: no limit.")
      .with_range(0, 1e6);
  list.custom(
          "--slice-range",
          [this](const std::string& text) { slice_range = parse_slice_range(text); },
          [this] {
            return slice_range ? format("{},{}", (*slice_range)[0], (*slice_range)[1])
                               : std::string();
          },
          "Write only slices Z0 to Z1 (both inside), empty: all.")
      .with_value_name("Z0,Z1");
  list.option("--stop-absent",
              stop_after_absent,
              "Stop a direction after this many slices in a row without the object, 0: never.")
      .with_range(0, 1e6);
  list.option("--fill-holes",
              fill_holes,
              "Fill small holes: at most 8 px of a network's low-resolution mask; enclosed holes "
              "with geodesic.");
  list.option("--smoothness",
              smoothness,
              "geodesic: weight of the regularising step, 0 (none) to 10 (very smooth).")
      .with_range(0.0, 10.0);
  list.option("--leak-control",
              leak_control,
              "geodesic: how much edges and narrow passages stop the growth, 0 (not) to 1 (most).")
      .with_range(0.0, 1.0);
  list.option("--max-distance-mm",
              max_distance_mm,
              "geodesic: label nothing farther than this from a positive prompt, in mm, 0: no "
              "limit.")
      .with_range(0.0, 1e6);
}

void SegmentOptions::validate() const {
  try {
    static_cast<void>(image::parse_window(window));
  } catch (const Error& e) {
    throw e.with_context("--window");
  }
  VOXLOOM_CHECK(max_slices >= 0,
                ErrorCode::kInvalidArgument,
                "--max-slices: must be 0 (no limit) or more, got {}",
                max_slices);
  VOXLOOM_CHECK(stop_after_absent >= 0,
                ErrorCode::kInvalidArgument,
                "--stop-absent: must be 0 (never) or more, got {}",
                stop_after_absent);
  if (slice_range) {
    VOXLOOM_CHECK((*slice_range)[0] >= 0 && (*slice_range)[0] <= (*slice_range)[1],
                  ErrorCode::kInvalidArgument,
                  "--slice-range: must be Z0,Z1 with 0 <= Z0 <= Z1, got {}",
                  *slice_range);
  }
  VOXLOOM_CHECK(smoothness >= 0.0 && smoothness <= 10.0,
                ErrorCode::kInvalidArgument,
                "--smoothness: must lie within [0, 10], got {}",
                smoothness);
  VOXLOOM_CHECK(leak_control >= 0.0 && leak_control <= 1.0,
                ErrorCode::kInvalidArgument,
                "--leak-control: must lie within [0, 1], got {}",
                leak_control);
  VOXLOOM_CHECK(std::isfinite(max_distance_mm) && max_distance_mm >= 0.0,
                ErrorCode::kInvalidArgument,
                "--max-distance-mm: must be 0 (no limit) or more, got {}",
                max_distance_mm);
}

void RuntimeOptions::visit(OptionList& list) {
  list.option("--device", device, "Where the network runs: cpu, cuda or cuda:N.")
      .with_value_name("cpu|cuda[:N]")
      .as_speed_only();
  list.option("--engine",
              engine,
              "What runs the network: torch, openvino, or auto (openvino on a CPU where the "
              "network exports).")
      .with_choices({"auto", "torch", "openvino"});
  list.option("--precision",
              precision,
              "Arithmetic of the network: f32, bf16, or auto (bf16 where the processor has it and "
              "the package passed its check).")
      .with_choices({"auto", "f32", "bf16"});
  list.option("--feature-cache-mb",
              feature_cache_mb,
              "Memory for slice features of a model in MB; more spill to a temporary file.")
      .with_range(16, 1 << 20)
      .as_speed_only();
}

void RuntimeOptions::validate() const {
  bool good_device = device == "cpu" || device == "cuda";
  if (device.rfind("cuda:", 0) == 0 && device.size() > 5 && device.size() <= 8) {
    good_device = device.find_first_not_of("0123456789", 5) == std::string::npos;
  }
  VOXLOOM_CHECK(good_device,
                ErrorCode::kInvalidArgument,
                "--device: must be cpu, cuda or cuda:N, got '{}'",
                device);
  VOXLOOM_CHECK(engine == "auto" || engine == "torch" || engine == "openvino",
                ErrorCode::kInvalidArgument,
                "--engine: must be auto, torch or openvino, got '{}'",
                engine);
  VOXLOOM_CHECK(precision == "auto" || precision == "f32" || precision == "bf16",
                ErrorCode::kInvalidArgument,
                "--precision: must be auto, f32 or bf16, got '{}'",
                precision);
  VOXLOOM_CHECK(feature_cache_mb >= 16,
                ErrorCode::kInvalidArgument,
                "--feature-cache-mb: must be at least 16, got {}",
                feature_cache_mb);
}

}  // namespace voxloom::infer
