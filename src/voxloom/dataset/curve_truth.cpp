#include "voxloom/dataset/curve_truth.h"

#include <nlohmann/json.hpp>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"

namespace voxloom::dataset {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 30;

FrameCurves frame_curves(const nlohmann::ordered_json& frame) {
  FrameCurves out{.wire_visible = frame.at("wire_visible").get<bool>()};
  double longest = 0.0;
  for (const auto& wire : frame.at("wires")) {
    const auto length = wire.at("length_mm").get<double>();
    if (!wire.at("visible").get<bool>() || wire.at("tip").is_null() || length <= longest) continue;
    longest = length;
    out.tip = wire.at("tip").get<std::array<double, 2>>();
  }
  return out;
}

}  // namespace

std::vector<FrameCurves> read_curves(const std::filesystem::path& file) {
  const auto text = read_text_file(file, kMaxBytes);
  const auto json = parse_json(text,
                               format("curves '{}'", file.string()),
                               ErrorCode::kDataCorrupt,
                               {.max_bytes = kMaxBytes});
  std::vector<FrameCurves> out;
  try {
    for (const auto& frame : json.at("frames")) out.push_back(frame_curves(frame));
  } catch (const nlohmann::ordered_json::exception& e) {
    throw Error(ErrorCode::kDataCorrupt,
                format("curves '{}': frame {} must be as 'wire simulate' writes it: {}",
                       file.string(),
                       out.size(),
                       e.what()));
  }
  return out;
}

}  // namespace voxloom::dataset
