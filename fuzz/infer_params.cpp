// The params of an inference request: any JSON gives prompts inside the image or an Error, and what
// is accepted can be planned.
#include <cstdint>
#include <string_view>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/infer/prompt_parse.h"
#include "voxloom/infer/prompt_plan.h"
#include "voxloom/serve/interactive/read_prompts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom;
  static const auto model = [] {
    set_log_level(LogLevel::kOff);
    return serve::served_models({"geodesic=geodesic"}).back();
  }();
  if (size == 0) return 0;
  // The first byte picks the image: a volume or a flat picture.
  image::Geometry geometry;
  geometry.size = {9, 7, data[0] % 2 == 0 ? 5 : 1};
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto params = serve::Json::parse(text, nullptr, false);
  if (params.is_discarded()) return 0;
  try {
    const auto request = serve::read_prompts(model, params, geometry, ".nii.gz");
    request.options.validate();
    for (const auto& note : request.notes) static_cast<void>(serve::Json(note).dump());
    if (request.objects.empty()) return 0;
    for (const auto& point : request.objects[0].points) {
      if (!geometry.contains(point.voxel)) __builtin_trap();
    }
    infer::validate_prompts(request.objects, geometry);
    for (const auto& object : request.objects) {
      static_cast<void>(infer::plan_object(object, geometry, request.options));
    }
  } catch (const Error& error) {
    // The message goes into a JSON answer.
    static_cast<void>(serve::Json(error.what()).dump());
    if (error.code() != ErrorCode::kInvalidArgument) __builtin_trap();
  }
  return 0;
}
