#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/image/geometry.h"
#include "voxloom/infer/prompt.h"
#include "voxloom/infer/segmenter.h"
#include "voxloom/serve/interactive/infer_service.h"

namespace voxloom::serve {

/// How a mask is to be written.
struct MaskFormat {
  std::string extension = ".nrrd";  ///< .nrrd, .seg.nrrd, .nii, .nii.gz or .mha.
  image::PixelType type = image::PixelType::kUint8;
  bool compress = false;
  bool write = true;  ///< False: the client wants the JSON part only.
};

/// What a request asks for.
struct PromptRequest {
  std::vector<infer::ObjectPrompt> objects;  ///< One object; none: the answer is a blank mask.
  infer::SegmentOptions options;
  MaskFormat format;
  std::string label;   ///< The segment that is being edited; tells sessions apart.
  std::string device;  ///< Asked for by the client; empty: it did not.
  std::string error;   ///< Why the mask is blank although there were prompts.
  std::vector<std::string> notes;
};

/// Most points of one request.
inline constexpr size_t kMostPoints = 10'000;

/// Stage 1 of an inference: what the client's `params` say about an image.
///
/// Prompts, all in voxel indices [i, j, k] of the image, whole numbers (3.0 is one):
/// - `foreground`, `background`: lists of points inside and outside the object;
/// - a key named after a label of the model: the same, outside for "background", inside for the
///   others (there is one object, "intersection"; what is uncertain is the model's answer);
/// - `roi`: [i_a, i_b, j_a, j_b, k_a, k_b], any order inside a pair, cut to the image: a box, with
///   strict ends in k where they differ;
/// - `slice`: the points and the box of this slice only, and a mask on it only. Where the slice
///   lies outside the roi or the image, it is the middle one of the roi; where it is 0 and has no
///   point, that of the last point inside.
/// Points of an image with one slice may have two numbers. The lists are the full truth: a point
/// that is gone was taken back, so `reset_state` has nothing left to do. Points under the name of
/// no label give no objects and `error`.
///
/// Options: `window`, `direction`, `merge`, `components`, `max_slices`, and `largest_cc` where
/// `components` is absent. Result: `result_extension` (default: `image_extension` where it can be
/// written, else .nrrd), `result_dtype`, `result_compress`, `result_write_to_file`.
/// `restore_label_idx` is checked only: values and indices are the same here.
///
/// Throws kInvalidArgument naming the key or the point, such as "foreground[2]".
[[nodiscard]] PromptRequest read_prompts(const ServedModel& model,
                                         const Json& params,
                                         const image::Geometry& geometry,
                                         std::string_view image_extension);

// The two halves of it.
void read_objects(const ServedModel& model,
                  const Json& params,
                  const image::Geometry& geometry,
                  PromptRequest& request);
void read_options(const Json& params, std::string_view image_extension, PromptRequest& request);

}  // namespace voxloom::serve
