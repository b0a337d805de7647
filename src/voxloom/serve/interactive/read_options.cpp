#include <algorithm>
#include <array>

#include "voxloom/core/error.h"
#include "voxloom/image/window.h"
#include "voxloom/serve/interactive/param_values.h"
#include "voxloom/serve/interactive/read_prompts.h"

namespace voxloom::serve {
namespace {

using infer::Components;
using infer::Direction;
using infer::Merge;

constexpr std::array<std::string_view, 5> kExtensions{
    ".nrrd", ".seg.nrrd", ".nii", ".nii.gz", ".mha"};

bool is_known(std::string_view extension) {
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

void read_segment_options(const Json& params, infer::SegmentOptions& options) {
  if (const auto window = text_param(params, "window")) {
    try {
      static_cast<void>(image::parse_window(*window));
    } catch (const Error& e) {
      throw e.with_context("window");
    }
    options.window = *window;
  }
  if (const auto direction = choice_param(params, "direction", {"both", "forward", "backward"})) {
    options.direction =
        std::array{Direction::kBoth, Direction::kForward, Direction::kBackward}[*direction];
  }
  if (const auto merge = choice_param(params, "merge", {"intersection", "union"})) {
    options.merge = std::array{Merge::kIntersection, Merge::kUnion}[*merge];
  }
  if (const auto largest = flag_param(params, "largest_cc")) {
    options.components = *largest ? Components::kLargest : Components::kAll;
  }
  if (const auto components = choice_param(params, "components", {"largest", "all"})) {
    options.components = std::array{Components::kLargest, Components::kAll}[*components];
  }
  if (const auto slices = number_param(params, "max_slices")) {
    VOXLOOM_CHECK(*slices >= 0 && *slices <= 1'000'000,
                  ErrorCode::kInvalidArgument,
                  "max_slices: must be 0 (no limit) to 1000000, got {}",
                  *slices);
    options.max_slices = *slices;
  }
}

void read_format(const Json& params, std::string_view image_extension, MaskFormat& format) {
  if (is_known(image_extension)) format.extension = image_extension;
  const auto extension = text_param(params, "result_extension");
  if (extension && !extension->empty()) {
    if (!is_known(*extension)) {
      bad_param("result_extension", "one of .nrrd, .seg.nrrd, .nii, .nii.gz, .mha", *extension);
    }
    format.extension = *extension;
  }
  const auto type = choice_param(params, "result_dtype", {"uint8", "uint16"});
  if (type == 1U) format.type = image::PixelType::kUint16;
  format.compress = flag_param(params, "result_compress").value_or(false);
  format.write = flag_param(params, "result_write_to_file").value_or(true);
  static_cast<void>(flag_param(params, "restore_label_idx"));
}

}  // namespace

void read_options(const Json& params, std::string_view image_extension, PromptRequest& request) {
  read_segment_options(params, request.options);
  read_format(params, image_extension, request.format);
  request.device = text_param(params, "device").value_or("");
}

PromptRequest read_prompts(const ServedModel& model,
                           const Json& params,
                           const image::Geometry& geometry,
                           std::string_view image_extension) {
  if (!params.is_object()) bad_param("params", "an object", params);
  PromptRequest request;
  read_options(params, image_extension, request);
  read_objects(model, params, geometry, request);
  return request;
}

}  // namespace voxloom::serve
