// Calibrations and tracked lines of 'wire biplane'. What both readers accept must be reconstructed
// and written without a crash; the input is cut at its first NUL into calibration and lines.
#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/infer/biplane_calibration.h"
#include "voxloom/infer/biplane_lines.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.find('\0');
  const auto calibration = input.substr(0, cut);
  const auto text = cut == std::string_view::npos ? input : input.substr(cut + 1);
  // A true rig for lines that come without a calibration.
  const infer::CArm arm{.sid_mm = 1100.0,
                        .sod_mm = 720.0,
                        .primary_deg = -40.0,
                        .pixel_mm = {0.2, 0.2},
                        .width = 512,
                        .height = 512,
                        .principal_point = {}};
  auto other = arm;
  other.primary_deg = 50.0;
  infer::BiplaneRig rig(infer::project_c_arm(arm, "a"), infer::project_c_arm(other, "b"));
  try {
    const auto views = infer::parse_biplane_calibration(calibration, "fuzz");
    rig = infer::BiplaneRig(views[0].projection, views[1].projection);
  } catch (const Error&) {
  }
  try {
    const auto lines = infer::parse_tracked_lines(text, "fuzz");
    for (const auto& pair : infer::pair_lines(lines, lines, {0.0, 0.0}, 1.0)) {
      const auto &a = lines[pair.a], &b = lines.back();
      if (a.curve.points.size() > 300 || b.curve.points.size() > 300) continue;
      const auto curve = infer::reconstruct_pair(rig, a, b, {});
      if (infer::biplane_to_json(curve, a, b, 0.0, pair.skew_s).dump().empty()) __builtin_trap();
    }
  } catch (const Error&) {
  }
  return 0;
}
